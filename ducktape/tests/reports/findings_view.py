# SPDX-License-Identifier: Apache-2.0
"""What ``report.html`` lists of findings in logs and on nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ducktape.tests.reports.text import finding_line

if TYPE_CHECKING:
    from ducktape.tests.result import TestResult, TestResults

_MOST_TESTS = 50


class Findings(NamedTuple):
    """One test: its name, its first finding in a line, and how many more there are."""

    result: TestResult
    name: str
    first: str
    more: int


class FindingsView(NamedTuple):
    """The first tests with findings, and how many others there are."""

    tests: list[Findings]
    left_out: int


def findings_view(results: TestResults) -> FindingsView:
    """Return what the page lists."""
    found = [result for result in results if result.findings]
    shown = [
        Findings(
            result,
            f"{result.cls_name}.{result.function_name}",
            finding_line(result.findings[0]),
            len(result.findings) - 1,
        )
        for result in found[:_MOST_TESTS]
    ]
    return FindingsView(shown, len(found) - len(shown))
