# SPDX-License-Identifier: Apache-2.0
"""Which durations and metrics of a session differ from those of another one; pure functions."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping

from ducktape.command_line.compare.measurements import Key, Measurement
from ducktape.utils.support.rank_test import compared, holm, smallest_p_value

ALPHA = 0.05  # the probability that a comparison without any real difference names one
THRESHOLD = 0.05

WORSE = "worse"
BETTER = "better"
CHANGED = "changed"  # nobody knows whether that is good
SAME = "same"


@dataclasses.dataclass(frozen=True)
class Change:
    """The comparison of one duration or metric.

    ``change`` is that of the median as a share of the first one; ``None`` if that is 0. ``values`` is what was
    compared: ``runs`` (one value each), or the ``measurements`` of a single run.
    """

    test_id: str
    kind: str
    name: str
    unit: str
    better: str | None
    values: str
    n_a: int
    n_b: int
    median_a: float
    median_b: float
    change: float | None
    cliffs_delta: float
    p_value: float
    p_corrected: float = 1.0
    verdict: str = SAME


@dataclasses.dataclass(frozen=True)
class Comparison:
    """All comparisons of two sessions, and how many more had too few runs."""

    changes: list[Change]
    too_few: int
    only_in_a: list[Key]
    only_in_b: list[Key]
    threshold: float

    def named(self, verdict: str) -> list[Change]:
        """Return the changes of a verdict, the greatest first."""
        found = [each for each in self.changes if each.verdict == verdict]
        return sorted(found, key=lambda each: -math.inf if each.change is None else -abs(each.change))


def compare(
    first: Mapping[Key, Measurement], second: Mapping[Key, Measurement], threshold: float = THRESHOLD
) -> Comparison:
    """Compare what two sessions have in common.

    A difference is named if it is significant after the correction for the number of comparisons, and the median has
    changed by the threshold at least.
    """
    changes = []
    too_few = 0
    for key in sorted(first.keys() & second.keys()):
        change = _change(key, first[key], second[key])
        if change is None:
            too_few += 1
        else:
            changes.append(change)
    corrected = holm([change.p_value for change in changes])
    judged = [
        dataclasses.replace(change, p_corrected=p_value, verdict=_verdict(change, p_value, threshold))
        for change, p_value in zip(changes, corrected, strict=True)
    ]
    return Comparison(
        judged, too_few, sorted(first.keys() - second.keys()), sorted(second.keys() - first.keys()), threshold
    )


def _change(key: Key, first: Measurement, second: Measurement) -> Change | None:
    """Compare one duration or metric; ``None`` if no values at all could differ significantly."""
    what, a, b = "runs", first.runs, second.runs
    # Measurements within one run depend on each other: they are a makeshift for runs
    if len(a) == len(b) == 1 and len(first.single) > 1 and len(second.single) > 1:
        what, a, b = "measurements", first.single, second.single
    if smallest_p_value(len(a), len(b)) > ALPHA:
        return None
    median_a, median_b = statistics.median(a), statistics.median(b)
    change = (median_b - median_a) / abs(median_a) if median_a else None
    p_value, delta = compared(a, b)
    better = first.better if first.better == second.better else None
    unit = second.unit if first.unit == second.unit else f"{first.unit} and {second.unit}"
    sizes = (len(a), len(b))
    return Change(*key, unit, better, what, *sizes, median_a, median_b, change, delta, p_value)


def _verdict(change: Change, p_corrected: float, threshold: float) -> str:
    if p_corrected > ALPHA or change.median_a == change.median_b:
        return SAME
    if change.change is not None and abs(change.change) < threshold:
        return SAME
    if change.better is None:
        return CHANGED
    return WORSE if (change.median_b > change.median_a) == (change.better == "lower") else BETTER
