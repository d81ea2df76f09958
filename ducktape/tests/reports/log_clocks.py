# SPDX-License-Identifier: Apache-2.0
"""The true times of the lines of a log whose node had another time zone, or a clock that a fault had made wrong."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ducktape.tests.reports.log_times import Stamp

# Logs have lines from shortly before a test, such as of a server that was running, and from its end
MARGIN_SEC = 60.0
# A fault comes into force and ends at some moment of the command that does it
_EDGE_SEC = 1.0
# Programs may look for the offset of their clock only once a second, and be slow
_LAG_SEC = 3.0
# Threads of a program write their lines in an order of their own
_SLACK_SEC = 1.0
# How unlikely it is that a line in a fault is not affected by it, that a line is after the end of the test, or some
# seconds before the previous one, that the effect of a fault ends early, and that it affects no line of a file
_COST_INSIDE, _COST_OUTSIDE, _COST_OF_SECOND, _MOST_OF_STEP = 2.0, 0.5, 0.1, 4.0
_COST_OF_END, _COST_UNAFFECTED = 0.5, 3.0
_MOST_SKEWS = 20
_QUARTER_SEC = 900
_MOST_QUARTERS = 14 * 4
_SAMPLE = 500


class Skew(NamedTuple):
    """A fault that made a clock wrong by some seconds; ``settled`` is when it was in effect, in Unix seconds as all."""

    start: float
    settled: float
    end: float
    seconds: float


class Place(NamedTuple):
    """When a line was written, in Unix seconds, and what was added to its time since a fault had changed the clock."""

    time: float
    correction: float = 0.0


class Placed(NamedTuple):
    """The lines of a file in time: ``None`` for those that were not written during the test, before or after it.

    Attributes:
        places: one for each stamp, never going back.
        zone_shift: what was added to times without a zone.
    """

    places: list[Place | None]
    zone_shift: float


def placed(stamps: Sequence[Stamp], start: float, end: float, skews: Sequence[Skew] = ()) -> Placed:
    """Return when the lines of one file were written.

    Args:
        stamps: of the lines, in their order; lines of one file are in the order of time, except for a few.
        start, end: of the test, in Unix seconds.
        skews: the faults that changed the clock of the node. Either they all affected the program, or none did.
    """
    shift = _zone_shift([stamp.time for stamp in stamps if not stamp.has_zone], start, end, skews)
    times = [stamp.time if stamp.has_zone else stamp.time + shift for stamp in stamps]
    if not skews:
        first, last = start - MARGIN_SEC, end + MARGIN_SEC
        return Placed(_in_order([Place(time) if first <= time <= last else None for time in times]), shift)
    affected, cost = _likeliest(times, start, end, skews[:_MOST_SKEWS])
    unaffected, other_cost = _likeliest(times, start, end, ())
    return Placed(_in_order(unaffected if other_cost + _COST_UNAFFECTED < cost else affected), shift)


def _zone_shift(times: Sequence[float], start: float, end: float, skews: Sequence[Skew]) -> float:
    """Return the number of quarters of an hour, in seconds, by which most times come to lie within the test."""
    offsets = {0.0, *(skew.seconds for skew in skews)}
    sample = times[:: len(times) // _SAMPLE + 1]

    def inside(shift: float) -> int:
        moments = (time + shift - offset for time in sample for offset in offsets)
        return sum(start - MARGIN_SEC <= moment <= end + MARGIN_SEC for moment in moments)

    if inside(0) >= len(sample):
        return 0.0
    quarters = range(-_MOST_QUARTERS, _MOST_QUARTERS + 1)
    # Zones are whole hours, most of them
    best = max(quarters, key=lambda number: (inside(number * _QUARTER_SEC), number == 0, number % 4 == 0, -abs(number)))
    return float(best * _QUARTER_SEC)


def _likeliest(
    times: Sequence[float], start: float, end: float, skews: Sequence[Skew]
) -> tuple[list[Place | None], float]:
    """Return the likeliest moments of lines of a program that was affected by faults, and how unlikely they are."""
    # Of each line its possible places; of each place the way there that costs least, and the place before it
    choices: list[list[Place]] = []
    ways: list[list[int]] = []
    costs = [0.0]
    last: list[Place] = []
    for time in times:
        # Where both are as likely, the earlier one is taken
        found = sorted(
            (place, cost)
            for place, cost in _candidates(time, skews)
            if start - MARGIN_SEC <= place.time <= end + MARGIN_SEC
        )
        choices.append([place for place, _ in found])
        ways.append([])
        if not found:
            continue
        sums: list[float] = []
        for place, cost in found:
            steps = [total + _step(one, place, skews) for one, total in zip(last or [place], costs, strict=True)]
            ways[-1].append(steps.index(min(steps)))
            sums.append(min(steps) + cost + (_COST_OUTSIDE if place.time > end + _EDGE_SEC else 0.0))
        last, costs = choices[-1], sums
    index = costs.index(min(costs))
    chosen: list[Place | None] = []
    for places, way in zip(reversed(choices), reversed(ways), strict=True):
        chosen.append(places[index] if places else None)
        index = way[index] if places else index
    return chosen[::-1], min(costs)


def _step(one: Place, other: Place, skews: Sequence[Skew]) -> float:
    """Return how unlikely it is that a line is followed by another one."""
    back = one.time - other.time
    cost = 0.0 if back <= _SLACK_SEC else min(back * _COST_OF_SECOND, _MOST_OF_STEP)
    if one.correction == other.correction:
        return cost
    # Another line of the fault is likelier than the first one after it, as long as it can be that
    lasts = any(
        skew.seconds == -one.correction and skew.start <= other.time - skew.seconds <= skew.end for skew in skews
    )
    return cost + _COST_OF_END if lasts else cost


def _candidates(time: float, skews: Sequence[Skew]) -> Iterator[tuple[Place, float]]:
    """Yield the moments at which a program may have written a time, and how unlikely it is if it is affected."""
    inside = any(skew.settled + _LAG_SEC < time < skew.end - _EDGE_SEC for skew in skews)
    yield Place(time), _COST_INSIDE if inside else 0.0
    for skew in skews:
        true = time - skew.seconds
        if skew.start - _EDGE_SEC <= true <= skew.end + _EDGE_SEC:
            yield Place(true, -skew.seconds), 0.0


def _in_order(places: list[Place | None]) -> list[Place | None]:
    """Return the places with as few changes as possible so that none is before an earlier one."""
    times: list[float] = []
    for place in places:
        if place is not None:
            is_little = bool(times) and 0 < times[-1] - place.time <= _SLACK_SEC
            times.append(times[-1] if is_little else place.time)
    if any(one > other for one, other in itertools.pairwise(times)):
        kept = _longest_ascent(times)
        # What comes before the first one that is kept gets its time
        latest = times[min(kept)]
        for number, time in enumerate(times):
            latest = time if number in kept else latest
            times[number] = latest
    rest = iter(times)
    return [None if place is None else place._replace(time=next(rest)) for place in places]


def _longest_ascent(times: Sequence[float]) -> set[int]:
    """Return the indices of the longest sequence that never goes back."""
    ends: list[float] = []
    indices: list[int] = []
    previous: list[int] = []
    for index, time in enumerate(times):
        length = bisect.bisect_right(ends, time)
        previous.append(indices[length - 1] if length else -1)
        ends[length : length + 1] = [time]
        indices[length : length + 1] = [index]
    kept: set[int] = set()
    index = indices[-1]
    while index >= 0:
        kept.add(index)
        index = previous[index]
    return kept
