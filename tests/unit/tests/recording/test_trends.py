# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from ducktape.tests.recording.history import Changes, History
from ducktape.tests.recording.outcomes import PastOutcome, SessionOutcomes
from ducktape.tests.recording.past_metrics import PastMetric
from tests.unit.tests.reports.samples import START

FAILED = PastOutcome("FAIL", 1.0, 1, "timeout", "c")
INTERRUPTED = PastOutcome("FAIL", 1.0, 1, "interrupted", "c")
STEADY = [10.0, 10.1, 9.9, 10.2, 9.8]


def history(
    durations: Sequence[float | PastOutcome | None] = (),
    metric: Sequence[float | PastMetric | None] = (),
    **fields: str,
) -> History:
    """Return the history of a test with a duration or an outcome, and a metric, in every session."""
    sessions = []
    outcomes = list(durations) or [10.0] * len(metric)
    metrics = list(metric) or [None] * len(outcomes)
    for number, (duration, value) in enumerate(zip(outcomes, metrics, strict=True)):
        tests, found = {"other": PastOutcome("PASS", 1.0)}, {}
        if duration is not None:
            tests["a"] = duration if isinstance(duration, PastOutcome) else PastOutcome("PASS", duration)
        if value is not None:
            found["a"] = {"write_ms": value if isinstance(value, PastMetric) else PastMetric(value, **fields)}
        name = f"2026-{1 + number // 28:02d}-{1 + number % 28:02d}--001"
        sessions.append(SessionOutcomes(name, START + number, 10.0, 1, {}, tests, metrics=found))
    return History(sessions)


def newest(found: History) -> Changes:
    changes = found.changes(found.sessions[-1].session_id)
    assert changes is not None
    return changes


@pytest.mark.parametrize(
    ("durations", "change"),
    [
        ([*STEADY, 12.0], ""),  # the range of few values is wide
        ([*STEADY * 3, 15.0], "slower"),
        ([*STEADY * 3, 11.0], ""),
        ([*STEADY * 3, 11.0, 11.0], "slower"),  # twice in a row
        ([*STEADY * 3, 9.0, 9.0], "faster"),
        ([*STEADY * 3, 11.0, 9.0], ""),
        ([*STEADY * 3, 11.0, 10.0, 11.0], ""),
        ([*STEADY * 3, 6.0], "faster"),
        ([*STEADY[:4], 15.0], ""),  # too few to compare with
        ([15.0, *STEADY * 3, 14.0], ""),  # it was that slow before
        ([15.0, *STEADY * 3, 16.0], "slower"),
        ([15.0, *STEADY * 3, 14.0, 14.0], "slower"),
        ([*STEADY * 3, *[15.0] * 5], "slower"),
        ([*STEADY * 3, *[15.0] * 6], ""),  # which is usual now
        ([*STEADY * 3, *[15.0] * 6, 10.0], "faster"),
        ([10.0] * 6, ""),
        ([*[10.0] * 5, 11.0], ""),
        ([*[10.0] * 5, 11.3], "slower"),
        ([*[0.1] * 9, 0.59], ""),  # half a second does not count
        ([*[0.1] * 9, 0.59, 0.59], ""),
        ([*[0.1] * 9, 1.5], "slower"),
        ([*STEADY * 3, FAILED], ""),
        ([*STEADY, FAILED, FAILED, PastOutcome("IGNORE", 0.0), INTERRUPTED, 15.0], "slower"),
        ([*STEADY[1:], FAILED, 15.0], ""),
        ([*STEADY[1:], PastOutcome("FLAKY", 10.0, 2), 15.0], "slower"),
        ([*STEADY * 3, PastOutcome("FAIL", 15.0, 2, "timeout", "c", mixed=True)], ""),
        ([*STEADY, *[None] * 36, 15.0], ""),  # of the last 40 sessions, 4 ran it
        ([*STEADY, *[None] * 35, 15.0], "slower"),
        ([*STEADY * 3, 15.0, None], ""),
    ],
)
def test_a_duration_is_a_change_if_it_is_beyond_the_usual_range(
    durations: Sequence[float | PastOutcome | None], change: str
) -> None:
    found = newest(history(durations))
    assert {test_id: [each.change for each in trends] for test_id, trends in found.beyond.items()} == (
        {"a": [change]} if change else {}
    )


