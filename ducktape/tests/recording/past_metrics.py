# SPDX-License-Identifier: Apache-2.0
"""What later sessions know of the metrics of a session: one number of each metric of each test."""

from __future__ import annotations

import json
import math
from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

_MOST_OF_TEST = 50
_LONGEST_NAME = 200
_LONGEST_UNIT = 50
# All in one file with the outcomes, whose size is limited
_ROOM = 8 << 20
_BYTES_OF_VALUE = 30
# Differences and medians of which are finite
_LARGEST = 1e300


class PastMetric(NamedTuple):
    """The median of a metric, or the total of a counter; ``better`` is ``lower``, ``higher`` or empty."""

    value: float
    unit: str = ""
    better: str = ""


def metrics_in(summaries: Mapping[str, object] | None) -> dict[str, PastMetric]:
    """Return the metrics of a result by name, at most 50; summaries that make no sense are left out."""
    found: dict[str, PastMetric] = {}
    for name, summary in (summaries or {}).items():
        if len(found) == _MOST_OF_TEST:
            break
        if not isinstance(summary, Mapping) or len(name) > _LONGEST_NAME:
            continue
        value = summary.get("total" if summary.get("kind") == "counter" else "p50")
        metric = PastMetric(_rounded(value), str(summary.get("unit") or ""), str(summary.get("better") or ""))
        if _is_sound(metric):
            found[name] = metric
    return found


def fitting(tests: Mapping[str, Mapping[str, PastMetric]], order: Iterable[str]) -> dict[str, dict[str, PastMetric]]:
    """Return the metrics of the first tests in an order, as many as a file has room for."""
    room = _ROOM
    kept: dict[str, dict[str, PastMetric]] = {}
    for test_id in order:
        metrics = tests.get(test_id)
        if not metrics:
            continue
        room -= len(json.dumps(test_id)) + sum(
            len(json.dumps(name)) + len(json.dumps(metric.unit)) + _BYTES_OF_VALUE for name, metric in metrics.items()
        )
        if room < 0:
            break
        kept[test_id] = dict(metrics)
    return kept


def to_json(tests: Mapping[str, Mapping[str, PastMetric]]) -> dict[str, dict[str, list[object]]]:
    """Return metrics for the file; fields without a value at the end are left out, since these are many."""
    return {
        test_id: {
            name: list(metric if metric.better else metric[:2] if metric.unit else metric[:1])
            for name, metric in metrics.items()
        }
        for test_id, metrics in tests.items()
    }


def from_json(values: object, only: Container[str] | None) -> dict[str, dict[str, PastMetric]]:
    """Return what :func:`to_json` made, of some tests; raises ``ValueError`` or ``TypeError`` for anything else."""
    if not isinstance(values, dict):
        raise TypeError(f"metrics are not an object but {type(values).__name__}")
    tests: dict[str, dict[str, PastMetric]] = {}
    for test_id, metrics in values.items():
        if only is not None and test_id not in only:
            continue
        of_test = tests[test_id] = {name: PastMetric(*fields) for name, fields in metrics.items()}
        if not all(map(_is_sound, of_test.values())):
            raise ValueError("not all metrics of tests are sound")
    return tests


def _rounded(value: object) -> float:
    """Return a number in few digits; NaN if it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    try:
        return float(f"{value:.9g}")
    except OverflowError:
        return math.nan


def _is_sound(metric: PastMetric) -> bool:
    value, unit, better = metric
    is_number = type(value) in (float, int) and -_LARGEST < value < _LARGEST
    return is_number and type(unit) is str and len(unit) <= _LONGEST_UNIT and better in ("", "lower", "higher")
