# SPDX-License-Identifier: Apache-2.0
"""The trends of tests over earlier sessions as pictures in ``report.html`` and ``index.html``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ducktape.tests.recording.outcomes import bounded_id
from ducktape.tests.reports.comparison import beyond_words, change_text, trend_text, value_text

if TYPE_CHECKING:
    from ducktape.tests.recording.history import Changes
    from ducktape.tests.recording.trends import Point, Range, Trend, Trends
    from ducktape.tests.result import TestResult

WIDTH, HEIGHT = 260, 52
_EDGE = 5
_NARROWEST = 10  # sessions, however few there are
_FEWEST_EARLIER = 5
_MOST_OF_TEST = 6
_MOST_LINES = 10
# Characters of the pictures of a page, roughly: those of changes, and all others
_ROOM = 1_400_000, 600_000
_MANY_TESTS = 1_000
_ROOM_AMONG_MANY = 80_000, 40_000
_SIZE, _SIZE_OF_DOT = 900, 110


class Dot(NamedTuple):
    """One value: its ``kind`` is ``passed``, ``failed`` or ``newest``, and ``title`` says session and value."""

    kind: str
    x: float
    y: float
    title: str


class Picture(NamedTuple):
    """The trend of one measure; positions count from the top left corner."""

    name: str
    change: str
    words: str
    label: str
    band: tuple[float, float]  # top and height
    median: float
    line: str
    dots: Sequence[Dot]


class BeyondUsual(NamedTuple):
    """What the page says of changes: in words, the largest of them by test, and how many more there are."""

    words: str
    lines: list[tuple[TestResult, str, str]]
    left_out: int


class Pictures:
    """Draws the trends of the tests of a page, as far as it has room: the largest changes, then in the page's order."""

    def __init__(self, changes: Changes | None, tests: int) -> None:
        self._trends: Trends | None = None if changes is None or not changes.since else changes.trends
        self._beyond = {} if changes is None or not changes.since else changes.beyond
        room, self._room = _ROOM if tests <= _MANY_TESTS else _ROOM_AMONG_MANY
        self._changed: dict[str, list[Trend]] = {}
        for test_id, changed in self._beyond.items():
            shown = self._worth_showing(test_id, changed)
            room -= _size(shown)
            if room < 0:
                break
            self._changed[test_id] = shown

    def of(self, result: TestResult) -> list[Picture]:
        """Return the pictures of a test: those of its changes first, or else that of its duration."""
        if self._trends is None:
            return []
        test_id = bounded_id(result.test_id)
        shown = self._changed.get(test_id, [])
        if not shown and test_id not in self._beyond and self._room > 0:
            duration = self._trends.of_duration(test_id)
            shown = [duration] if duration is not None and has_range(duration) else []
            self._room -= _size(shown)
        return [picture(trend, self._trends) for trend in shown]

    def _worth_showing(self, test_id: str, changed: list[Trend]) -> list[Trend]:
        assert self._trends is not None  # or there would be no changes
        rest = [each for each in self._trends.of(test_id) if not each.change and has_range(each)]
        return [*changed, *rest][:_MOST_OF_TEST]

    def beyond(self, results: Sequence[TestResult]) -> BeyondUsual | None:
        """Return what the page says of the changes of all its tests; ``None`` without any."""
        if not self._beyond:
            return None
        by_id = {bounded_id(result.test_id): result for result in results}
        found = [(by_id[test_id], trends) for test_id, trends in self._beyond.items() if test_id in by_id]
        lines = [
            (result, result.test_id.removeprefix(f"{result.module_name}."), change_text(trend))
            for result, trends in found
            for trend in trends
        ]
        words = beyond_words(trend for _, trends in found for trend in trends)
        return BeyondUsual(words, lines[:_MOST_LINES], max(0, len(lines) - _MOST_LINES)) if lines else None


def has_range(trend: Trend) -> bool:
    """Return whether a trend has enough values for a picture."""
    return trend.usual is not None and len(trend.points) > _FEWEST_EARLIER


def _size(trends: Sequence[Trend]) -> int:
    """Return about how many characters pictures have."""
    return sum(_SIZE + _SIZE_OF_DOT * len(trend.points) for trend in trends)


def picture(trend: Trend, trends: Trends) -> Picture:
    """Return the picture of a trend that has a usual range."""
    assert trend.usual is not None
    low, high = _extent(trend, trend.usual)
    sessions = max(trends.number - trend.points[0].session, _NARROWEST)

    def x(point: Point) -> float:
        return round(WIDTH - _EDGE - (trends.number - point.session) * (WIDTH - 2 * _EDGE) / sessions, 1)

    def y(value: float) -> float:
        share = (min(max(value, low), high) - low) / (high - low)
        return round(HEIGHT - _EDGE - share * (HEIGHT - 2 * _EDGE), 1)

    dots = []
    for point in trend.points:
        kind = "failed" if not point.passed else "newest" if point is trend.newest else "passed"
        words = f"{trends.sessions[point.session].session_id}: {value_text(trend, point.value)}"
        dots.append(Dot(kind, x(point), y(point.value), words if point.passed else f"{words}, did not pass"))
    top, bottom = y(trend.usual.high), y(trend.usual.low)
    earlier = len(trend.points) - (trend.newest is not None)
    words = trend_text(trend).removeprefix(f"{trend.name}: ")
    return Picture(
        trend.name,
        trend.change,
        change_text(trend).removeprefix(f"{trend.name} ") if trend.change else words,
        f"{trend.name} in {earlier} earlier sessions: {words}",
        (top, round(max(bottom - top, 1), 1)),
        y(trend.usual.median),
        " ".join(f"{x(point):g},{y(point.value):g}" for point in trend.points if point.passed),
        dots,
    )


def _extent(trend: Trend, usual: Range) -> tuple[float, float]:
    """Return the lowest and the highest value in the picture; runs that failed may be beyond it."""
    values = [usual.low, usual.high, *(point.value for point in trend.points if point.passed)]
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 1, high + 1)
