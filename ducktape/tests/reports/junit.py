# SPDX-License-Identifier: Apache-2.0
"""Results as JUnit XML: the ``report.xml`` of a session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from ducktape.tests.reports.text import attempt_line, excerpt, fitting_limit, headline, rate, visible
from ducktape.tests.status import FAIL, IGNORE

if TYPE_CHECKING:
    from ducktape.tests.recording.not_run import NotRun
    from ducktape.tests.result import TestResult, TestResults

# How much of each long text the file has: readers of this format keep all of it in memory
_LIMITS = (2_000_000, 200_000, 20_000, 2_000)
_BUDGET = 40_000_000
_LONGEST_MESSAGE = 10_000


def render(results: TestResults) -> str:
    """Return the text of ``report.xml``: one line besides what summaries contain, ASCII with character references."""
    return "".join(pieces(results))


def pieces(results: TestResults) -> Iterator[str]:
    """Yield the same text result by result, so that a long session is never in memory as a whole."""
    modules: dict[str, tuple[list[TestResult], list[NotRun]]] = {}
    for result in results:
        modules.setdefault(result.module_name, ([], []))[0].append(result)
    for test in results.not_run:
        modules.setdefault(test.module_name, ([], []))[1].append(test)
    attributes = {
        "name": "ducktape",
        "time": str(max(results.run_time_seconds, 0)),
        "tests": str(len(results) + len(results.not_run)),
        "disabled": "0",
        "errors": "0",
        "failures": str(results.num_failed),
    }
    limit = fitting_limit([len(result.summary) for result in results], _BUDGET, _LIMITS)
    opening, closing = _tags(ElementTree.Element("testsuites", attributes))
    yield opening
    for module, (of_module, not_run) in modules.items():
        yield from _module(module, of_module, not_run, limit)
    yield closing


def _tags(element: ElementTree.Element) -> tuple[str, str]:
    """Return what stands before and after the content of an element."""
    text = ElementTree.tostring(element, short_empty_elements=False).decode("ascii")
    closing = f"</{element.tag}>"
    return text.removesuffix(closing), closing


def _module(module: str, results: Sequence[TestResult], not_run: Sequence[NotRun], limit: int) -> Iterator[str]:
    ignored = sum(result.test_status == IGNORE for result in results)
    attributes = {
        "name": visible(module),
        "tests": str(len(results) + len(not_run)),
        "disabled": "0",
        "errors": "0",
        "failures": str(sum(result.test_status == FAIL for result in results)),
        "skipped": str(ignored + len(not_run)),
    }
    opening, closing = _tags(ElementTree.Element("testsuite", attributes))
    yield opening
    for result in results:
        yield ElementTree.tostring(_case(result, limit)).decode("ascii")
    for test in not_run:
        case = _bare_case(test, 0, "notrun")
        ElementTree.SubElement(case, "skipped", {"message": visible(f"not run: {test.why}".removesuffix(": "))})
        yield ElementTree.tostring(case).decode("ascii")
    yield closing


def _case(result: TestResult, limit: int) -> ElementTree.Element:
    case = _bare_case(result, max(result.run_time_seconds, 0), str(result.test_status))
    whole_text = f"{result.relative_results_dir}report.txt"
    if result.test_status in (FAIL, IGNORE):
        summary = visible(excerpt(result.summary, limit, whole_text))
        # An element "skipped" itself says that the test was skipped
        said = summary if result.test_status == FAIL else summary.removeprefix("Skipped: ")
        message = headline(said, _LONGEST_MESSAGE)
        if result.test_status == FAIL:
            reason = {"type": visible(result.reason)} if result.reason else {}
            ElementTree.SubElement(case, "failure", {"message": message, **reason}).text = summary
        else:
            skipped = ElementTree.SubElement(case, "skipped", {"message": message} if message else {})
            skipped.text = None if said.strip() == message else summary
    # In the two elements that every reader of this format knows; properties of single tests are news to many
    notes = [rate(result.runs)] if result.runs else []
    notes += [f"attempt {attempt_line(attempt)}" for attempt in result.attempts]
    if notes:
        ElementTree.SubElement(case, "system-out").text = visible("\n".join(notes))
    if result.teardown_errors:
        errors = "\n\n".join(excerpt(error, limit, whole_text) for error in result.teardown_errors)
        ElementTree.SubElement(case, "system-err").text = visible(errors)
    return case


def _bare_case(test: TestResult | NotRun, seconds: float, status: str) -> ElementTree.Element:
    prefix = ".".join(part for part in (test.module_name, test.cls_name) if part)
    attributes = {
        "name": visible(test.test_id.removeprefix(f"{prefix}.")),
        # Tools that group by class would lose a test without one
        "classname": visible(test.cls_name or test.module_name),
        "time": str(seconds),
        "status": status,
        "assertions": "",
    }
    return ElementTree.Element("testcase", attributes)
