# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.reports import overview
from ducktape.tests.result import FAIL, TestResult
from tests.unit.tests.reports.samples import result


def failure(index: int, summary: str, reason: str | None = "error") -> TestResult:
    return result("test_fail", index, FAIL, summary, reason=reason)


def test_texts_are_counted_most_frequent_first() -> None:
    assert list(overview.counted(["b", "a", "a", "c", "b", "a"]).items()) == [("a", 3), ("b", 2), ("c", 1)]


def test_failures_that_differ_in_numbers_only_look_alike() -> None:
    failures = [
        failure(1, "TimeoutError: 3 of 5 after 0x7f00beef\nmore"),
        failure(2, "KeyError: 'x'"),
        failure(3, "TimeoutError: 2 of 5 after 0x7f00cafe\nless"),
    ]
    found = [(group.count, group.text, group.first.test_index) for group in overview.alike(failures)]
    assert found == [(2, "TimeoutError: 3 of 5 after 0x7f00beef", 1), (1, "KeyError: 'x'", 2)]


def test_failures_of_different_reasons_do_not_look_alike() -> None:
    failures = [failure(1, "oh"), failure(2, "oh", "timeout"), failure(3, "oh", None)]
    assert [(group.count, group.reason) for group in overview.alike(failures)] == [
        (1, "error"),
        (1, "timeout"),
        (1, "other"),
    ]
