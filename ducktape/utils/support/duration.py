# SPDX-License-Identifier: Apache-2.0
"""Spans of time as people write them."""

from __future__ import annotations

import math
import re
import reprlib

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+", re.ASCII)
_PART = re.compile(rf"({_NUMBER.pattern})(ms|h|m|s)", re.ASCII)
_PARTS = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_LARGEST_FIRST = list(_SECONDS)
_HOW = 'write seconds (90) or a number with a unit ("500ms", "90s", "20m", "2h", "1h30m")'


def seconds_of(value: float | int | str) -> float:
    """Return a span of time in seconds.

    Args:
        value: seconds as a number or as text, or text with the units ``h``, ``m``, ``s`` and ``ms``, each at most once
            and the largest first.

    Raises:
        ValueError: it is no span of time, not finite or not more than zero; the message is one line.
    """
    seconds = _of_text(value) if isinstance(value, str) else _of_number(value)
    if seconds is None:
        raise ValueError(f"{reprlib.repr(value)} is not a span of time: {_HOW}")
    if not math.isfinite(seconds) or seconds <= 0:
        raise ValueError(f"{reprlib.repr(value)} is not a span of time: it must be finite and more than zero")
    return seconds


def _of_number(value: object) -> float | None:
    # True would be taken for one second
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


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
