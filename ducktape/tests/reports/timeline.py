# SPDX-License-Identifier: Apache-2.0
"""When which node was used by which test: the geometry of the picture in ``report.html``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from ducktape.tests.reports.fault_view import time_in

if TYPE_CHECKING:
    from ducktape.tests.reports.session_details import SessionDetails
    from ducktape.tests.result import TestResult, TestResults

LANE_HEIGHT = 16
_MOST_LANES = 100
_MOST_BARS = 4_000
_MOST_TICKS = 10
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)


class Bar(NamedTuple):
    """A rectangle: left edge and width in per cent of the time, first lane and number of lanes."""

    left: str
    width: str
    lane: int
    lanes: int


class Span(NamedTuple):
    """What a test, or a fault, did to some nodes: its bars, the class of its looks, its text, its test."""

    kind: str
    text: str
    result: TestResult
    bars: list[Bar]


class Tick(NamedTuple):
    """A mark on the axis of time: where it is, in per cent, and the time since the start."""

    left: str
    text: str


class Timeline(NamedTuple):
    """The whole picture; ``left_out`` counts nodes and bars for which there was no room."""

    lanes: list[str]
    tests: list[Span]
    faults: list[Span]
    ticks: list[Tick]
    left_out: int

    @property
    def height(self) -> int:
        """The height in pixels without the axis."""
        return len(self.lanes) * LANE_HEIGHT


class _Scale:
    """Turns moments into per cent of the session, and nodes into lanes."""

    def __init__(self, start: float, end: float, lanes: Iterable[str]) -> None:
        self._start = start
        self.seconds = max(end - start, 1e-3)
        self._lanes = {name: number for number, name in enumerate(lanes)}

    def percent(self, moment: float) -> float:
        return min(100.0, max(0.0, (moment - self._start) / self.seconds * 100))

    def bars(self, nodes: Iterable[str], start: float, end: float) -> list[Bar]:
        """Return as few rectangles as cover the lanes of some nodes."""
        left = self.percent(start)
        # What is too short to be seen is still there
        width = max(self.percent(end) - left, 0.1)
        found: list[Bar] = []
        for lane in sorted({self._lanes[node] for node in nodes if node in self._lanes}):
            if found and found[-1].lane + found[-1].lanes == lane:
                found[-1] = found[-1]._replace(lanes=found[-1].lanes + 1)
            else:
                found.append(Bar(_number(left), _number(width), lane, 1))
        return found


def timeline(results: TestResults, details: SessionDetails) -> Timeline | None:
    """Return the picture of a session, or ``None`` if nobody knows which test had which nodes."""
    names = {node for given in details.allocations.values() for each in given for node in each.nodes}
    if not names or results.start_time < 0:
        return None
    lanes = sorted(names, key=_natural)
    end = results.start_time + results.run_time_seconds
    scale = _Scale(results.start_time, end, lanes[:_MOST_LANES])
    of_index = {result.test_index: result for result in results}
    tests: list[Span] = []
    faults: list[Span] = []
    bars = 0
    left_out = max(0, len(lanes) - _MOST_LANES)
    for index, given in details.allocations.items():
        result = of_index.get(index)
        bars += len(given)
        if result is None or bars > _MOST_BARS:
            left_out += bars > _MOST_BARS
            continue
        tests.append(_test_span(result, scale, [scale.bars(each.nodes, each.start, each.end or end) for each in given]))
        faults += (_fault_span(fault, result, scale, end) for fault in result.faults[:50])
    return Timeline(lanes[:_MOST_LANES], tests, [each for each in faults if each.bars], _ticks(scale), left_out)


def seconds_text(seconds: float) -> str:
    """Return a duration in few characters, such as ``0.25 s``, ``12 s``, ``3:05 min`` or ``1:02:03 h``."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.2f} s" if seconds < 0.995 else f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{whole % 60:02d} h"
    return f"{minutes}:{whole % 60:02d} min" if minutes else f"{whole} s"


def _test_span(result: TestResult, scale: _Scale, bars: Iterable[list[Bar]]) -> Span:
    text = f"{result.test_id}: {result.test_status}, {seconds_text(result.run_time_seconds)}"
    return Span(str(result.test_status), text, result, [bar for each in bars for bar in each])


def _fault_span(fault: Mapping[str, object], result: TestResult, scale: _Scale, end: float) -> Span:
    start, healed = time_in(fault, "injected"), time_in(fault, "healed")
    nodes = fault.get("nodes")
    known = [str(node) for node in nodes] if isinstance(nodes, (list, tuple)) else []
    until = healed if healed is not None else result.stop_time if result.stop_time > 0 else end
    text = f"{fault.get('fault') or 'fault'} on {', '.join(known)}"
    bars = [] if start is None or not result.start_time <= start <= end else scale.bars(known, start, max(start, until))
    return Span("fault", text, result, bars)


def _ticks(scale: _Scale) -> list[Tick]:
    step = next(
        (each for each in _STEPS if scale.seconds / each <= _MOST_TICKS), math.ceil(scale.seconds / _MOST_TICKS)
    )
    return [
        Tick(_number(moment / scale.seconds * 100), seconds_text(moment) if moment else "0")
        for moment in range(0, int(scale.seconds) + 1, step)
    ]


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key by which ``node2`` is before ``node10``."""
    parts = re.split(r"([0-9]{1,9})", name)
    return [(int(part), "") if number % 2 else (0, part) for number, part in enumerate(parts)]


def _number(value: float) -> str:
    return f"{value:.2f}"
