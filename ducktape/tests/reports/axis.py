# SPDX-License-Identifier: Apache-2.0
"""One test on one axis of time: its phases, its faults, what it measured and what its nodes did."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ducktape.tests.reports import plot
from ducktape.tests.reports.fault_view import fault_view, time_in
from ducktape.tests.reports.plot import Point, Scale, percent, quantity
from ducktape.tests.reports.recordings import Recordings, recorded
from ducktape.tests.reports.session_details import Phase, SessionDetails, durations
from ducktape.utils.support.text import shorten

if TYPE_CHECKING:
    from ducktape.tests.result import TestResult

ROW_HEIGHT = 18
PLOT_HEIGHT = 60
_HEADING_HEIGHT = 28
_LINE_HEIGHT = 18
_TICKS_HEIGHT = 18

_MOST_FAULT_ROWS = 12
_MOST_FAULTS = 200
_MOST_PHASES = 100
_MOST_PLOTS = 20
_MOST_NODES = 8
_MOST_TICKS = 6
_LONGEST_NAME = 60
_LONGEST_FAULT = 45
_LONGEST_LABEL = 1_000
_LEAST_WIDTH = 0.002
_SHARE_OF_CHARACTER = 0.008
_SHARE_OF_INNER_TICKS = 0.96
_LEAST_GAP_OF_NODES_SEC = 3.0
# A pause of a series that is shorter than this share of the test is hardly to be seen
_SHORTEST_GAP = 0.02
# About what an element has beside its texts
_CHARACTERS_OF_ELEMENT = 150

_NO_ROOM = "There is no room for more plots in this page: see metrics.jsonl and node-metrics.jsonl of the test."
_OF_NODES = {
    "cpu_cores": ("Processor", "cores"),
    "memory_used_bytes": ("Memory used", "bytes"),
    "disk_used_bytes": ("Disk used", "bytes"),
    "disk_read_bytes_per_sec": ("Disk read", "bytes/s"),
    "disk_written_bytes_per_sec": ("Disk written", "bytes/s"),
    "network_received_bytes_per_sec": ("Network received", "bytes/s"),
    "network_sent_bytes_per_sec": ("Network sent", "bytes/s"),
}


class Budget:
    """How much the pictures of a page may still take: characters in the page, and bytes of files."""

    def __init__(self, characters: int = 4_000_000, file_bytes: int = 48 << 20) -> None:
        self.characters = characters
        self.file_bytes = file_bytes


class Bar(NamedTuple):
    """A phase, an attempt or a fault: where it is across the picture, and the top of its row in pixels.

    ``side`` says where its text has the most room: ``inside``, ``right`` or ``left`` of it.
    """

    kind: str
    left: str
    width: str
    right: str
    top: int
    text: str
    title: str
    side: str


class Tick(NamedTuple):
    """A mark on an axis: across the picture, or in pixels from its top; ``is_last`` if it is at the right end."""

    at: str
    text: str
    is_last: bool = False


class Line(NamedTuple):
    """A line or dots: the number of the node by which it is told apart, the ``d`` of its path."""

    number: int
    path: str


class Mark(NamedTuple):
    """The smallest or the largest value of a line, and its text."""

    left: str
    top: str
    text: str


class Plot(NamedTuple):
    """One metric over time."""

    top: int
    name: str
    about: str
    kind: str
    ticks: list[Tick]
    lines: list[Line]
    marks: list[Mark]


class Axis(NamedTuple):
    """The whole picture; ``label`` says it in words, ``notes`` what is missing."""

    label: str
    height: int
    bottom: int
    ticks: list[Tick]
    bars: list[Bar]
    shades: list[Bar]
    plots: list[Plot]
    nodes: list[str]
    notes: list[str]

    @property
    def characters(self) -> int:
        """About how long the picture is in the page."""
        elements = len(self.bars) + len(self.shades) + sum(len(each.marks) + len(each.ticks) + 6 for each in self.plots)
        paths = sum(len(line.path) for each in self.plots for line in each.lines)
        texts = sum(len(bar.text) + len(bar.title) for bar in self.bars)
        return paths + texts + elements * _CHARACTERS_OF_ELEMENT


def axis(result: TestResult, details: SessionDetails, budget: Budget) -> Axis | None:
    """Return the picture of a test; ``None`` if there is nothing to show beyond its phases, or no room for it."""
    if not (details.logs_dir and result.relative_results_dir):
        return None
    phases = [] if result.test_index is None else details.phases.get(result.test_index, [])
    moments = [phase.since for phase in phases] + [result.start_time]
    start = min((moment for moment in moments if moment > 0), default=0.0)
    seconds = result.stop_time - start
    if not (start and 0 < seconds < 1e8):
        return None
    found = _Picture(start, seconds)
    directory = os.path.join(details.logs_dir, result.relative_results_dir)
    recordings = recorded(directory, [phase.attempt for phase in phases], result.metrics or {}, budget.file_bytes)
    budget.file_bytes -= sum(each.size for each in recordings)
    is_cut = any(each.is_cut for each in recordings)
    if not (result.faults or is_cut or any(each.metrics or each.nodes for each in recordings)):
        return None
    found.add_phases(phases[-_MOST_PHASES:])
    found.add_faults(result)
    found.add_metrics(recordings)
    found.add_nodes(recordings)
    picture = found.finished(is_cut=is_cut)
    if not (picture.shades or picture.plots or is_cut):
        return None
    if picture.characters > budget.characters or not (picture.shades or picture.plots):
        return Axis("", 0, 0, [], [], [], [], [], [_NO_ROOM])
    budget.characters -= picture.characters
    return picture


class _Picture:
    """Collects the parts of the picture from its top to its bottom."""

    def __init__(self, start: float, seconds: float) -> None:
        self._start = start
        self._end = start + seconds
        ticks = tuple(tick for tick in plot.steps(0.0, seconds, _MOST_TICKS) if tick <= seconds)
        self._across = Scale(0.0, seconds, ticks)
        self._top = 0
        self._bars: list[Bar] = []
        self._shades: list[Bar] = []
        self._plots: list[Plot] = []
        self._nodes: list[str] = []
        self._words: list[str] = []
        self._notes: list[str] = []

    def add_phases(self, phases: Sequence[Phase]) -> None:
        attempts = sorted({phase.attempt for phase in phases})
        if len(attempts) > 1:
            firsts = [next(phase for phase in phases if phase.attempt == number) for number in attempts]
            names = {phase: f"attempt {phase.attempt}" for phase in firsts}
            self._add_row("attempt", firsts, names)
        if phases:
            self._add_row("phase", phases, {phase: phase.name for phase in phases})
            self._words.append(f"phases {', '.join(dict.fromkeys(phase.name for phase in phases))}")

    def _add_row(self, kind: str, phases: Sequence[Phase], names: Mapping[Phase, str]) -> None:
        for phase, took in durations(phases, self._end):
            name = names[phase]
            title = f"{name}: {quantity(took, 's')}, from {quantity(phase.since - self._start, 's')}"
            # Half a word is not worth its room
            fits = took / self._across.high >= _SHARE_OF_CHARACTER * (len(name) + 1)
            self._bars.append(self._bar(kind, phase.since, phase.since + took, name if fits else "", title))
        self._top += ROW_HEIGHT

    def add_faults(self, result: TestResult) -> None:
        rows, said = 0, []
        for fault in result.faults[:_MOST_FAULTS]:
            injected, healed = time_in(fault, "injected"), time_in(fault, "healed")
            if injected is None or not self._start <= injected <= self._end:
                continue
            until = min(self._end if healed is None else max(injected, healed), self._end)
            seen = fault_view(fault, result)
            # Who is cut off from whom says more than the names of all of them
            where = seen["details"].removeprefix("groups=") if "|" in seen["details"] else seen["nodes"]
            text = shorten(f"{seen['kind']} {where}".rstrip(), _LONGEST_FAULT, mark="…")
            begin, end = (quantity(moment - self._start, "s") for moment in (injected, until))
            title = f"{text}: from {begin} to {end}, {seen['ending']}"
            bar = self._bar("fault", injected, until, text, title)
            self._shades.append(bar)
            said.append(f"{text} from {begin} to {end}")
            if rows < _MOST_FAULT_ROWS:
                rows += 1
                self._bars.append(bar)
                self._top += ROW_HEIGHT
        if self._shades:
            number = len(result.faults)
            self._words.append(f"{number} {'fault' if number == 1 else 'faults'}: {'; '.join(said[:5])}")
        if len(self._shades) > rows:
            self._notes.append(f"Faults that are only shaded: {len(self._shades) - rows:,}.")

    def add_metrics(self, recordings: Sequence[Recordings]) -> None:
        names = list(dict.fromkeys(name for each in recordings for name in each.metrics))
        left_out, outside = 0, 0
        for name in names:
            of_attempts = [each.metrics[name] for each in recordings if name in each.metrics]
            parts = [found for each in of_attempts if (found := each.track.within(self._start, self._end))]
            outside += sum(len(each.track) for each in of_attempts) - sum(map(len, parts))
            if not parts:
                continue
            if len(self._plots) == _MOST_PLOTS:
                left_out += 1
                continue
            least_gap = self._across.high * _SHORTEST_GAP if of_attempts[0].kind == "series" else None
            self._add_plot(shorten(name, _LONGEST_NAME, mark="…"), of_attempts[0].unit, {"": parts}, least_gap)
        if left_out:
            self._notes.append(f"Metrics that are only in metrics.jsonl: {left_out:,}.")
        if outside:
            self._notes.append(f"Points outside of the time of the test: {outside:,}.")

    def add_nodes(self, recordings: Sequence[Recordings]) -> None:
        of_metrics: dict[str, dict[str, list[list[Point]]]] = {}
        for each in recordings:
            for name, tracks in each.nodes.items():
                for node, track in tracks.items():
                    if points := track.within(self._start, self._end):
                        of_metrics.setdefault(name, {}).setdefault(node, []).append(points)
        nodes = _most_eventful(of_metrics)
        self._nodes = [shorten(node, _LONGEST_NAME, mark="…") for node in nodes]
        for name in sorted(of_metrics, key=lambda each: list(_OF_NODES).index(each) if each in _OF_NODES else 99):
            title, unit = _OF_NODES.get(name, (shorten(name, _LONGEST_NAME, mark="…"), ""))
            shown = {node: of_metrics[name].get(node, []) for node in nodes}
            values = {value for parts in shown.values() for part in parts for _, value in part}
            if len(values) > 1:
                self._add_plot(title, unit, shown, _LEAST_GAP_OF_NODES_SEC)
            elif values:
                self._top += _LINE_HEIGHT
                about = f"always {quantity(values.pop(), unit)}"
                self._plots.append(Plot(self._top + _HEADING_HEIGHT - _LINE_HEIGHT, title, about, "", [], [], []))
                self._words.append(f"{title} {about}")
        everyone = {node for of_nodes in of_metrics.values() for node in of_nodes}
        if len(everyone) > len(nodes):
            self._notes.append(f"Nodes left out, whose values changed less: {len(everyone) - len(nodes):,}.")

    def _add_plot(self, name: str, unit: str, tracks: Mapping[str, list[list[Point]]], least_gap: float | None) -> None:
        """Add a plot of the points of each attempt, by node: lines with gaps, or dots if there is no ``least_gap``."""
        values = [value for parts in tracks.values() for part in parts for _, value in part]
        low, high = min(values), max(values)
        up = plot.scale((low, high))
        lines, marks = [], []
        for number, (node, parts) in enumerate(tracks.items()):
            if not parts:
                continue
            most = plot.MOST_POINTS // len(parts)
            if least_gap is None:
                path = "".join(plot.dot_path(plot.dots(part, most), self._across, up) for part in parts)
            else:
                path = "".join(plot.line_path(plot.segments(part, least_gap, most), self._across, up) for part in parts)
            lines.append(Line(number, path))
            points = [point for part in parts for point in part]
            ends = [max(points, key=lambda point: point[1])]
            if not node:
                ends.append(min(points, key=lambda point: point[1]))
            for kind, point in zip(("max", "min"), ends, strict=False):
                marks.append(self._mark(kind, point, up, unit, node))
        span = f"{quantity(low, unit)} to {quantity(high, unit)}"
        top = self._top + _HEADING_HEIGHT
        ticks = [
            Tick(f"{top + (1 - up.share(tick)) * PLOT_HEIGHT:.1f}", text)
            for tick, text in zip(up.ticks, plot.tick_texts(up.ticks, unit), strict=True)
        ]
        about = span if low < high else f"always {quantity(low, unit)}"
        self._plots.append(Plot(top, name, about, "dots" if least_gap is None else "line", ticks, lines, marks))
        self._words.append(f"{name} {about}")
        self._top = top + PLOT_HEIGHT

    def _mark(self, kind: str, point: Point, up: Scale, unit: str, node: str) -> Mark:
        moment, value = point
        top = self._top + _HEADING_HEIGHT + (1 - up.share(value)) * PLOT_HEIGHT
        text = f"{kind} {quantity(value, unit)} at {quantity(moment, 's')}"
        return Mark(percent(self._across.share(moment)), f"{top:.1f}", f"{node}: {text}" if node else text)

    def _bar(self, kind: str, start: float, end: float, text: str, title: str) -> Bar:
        left = self._across.share(start - self._start)
        width = max(self._across.share(end - self._start) - left, _LEAST_WIDTH)
        side = "inside" if width >= 0.45 else "right" if left + width <= 0.5 else "left"
        return Bar(kind, percent(left), percent(width), percent(left + width), self._top, text, title, side)

    def finished(self, *, is_cut: bool) -> Axis:
        if is_cut:
            self._notes.append("Only the last part of what was recorded is shown.")
        ticks = [
            Tick(percent(self._across.share(tick)), text, is_last=self._across.share(tick) > _SHARE_OF_INNER_TICKS)
            for tick, text in zip(self._across.ticks, plot.tick_texts(self._across.ticks, "s"), strict=True)
        ]
        took = quantity(self._across.high, "s")
        label = shorten(f"{took} of the test: {'; '.join(self._words)}", _LONGEST_LABEL, mark="…")
        bottom = self._top + 8
        return Axis(
            label,
            bottom + _TICKS_HEIGHT,
            bottom,
            ticks,
            self._bars,
            self._shades,
            self._plots,
            self._nodes,
            self._notes,
        )


def _most_eventful(of_metrics: Mapping[str, Mapping[str, Sequence[Sequence[Point]]]]) -> list[str]:
    """Return the names of the nodes whose values changed most, in the order of their names."""
    changes: dict[str, float] = {}
    for of_nodes in of_metrics.values():
        ranges: dict[str, float] = {}
        for node, parts in of_nodes.items():
            values = [value for part in parts for _, value in part]
            ranges[node] = max(values) - min(values)
        largest = max(ranges.values()) or 1.0
        for node, each in ranges.items():
            changes[node] = changes.get(node, 0.0) + each / largest
    return sorted(sorted(changes, key=lambda node: -changes[node])[:_MOST_NODES])
