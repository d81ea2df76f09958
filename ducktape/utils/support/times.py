# SPDX-License-Identifier: Apache-2.0
"""Durations, deadlines, and a clock that only runs forward."""

from __future__ import annotations

import math
import re
import reprlib
import time


class Stopwatch:
    """Starts when it is created, at ``start_time`` in seconds since the epoch."""

    def __init__(self) -> None:
        self.start_time = time.time()
        self._begin = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._begin

    def now(self) -> float:
        """Return seconds since the epoch, by the clock as it was at the start."""
        return self.start_time + self.elapsed


class Deadline:
    """A point in time, ``seconds`` from now; ``None`` is never."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self, limit: float | None = None) -> float | None:
        """Return the remaining seconds, from 0 up to ``limit``; ``None`` without any limit."""
        if self._end is None:
            return limit
        left = max(0.0, self._end - time.monotonic())
        return left if limit is None else min(left, limit)

    @property
    def is_over(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end


_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+", re.ASCII)
_PART = re.compile(rf"({_NUMBER.pattern})(ms|h|m|s)", re.ASCII)
_PARTS = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_LARGEST_FIRST = list(_SECONDS)
_HOW = 'write seconds (90) or a number with a unit ("500ms", "90s", "20m", "2h", "1h30m")'


def seconds_of(value: float | int | str) -> float:
    """Return a span of time in seconds, given as a number or as text such as ``"1h30m"``; raises ``ValueError``."""
    seconds: float | None = None
    if isinstance(value, str):
        seconds = _of_text(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):  # True would be taken for one second
        try:
            seconds = float(value)
        except OverflowError:
            seconds = math.inf
    if seconds is None:
        raise ValueError(f"{reprlib.repr(value)} is not a span of time: {_HOW}")
    if not math.isfinite(seconds) or seconds <= 0:
        raise ValueError(f"{reprlib.repr(value)} is not a span of time: it must be finite and more than zero")
    return seconds


def _of_text(value: str) -> float | None:
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    if not _PARTS.fullmatch(text):
        return None
    parts = _PART.findall(text)
    ranks = [_LARGEST_FIRST.index(unit) for _, unit in parts]
    if ranks != sorted(set(ranks)):
        return None
    return math.fsum(float(number) * _SECONDS[unit] for number, unit in parts)
