# SPDX-License-Identifier: Apache-2.0
"""All logs of one test as one list in the order of time, with its phases and faults."""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ducktape.cluster.copy.names import as_file_name
from ducktape.tests.recording.clocks import read_offsets
from ducktape.tests.reports.log_clocks import Place, Skew, placed
from ducktape.tests.reports.log_files import LogFile, end_of_file, log_files
from ducktape.tests.reports.log_markers import FAILURE, FAULT, Marker, markers, skews_of, span_of
from ducktape.tests.reports.log_times import Level, Stamp, StampReader
from ducktape.tests.reports.text import visible
from ducktape.utils.support.text import shorten

if TYPE_CHECKING:
    from ducktape.cluster.health.clocks import Offset
    from ducktape.tests.reports.session_details import Phase
    from ducktape.tests.result import TestResult

MOST_LINES = 20_000
MOST_BYTES = 1_000_000
_MOST_OF_FILE = 4_000_000
MOST_OF_TEST = 16_000_000
_LONGEST_LINE = 2_000
_MOST_LINES_OF_ENTRY = 100
_LONGEST_ENTRY = 10_000
_MOST_NAMES = 20
# Beside its text, an entry has numbers and brackets
_BYTES_OF_ENTRY = 24
_NOT_LOGS = ("metrics.jsonl", ".json")
_OWN_LOG, _OWN_BRIEF_LOG, _OUTPUT = "test_log.debug", "test_log.info", "stdout.txt"
_ATTEMPT = re.compile(r"attempt-\d+")
_COLOR = re.compile("\x1b\\[[0-9;]*m")
# What changes the order of the characters around it
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Source(NamedTuple):
    """A file: its node, empty for the test itself, and its path below the directory of the test."""

    node: str
    path: str


class Entry(NamedTuple):
    """Some lines of a file, or an event: its kind is a level or the kind of the event, whose source is ``-1``."""

    time: float
    source: int
    kind: str
    text: str
    correction: float = 0.0

    @property
    def is_minor(self) -> bool:
        """Whether it is missed least where there is no room."""
        return self.kind in ("", "debug", "info")


@dataclasses.dataclass
class MergedLog:
    """The lines of a test in the order of time.

    Attributes:
        start: of the test, in Unix seconds.
        notes: for people: what was corrected, and what is missing.
        bytes_read: of all files.
    """

    start: float
    sources: list[Source] = dataclasses.field(default_factory=list)
    entries: list[Entry] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    bytes_read: int = 0

    def to_json(self) -> dict[str, object]:
        """Return what the script of the page reads: times in thousandths of a second since the start."""
        entries = [
            [round((each.time - self.start) * 1000), each.source, each.kind, each.text]
            + ([round(each.correction * 1000)] if each.correction else [])
            for each in self.entries
        ]
        sources = [[visible(source.node), visible(source.path)] for source in self.sources]
        return {"start": round(self.start, 3), "sources": sources, "entries": entries, "notes": self.notes}


class _Lines(NamedTuple):
    """Lines of a file that belong together: the first one has the stamp."""

    stamp: Stamp
    lines: list[str]
    left_out: list[int]

    def text(self) -> str:
        more = [f"… {self.left_out[0]:,} more lines"] if self.left_out[0] else []
        text = "\n".join([*self.lines, *more])
        if text.isascii() and text.isprintable():
            return text
        return _BIDI.sub(lambda match: f"\\u{ord(match[0]):04x}", visible(text))


