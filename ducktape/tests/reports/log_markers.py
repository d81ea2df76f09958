# SPDX-License-Identifier: Apache-2.0
"""What happened to a test between the lines of its logs: phases, faults and failures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ducktape.cluster.copy.names import as_file_name
from ducktape.tests.driver.deadlines import SETUP, TEST
from ducktape.tests.reports.fault_view import fault_view, time_in
from ducktape.tests.reports.log_clocks import Skew
from ducktape.tests.reports.session_details import Phase
from ducktape.tests.reports.text import headline
from ducktape.tests.status import FAIL

if TYPE_CHECKING:
    from ducktape.tests.result import TestResult

PHASE, FAULT, FAILURE = "phase", "fault", "failure"
_MOST_FAULTS = 200
# Until a fault is in effect, if its record does not say so
_USUAL_LAG_SEC = 1.0


class Marker(NamedTuple):
    """An event of one of the three kinds, in Unix seconds."""

    time: float
    kind: str
    text: str


def span_of(result: TestResult) -> tuple[float, float]:
    """Return when the first attempt began and the last one ended; a result starts with its last attempt."""
    starts = [time_in(attempt, "start_time") for attempt in result.attempts]
    start = min([float(result.start_time), *(time for time in starts if time is not None and time > 0)])
    return start, max(start, float(result.stop_time))


def markers(result: TestResult, phases: Sequence[Phase]) -> list[Marker]:
    """Return the events of a test in the order of time."""
    several = len({phase.attempt for phase in phases}) > 1
    found = [
        Marker(phase.since, PHASE, f"attempt {phase.attempt}: {phase.name}" if several else phase.name)
        for phase in phases
    ]
    for fault in result.faults[:_MOST_FAULTS]:
        found += _of_fault(fault, result)
    found += _failures(result, phases)
    return sorted(found, key=lambda marker: marker.time)


def skews_of(result: TestResult, end: float) -> dict[str, list[Skew]]:
    """Return the faults that made clocks wrong, by the directories of their nodes; the test ended at some time."""
    found: dict[str, list[Skew]] = {}
    for fault in result.faults:
        start, settled, healed = (time_in(fault, name) for name in ("injected", "effective", "healed"))
        details, nodes = fault.get("details"), fault.get("nodes")
        seconds = time_in(details, "seconds") if isinstance(details, Mapping) else None
        if fault.get("fault") != "skew_clock" or fault.get("error") or start is None or not seconds:
            continue
        skew = Skew(start, start + _USUAL_LAG_SEC if settled is None else settled, healed or end, seconds)
        for node in nodes if isinstance(nodes, (list, tuple)) else ():
            found.setdefault(as_file_name(str(node)), []).append(skew)
    return found


def _of_fault(fault: Mapping[str, object], result: TestResult) -> Iterator[Marker]:
    view = fault_view(fault, result)
    name = view["kind"] + (f" on {view['nodes']}" if view["nodes"] else "")
    injected, effective, healed = (time_in(fault, key) for key in ("injected", "effective", "healed"))
    if injected is not None:
        details = f" ({view['details']})" if view["details"] else ""
        yield Marker(injected, FAULT, f"{name}{details}: injected")
    if effective is not None:
        yield Marker(effective, FAULT, f"{name}: in effect")
    if healed is not None:
        text = view["ending"] if fault.get("error") else f"healed {view['ending']}"
        yield Marker(healed, FAULT, f"{name}: {text}")


def _failures(result: TestResult, phases: Sequence[Phase]) -> Iterator[Marker]:
    """Yield the end of the phase that failed, of each attempt that did."""
    failed = [attempt for attempt in result.attempts if str(attempt.get("status")).lower() == "fail"]
    for attempt in failed:
        number = attempt.get("number")
        own = [phase for phase in phases if phase.attempt == number]
        time = _end_of_test(own, time_in(attempt, "stop_time") or float(result.stop_time))
        yield Marker(time, FAILURE, f"attempt {number} failed: {headline(str(attempt.get('summary') or ''))}")
    if not result.attempts and result.test_status == FAIL:
        time = _end_of_test(phases, float(result.stop_time))
        yield Marker(time, FAILURE, f"failed: {headline(result.summary)}")


def _end_of_test(phases: Sequence[Phase], otherwise: float) -> float:
    """Return when an attempt left what it is about, and began to end."""
    return next((phase.since for phase in phases if phase.name not in (SETUP, TEST)), otherwise)
