# SPDX-License-Identifier: Apache-2.0
"""How long a test takes and what it measures, session by session, and whether that has changed.

A measure has a *usual range* once tests passed with it in 5 of the 40 sessions before: the median, and on both sides
three robust standard deviations (1.4826 times the median absolute deviation), more of them as long as there are few
values. A value is a *change* if it is beyond that range and the one before was so on the same side; or at once, if it
is 2.5 times as far from the median and beyond all values before. A change that lasts is usual after five sessions.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ducktape.tests.recording.outcomes import PastOutcome, SessionOutcomes

DURATION = "duration"
SLOWER, FASTER, WORSE, BETTER, HIGHER, LOWER = "slower", "faster", "worse", "better", "higher", "lower"
CHANGES = (SLOWER, WORSE, HIGHER, FASTER, BETTER, LOWER)

_SESSIONS = 40
_FEWEST_VALUES = 5
_SIGMA_OF_DEVIATION = 1.4826
_SIGMAS = 3
# The deviation of few values is often far too small
_MORE_FOR_FEW = 8
# Of the median: values that never vary would otherwise have no range
_LEAST_SHARE = 0.05
_LEAST_SECONDS = 0.5
_AT_ONCE = 2.5
_CHANGES = {(True, 1): SLOWER, (True, -1): FASTER, (False, 1): HIGHER, (False, -1): LOWER}


class Point(NamedTuple):
    """A value in one session, which has a number; ``passed`` is whether the test did."""

    session: int
    value: float
    passed: bool


class Range(NamedTuple):
    """The usual values of a measure."""

    low: float
    median: float
    high: float


@dataclasses.dataclass(frozen=True)
class Trend:
    """One measure of a test: its duration or a metric.

    Attributes:
        name: of the metric, or ``duration``.
        better: which values are good: ``lower``, ``higher`` or empty.
        points: oldest first; the last one may be that of the session in question.
        usual: the range of earlier values; ``None`` if there are too few.
        change: ``slower`` or ``faster`` for a duration, ``worse`` or ``better``, ``higher`` or ``lower``; or empty.
        newest: the value in the session in question, if it has one.
    """

    name: str
    is_duration: bool
    unit: str
    better: str
    points: Sequence[Point]
    usual: Range | None = None
    change: str = ""
    newest: Point | None = None

    @property
    def share(self) -> float:
        """By how much the newest value differs from the usual median, as a share of it."""
        if self.usual is None or self.newest is None or self.newest.value == self.usual.median:
            return 0.0
        difference = self.newest.value - self.usual.median
        return difference / abs(self.usual.median) if self.usual.median else math.copysign(math.inf, difference)


@dataclasses.dataclass(frozen=True)
class Trends:
    """The trends of all tests up to one session, which has a ``number`` among others."""

    sessions: Sequence[SessionOutcomes] = ()
    number: int = 0
    tests: Mapping[str, Sequence[tuple[int, PastOutcome]]] = dataclasses.field(default_factory=dict)

    def of(self, test_id: str) -> list[Trend]:
        """Return the trends of a test: its duration, and the metrics that it has in this session."""
        durations = self._durations(test_id)
        if not durations:
            return []
        found = [self._trend(Trend(DURATION, True, "s", "lower", durations))]
        # There may be dozens of metrics of hundreds of tests
        past = [(number, self.sessions[number].metrics.get(test_id, {}), passed) for number, _, passed in durations]
        for name, (_, unit, better) in self.sessions[self.number].metrics.get(test_id, {}).items():
            points = [
                Point(number, metrics[name].value, passed)
                for number, metrics, passed in past
                if name in metrics and metrics[name].unit == unit
            ]
            found.append(self._trend(Trend(name, False, unit, better, points)))
        return found

    def of_duration(self, test_id: str) -> Trend | None:
        """Return the trend of a test's duration; ``None`` if it did not run."""
        durations = self._durations(test_id)
        return self._trend(Trend(DURATION, True, "s", "lower", durations)) if durations else None

    def _durations(self, test_id: str) -> list[Point]:
        found: list[Point] = []
        for number, outcome in reversed(self.tests.get(test_id, ())):
            if number < self.number - _SESSIONS:
                break
            if number <= self.number and outcome.is_verdict:
                found.append(Point(number, outcome.seconds, not outcome.is_failure))
        return found[::-1]

    def beyond(self, test_ids: Iterable[str]) -> dict[str, list[Trend]]:
        """Return the trends of tests that show a change in this session, the largest change first."""
        found: dict[str, list[Trend]] = {}
        for test_id in test_ids:
            changed = [trend for trend in self.of(test_id) if trend.change]
            if changed:
                found[test_id] = sorted(changed, key=lambda trend: -abs(trend.share))
        return dict(sorted(found.items(), key=lambda item: -abs(item[1][0].share)))

    def _trend(self, trend: Trend) -> Trend:
        """Return a trend with its range and change."""
        newest = trend.points[-1] if trend.points and trend.points[-1].session == self.number else None
        earlier: Sequence[float] = [point.value for point in trend.points if point.passed and point is not newest]
        if len(earlier) < _FEWEST_VALUES:
            return dataclasses.replace(trend, newest=newest)
        least = _LEAST_SECONDS if trend.is_duration else 0.0
        usual = _usual(earlier, least)
        lasting = earlier[-_FEWEST_VALUES:]
        if all(value > usual.high for value in lasting) or all(value < usual.low for value in lasting):
            earlier = _last_beyond(earlier, usual)
            usual = _usual(earlier, least)
        change = ""
        if newest is not None and newest.passed and (side := _side_of_change(newest.value, earlier, usual)):
            change = _CHANGES[trend.is_duration, side]
            if trend.better and not trend.is_duration:
                change = BETTER if (side > 0) == (trend.better == "higher") else WORSE
        return dataclasses.replace(trend, usual=usual, change=change, newest=newest)


def _usual(values: Sequence[float], least: float) -> Range:
    """Return the range of values, at least so wide on each side of the median."""
    median = statistics.median(values)
    deviation = _SIGMA_OF_DEVIATION * statistics.median([abs(value - median) for value in values])
    half = max(_SIGMAS * (1 + _MORE_FOR_FEW / len(values)) * deviation, _LEAST_SHARE * abs(median), least)
    low = median - half
    return Range(max(low, 0.0) if min(values) >= 0 else low, median, median + half)


def _last_beyond(values: Sequence[float], usual: Range) -> Sequence[float]:
    """Return the values since the last one that was within a range."""
    start = len(values)
    while start and not usual.low <= values[start - 1] <= usual.high:
        start -= 1
    return values[start:]


def _side_of_change(value: float, earlier: Sequence[float], usual: Range) -> int:
    """Return 1 if a value is a change upwards, -1 downwards, or else 0."""
    before = earlier[-1]
    distance = _AT_ONCE * (usual.high - usual.median)
    if value > usual.high and (before > usual.high or (value > usual.median + distance and value > max(earlier))):
        return 1
    if value < usual.low and (before < usual.low or (value < usual.median - distance and value < min(earlier))):
        return -1
    return 0