def merged_log(
    result: TestResult,
    phases: Sequence[Phase],
    directory: str,
    files: Sequence[LogFile] | None = None,
    *,
    most_bytes: int = MOST_OF_TEST,
) -> MergedLog:
    """Return the logs below the directory of a test; there are no entries if no line has a time.

    Args:
        result: of the test.
        phases: of the test.
        directory: that of the test; if it cannot be read, there are no logs.
        files: those in the directory; by default it is read.
        most_bytes: how much of the files to read.
    """
    start, end = span_of(result)
    log = MergedLog(start)
    if start < 0:
        return log
    offsets = {as_file_name(node): offset for node, offset in read_offsets(directory).items()}
    reading = _Reading(log, end, skews_of(result, end), offsets)
    found = log_files(directory) if files is None else files
    paths = {file.path for file in found}
    # The output repeats lines of the log that was read before it
    for file in sorted(found, key=lambda file: os.path.basename(file.path) == _OUTPUT):
        folder, name = os.path.split(file.path)
        if name.endswith(_NOT_LOGS) or (name == _OWN_BRIEF_LOG and os.path.join(folder, _OWN_LOG) in paths):
            continue
        with contextlib.suppress(OSError):
            limit = min(_MOST_OF_FILE, most_bytes - log.bytes_read)
            size, content = end_of_file(os.path.join(directory, file.path), limit)
            log.bytes_read += min(size, limit)
            reading.add(file.path, content, is_whole=size <= limit)
    if not log.entries:
        return log
    events = markers(result, phases)
    # Events are before lines of the same moment
    log.entries[:0] = [Entry(event.time, -1, event.kind, visible(event.text)) for event in events]
    log.entries.sort(key=lambda entry: entry.time)
    reading.note()
    _fit(log, events)
    return log


