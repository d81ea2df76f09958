# SPDX-License-Identifier: Apache-2.0
"""What a test and its nodes recorded over time: the files ``metrics.jsonl`` and ``node-metrics.jsonl``."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
from array import array
from collections.abc import Iterable, Iterator, Mapping

from ducktape.metrics import METRICS_FILE, NODE_METRICS_FILE
from ducktape.tests.reports.plot import Point, finite
from ducktape.utils.support.files import open_to_read

_MOST_BYTES = 16 << 20
_BYTES_OF_DECLARATIONS = 1 << 16
_MOST_METRICS = 500
_MOST_ATTEMPTS = 20
_MOST_NODES = 200
_MOST_OF_A_NODE = 20


class Track:
    """Points in the order in which they were recorded."""

    def __init__(self) -> None:
        self._times = array("d")
        self._values = array("d")

    def add(self, time: float, value: float) -> None:
        self._times.append(time)
        self._values.append(value)

    def within(self, start: float, end: float) -> list[Point]:
        """Return the points of a time, in seconds since its start."""
        found = zip(self._times, self._values, strict=True)
        return [(time - start, value) for time, value in found if start <= time <= end]

    def __len__(self) -> int:
        return len(self._times)


@dataclasses.dataclass
class Metric:
    """One metric of a test; ``kind`` is ``value`` or ``series``."""

    kind: str
    unit: str
    track: Track = dataclasses.field(default_factory=Track)


@dataclasses.dataclass
class Recordings:
    """What was recorded during one attempt.

    Attributes:
        metrics: by name, in the order of their first points.
        nodes: by metric and node.
        size: bytes that were read.
        is_cut: whether the files are longer than that.
    """

    metrics: dict[str, Metric] = dataclasses.field(default_factory=dict)
    nodes: dict[str, dict[str, Track]] = dataclasses.field(default_factory=dict)
    size: int = 0
    is_cut: bool = False

    @classmethod
    def read(cls, directory: str, summaries: Mapping[str, object], most: int) -> Recordings:
        """Return what the files in a directory say; lines that make no sense are passed over.

        Args:
            directory: of the attempt.
            summaries: of its metrics in the result, which say what a metric is if the file does not.
            most: how many bytes may be read.
        """
        found = cls()
        for line in found._lines(os.path.join(directory, METRICS_FILE), most):
            found._take(line, summaries)
        for line in found._lines(os.path.join(directory, NODE_METRICS_FILE), most - found.size):
            found._take_sample(line)
        return found

    def _lines(self, path: str, most: int) -> Iterator[dict[str, object]]:
        """Yield the objects in the last part of a file, and before them those at its start if that is not in it."""
        with contextlib.suppress(OSError), os.fdopen(open_to_read(path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            self.is_cut |= size > max(most, 0)
            if most < _BYTES_OF_DECLARATIONS:
                return
            if size > most:
                head = file.read(_BYTES_OF_DECLARATIONS).split(b"\n")
                yield from _objects(b"\n".join(line for line in head if b'"kind"' in line))
                file.seek(size - most)
                file.readline(most)
            content = file.read(most)
            self.size += len(content)
            yield from _objects(content)

    def _take(self, line: dict[str, object], summaries: Mapping[str, object]) -> None:
        name = line.get("name")
        if not isinstance(name, str):
            return
        metric = self.metrics.get(name)
        if metric is None:
            known = summaries.get(name)
            declared = {**known, **line} if isinstance(known, Mapping) else line
            kind = str(declared.get("kind") or "value")
            if kind not in ("value", "series") or len(self.metrics) >= _MOST_METRICS:
                return
            metric = self.metrics[name] = Metric(kind, str(declared.get("unit") or ""))
        time, value = finite(line.get("time")), finite(line.get("value"))
        if time is not None and value is not None:
            metric.track.add(time, value)

    def _take_sample(self, line: dict[str, object]) -> None:
        node, time = line.pop("node", None), finite(line.pop("time", None))
        if not isinstance(node, str) or time is None:
            return
        for name, each in line.items():
            value = finite(each)
            if value is None or (name not in self.nodes and len(self.nodes) >= _MOST_OF_A_NODE):
                continue
            of_nodes = self.nodes.setdefault(name, {})
            if node in of_nodes or len(of_nodes) < _MOST_NODES:
                of_nodes.setdefault(node, Track()).add(time, value)


def recorded(directory: str, attempts: Iterable[int], summaries: Mapping[str, object], most: int) -> list[Recordings]:
    """Return what was recorded during the last attempts of a test, the earlier ones first.

    Args:
        directory: of the test.
        attempts: their numbers; that of a single one may be missing.
        summaries: of the metrics of the last one.
        most: how many bytes may be read; there is another limit for each test.
    """
    room = min(most, _MOST_BYTES)
    found: list[Recordings] = []
    # A test that has a single attempt may have no directory for it
    for number in [*sorted({1, *attempts}, reverse=True)[:_MOST_ATTEMPTS], None]:
        name = "" if number is None else f"attempt-{number}"
        found.insert(0, Recordings.read(os.path.join(directory, name), summaries, room))
        room -= found[0].size
    return found


def _objects(content: bytes) -> Iterator[dict[str, object]]:
    # Not line by line from bytes: the encoding would be guessed a hundred thousand times
    for line in io.StringIO(content.decode("utf-8", "replace"), newline="\n"):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found
