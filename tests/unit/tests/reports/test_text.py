# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from ducktape.tests.reports import text
from ducktape.tests.result import FAIL, FLAKY
from tests.unit.tests.reports.samples import TRACEBACK, check_golden, demo_results, result


@pytest.mark.parametrize(
    ("seconds", "spelled"),
    [
        (0, "0.000 seconds"),
        (0.123, "0.123 seconds"),
        (59.9996, "1 minute 0.000 seconds"),
        (61.5, "1 minute 1.500 seconds"),
        (120, "2 minutes 0.000 seconds"),
        (3600, "60 minutes 0.000 seconds"),
        (-1, "0.000 seconds"),
    ],
)
def test_a_duration_is_spelled_in_minutes_and_seconds(seconds: float, spelled: str) -> None:
    assert text.format_time(seconds) == spelled


def test_the_report_of_a_failed_test_ends_with_its_summary() -> None:
    failed = result("test_fail", status=FAIL, summary=TRACEBACK, seconds=0.007)
    assert text.result_report(failed) == (
        "=" * 100 + "\n"
        "test_id:    demo_tests.test_demo.DemoTest.test_fail\n"
        "status:     FAIL\n"
        "run time:   0.007 seconds\n"
        "\n"
        "\n"
        "    AssertionError('a <b>')\n"
        "Traceback (most recent call last):\n"
        "  ...\n"
        "AssertionError: a <b>"
    )


def test_a_test_that_did_not_fail_shows_no_summary() -> None:
    assert "run 3" not in text.result_text(result("test_flaky", status=FLAKY, summary="run 3: PASSED"))


@pytest.mark.parametrize(
    ("data", "line"), [(0, "0"), ("", '""'), ([], "[]"), ({"b": 1.5, "a": 2}, '{"b": 1.5, "a": 2}')]
)
def test_data_even_if_falsy_comes_last_on_one_line(data: object, line: str) -> None:
    assert text.result_text(result(data=data, seconds=0.5)).split("\n")[2:] == ["run time:   0.500 seconds", line]


def test_data_of_a_failed_test_comes_after_its_summary() -> None:
    assert text.result_text(result(status=FAIL, summary="oh", data=1)).endswith("\n\n\n    oh\n1")


def test_characters_that_markup_cannot_carry_are_spelled_out() -> None:
    shown = text.visible("a\x00\x1b[31m\x7f\x85\udc80\ufffe\r\n\rz\t\n\u2028\U0001f986<")
    assert shown == r"a\x00\x1b[31m\x7f\x85\udc80\ufffe" + "\n" + r"\x0dz" + "\t\n\u2028\U0001f986<"


def test_the_report_of_a_session_is_as_agreed() -> None:
    check_golden("report.txt", text.session_report(demo_results()))


def test_the_separators_are_as_wide_as_asked_for() -> None:
    lines = text.session_report(demo_results(), width=7).split("\n")
    assert [line for line in lines if set(line) == {"="}] == ["=" * 7] * 2
    assert [line for line in lines if set(line) == {"-"}] == ["-" * 7] * 8