class _Reading:
    """The files of a test on their way into its merged log."""

    def __init__(
        self, log: MergedLog, end: float, skews: Mapping[str, list[Skew]], offsets: Mapping[str, Offset]
    ) -> None:
        self._log = log
        self._end = end
        self._skews = skews
        self._offsets = offsets
        self._own: set[str] = set()  # lines that the test's own log has, and its output repeats
        self._corrections: dict[str, None] = {}  # each once, in their order
        self._shifts: list[str] = []
        self._cut: list[str] = []
        self._without_times: list[str] = []
        self._early = 0

    def add(self, path: str, content: str, *, is_whole: bool) -> None:
        """Add the lines of a file."""
        node = _node_of(path)
        groups = _grouped(content, (self._log.start + self._end) / 2)
        stamped = [group for group in groups if not math.isnan(group.stamp.time)]
        if not stamped:
            self._without_times += [path] if groups else []
            return
        if len(stamped) < len(groups):  # the first lines, which have no time
            groups[0] = groups[0]._replace(stamp=stamped[0].stamp._replace(level=Level.UNKNOWN))
        skews = self._skews.get(node, ())
        offset = self._offsets.get(node)
        fast = 0.0 if offset is None else offset.seconds
        stamps = [group.stamp._replace(time=group.stamp.time - fast) for group in groups]
        places, shift = placed(stamps, self._log.start, self._end, skews)
        if node and shift:
            hours, minutes = divmod(round(abs(shift)) // 60, 60)
            self._shifts.append(
                f"{node}, {path}: {'+' if shift > 0 else '-'}{hours}:{minutes:02d} h, another time zone"
            )
        self._cut += [] if is_whole else [path]
        name = os.path.basename(path)
        entries = self._entries(groups, places, fast, skip=self._own if name == _OUTPUT else frozenset())
        if name in (_OWN_LOG, _OWN_BRIEF_LOG):
            self._own.update(entry.text for entry in entries)
        if entries:
            skewed = {place.correction for place in places if place is not None and place.correction}
            self._corrections |= {f"{node}: {each:+g} s while its clock was skewed": None for each in sorted(skewed)}
            if offset is not None:
                measured = f"{node}: {-fast:+.3f} s, as measured after the test, ± {offset.uncertainty:.3f} s"
                self._corrections[measured] = None
            self._log.sources.append(Source(node, path))
            self._log.entries += entries

    def _entries(
        self, groups: Sequence[_Lines], places: Sequence[Place | None], fast: float, skip: Iterable[str]
    ) -> list[Entry]:
        number = len(self._log.sources)
        entries: list[Entry] = []
        for group, place in zip(groups, places, strict=True):
            text = group.text()
            if place is None and not entries:
                self._early += 1
            elif place is None:
                # A time of its own that is not that of the line
                entries[-1] = entries[-1]._replace(
                    text=shorten(f"{entries[-1].text}\n{text}", _LONGEST_ENTRY, mark="…")
                )
            elif text not in skip:
                kind = group.stamp.level.name.lower() if group.stamp.level else ""
                entries.append(Entry(place.time, number, kind, text, place.correction - fast))
        return entries

    def note(self) -> None:
        """Say what was corrected, and what is missing."""
        notes = self._log.notes
        notes += list(self._corrections)[:_MOST_NAMES]
        notes += self._shifts[:_MOST_NAMES]
        if self._early:
            notes.append(f"Left out, from before the test: {_lines(self._early)}")
        for text, paths in (
            ("Only the end was read of", self._cut),
            ("Left out, since without times", self._without_times),
        ):
            if paths:
                more = f" and {len(paths) - _MOST_NAMES:,} more" if len(paths) > _MOST_NAMES else ""
                notes.append(f"{text}: {', '.join(map(visible, paths[:_MOST_NAMES]))}{more}")


def _lines(number: int) -> str:
    return "1 line" if number == 1 else f"{number:,} lines"


def _node_of(path: str) -> str:
    """Return the directory that a node has below that of its service, or nothing if it is a file of the test."""
    parts = path.split(os.sep)
    if _ATTEMPT.fullmatch(parts[0]):
        parts = parts[1:]
    return parts[1] if len(parts) > 2 else ""


def _grouped(content: str, near: float) -> list[_Lines]:
    """Return the lines of a file, those without a time with the one before them."""
    read = StampReader(near).read
    found: list[_Lines] = []
    for line in content.split("\n"):
        if not line or line.isspace():
            continue
        line = line.rstrip("\r")
        if "\x1b" in line:
            line = _COLOR.sub("", line)
        stamp = read(line)
        if stamp is None and found:
            group = found[-1]
            if len(group.lines) < _MOST_LINES_OF_ENTRY:
                group.lines.append(shorten(line, _LONGEST_LINE, mark="…"))
            else:
                group.left_out[0] += 1
            continue
        stamp = stamp or Stamp(math.nan, False, Level.UNKNOWN)
        found.append(_Lines(stamp, [shorten(line, _LONGEST_LINE, mark="…")], [0]))
    return found


def _fit(log: MergedLog, events: Sequence[Marker]) -> None:
    """Leave out what is least serious and farthest from faults and failures, until there is room for the others."""
    lines = [entry.text.count("\n") + 1 for entry in log.entries]
    sizes = [_size(entry) for entry in log.entries]
    too_many, too_large = sum(lines) - MOST_LINES, sum(sizes) - MOST_BYTES
    if too_many <= 0 and too_large <= 0:
        return
    ends = [log.entries[-1].time] if log.entries else []
    moments = sorted([event.time for event in events if event.kind in (FAULT, FAILURE)] + ends)

    def distance(entry: Entry) -> float:
        index = bisect.bisect(moments, entry.time)
        return min(abs(moment - entry.time) for moment in moments[max(0, index - 1) : index + 1])

    def order(index: int) -> tuple[bool, bool, float]:
        entry = log.entries[index]
        return entry.source < 0, not entry.is_minor, -distance(entry)

    left_out: set[int] = set()
    missing = 0
    for index in sorted(range(len(log.entries)), key=order):
        if too_many <= 0 and too_large <= 0:
            break
        left_out.add(index)
        too_many -= lines[index]
        too_large -= sizes[index]
        missing += lines[index]
    log.entries = [entry for index, entry in enumerate(log.entries) if index not in left_out]
    log.notes.append(f"Left out, as farthest from faults and failures: {_lines(missing)}")


def _size(entry: Entry) -> int:
    """Return how many bytes an entry has in the page, in which some characters are escape sequences."""
    text = entry.text
    length = len(text) + sum(map(text.count, '"\\\n\t')) if text.isascii() else len(json.dumps(text))
    return length + 5 * sum(map(text.count, "<>&")) + _BYTES_OF_ENTRY
