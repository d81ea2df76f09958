# SPDX-License-Identifier: Apache-2.0
"""Results as JUnit XML: the ``report.xml`` of a session."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from ducktape.tests.reports.text import visible
from ducktape.tests.status import FAIL, IGNORE

if TYPE_CHECKING:
    from ducktape.tests.result import TestResult, TestResults

# Lines of a summary of several runs that say nothing about the failure
_UNINFORMATIVE = re.compile(r"\s*|runs? \d+(, \d+)* summary:|~+")


def render(results: TestResults) -> str:
    """Return the text of ``report.xml``: one line besides what summaries contain, ASCII with character references."""
    return "".join(pieces(results))


def pieces(results: TestResults) -> Iterator[str]:
    """Yield the same text result by result, so that a long session is never in memory as a whole."""
    modules: dict[str, list[TestResult]] = {}
    for result in results:
        modules.setdefault(result.module_name, []).append(result)
    attributes = {
        "name": "ducktape",
        "time": str(max(results.run_time_seconds, 0)),
        "tests": str(len(results)),
        "disabled": "0",
        "errors": "0",
        "failures": str(results.num_failed),
    }
    opening, closing = _tags(ElementTree.Element("testsuites", attributes))
    yield opening
    for module, of_module in modules.items():
        yield from _module(module, of_module)
    yield closing


def _tags(element: ElementTree.Element) -> tuple[str, str]:
    """Return what stands before and after the content of an element."""
    text = ElementTree.tostring(element, short_empty_elements=False).decode("ascii")
    closing = f"</{element.tag}>"
    return text.removesuffix(closing), closing


def _module(module: str, results: list[TestResult]) -> Iterator[str]:
    attributes = {
        "name": visible(module),
        "tests": str(len(results)),
        "disabled": "0",
        "errors": "0",
        "failures": str(sum(result.test_status == FAIL for result in results)),
        "skipped": str(sum(result.test_status == IGNORE for result in results)),
    }
    opening, closing = _tags(ElementTree.Element("testsuite", attributes))
    yield opening
    for result in results:
        yield ElementTree.tostring(_case(result)).decode("ascii")
    yield closing


def _case(result: TestResult) -> ElementTree.Element:
    prefix = ".".join(part for part in (result.module_name, result.cls_name) if part)
    attributes = {
        "name": visible(result.test_id.removeprefix(f"{prefix}.")),
        # Tools that group by class would lose a test without one
        "classname": visible(result.cls_name or result.module_name),
        "time": str(max(result.run_time_seconds, 0)),
        "status": str(result.test_status),
        "assertions": "",
    }
    case = ElementTree.Element("testcase", attributes)
    if result.test_status == FAIL:
        summary = visible(result.summary)
        failure = ElementTree.SubElement(case, "failure", {"message": _message(summary)})
        failure.text = summary
    if result.test_status == IGNORE:
        ElementTree.SubElement(case, "skipped")
    return case


def _message(summary: str) -> str:
    lines = (line for line in summary.split("\n") if not _UNINFORMATIVE.fullmatch(line))
    return next(lines, "")
