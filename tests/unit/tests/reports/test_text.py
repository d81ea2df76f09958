# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ducktape.tests.reports import summary, text
from ducktape.tests.result import FAIL, FLAKY, IGNORE, PASS, TestResult, TestResults
from ducktape.tests.session import SessionContext
from tests.unit.tests.reports.samples import (
    RESULTS_DIR,
    TRACEBACK,
    attempt,
    check_golden,
    demo_results,
    eventful_results,
    not_run,
    result,
    session,
)


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
    check_golden("report.txt", summary.session_report(demo_results()))


def test_the_separators_are_as_wide_as_asked_for() -> None:
    lines = summary.session_report(demo_results(), width=7).split("\n")
    assert [line for line in lines if set(line) == {"="}] == ["=" * 7] * 2
    assert [line for line in lines if set(line) == {"-"}] == ["-" * 7] * 8


def console(*results: TestResult, missing: int = 0, of: SessionContext | None = None) -> str:
    collection = TestResults(of or session())
    for each in results:
        collection.append(each)
    collection.not_run += [not_run("test_pass", "no time", {"x": number}) for number in range(missing)]
    return "".join(summary.console_pieces(collection, 80))


def test_the_report_of_an_eventful_session_is_as_agreed() -> None:
    check_golden("report-eventful.txt", summary.session_report(eventful_results()))


def test_a_test_that_was_left_out_says_why() -> None:
    skipped = text.result_text(result("test_skipped", status=IGNORE, summary="Skipped: no disk"))
    assert skipped.endswith("status:     IGNORE\nrun time:   0.500 seconds\n\n\n    Skipped: no disk")
    assert text.result_text(result("test_skipped", status=IGNORE, summary="")).endswith("run time:   0.500 seconds")


def test_errors_of_the_teardown_have_a_block_of_their_own() -> None:
    passed = result(status=PASS, teardown_errors=["one\nmore", "two"], data=3)
    assert text.result_text(passed).endswith("seconds\n\n\nteardown errors:\n    one\nmore\n    two\n3")


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (attempt(1, nodes=[]), "1. PASS"),
        (
            attempt(2, "fail", "timeout", "oh\nmore", ["a", "b"], "attempt-2"),
            "2. FAIL (timeout) on a, b, logs in attempt-2: oh",
        ),
        ({"number": 3, "status": "fail"}, "3. FAIL"),
    ],
)
def test_an_attempt_is_told_in_one_line(record: dict[str, object], line: str) -> None:
    assert text.attempt_line(record) == line


@pytest.mark.parametrize(
    ("summary", "line"),
    [
        ("", ""),
        ("\n\n  \nrun 1 summary:\nfirst\nsecond", "first"),
        ("passed 0 of 5 runs\n\nruns 1, 2 summary:\noh", "oh"),
        ("x" * 1000, "x" * 400 + "..."),
    ],
)
def test_a_headline_is_the_first_line_that_says_something(summary: str, line: str) -> None:
    assert text.headline(summary) == line


def test_the_console_shows_the_same_as_the_file() -> None:
    for results in (demo_results(), eventful_results()):
        assert "".join(summary.console_pieces(results, 100)) == summary.session_report(results)


def test_the_console_is_not_flooded_by_one_failure() -> None:
    summary = "first line\n" + "something\n" * 5_000_000 + "last line"
    shown = console(result("test_fail", status=FAIL, summary=summary))
    assert len(shown) < 25_000
    assert "\n    first line\nsomething\n" in shown
    assert "\nsomething\nlast line\n---" in shown
    assert f"characters are left out; all of them are in {RESULTS_DIR}/DemoTest/test_fail/1/report.txt ...]" in shown


def test_the_console_is_not_flooded_by_many_failures() -> None:
    of = session()
    shown = console(*[result("test_fail", index, FAIL, "x" * 19_000, of=of) for index in range(1000)], of=of)
    assert len(shown) < 2_500_000
    assert shown.count("characters are left out") == 1000


def test_the_console_is_not_flooded_by_tests_that_did_not_run() -> None:
    lines = console(missing=5000).split("\n")
    assert "not run:          5000" in lines
    assert lines[-24:] == [
        "NOT RUN (5000)",
        "no time:",
        *["    demo_tests.test_demo.DemoTest.test_pass" for _ in range(20)],
        "    and 4,980 more, which are in report.txt",
        "-" * 80,
    ]


@pytest.mark.parametrize("content", ["", "short", "x" * 100])
def test_a_text_that_fits_stays_as_it_is(content: str) -> None:
    assert text.excerpt(content, 100, "report.txt") == content


def test_a_long_text_keeps_its_ends_and_says_what_is_missing() -> None:
    content = "begin" + "-" * 1990 + "end.."
    assert text.excerpt(content, 20, "a/report.txt") == (
        "begin-----\n[... 1,980 characters are left out; all of them are in a/report.txt ...]\n-----end.."
    )


def test_lines_are_cut_between_each_other() -> None:
    lines = [f"line {number:03}" for number in range(1000)]
    shown = text.excerpt("\n".join(lines), 100, "report.txt").split("\n")
    assert shown[:5] == lines[:5]
    assert shown[5] == "[... 8,911 characters are left out; all of them are in report.txt ...]"
    assert shown[6:] == lines[-5:]


@given(st.text(alphabet="ab\n", max_size=300), st.integers(10, 200))
def test_no_character_is_shown_twice_or_uncounted(content: str, limit: int) -> None:
    shown = text.excerpt(content, limit, "report.txt")
    if len(content) <= limit:
        assert shown == content
        return
    start, rest = shown.split("\n[... ", 1)
    count, end = rest.split(" characters are left out; all of them are in report.txt ...]\n", 1)
    assert content.startswith(start)
    assert content.endswith(end)
    assert len(start) + int(count.replace(",", "")) + len(end) == len(content)
    assert len(start) + len(end) <= limit


@pytest.mark.parametrize(
    ("lengths", "limit"),
    [
        ([], 1000),
        ([900, 50], 1000),
        ([5000], 1000),
        ([5000, 5000], 100),
        ([5000] * 11, 10),
        ([5000] * 1000, 10),
    ],
)
def test_many_texts_share_what_there_is_room_for(lengths: list[int], limit: int) -> None:
    assert text.fitting_limit(lengths, 1050, (1000, 100, 10)) == limit


def test_a_finding_is_one_line() -> None:
    finding = {
        "service": "Echo-0",
        "node": "n1",
        "file": "Echo-0/n1/a.log",
        "line": 3,
        "text": " a\n\x1b b ",
        "count": 1,
    }
    assert text.finding_line(finding) == r"Echo-0 on n1: Echo-0/n1/a.log:3: a \x1b b"
    assert text.finding_line({**finding, "count": 1234}).endswith(r"b (1,234 times)")
    assert text.finding_line({"kind": "oom", "node": "n1", "text": "killed"}) == "n1: killed"
    assert text.findings_paragraph([]) == ""
    lines = text.findings_paragraph([finding] * 25).split("\n")
    assert (lines[0], len(lines), lines[-1]) == ("Findings:", 22, "  and 5 more")
