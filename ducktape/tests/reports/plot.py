# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of plots: scales, numbers as text, and lines with as many points as can be seen.

Numbers come from files that anybody can have written. Whatever they are, the results are bounded, and nothing raises.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from ducktape.utils.support.text import shorten

Point: TypeAlias = tuple[float, float]

# The size of a plot in its own units: a browser stretches it to the page
WIDTH = 1000
HEIGHT = 400
MOST_POINTS = 200

_MOST_GAPS = 40
_LARGEST = 1e300
# A range that is smaller than that, seen from its values, is rounding
_SMALLEST_SHARE = 1e-9
_BEYOND_NAMES = 1e16
_LONGEST_UNIT = 20

_THOUSANDS = ((1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T"))
_BYTES = ((1.0, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB"), (1e12, "TB"))
_SECONDS = ((1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s"))
_FAMILIES = {
    **dict.fromkeys(("B", "byte", "bytes"), (_BYTES, 1.0)),
    "kB": (_BYTES, 1e3),
    "MB": (_BYTES, 1e6),
    "GB": (_BYTES, 1e9),
    **dict.fromkeys(("s", "sec", "second", "seconds"), (_SECONDS, 1.0)),
    "ms": (_SECONDS, 1e-3),
    "us": (_SECONDS, 1e-6),
    "µs": (_SECONDS, 1e-6),
    "ns": (_SECONDS, 1e-9),
}


class Unit(NamedTuple):
    """How numbers of a unit are written: names of its multiples, what the numbers are multiplied by, what follows."""

    names: tuple[tuple[float, str], ...]
    factor: float
    rest: str

    def multiple(self, value: float) -> tuple[float, str]:
        """Return the largest multiple that is not above a value, which ``factor`` has been applied to."""
        if abs(value) >= _BEYOND_NAMES:
            return 1.0, dict(self.names)[1.0]
        fitting = [each for each in self.names if each[0] <= abs(value) * (1 + _SMALLEST_SHARE)]
        return fitting[-1] if fitting else self.names[0]


class Scale(NamedTuple):
    """A range of numbers whose ends are ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Return where a number is, from 0 at the lower to 1 at the upper end; beyond them, that of the end."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


def finite(value: object) -> float | None:
    """Return a number of a file so that sums and differences of a few are finite; ``None`` if it is none."""
    if value.__class__ is float and -_LARGEST <= value <= _LARGEST:  # nearly all of them
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or abs(value) == math.inf:
        return None
    # An integer may be larger than any float
    return float(min(max(value, -_LARGEST), _LARGEST))


def steps(low: float, high: float, most: int) -> tuple[float, ...]:
    """Return multiples of 1, 2 or 5 times a power of ten from below a range to above it, ``most`` within it."""
    size = max(abs(low), abs(high))
    if high - low <= size * _SMALLEST_SHARE or high - low < 1 / _LARGEST:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1 / _LARGEST:
        high = low + 1
    least = (high - low) / most
    power = 10.0 ** math.floor(math.log10(least))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= least * (1 - _SMALLEST_SHARE))
    first = math.floor(low / step + _SMALLEST_SHARE)
    last = max(math.ceil(high / step - _SMALLEST_SHARE), first + 1)
    return tuple(number * step for number in range(first, last + 1))


def scale(values: Iterable[float], most: int = 3) -> Scale:
    """Return a scale for some numbers, from zero unless that would make them look all the same."""
    found = list(values) or [0.0]
    low, high = min(found), max(found)
    if high - low > max(abs(low), abs(high)) / 10:
        low, high = min(low, 0.0), max(high, 0.0)
    ticks = steps(low, high, most)
    return Scale(ticks[0], ticks[-1], ticks)


def unit_of(name: str) -> Unit:
    """Return how numbers of a unit are written; its name may be any text."""
    name = shorten(name, _LONGEST_UNIT, mark="…")
    base, slash, per = name.partition("/")
    names, factor = _FAMILIES.get(base, (None, 1.0))
    if names is None:
        return Unit(_THOUSANDS, 1.0, f" {name}" if name else "")
    return Unit(names, factor, f"{slash}{per}")


def quantity(value: float, unit: str = "") -> str:
    """Return a number with its unit in few characters, such as ``1.5 MB``, ``250 ms`` or ``12,345 messages``."""
    written = unit_of(unit)
    value *= written.factor
    size = abs(value)
    if written.names is _THOUSANDS and size < 1e6:
        return f"{_plain(value)}{written.rest}"
    multiple, name = written.multiple(value) if value else (1.0, dict(written.names)[1.0])
    return f"{_plain(value / multiple)} {f'{name}{written.rest}'.strip()}".rstrip()


def tick_texts(ticks: Sequence[float], unit: str = "") -> list[str]:
    """Return the numbers of a scale in one multiple of their unit, such as ``0``, ``20`` and ``40 MB``."""
    written = unit_of(unit)
    largest = max(map(abs, ticks), default=0.0) * written.factor
    multiple, name = (1.0, "") if written.names is _THOUSANDS and largest < 1e4 else written.multiple(largest)
    texts = [_plain(tick * written.factor / multiple, digits=6) for tick in ticks]
    rest = "" if written.names is _THOUSANDS else written.rest
    return [*texts[:-1], f"{texts[-1]} {name}{rest}".rstrip()] if texts else []


def percent(share: float) -> str:
    """Return a share as an attribute of a picture, such as ``12.5%``."""
    return f"{share * 100:.2f}".rstrip("0").rstrip(".") + "%"


def segments(points: Iterable[Point], least_gap: float = 0.0, most: int = MOST_POINTS) -> list[list[Point]]:
    """Return a line as the parts between its gaps, with up to ``most`` points.

    A gap is longer than ``least_gap`` and three times what usually is between two points. Of many points, the smallest
    and the largest at each time are kept.
    """
    ordered = sorted(points)
    distances = [after[0] - before[0] for before, after in itertools.pairwise(ordered)]
    longest = max(3 * sorted(distances)[len(distances) // 2], least_gap) if distances else least_gap
    gaps = sorted((number for number, each in enumerate(distances) if each > longest), key=lambda n: -distances[n])
    starts = [0, *(number + 1 for number in sorted(gaps[:_MOST_GAPS])), len(ordered)]
    parts = [ordered[start:end] for start, end in itertools.pairwise(starts) if start < end]
    if len(ordered) <= most:
        return parts
    columns = max(1, most // 2 - len(parts))
    first, width = ordered[0][0], (ordered[-1][0] - ordered[0][0]) / columns
    return [_extremes(part, first, width or 1.0) for part in parts]


def dots(points: Iterable[Point], most: int = MOST_POINTS) -> list[Point]:
    """Return up to ``most`` points, those with the smallest and the largest values at each time among them."""
    return [point for part in segments(points, math.inf, most) for point in part]


def line_path(parts: Iterable[Sequence[Point]], across: Scale, up: Scale) -> str:
    """Return lines as the ``d`` of a path in a plot of ``WIDTH`` and ``HEIGHT``; a single point is a dot."""
    found: list[str] = []
    for part in parts:
        places = list(dict.fromkeys(_place(point, across, up) for point in part))
        found.append(f"M{' '.join(places)}" if len(places) > 1 else f"M{places[0]}h0")
    return "".join(found)


def dot_path(points: Iterable[Point], across: Scale, up: Scale) -> str:
    """Return dots as the ``d`` of a path: a line without length, whose ends are round."""
    return "".join(f"M{place}h0" for place in dict.fromkeys(_place(point, across, up) for point in points))


def _place(point: Point, across: Scale, up: Scale) -> str:
    return f"{across.share(point[0]) * WIDTH:.0f} {(1 - up.share(point[1])) * HEIGHT:.0f}"


def _extremes(part: Sequence[Point], first: float, width: float) -> list[Point]:
    """Return the points with the smallest and the largest value in each column of a plot."""
    found: dict[int, tuple[Point, Point]] = {}
    for point in part:
        column = int((point[0] - first) / width)
        low, high = found.get(column, (point, point))
        found[column] = (point if point[1] < low[1] else low, point if point[1] > high[1] else high)
    # The last point is alone in a column of its own
    return [each for pair in found.values() for each in sorted(set(pair))]


def _plain(value: float, digits: int = 3) -> str:
    """Return a number with some digits that count, all of those before the point included."""
    if 999.5 <= abs(value) < 1e7:
        return f"{value:,.0f}"
    text = f"{value:.{digits}g}"
    return text.replace("e+", "e").replace("e0", "e").replace("e-0", "e-")
