# SPDX-License-Identifier: Apache-2.0
"""Results as JUnit XML: the ``report.xml`` of a session."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from ducktape.tests.reports.log_files import log_files
from ducktape.tests.reports.places import definition_of, logs_of
from ducktape.tests.reports.session_details import SessionDetails
from ducktape.tests.reports.text import attempt_line, excerpt, finding_line, fitting_limit, headline, rate, visible
from ducktape.tests.status import FAIL, IGNORE

if TYPE_CHECKING:
    from ducktape.tests.recording.not_run import NotRun
    from ducktape.tests.result import TestResult, TestResults

# How much of each long text the file has: readers of this format keep all of it in memory
_LIMITS = (2_000_000, 200_000, 20_000, 2_000)
_BUDGET = 40_000_000
_LONGEST_MESSAGE = 10_000
_MOST_LOGS = 20


@dataclasses.dataclass(frozen=True)
class _View:
    """What the report says beyond the results; paths are relative if they are below ``directory``."""

    results: TestResults
    directory: str | None
    details: SessionDetails
    limit: int  # most characters of a long text


def render(results: TestResults, directory: str | None = None, details: SessionDetails | None = None) -> str:
    """Return the text of ``report.xml``: one line besides what summaries contain, ASCII with character references."""
    return "".join(pieces(results, directory, details))


def pieces(results: TestResults, directory: str | None = None, details: SessionDetails | None = None) -> Iterator[str]:
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
        **_timestamp(results.start_time),
    }
    limit = fitting_limit([len(result.summary) for result in results], _BUDGET, _LIMITS)
    view = _View(results, directory, details or SessionDetails(), limit)
    opening, closing = _tags(ElementTree.Element("testsuites", attributes))
    yield opening
    for module, (of_module, not_run) in modules.items():
        yield from _module(module, of_module, not_run, view)
    yield closing


def _tags(element: ElementTree.Element) -> tuple[str, str]:
    """Return what stands before and after the content of an element."""
    text = ElementTree.tostring(element, short_empty_elements=False).decode("ascii")
    closing = f"</{element.tag}>"
    return text.removesuffix(closing), closing


def _module(module: str, results: Sequence[TestResult], not_run: Sequence[NotRun], view: _View) -> Iterator[str]:
    ignored = sum(result.test_status == IGNORE for result in results)
    attributes = {
        "name": visible(module),
        "tests": str(len(results) + len(not_run)),
        "disabled": "0",
        "errors": "0",
        "failures": str(sum(result.test_status == FAIL for result in results)),
        "skipped": str(ignored + len(not_run)),
        "time": str(sum(max(result.run_time_seconds, 0) for result in results)),
        **_timestamp(min((result.start_time for result in results if result.start_time > 0), default=-1)),
    }
    opening, closing = _tags(ElementTree.Element("testsuite", attributes))
    yield opening
    for result in results:
        yield ElementTree.tostring(_case(result, view)).decode("ascii")
    for test in not_run:
        case = _bare_case(test, 0, "notrun", view)
        ElementTree.SubElement(case, "skipped", {"message": visible(f"not run: {test.why}".removesuffix(": "))})
        _add_properties(case, {"module": module})
        yield ElementTree.tostring(case).decode("ascii")
    yield closing


def _case(result: TestResult, view: _View) -> ElementTree.Element:
    case = _bare_case(result, max(result.run_time_seconds, 0), str(result.test_status), view)
    case.attrib |= _timestamp(result.start_time)
    whole_text = f"{result.relative_results_dir}report.txt"
    if result.test_status in (FAIL, IGNORE):
        summary = visible(excerpt(result.summary, view.limit, whole_text))
        # An element "skipped" itself says that the test was skipped
        said = summary if result.test_status == FAIL else summary.removeprefix("Skipped: ")
        message = headline(said, _LONGEST_MESSAGE)
        if result.test_status == FAIL:
            reason = {"type": visible(result.reason)} if result.reason else {}
            ElementTree.SubElement(case, "failure", {"message": message, **reason}).text = summary
        else:
            skipped = ElementTree.SubElement(case, "skipped", {"message": message} if message else {})
            skipped.text = None if said.strip() == message else summary
    _add_properties(case, _properties(result, view))
    if notes := [*_notes(result), *_log_paths(result, view)]:
        ElementTree.SubElement(case, "system-out").text = visible("\n".join(notes))
    if result.teardown_errors:
        errors = "\n\n".join(excerpt(error, view.limit, whole_text) for error in result.teardown_errors)
        ElementTree.SubElement(case, "system-err").text = visible(errors)
    return case


def _notes(result: TestResult) -> Iterator[str]:
    if result.runs:
        yield rate(result.runs)
    for attempt in result.attempts:
        yield f"attempt {attempt_line(attempt)}"
    for finding in result.findings:
        yield f"finding: {finding_line(finding)}"


def _log_paths(result: TestResult, view: _View) -> Iterator[str]:
    """Yield the directory of the logs and, for a failed test, the files, as GitLab and a Jenkins plug-in read them."""
    if result.test_status == IGNORE and not result.summary:
        return
    logs = logs_of(result, view.results, view.directory)
    if logs:
        yield f"logs in {logs}"
    if not (logs and view.details.logs_dir and result.test_status == FAIL):
        return
    found = log_files(os.path.join(view.details.logs_dir, result.relative_results_dir))
    for file in found[:_MOST_LOGS]:
        if file.path.isprintable() and "]]" not in file.path:
            yield f"[[ATTACHMENT|{os.path.join(logs, file.path)}]]"


def _properties(result: TestResult, view: _View) -> dict[str, str]:
    found = {
        "module": result.module_name,
        "nodes": ", ".join(view.details.nodes_of(result.test_index)),
        "reason": result.reason or "",
        "attempts": "" if result.test_status == IGNORE else str(len(result.attempts) or 1),
    }
    return {name: value for name, value in found.items() if value}


def _add_properties(case: ElementTree.Element, properties: Mapping[str, str]) -> None:
    # Behind the verdict: scripts look for that in the first child
    parent = ElementTree.SubElement(case, "properties")
    for name, value in properties.items():
        ElementTree.SubElement(parent, "property", {"name": name, "value": visible(value)})


def _timestamp(seconds: float) -> dict[str, str]:
    """Return the attribute for a time in UTC; the format has no time zones, and readers take it for UTC."""
    if seconds <= 0:
        return {}
    return {"timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))}


def _bare_case(test: TestResult | NotRun, seconds: float, status: str, view: _View) -> ElementTree.Element:
    prefix = ".".join(part for part in (test.module_name, test.cls_name) if part)
    attributes = {
        "name": visible(test.test_id.removeprefix(f"{prefix}.")),
        # Tools that group by class would lose a test without one
        "classname": visible(test.cls_name or test.module_name),
        "time": str(seconds),
        "status": status,
        "assertions": "",
    }
    if place := definition_of(test, view.directory):
        attributes["file"] = visible(place.file)
        if place.line is not None:
            attributes["line"] = str(place.line)
    return ElementTree.Element("testcase", attributes)
