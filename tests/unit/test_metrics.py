# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import numbers
import os
import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ducktape import metrics as module
from ducktape.errors import DucktapeError
from ducktape.metrics import MetricError, Metrics
from ducktape.services.service import Service
from ducktape.tests.session import SessionContext
from ducktape.tests.test import Test
from ducktape.tests.test_context import TestContext


def lines_of(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def test_measurements_are_in_the_file_and_the_summary(tmp_path: Path) -> None:
    metrics = Metrics(str(tmp_path / "new"))
    before = time.time()
    for value in (1.5, 2.5, 3):
        metrics.record("latency", value, unit="ms", better="lower")
    summary = metrics.close()
    declared = {"kind": "value", "unit": "ms", "better": "lower"}
    percentiles = {"p50": 2.5, "p90": 3, "p99": 3, "p999": 3}
    numbers = {"count": 3, "min": 1.5, "max": 3, "mean": pytest.approx(7 / 3), "values": [1.5, 2.5, 3]}
    assert summary == {"latency": {**declared, **percentiles, **numbers}}
    declaration, *points = lines_of(tmp_path / "new")
    assert declaration == {"name": "latency", "kind": "value", "unit": "ms", "better": "lower"}
    assert [(each["name"], each["value"]) for each in points] == [("latency", 1.5), ("latency", 2.5), ("latency", 3)]
    assert all(before - 1 <= each["time"] <= time.time() + 1 for each in points)


def test_series_have_times_and_the_others_only_their_state(tmp_path: Path) -> None:
    metrics = Metrics(str(tmp_path))
    metrics.series("lag").add(7, time_sec=12.5)
    histogram = metrics.histogram("size", unit="B")
    for size in range(1, 101):
        histogram.add(size)
    metrics.count("retries", better="lower")
    metrics.count("retries", 2.5, better="lower")
    summary: dict[str, Any] = metrics.close()
    assert (summary["lag"]["p50"], summary["size"]["p90"], summary["retries"]["total"]) == (7, 90, 3.5)
    assert "values" not in summary["lag"]
    lines = lines_of(tmp_path)
    assert lines[1] == {"name": "lag", "time": 12.5, "value": 7}
    assert [(line["name"], line["kind"]) for line in lines if "value" not in line] == [
        ("lag", "series"),
        ("size", "histogram"),
        ("retries", "counter"),
    ]


def test_any_thread_may_record_and_no_point_is_lost(tmp_path: Path) -> None:
    metrics = Metrics(str(tmp_path))

    def work() -> None:
        for number in range(5_000):
            metrics.record("a", number)
            metrics.count("b")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    summary: dict[str, Any] = metrics.close()
    assert (summary["a"]["count"], summary["a"]["max"], summary["b"]["total"]) == (20_000, 4_999, 20_000)
    assert sum("value" in line for line in lines_of(tmp_path)) == 20_000
    metrics.record("a", 1)
    assert metrics.close() == summary


def test_points_reach_the_file_although_no_others_follow(tmp_path: Path) -> None:
    metrics = Metrics(str(tmp_path))
    metrics.record("a", 1)
    deadline = time.monotonic() + 20
    while not (tmp_path / "metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [line.get("value") for line in lines_of(tmp_path)] == [None, 1]
    metrics.close()


class Deceitful(float):
    def __float__(self) -> float:
        raise SystemExit(3)

    def __repr__(self) -> str:
        raise ValueError


WRONG_VALUES = [float("nan"), float("inf"), 10**400, "3", None, True, [1], 1j, Decimal("NaN"), object]


@pytest.mark.parametrize("value", WRONG_VALUES, ids=repr)
def test_a_value_that_is_no_finite_number_is_one_clear_error(value: Any) -> None:
    metrics = Metrics()
    calls: list[Callable[[], object]] = [
        lambda: metrics.record("a", value),
        lambda: metrics.series("b").add(value),
        lambda: metrics.histogram("c").add(value),
        lambda: metrics.count("d", value),
    ]
    for call in calls:
        with pytest.raises(MetricError, match=r"^The metric '[abcd]' takes finite numbers, not "):
            call()
    assert {name: each["count"] for name, each in metrics.close().items() if name != "d"} == {"a": 0, "b": 0, "c": 0}  # type: ignore[index]


def test_numbers_of_other_kinds_become_plain_ones() -> None:
    metrics = Metrics()
    for value in (Decimal("0.5"), Fraction(1, 4), 2**53 + 1, -3):
        metrics.record("a", value)  # type: ignore[arg-type]
    assert metrics.close()["a"]["values"] == [0.5, 0.25, float(2**53), -3]  # type: ignore[index]
    with pytest.raises(MetricError, match="Deceitful"):
        Metrics().record("a", Deceitful("nan"))


@numbers.Integral.register
class Scalar:
    """A number of another library, as numpy has them: known to be one, but no int."""

    def __float__(self) -> float:
        return 7.0


@numbers.Real.register
class Array:
    """A number that fails when its value is asked for."""

    def __float__(self) -> float:
        raise TypeError("only scalars can be converted")


def test_scalars_of_other_libraries_are_numbers() -> None:
    metrics = Metrics()
    metrics.record("a", Scalar())  # type: ignore[arg-type]
    assert json.dumps(metrics.close()["a"]["values"]) == "[7]"  # type: ignore[index]
    with pytest.raises(MetricError, match=r"not .*Array object at .* \(Array\)"):
        metrics.record("a", Array())  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", " ", "a\nb", "n" * 201, None, 7, ["a"], b"a"])
def test_a_wrong_name_is_refused(name: Any) -> None:
    with pytest.raises(MetricError, match=r"^The name of a metric is a text of 1 to 200 printable characters, not "):
        Metrics().record(name, 1)


def test_wrong_declarations_are_refused() -> None:
    metrics = Metrics()
    with pytest.raises(MetricError, match="better is 'lower', 'higher' or None, not 'less'"):
        metrics.record("a", 1, better="less")  # type: ignore[arg-type]
    with pytest.raises(MetricError, match="The unit of the metric 'a' is a text of up to 50 characters, not 7"):
        metrics.record("a", 1, unit=7)  # type: ignore[arg-type]
    metrics.record("a", 1, unit="s")
    for call in (lambda: metrics.record("a", 1, unit="ms"), lambda: metrics.series("a", unit="s")):
        with pytest.raises(MetricError, match="The metric 'a' is a value, unit 's', better None already, and cannot"):
            call()
    assert issubclass(MetricError, DucktapeError)


def test_a_fork_of_the_test_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    metrics = Metrics(str(tmp_path))
    metrics.record("a", 1)
    pid = os.fork()
    if pid == 0:
        try:
            metrics.record("a", 2)
        except MetricError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert metrics.close()["a"]["values"] == [1]  # type: ignore[index]


def test_a_full_file_costs_points_but_not_the_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 200_000)
    warnings: list[str] = []
    metrics = Metrics(str(tmp_path), warnings.append)
    for number in range(10_000):
        metrics.record("a", number)
    assert metrics.close()["a"]["count"] == 10_000  # type: ignore[index]
    assert warnings == ["metrics.jsonl is full (0 MiB): further points are only in the summaries"]
    assert 50_000 < (tmp_path / "metrics.jsonl").stat().st_size <= 200_000


def test_a_file_that_cannot_be_written_is_one_warning(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").mkdir()
    warnings: list[str] = []
    metrics = Metrics(str(tmp_path), warnings.append)
    for number in range(5_000):
        metrics.record("a", number)
    assert metrics.close()["a"]["count"] == 5_000  # type: ignore[index]
    assert [text.split(":")[0] for text in warnings] == ["metrics.jsonl cannot be written"]


def test_too_many_names_are_one_warning_and_leave_the_others_alone(tmp_path: Path) -> None:
    warnings: list[str] = []
    metrics = Metrics(str(tmp_path), warnings.append)
    for number in range(600):
        metrics.record(f"a{number}", number)
    metrics.record("a0", 5)
    assert warnings == ["500 metrics are the most that a test can have: further ones are lost"]
    summary: dict[str, Any] = metrics.close()
    assert (len(summary), summary["a0"]["values"]) == (500, [0, 5])
    assert len(lines_of(tmp_path)) == 1_001


@pytest.mark.parametrize("kind", ["record", "series", "histogram", "count"])
def test_a_hundred_thousand_points_take_less_than_a_second(tmp_path: Path, kind: str) -> None:
    # Tracing makes both slower, but not equally
    limit = 5 if "coverage" in sys.modules else 1
    taken = []
    for _ in range(3):
        metrics = Metrics(str(tmp_path))
        calls: dict[str, Callable[[float], None]] = {
            "record": partial(metrics.record, "a", unit="ms", better="lower"),
            "series": metrics.series("b").add,
            "histogram": metrics.histogram("c").add,
            "count": partial(metrics.count, "d"),
        }
        begun = time.process_time()
        for number in range(100_000):
            calls[kind](number / 7)
        metrics.close()
        taken.append(time.process_time() - begun)
    assert min(taken) < limit


def test_suites_may_have_attributes_of_this_name() -> None:
    class Old(Service):
        def __init__(self) -> None:
            self.metrics = ["cpu"]  # type: ignore[assignment]

    class OldTest(Test):
        def __init__(self) -> None:
            self.metrics = {}  # type: ignore[assignment]

    assert Old().metrics == ["cpu"]  # type: ignore[comparison-overlap]
    assert OldTest().metrics == {}  # type: ignore[comparison-overlap]


def test_a_context_has_metrics_for_each_attempt_until_it_is_closed(tmp_path: Path) -> None:
    context = TestContext(session_context=SessionContext(session_id="s", results_dir=str(tmp_path)))
    context.metrics.record("a", 1)
    first = context.metrics
    assert context.end_metrics()["a"]["values"] == [1]  # type: ignore[index]
    context.attempt_dir = str(tmp_path / "attempt-2")
    context.metrics.record("a", 2)
    assert context.metrics is not first
    context.close()
    assert [lines_of(path)[-1]["value"] for path in (tmp_path, tmp_path / "attempt-2")] == [1, 2]
    assert not hasattr(context, "metrics")


def test_a_context_of_a_suite_keeps_its_own_attribute_of_this_name() -> None:
    context = TestContext()
    context.metrics = ["cpu"]  # type: ignore[assignment]
    assert context.end_metrics() == {}
    assert context.metrics == ["cpu"]  # type: ignore[comparison-overlap]
