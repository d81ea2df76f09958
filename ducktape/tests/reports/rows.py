# SPDX-License-Identifier: Apache-2.0
"""What ``report.html`` shows of one test."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ducktape.json_serializable import strict_dumps
from ducktape.tests.reports import rerun
from ducktape.tests.reports.axis import Axis, Budget, axis
from ducktape.tests.reports.comparison import label
from ducktape.tests.reports.fault_view import clock_text, fault_view, time_in
from ducktape.tests.reports.log_files import LogFile, log_files
from ducktape.tests.reports.metrics_view import Measured, measured
from ducktape.tests.reports.session_details import SessionDetails, durations
from ducktape.tests.reports.text import attempt_nodes, excerpt, format_time, headline, rate
from ducktape.tests.reports.timeline import seconds_text
from ducktape.tests.reports.traceback_view import Part, parts
from ducktape.tests.reports.trend_view import Picture, Pictures
from ducktape.tests.status import FAIL, IGNORE, PASS
from ducktape.utils.support.text import shorten

if TYPE_CHECKING:
    from ducktape.tests.recording.history import Changes
    from ducktape.tests.recording.not_run import NotRun
    from ducktape.tests.result import TestResult

_LONGEST_ARGUMENTS = 160
_LONGEST_VALUE = 300
_MOST_VALUES = 50
_TAIL_BYTES = 20_000


@dataclasses.dataclass(frozen=True)
class Extent:
    """How much of a session the page shows.

    Attributes:
        text: the most characters of a text.
        faults: the most faults of a test.
        passed: whether tests that passed have details, too, beyond those that every test has.
        tails: bytes that the ends of logs may still have.
        pictures: what the pictures of tests may still take.
    """

    text: int
    faults: int
    passed: bool
    tails: list[int]
    pictures: Budget = dataclasses.field(default_factory=Budget)


class Row(NamedTuple):
    """One test: the texts that scripts read from the page, and what is shown beside them."""

    texts: Mapping[str, object]
    name: str
    arguments: str
    nodes: str
    took: str
    headline: str = ""
    parts: list[Part] = []
    details: Details | None = None
    change: str = ""  # since earlier sessions, such as "new"
    change_label: str = ""
    trends: list[Picture] = []


class Details(NamedTuple):
    """What the row of a test unfolds to."""

    facts: list[tuple[str, str]]
    arguments: list[tuple[str, str]]
    data: list[tuple[str, str]]
    phases: dict[int, list[tuple[str, str, str]]]
    services: list[tuple[str, str]]
    files: list[LogFile]
    rerun: str
    axis: Axis | None
    measured: Measured | None


def row(
    result: TestResult,
    extent: Extent,
    details: SessionDetails,
    logs_root: str,
    changes: Changes | None,
    pictures: Pictures,
) -> Row:
    """Return what the page shows of a result."""
    of_scripts = texts(result, extent, logs_root)
    summary = str(of_scripts["summary"])
    name = f"{result.cls_name}.{result.function_name}" if result.cls_name else result.function_name
    wants_details = extent.passed or result.test_status != PASS
    return Row(
        of_scripts,
        name,
        arguments_text(result),
        str(result.nodes_used or result.nodes_allocated or ""),
        "" if result.run_time_seconds < 0 else seconds_text(result.run_time_seconds),
        "" if result.test_status == PASS else headline(summary),
        parts(summary),
        _details(result, extent, details) if wants_details else None,
        "" if changes is None else changes.kind(result.test_id),
        label(changes, result.test_id),
        pictures.of(result),
    )


def row_of_not_run(test: NotRun) -> Row:
    """Return what the page shows of a test that did not run."""
    name = f"{test.cls_name}.{test.function_name}" if test.cls_name else test.function_name
    return Row(texts_of_not_run(test), name, arguments_text(test), "", "", test.why)


def texts_of_not_run(test: NotRun) -> dict[str, str]:
    """Return the object of a test that did not run among the constants of the page."""
    return {"test_name": _name_block(test), "test_result": "notrun", "why": test.why}


def texts(result: TestResult, extent: Extent, logs_root: str) -> dict[str, object]:
    """Return the object of a test among the constants of the page."""

    def shown(text: str) -> str:
        return excerpt(text, extent.text, f"{result.relative_results_dir}report.txt")

    nodes = f"Nodes (used/allocated): {result.nodes_used}/{result.nodes_allocated}"
    found: dict[str, object] = {
        "test_name": _name_block(result, nodes),
        "test_result": str(result.test_status),
        "reason": result.reason or "",
        "description": result.description,
        "run_time": format_time(result.run_time_seconds),
        "data": "" if result.data is None else shown(strict_dumps(result.data, indent=2)),
        "summary": shown(result.summary),
        "test_log": "" if result.test_status == IGNORE and not result.summary else _logs(result, logs_root),
    }
    if result.tags:
        found["tags"] = result.tags
    if result.runs:
        found["runs"] = rate(result.runs)
    if result.attempts:
        found["attempts"] = [_view_of_attempt(result, attempt, logs_root) for attempt in result.attempts]
    if result.teardown_errors:
        found["teardown_errors"] = [shown(error) for error in result.teardown_errors]
    if result.faults:
        found["faults"] = [fault_view(fault, result) for fault in result.faults[: extent.faults]]
        found["faults_left_out"] = max(len(result.faults) - extent.faults, 0)
    return found


def _details(result: TestResult, extent: Extent, details: SessionDetails) -> Details:
    index = result.test_index
    nodes = details.nodes_of(index)
    facts = [
        ("Test", result.test_id),
        ("File", result.file_name or ""),
        ("Started", clock_text(result.start_time) if result.start_time > 0 else ""),
        ("Nodes", f"{result.nodes_used} used of {result.nodes_allocated}" if result.nodes_allocated else ""),
        ("Node names", _bounded(", ".join(nodes))),
        ("Node type", result.node_type or ""),
    ]
    phases = [] if index is None else details.phases.get(index, [])
    of_attempts: dict[int, list[tuple[str, str, str]]] = {}
    for phase, took in durations(phases, result.stop_time):
        of_attempts.setdefault(phase.attempt, []).append((phase.name, seconds_text(took), f"{took:.3f}"))
    return Details(
        [(name, value) for name, value in facts if value],
        _table(result.injected_args),
        _table(result.data) if isinstance(result.data, dict) else [],
        of_attempts,
        _services(result.services),
        _files(result, extent, details),
        rerun.command(result, details.argv),
        axis(result, details, extent.pictures),
        measured(result.metrics),
    )


def _files(result: TestResult, extent: Extent, details: SessionDetails) -> list[LogFile]:
    if not (details.logs_dir and result.relative_results_dir):
        return []
    wanted = min(extent.tails[0], _TAIL_BYTES) if result.test_status == FAIL else 0
    found = log_files(os.path.join(details.logs_dir, result.relative_results_dir), tail_bytes=wanted)
    extent.tails[0] -= sum(len(file.tail) for file in found)
    return found


def _services(services: object) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for service in services if isinstance(services, list) else ():
        if isinstance(service, Mapping):
            nodes = service.get("nodes")
            names = ", ".join(map(str, nodes)) if isinstance(nodes, (list, tuple)) else ""
            found.append((str(service.get("service_id") or service.get("cls_name")), _bounded(names)))
    return found[:_MOST_VALUES]


def _table(values: object) -> list[tuple[str, str]]:
    if not isinstance(values, Mapping):
        return []
    rows = list(values.items())
    found = [
        (_bounded(str(name)), _bounded(value if isinstance(value, str) else strict_dumps(value)))
        for name, value in rows[:_MOST_VALUES]
    ]
    return found if len(rows) <= _MOST_VALUES else [*found, ("…", f"{len(rows) - _MOST_VALUES} more")]


def arguments_text(test: TestResult | NotRun) -> str:
    """Return the part of the id that tells the variants of a test apart."""
    if not test.injected_args:
        return ""
    prefix = f"{test.module_name}.{test.cls_name}.{test.function_name}."
    return shorten(test.test_id.removeprefix(prefix), _LONGEST_ARGUMENTS, mark="…")


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


def _logs(result: TestResult, logs_root: str, directory: str = "") -> str:
    """Return where the logs of a test are, as seen from the report."""
    return os.path.join(logs_root, result.relative_results_dir, directory).rstrip("/\\")


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


def _bounded(text: str) -> str:
    return shorten(text, _LONGEST_VALUE, mark="…")
