# SPDX-License-Identifier: Apache-2.0
"""What the results of a session say about durations and metrics; results are untrusted and may be of any version."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

DURATION = "duration"
METRIC = "metric"
_PASSED = ("PASS", "FLAKY")


class Key(NamedTuple):
    """What is compared: a test, and its duration or one of its metrics."""

    test_id: str
    kind: str
    name: str


@dataclasses.dataclass
class Measurement:
    """One value for each run of a test in a session; ``single`` are the measurements within its last run."""

    unit: str = ""
    better: str | None = None
    runs: list[float] = dataclasses.field(default_factory=list)
    single: list[float] = dataclasses.field(default_factory=list)


def measurements_of(results: Iterable[object]) -> dict[Key, Measurement]:
    """Return what the passed runs of each test took and measured, from results as ``report.json`` has them."""
    found: dict[Key, Measurement] = {}
    for result in results:
        if not isinstance(result, Mapping) or not isinstance(test_id := result.get("test_id"), str):
            continue
        for run in _passed_runs(result):
            seconds = _seconds(run)
            if seconds is not None:
                key = Key(test_id, DURATION, "run_time_seconds")
                found.setdefault(key, Measurement("s", "lower")).runs.append(seconds)
            metrics = run.get("metrics")
            for name, summary in metrics.items() if isinstance(metrics, Mapping) else ():
                if isinstance(summary, Mapping):
                    _add(found, Key(test_id, METRIC, str(name)), summary)
    return found


def _passed_runs(result: Mapping[str, object]) -> list[Mapping[str, object]]:
    """Return the runs of one result: with ``--detect-flakes`` those of its attempts that passed."""
    attempts = result.get("attempts")
    if result.get("runs") and isinstance(attempts, list):
        return [each for each in attempts if isinstance(each, Mapping) and each.get("status") == "pass"]
    return [result] if str(result.get("test_status")).upper() in _PASSED else []


def _seconds(run: Mapping[str, object]) -> float | None:
    start, stop = _finite(run.get("start_time")), _finite(run.get("stop_time"))
    return None if start is None or stop is None or not 0 <= start <= stop else stop - start


def _add(found: dict[Key, Measurement], key: Key, summary: Mapping[object, object]) -> None:
    value = _finite(summary.get("total" if summary.get("kind") == "counter" else "p50"))
    if value is None:
        return
    unit, better, values = summary.get("unit"), summary.get("better"), summary.get("values")
    measurement = found.setdefault(key, Measurement())
    measurement.unit = unit if isinstance(unit, str) else ""
    measurement.better = better if better in ("lower", "higher") else None
    measurement.runs.append(value)
    finite = [_finite(each) for each in values] if isinstance(values, list) else []
    measurement.single = [each for each in finite if each is not None]


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
