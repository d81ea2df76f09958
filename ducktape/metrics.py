# SPDX-License-Identifier: Apache-2.0
"""Numbers that a test measures: ``self.metrics`` of tests and services, from any of their threads.

::

    self.metrics.record("latency_ms", 12.5, unit="ms", better="lower")

    lag = self.metrics.series("lag", unit="messages", better="lower")
    lag.add(consumer.lag())

    latencies = self.metrics.histogram("write_ms", unit="ms", better="lower")
    latencies.add(3.1)

    self.metrics.count("retries", better="lower")

The points are in ``metrics.jsonl`` in the directory of the test, summaries in ``report.json``, and ``ducktape compare``
compares them with those of other sessions.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from numbers import Integral, Real
from typing import IO, Literal, TypeAlias

from ducktape.errors import DucktapeError
from ducktape.utils.support.distribution import Distribution
from ducktape.utils.support.files import without_waiting
from ducktape.utils.support.guard import value_or
from ducktape.utils.support.text import shorten

__all__ = ["Better", "Histogram", "MetricError", "Metrics", "Series"]

Better: TypeAlias = Literal["lower", "higher"]

METRICS_FILE = "metrics.jsonl"
NODE_METRICS_FILE = "node-metrics.jsonl"

_MOST_NAMES = 500
_LONGEST_NAME = 200
_LONGEST_UNIT = 50
_MOST_BYTES = 64 << 20
_MOST_VALUES_SHOWN = 50
_POINTS_PER_WRITE = 2048
_SECONDS_BETWEEN_WRITES = 0.5
_SECONDS_BETWEEN_SNAPSHOTS = 5.0
_SECONDS_FOR_THREAD = 5.0
_LARGEST_EXACT = 2**53


class MetricError(DucktapeError):
    """A name, a value or a unit that is no metric."""


class Metrics:
    """The metrics of one attempt at a test; its methods may be called from any thread of the test's process.

    Args:
        directory: gets the file ``metrics.jsonl`` with the first point; ``None`` writes none.
        warn: is called, once for each reason, if points are missing in the file.
    """

    def __init__(self, directory: str | None = None, warn: Callable[[str], object] = lambda text: None) -> None:
        self._directory = directory
        self._warn = warn
        self._metrics: dict[str, _Metric] = {}
        # Appending is atomic: no thread of the test waits for another one, unless it is time to write
        self._pending: deque[tuple[_Metric, float, float]] = deque()
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._file: IO[bytes] | None = None
        self._size = 0
        self._is_full = False
        self._warned: set[str] = set()
        self._closed = False
        self._is_over = threading.Event()
        self._writer: threading.Thread | None = None
        self._next_snapshot = 0.0

    def record(self, name: str, value: float, *, unit: str = "", better: Better | None = None) -> None:
        """Record one measurement.

        Args:
            name: of the metric, up to 200 characters.
            value: a finite number, also a scalar of numpy.
            unit: such as ``ms``; the same at every call.
            better: which values are good, for comparisons: ``lower``, ``higher`` or ``None``.

        Raises:
            MetricError: an argument is wrong.
        """
        metric = self._metrics.get(name) if name.__class__ is str else None
        if metric is None or metric.unit != unit or metric.better != better or metric.kind != "value":
            metric = self._declared("value", name, unit, better)
        self._add(metric, time.time(), value)

    def series(self, name: str, *, unit: str = "", better: Better | None = None) -> Series:
        """Return a metric whose values follow each other in time, such as a backlog or a rate.

        Args:
            name: of the metric, up to 200 characters.
            unit: such as ``messages``.
            better: which values are good: ``lower``, ``higher`` or ``None``.

        Raises:
            MetricError: an argument is wrong, or the name belongs to a metric of another kind or unit.
        """
        return Series(self, self._declared("series", name, unit, better))

    def histogram(self, name: str, *, unit: str = "", better: Better | None = None) -> Histogram:
        """Return a metric of which only percentiles are kept, for millions of values.

        Args:
            name: of the metric, up to 200 characters.
            unit: such as ``ms``.
            better: which values are good: ``lower``, ``higher`` or ``None``.

        Raises:
            MetricError: an argument is wrong, or the name belongs to a metric of another kind or unit.
        """
        return Histogram(self, self._declared("histogram", name, unit, better))

    def count(self, name: str, number: float = 1, *, unit: str = "", better: Better | None = None) -> None:
        """Add to a counter, of which only the total is kept.

        Args:
            name: of the metric, up to 200 characters.
            number: how many.
            unit: such as ``bytes``; the same at every call.
            better: which totals are good: ``lower``, ``higher`` or ``None``.

        Raises:
            MetricError: an argument is wrong.
        """
        metric = self._declared("counter", name, unit, better)
        number = _number(name, number)
        with self._lock:
            metric.total += number
        self._ensure_writer()

    def close(self) -> dict[str, object]:
        """Write what is left and return the summaries by name; later points are ignored."""
        self._is_over.set()
        if self._writer is not None:
            self._writer.join(_SECONDS_FOR_THREAD)
        with self._lock:
            if not self._closed:
                self._write()
                self._write_snapshots()
            self._closed = True
            if self._file is not None:
                with contextlib.suppress(OSError):
                    self._file.close()
            return {name: metric.summary() for name, metric in self._metrics.items() if not metric.is_surplus}

    def _declared(self, kind: str, name: str, unit: str, better: Better | None) -> _Metric:
        """Return the metric of a name, made at first use."""
        metric = self._metrics.get(name) if isinstance(name, str) else None
        if metric is None:
            _check_declaration(name, unit, better)
            with self._lock:
                metric = self._metrics.get(name)
                if metric is None:
                    metric = _Metric(kind, name, unit, better)
                    if len(self._metrics) >= _MOST_NAMES:
                        self._complain(
                            f"{_MOST_NAMES} metrics are the most that a test can have: further ones are lost"
                        )
                        metric.is_surplus = True
                        return metric
                    self._metrics[name] = metric
        if (metric.kind, metric.unit, metric.better) != (kind, unit, better):
            raise MetricError(
                f"The metric {name!r} is {metric.described()} already, and cannot be "
                f"{_Metric(kind, name, unit, better).described()}, too"
            )
        return metric

    def _add(self, metric: _Metric, when: float, value: float) -> None:
        if value.__class__ is not float or not -math.inf < value < math.inf:
            value = _number(metric.name, value)
        if os.getpid() != self._pid:
            raise MetricError(
                f"The metric {metric.name!r} can only be recorded in the process of the test, not in a fork"
            )
        if self._closed or metric.is_surplus:
            return
        self._pending.append((metric, when, value))
        if self._writer is None:
            self._ensure_writer()
        if len(self._pending) >= _POINTS_PER_WRITE:
            self._write()

    def _ensure_writer(self) -> None:
        """Start the thread that writes points although no others follow: the test may be killed at any time."""
        if self._writer is not None or self._directory is None:
            return
        with self._lock:
            if self._writer is None and not self._closed:
                writer = threading.Thread(target=self._write_regularly, name="metrics", daemon=True)
                writer.start()
                # Not before, since an interrupt may come in between, and what never started cannot be joined
                self._writer = writer

    def _write_regularly(self) -> None:
        self._next_snapshot = time.monotonic() + _SECONDS_BETWEEN_SNAPSHOTS
        while not self._is_over.wait(_SECONDS_BETWEEN_WRITES):
            self._write()
            if time.monotonic() >= self._next_snapshot:
                with self._lock:
                    self._write_snapshots()
                self._next_snapshot = time.monotonic() + _SECONDS_BETWEEN_SNAPSHOTS

    def _write(self) -> None:
        """Move the pending points into summaries and the file."""
        with self._lock:
            lines: list[str] = []
            for _ in range(len(self._pending)):
                try:
                    metric, when, value = self._pending.popleft()
                except IndexError:  # another thread was here
                    break
                metric.distribution.add(value)
                if not metric.keeps_points:
                    continue
                if not metric.is_declared:
                    metric.is_declared = True
                    lines.append(f"{json.dumps(metric.declaration())}\n")
                lines.append(f'{metric.start_of_line}{when:.6f}, "value": {value!r}}}\n')
            self._write_lines(lines)

    def _write_snapshots(self) -> None:
        """Write the state of the metrics whose single points are not kept."""
        now = time.time()
        changed = [metric for metric in self._metrics.values() if metric.has_changed()]
        self._write_lines([f"{json.dumps({**each.summary(), 'name': each.name, 'time': now})}\n" for each in changed])

    def _write_lines(self, lines: list[str]) -> None:
        if not lines or self._directory is None or self._is_full:
            return
        content = "".join(lines).encode("ascii")
        if self._size + len(content) > _MOST_BYTES:
            self._is_full = True
            self._complain(
                f"{METRICS_FILE} is full ({_MOST_BYTES >> 20} MiB): further points are only in the summaries"
            )
            return
        try:
            if self._file is None:
                os.makedirs(self._directory, exist_ok=True)
                path = os.path.join(self._directory, METRICS_FILE)
                self._file = open(path, "ab", buffering=0, opener=without_waiting)  # noqa: SIM115  # until close()
            self._file.write(content)
            self._size += len(content)
        except OSError as error:
            self._is_full = True
            self._complain(f"{METRICS_FILE} cannot be written: {error}")

    def _complain(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self._warn(text)


class Series:
    """A metric whose values follow each other in time; made by :meth:`Metrics.series`."""

    def __init__(self, metrics: Metrics, metric: _Metric) -> None:
        self._metrics = metrics
        self._metric = metric

    def add(self, value: float, time_sec: float | None = None) -> None:
        """Add a point.

        Args:
            value: a finite number.
            time_sec: when it was measured, in Unix seconds; now by default.

        Raises:
            MetricError: one of them is not a finite number.
        """
        if time_sec is not None:
            time_sec = _number(f"time of {self._metric.name}", time_sec)
        self._metrics._add(self._metric, time.time() if time_sec is None else time_sec, value)


class Histogram:
    """A metric of which percentiles are kept; made by :meth:`Metrics.histogram`.

    The percentiles of the first 200 values are exact, those of more values are right within 1 %.
    """

    def __init__(self, metrics: Metrics, metric: _Metric) -> None:
        self._metrics = metrics
        self._metric = metric

    def add(self, value: float) -> None:
        """Add a value.

        Args:
            value: a finite number.

        Raises:
            MetricError: it is no finite number.
        """
        self._metrics._add(self._metric, 0.0, value)


class _Metric:
    """The declaration and the summary of one metric."""

    def __init__(self, kind: str, name: str, unit: str, better: Better | None) -> None:
        self.kind = kind
        self.name = name
        self.unit = unit
        self.better = better
        self.keeps_points = kind in ("value", "series")
        self.is_declared = False  # in the file
        self.is_surplus = False
        self.start_of_line = f'{{"name": {json.dumps(name)}, "time": '
        self.distribution = Distribution()
        self.total: float = 0
        self._written = ""

    def described(self) -> str:
        return f"a {self.kind}, unit {self.unit!r}, better {self.better!r}"

    def declaration(self) -> dict[str, object]:
        optional = {"unit": self.unit, "better": self.better}
        return {"name": self.name, "kind": self.kind, **{name: value for name, value in optional.items() if value}}

    def has_changed(self) -> bool:
        """Return whether the state of a metric without points differs from that of the last call."""
        if self.keeps_points:
            return False
        before, self._written = self._written, repr((self.total, self.distribution.count))
        return before != self._written

    def summary(self) -> dict[str, object]:
        """Return the JSON-ready summary for reports."""
        common = {name: value for name, value in self.declaration().items() if name != "name"}
        if self.kind == "counter":
            return {**common, "total": self.total}
        values = self.distribution.values if self.kind == "value" else []
        shown = {"values": values} if 0 < len(values) <= _MOST_VALUES_SHOWN else {}
        return {**common, **self.distribution.summary(), **shown}


def _check_declaration(name: object, unit: object, better: object) -> None:
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        shown = shorten(value_or("", repr, name))
        raise MetricError(f"The name of a metric is a text of 1 to {_LONGEST_NAME} printable characters, not {shown}")
    if not isinstance(unit, str) or len(unit) > _LONGEST_UNIT or not unit.isprintable():
        shown = shorten(value_or("", repr, unit))
        raise MetricError(f"The unit of the metric {name!r} is a text of up to {_LONGEST_UNIT} characters, not {shown}")
    if better not in (None, "lower", "higher"):
        shown = shorten(value_or("", repr, better))
        raise MetricError(f"For the metric {name!r}, better is 'lower', 'higher' or None, not {shown}")


def _number(name: str, value: object) -> float:
    """Return a value as a finite int or float of Python; raises ``MetricError`` for any other."""
    found = None
    if not isinstance(value, bool) and isinstance(value, (Real, Decimal)):
        found = value_or(None, _converted, value)
    if found is None or not math.isfinite(found):
        shown = shorten(value_or("", repr, value), 100)
        raise MetricError(f"The metric {name!r} takes finite numbers, not {shown} ({type(value).__name__})")
    return found


def _converted(value: Real | Decimal) -> float:
    number = float(value)
    return int(number) if isinstance(value, Integral) and abs(number) <= _LARGEST_EXACT else number
