# SPDX-License-Identifier: Apache-2.0
"""How what a test measures depends on its parametrization, and differs between repetitions."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ducktape.tests.reports import plot
from ducktape.tests.reports.metrics_view import BETTER
from ducktape.tests.reports.plot import Scale, finite, percent, quantity
from ducktape.tests.reports.rows import arguments_text
from ducktape.tests.status import FAIL, IGNORE
from ducktape.utils.support.text import shorten

if TYPE_CHECKING:
    from ducktape.tests.result import TestResult, TestResults

_MOST_STRIPS = 20
_MOST_PLOTS = 50
# With many tests the page is large anyway
_MANY_RESULTS = 1_000
_MOST_PLOTS_OF_MANY = 10
_MOST_DOTS = 60
_MOST_TICKS = 5
_LONGEST_NAME = 60
_DURATION = "duration"

# Each run of a parametrization with its values
_Values: TypeAlias = "list[tuple[TestResult, list[float]]]"


class Strip(NamedTuple):
    """The values of one parametrization: dots, other dots of runs that failed, and where their median is."""

    label: str
    result: TestResult
    passed: str
    failed: str
    median: str
    median_text: str
    about: str


class Distribution(NamedTuple):
    """One metric of a test over its parametrizations."""

    test: str
    metric: str
    better: str
    strips: list[Strip]
    left_out: int
    ticks: list[tuple[str, str]]


class Distributions(NamedTuple):
    """The metrics that differ most between parametrizations or repetitions, and how many others there are."""

    plots: list[Distribution]
    left_out: int


class _Runs(NamedTuple):
    """All values of one metric of a test: by parametrization, each run with its values."""

    test: str
    metric: str
    unit: str
    better: str
    of_ids: dict[str, _Values]

    def spread(self) -> float:
        """Return how far the medians of the runs are apart, seen from their size."""
        medians = [statistics.median(values) for runs in self.of_ids.values() for _, values in runs]
        size = max(map(abs, medians))
        return (max(medians) / size - min(medians) / size) if size else 0.0


def distributions(results: TestResults) -> Distributions | None:
    """Return how the metrics of tests depend on their parametrizations, those with the largest spread first."""
    found = [runs for runs in _runs(results) if sum(map(len, runs.of_ids.values())) > 1]
    found.sort(key=lambda runs: -runs.spread())
    most = _MOST_PLOTS if len(results) <= _MANY_RESULTS else _MOST_PLOTS_OF_MANY
    shown = [_distribution(runs) for runs in found[:most]]
    return Distributions(shown, max(0, len(found) - most)) if shown else None


def _runs(results: Iterable[TestResult]) -> list[_Runs]:
    """Return the values of each metric of each test; durations only of parametrized tests that measure nothing else."""
    found: dict[tuple[str, str, str, str], _Runs] = {}
    durations: dict[str, _Runs] = {}
    for result in results:
        if result.test_status == IGNORE or result.run_time_seconds < 0:
            continue
        key = f"{result.module_name}.{result.cls_name}.{result.function_name}"
        test = f"{result.cls_name}.{result.function_name}" if result.cls_name else result.function_name
        took = durations.setdefault(key, _Runs(test, _DURATION, "s", "", {}))
        took.of_ids.setdefault(result.test_id, []).append((result, [float(result.run_time_seconds)]))
        for name, each in (result.metrics or {}).items():
            values = _values(each)
            if not values or not isinstance(each, Mapping):
                continue
            unit, better = str(each.get("unit") or ""), BETTER.get(str(each.get("better")), "")
            runs = found.setdefault((key, name, unit, better), _Runs(test, name, unit, better, {}))
            runs.of_ids.setdefault(result.test_id, []).append((result, values))
    measuring = {key for key, *_ in found}
    timed = [runs for key, runs in durations.items() if len(runs.of_ids) > 1 and key not in measuring]
    return [*found.values(), *timed]


def _values(summary: object) -> list[float]:
    """Return the values of a metric in one run that can be shown: single measurements, a total, or the median."""
    if not isinstance(summary, Mapping):
        return []
    several = summary.get("values")
    candidates = several if isinstance(several, list) else [summary.get("total", summary.get("p50"))]
    return [value for each in candidates if (value := finite(each)) is not None]


def _distribution(runs: _Runs) -> Distribution:
    dots = {test_id: _dots(of_id) for test_id, of_id in runs.of_ids.items()}
    medians = {test_id: statistics.median(value for _, value in found) for test_id, found in dots.items()}
    middle = statistics.median(medians.values())
    # The extremes say more than what is between them
    by_distance = sorted(medians, key=lambda test_id: -abs(medians[test_id] - middle))
    wanted = set(by_distance[:_MOST_STRIPS])
    across = plot.scale((value for test_id in wanted for _, value in dots[test_id]), _MOST_TICKS)
    strips = [
        _strip(runs.unit, of_id, dots[test_id], medians[test_id], across)
        for test_id, of_id in sorted(runs.of_ids.items(), key=lambda item: item[1][0][0].test_index or 0)
        if test_id in wanted
    ]
    ticks = [
        (percent(across.share(tick)), text)
        for tick, text in zip(across.ticks, plot.tick_texts(across.ticks, runs.unit), strict=True)
    ]
    metric = shorten(runs.metric, _LONGEST_NAME, mark="…")
    return Distribution(runs.test, metric, runs.better, strips, len(medians) - len(strips), ticks)


def _dots(of_id: _Values) -> list[tuple[TestResult, float]]:
    """Return the values of a parametrization: of a single run all of them, of several the median of each."""
    if len(of_id) == 1:
        [(result, values)] = of_id
        return [(result, value) for value in values]
    return [(result, statistics.median(values)) for result, values in of_id]


def _strip(unit: str, of_id: _Values, dots: Sequence[tuple[TestResult, float]], median: float, across: Scale) -> Strip:
    def path(*, failed: bool) -> str:
        shown = sorted(value for result, value in dots if (result.test_status == FAIL) is failed)
        # Of too many, the ends and some between them
        step = max(1, -(-len(shown) // _MOST_DOTS))
        kept = [*shown[:-1:step], *shown[-1:]]
        return "".join(f"M{place}h0" for place in dict.fromkeys(f"{across.share(each) * 1000:.0f} 9" for each in kept))

    low, high = (quantity(end(value for _, value in dots), unit) for end in (min, max))
    number = f"{len(dots):,} {'values' if len(of_id) == 1 else 'runs'}"
    first = of_id[0][0]
    label = arguments_text(first) or number
    text = quantity(median, unit)
    about = f"{number} from {low} to {high}, median {text}" if len(dots) > 1 else text
    return Strip(label, first, path(failed=False), path(failed=True), percent(across.share(median)), text, about)
