# SPDX-License-Identifier: Apache-2.0
"""Results as a web page: the ``report.html`` of a session and its style sheet."""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from ducktape import __version__
from ducktape.json_serializable import strict_dumps
from ducktape.tests.reports.fault_view import fault_view, time_in
from ducktape.tests.reports.text import attempt_nodes, excerpt, fitting_limit, format_time, headline, rate, visible
from ducktape.tests.status import FAIL, FLAKY, IGNORE, PASS, TestStatus

if TYPE_CHECKING:
    from ducktape.tests.recording.not_run import NotRun
    from ducktape.tests.result import TestResult, TestResults

T = TypeVar("T")

_SECTIONS: tuple[tuple[TestStatus, str, str], ...] = (
    (FAIL, "failed", "Failed Tests"),
    (IGNORE, "ignored", "Ignored Tests"),
    (FLAKY, "flaky", "Flaky Tests"),
    (PASS, "passed", "Passed Tests"),
)
# How much of each long text the page has: every text is in it twice, and a browser keeps all of it in memory
_LIMITS = (2_000_000, 200_000, 20_000, 4_000)
_BUDGET = 32_000_000
# What takes a browser long is the layout of rows, and it does not lay out what is folded
_ROWS_IN_BLOCK = 250
_MOST_GROUPS = 10
# Random faults may be hundreds in every test
_FAULT_LIMITS = (200, 50, 20, 10, 5, 3, 2, 1)
_FAULT_BUDGET = 20_000
# What differs between two occurrences of one problem: numbers, addresses, ids
_CHANGING = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]{8,}\b|\d+")


@dataclasses.dataclass(frozen=True)
class _Section(Generic[T]):
    """One part of the page: its name, such as ``failed``, its heading, its tests, and what makes the texts of a row."""

    name: str
    title: str
    tests: Sequence[T]
    view: Callable[[T], Mapping[str, object]]

    @property
    def constant(self) -> str:
        return f"{self.name.upper()}_TESTS"

    @property
    def blocks(self) -> list[tuple[int, Sequence[T]]]:
        """The tests in portions, each with the number of its first row."""
        starts = range(0, len(self.tests), _ROWS_IN_BLOCK)
        return [(start + 1, self.tests[start : start + _ROWS_IN_BLOCK]) for start in starts]


@dataclasses.dataclass
class Alike:
    """Failures of one reason that begin with the same words."""

    reason: str
    text: str
    first: TestResult
    count: int = 0


def render(results: TestResults, expected_test_count: int | None = None) -> str:
    """Return the text of ``report.html``: complete in itself, readable without scripts and without a network."""
    return "".join(pieces(results, expected_test_count))


def pieces(results: TestResults, expected_test_count: int | None = None) -> Iterator[str]:
    """Yield the same text in pieces, so that a long session is never in memory as a whole."""
    heading = {"session": str(results.session_context.session_id), "version": __version__}
    summary = _summary(results, expected_test_count)
    color_keys = [str(status) for status in (PASS, FAIL, IGNORE, FLAKY)]
    sections = _sections(results)
    failures = [result for result in results if result.test_status == FAIL]
    groups = alike(failures)
    constants = {"HEADING": heading, "SUMMARY": summary, "COLOR_KEYS": color_keys}
    stream = _template().stream(
        heading=heading,
        summary=summary,
        color_keys=color_keys,
        sections=sections,
        unhealthy=[str(node) for node in results.unhealthy_nodes],
        reasons=counted(reason_of(result) for result in failures),
        groups=groups[:_MOST_GROUPS] if len(failures) > 1 else [],
        groups_left_out=max(len(groups) - _MOST_GROUPS, 0),
        not_run_reasons=counted(test.why for test in results.not_run),
        short_name=_short_name,
        with_teardown_errors=sum(bool(each.teardown_errors) and each.test_status != FAIL for each in results),
        anchors={id(group.first): f"first-{number}" for number, group in enumerate(groups[:_MOST_GROUPS], start=1)},
        key=id,
        constants={name: _script_constant(value) for name, value in constants.items()},
        script_constant=_script_constant,
        css=Markup(style_sheet()),
        script=Markup(_packaged("report.js")),
    )
    stream.enable_buffering(200)
    return stream


@functools.cache
def style_sheet() -> str:
    """Return the text of ``report.css``."""
    return _packaged("report.css")


def reason_of(result: TestResult) -> str:
    """Return the reason under which a failure is counted."""
    return result.reason or "other"


def counted(texts: Iterable[str]) -> dict[str, int]:
    """Return how often each text occurs, the most frequent first."""
    return dict(Counter(texts).most_common())


def alike(failures: Iterable[TestResult]) -> list[Alike]:
    """Return groups of similar failures, the largest group first."""
    groups: dict[tuple[str, str], Alike] = {}
    for result in failures:
        text = headline(result.summary)
        key = reason_of(result), _CHANGING.sub("#", text)
        groups.setdefault(key, Alike(key[0], text, result)).count += 1
    return sorted(groups.values(), key=lambda group: -group.count)