@pytest.mark.parametrize(
    ("metric", "better", "change"),
    [
        ([*STEADY, 20.0], "lower", "worse"),
        ([*STEADY, 20.0], "higher", "better"),
        ([*STEADY, 20.0], "", "higher"),
        ([*STEADY, 1.0], "lower", "better"),
        ([*STEADY, 1.0], "higher", "worse"),
        ([*STEADY, 1.0], "", "lower"),
        ([-value for value in [*STEADY, 20.0]], "higher", "worse"),
        ([*[0.1] * 5, 0.2], "lower", "worse"),  # unlike seconds
        ([*[0.0] * 5, 1.0], "lower", "worse"),
        ([0.0, 1.0, *[0.0] * 5, 1.0], "lower", ""),  # a rare one
        ([*STEADY, None, 20.0], "lower", "worse"),
        ([*STEADY, None], "lower", ""),
        ([*[PastMetric(value, "s") for value in STEADY], 1000.0], "", ""),  # in another unit
    ],
)
def test_a_metric_is_better_or_worse_or_differs(
    metric: Sequence[float | PastMetric | None], better: str, change: str
) -> None:
    found = newest(history(metric=metric, better=better))
    assert [(each.name, each.change) for each in found.beyond.get("a", [])] == (
        [("write_ms", change)] if change else []
    )


def test_a_trend_has_its_values_and_range() -> None:
    found = history([*STEADY, FAILED, 20.0], [None, None, *STEADY], unit="ms")
    duration, metric = newest(found).trends.of("a")
    assert [tuple(point) for point in duration.points] == [
        *((number, value, True) for number, value in enumerate(STEADY)),
        *((5, 1.0, False), (6, 20.0, True)),
    ]
    assert (duration.newest, duration.share, duration.unit) == (duration.points[-1], 1.0, "s")
    # 3 * 1.4826 * 0.1 * (1 + 8 / 5)
    assert duration.usual == pytest.approx((10 - 1.156428, 10.0, 10 + 1.156428))
    assert ([point.value for point in metric.points], metric.unit, metric.usual, metric.share) == (
        STEADY,
        "ms",
        None,
        0,
    )
    assert [point.passed for point in metric.points] == [True, True, True, False, True]
    earlier = found.changes("2026-01-06--001")
    assert earlier is not None
    assert [len(trend.points) for trend in earlier.trends.of("a")] == [6, 4]  # up to that session
    assert (earlier.trends.of("x"), found.trends("x")) == ([], [])


def test_sessions_that_say_nothing_about_a_test_have_no_value() -> None:
    [trend] = history([10.0, PastOutcome("IGNORE", 0.0), INTERRUPTED, None, 11.0]).trends("a")
    assert [(point.session, point.value) for point in trend.points] == [(0, 10.0), (4, 11.0)]


def test_the_trend_of_a_test_ends_with_the_last_session_in_which_it_took_part() -> None:
    [trend] = history([*STEADY * 3, 15.0, None, None]).trends("a")
    assert (trend.change, trend.newest and trend.newest.session) == ("slower", 15)


def test_a_usual_range_has_no_negative_values_unless_there_were_some() -> None:
    for values, low in (([0.1] * 6, 0.095), ([1.0, 5.0, 1.0, 5.0, 3.0, 1.0], 0.0), ([-1.0] * 6, -1.05)):
        trend = newest(history(metric=values)).trends.of("a")[1]
        assert trend.usual is not None
        assert trend.usual.low == pytest.approx(low)


def test_the_largest_change_comes_first() -> None:
    sessions = []
    for number in range(6):
        last = number == 5
        tests = {"a": PastOutcome("PASS", 15.0 if last else 10.0), "b": PastOutcome("PASS", 1.0 if last else 10.0)}
        metrics = {"a": {"x": PastMetric(30.0 if last else 10.0)}, "b": {"zero": PastMetric(float(last))}}
        sessions.append(SessionOutcomes(f"2026-11-{number + 1:02d}--001", START, 1.0, 2, {}, tests, metrics=metrics))
    found = newest(History(sessions)).beyond
    assert [(test, [(each.name, each.share) for each in trends]) for test, trends in found.items()] == [
        ("b", [("zero", math.inf), ("duration", -0.9)]),
        ("a", [("x", 2.0), ("duration", 0.5)]),
    ]


def test_noise_with_heavy_tails_is_hardly_ever_a_change() -> None:
    noise = random.Random(7)

    def value() -> float:
        """Student's t with five degrees of freedom, scaled to 5 %."""
        return 100 * (1 + 0.05 * noise.gauss(0, 1) / math.sqrt(noise.gammavariate(2.5, 0.4)))

    names = [f"t{number}" for number in range(300)]
    sessions = [
        SessionOutcomes(f"{number}", START, 1.0, 300, {}, {name: PastOutcome("PASS", value()) for name in names})
        for number in range(30)
    ]
    found = History(sessions)
    nights = [found.changes(str(number)) for number in range(12, 30)]
    assert None not in nights
    assert sum(len(changes.beyond) for changes in nights if changes is not None) / len(nights) < 1