def _summary(results: TestResults, expected_test_count: int | None) -> dict[str, object]:
    summary: dict[str, object] = {
        "expected": len(results) if expected_test_count is None else expected_test_count,
        "run": len(results),
        "passes": results.num_passed,
        "flaky": results.num_flaky,
        "failures": results.num_failed,
        "ignored": results.num_ignored,
        "time": format_time(results.run_time_seconds),
    }
    if results.not_run:
        summary["not_run"] = len(results.not_run)
    return summary


def _sections(results: TestResults) -> list[_Section[TestResult] | _Section[NotRun]]:
    of_status: dict[str, list[TestResult]] = {str(status): [] for status, _, _ in _SECTIONS}
    for result in results:
        of_status[str(result.test_status)].append(result)
    lengths = [len(result.summary) for result in results]
    lengths += [len(error) for result in results for error in result.teardown_errors]
    lengths += [len(strict_dumps(result.data)) for result in results if result.data is not None]
    limit = fitting_limit(lengths, _BUDGET, _LIMITS)
    most_faults = fitting_limit([len(result.faults) for result in results], _FAULT_BUDGET, _FAULT_LIMITS)
    view = functools.partial(_view, limit=limit, most_faults=most_faults, logs_root=results.logs_root)
    sections: list[_Section[TestResult] | _Section[NotRun]] = [
        _Section(name, title, of_status[str(status)], view) for status, name, title in _SECTIONS
    ]
    if results.not_run:
        sections.insert(1, _Section("not_run", "Tests Not Run", results.not_run, _view_of_not_run))
    return sections


def _view(result: TestResult, *, limit: int, most_faults: int, logs_root: str) -> dict[str, object]:
    def shown(text: str) -> str:
        return excerpt(text, limit, f"{result.relative_results_dir}report.txt")

    nodes = f"Nodes (used/allocated): {result.nodes_used}/{result.nodes_allocated}"
    view: dict[str, object] = {
        "test_name": _name_block(result, nodes),
        "test_result": str(result.test_status),
        "reason": result.reason or "",
        "description": result.description,
        "run_time": format_time(result.run_time_seconds),
        "data": "" if result.data is None else shown(strict_dumps(result.data, indent=2)),
        "summary": shown(result.summary),
        "test_log": "" if result.test_status == IGNORE and not result.summary else _logs(result, logs_root),
    }
    if result.runs:
        view["runs"] = rate(result.runs)
    if result.attempts:
        view["attempts"] = [_view_of_attempt(result, attempt, logs_root) for attempt in result.attempts]
    if result.teardown_errors:
        view["teardown_errors"] = [shown(error) for error in result.teardown_errors]
    if result.faults:
        view["faults"] = [fault_view(fault, result) for fault in result.faults[:most_faults]]
        view["faults_left_out"] = max(len(result.faults) - most_faults, 0)
    return view


def _view_of_attempt(result: TestResult, attempt: Mapping[str, object], logs_root: str) -> dict[str, str]:
    start, stop = time_in(attempt, "start_time"), time_in(attempt, "stop_time")
    took = "" if start is None or stop is None or not 0 <= start <= stop else format_time(stop - start)
    return {
        "number": str(attempt.get("number")),
        "status": str(attempt.get("status")).lower(),
        "reason": str(attempt.get("reason") or ""),
        "run_time": took,
        "nodes": attempt_nodes(attempt),
        "summary": headline(str(attempt.get("summary") or "")),
        "test_log": _logs(result, logs_root, str(attempt.get("directory") or "")),
    }


def _view_of_not_run(test: NotRun) -> dict[str, str]:
    return {"test_name": _name_block(test), "test_result": "notrun", "why": test.why}


def _logs(result: TestResult, logs_root: str, directory: str = "") -> str:
    """Return where the logs of a test are, as seen from the report."""
    return os.path.join(logs_root, result.relative_results_dir, directory).rstrip("/\\")


def _short_name(result: TestResult) -> str:
    return f"{result.cls_name}.{result.function_name}" if result.cls_name else result.test_id


def _name_block(test: TestResult | NotRun, *more: str) -> str:
    lines = [
        f"Module:      {test.module_name}",
        f"Class:       {test.cls_name}",
        f"Method:      {test.function_name}",
        *more,
    ]
    if test.injected_args:
        lines += ["Arguments:", strict_dumps(test.injected_args, indent=2)]
    return "\n".join(lines)


def _script_constant(value: object) -> Markup:
    """Return JSON in which nothing can end the script block or open a comment in it."""
    encoded = strict_dumps(value).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(encoded)


def _link(path: str) -> str:
    return quote(path.replace("\\", "/"), safe="/=,", errors="backslashreplace")


def _packaged(name: str) -> str:
    folder = importlib.resources.files("ducktape").joinpath("templates").joinpath("report")
    return folder.joinpath(name).read_text(encoding="utf-8")


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["visible"] = visible
    environment.filters["link"] = _link
    environment.filters["number"] = "{:,}".format
    return environment.from_string(_packaged("report.html"))
