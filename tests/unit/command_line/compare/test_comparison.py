# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from typing import Any

import pytest

from ducktape.command_line.compare.comparison import BETTER, CHANGED, SAME, WORSE, compare
from ducktape.command_line.compare.measurements import DURATION, METRIC, Key, Measurement, measurements_of

TRIALS = 100
REPETITIONS = 20
# All runs scatter by 5 %, and one in 20 takes 30 % longer: a quiet machine that sometimes has something else to do
SCATTER = 0.05
OUTLIERS, OUTLIER = 0.05, 1.3
UNAFFECTED = 4  # tests besides the one with the slowdown


def noisy(source: random.Random, slowdown: float = 1) -> Measurement:
    values = [
        10 * slowdown * source.lognormvariate(0, SCATTER) * (OUTLIER if source.random() < OUTLIERS else 1)
        for _ in range(REPETITIONS)
    ]
    return Measurement("s", "lower", values)


def session(source: random.Random, slowdown: float = 1) -> dict[Key, Measurement]:
    tests = {Key(f"t{number}", DURATION, "run_time_seconds"): noisy(source) for number in range(UNAFFECTED)}
    return {**tests, Key("slow", DURATION, "run_time_seconds"): noisy(source, slowdown)}


def test_a_planted_slowdown_is_found_and_none_is_reported_without_it() -> None:
    source = random.Random(20261130)
    found, wrong = 0, 0
    for _ in range(TRIALS):
        planted = compare(session(source), session(source, 1.1)).named(WORSE)
        found += "slow" in [change.test_id for change in planted]
        without = compare(session(source), session(source))
        wrong += any(change.verdict != SAME for change in without.changes)
    assert found >= 90
    assert wrong <= 5


def test_without_a_threshold_the_error_is_that_of_the_rank_test() -> None:
    source = random.Random(11)
    reported = sum(
        any(change.verdict != SAME for change in compare(session(source), session(source), threshold=0).changes)
        for _ in range(300)
    )
    assert reported / 300 <= 0.08


LOW: list[float] = [10, 11, 12, 13, 14, 15]
HIGH: list[float] = [20, 21, 22, 23, 24, 25]


@pytest.mark.parametrize(
    ("better", "first", "second", "verdict"),
    [
        ("lower", LOW, HIGH, WORSE),
        ("lower", HIGH, LOW, BETTER),
        ("higher", LOW, HIGH, BETTER),
        ("higher", HIGH, LOW, WORSE),
        (None, LOW, HIGH, CHANGED),
        ("lower", LOW, LOW, SAME),
        ("lower", [0.0] * 6, HIGH, WORSE),
        ("lower", [-value for value in LOW], [-value for value in HIGH], BETTER),
    ],
)
def test_the_verdict_depends_on_which_values_are_good(
    better: str | None, first: list[float], second: list[float], verdict: str
) -> None:
    key = Key("t", METRIC, "m")
    (change,) = compare(
        {key: Measurement("ms", better, first)}, {key: Measurement("ms", better, second)}, threshold=0.05
    ).changes
    assert change.verdict == verdict


def test_a_change_below_the_threshold_is_not_named() -> None:
    key = Key("t", METRIC, "m")
    first, second = {key: Measurement("ms", "lower", LOW)}, {key: Measurement("ms", "lower", HIGH)}
    (change,) = compare(first, second, threshold=0.5).changes
    assert (change.verdict, change.median_a, change.median_b, change.cliffs_delta) == (WORSE, 12.5, 22.5, 1)
    assert [change.change, change.p_value, change.n_a] == pytest.approx([0.8, 2 / 924, 6])
    assert compare(first, second, threshold=0.81).changes[0].verdict == SAME


def test_too_few_runs_and_missing_tests_are_counted_and_do_not_weaken_the_others() -> None:
    first = {Key(str(number), METRIC, "m"): Measurement("", "lower", [1, 2, 3]) for number in range(100)}
    first[Key("t", METRIC, "m")] = Measurement("", "lower", LOW)
    second = {**first, Key("t", METRIC, "m"): Measurement("", "lower", HIGH), Key("new", METRIC, "m"): Measurement()}
    comparison = compare(first, second)
    assert (comparison.too_few, comparison.only_in_a) == (100, [])
    assert comparison.only_in_b == [Key("new", METRIC, "m")]
    assert [change.p_corrected for change in comparison.changes] == [pytest.approx(2 / 924)]


def test_the_measurements_of_single_runs_stand_in_for_runs() -> None:
    key = Key("t", METRIC, "m")
    first, second = Measurement("", "lower", [1], LOW), Measurement("", "lower", [1], HIGH)
    (change,) = compare({key: first}, {key: second}).changes
    assert (change.values, change.n_b, change.verdict) == ("measurements", 6, WORSE)
    second.runs.append(1)
    assert compare({key: first}, {key: second}).changes == []


def result(**changes: Any) -> dict[str, Any]:
    metrics = {"m": {"kind": "value", "unit": "ms", "better": "lower", "p50": 2, "values": [1, 2, 3]}}
    base = {"test_id": "t", "test_status": "PASS", "start_time": 100.0, "stop_time": 101.5, "metrics": metrics}
    return {**base, **changes}


def test_passed_runs_of_a_test_are_its_repetitions() -> None:
    results = [result(), result(test_status="flaky", stop_time=102.0), result(test_status="FAIL"), result(test_id="u")]
    found = measurements_of(results)
    assert found[Key("t", DURATION, "run_time_seconds")] == Measurement("s", "lower", [1.5, 2.0])
    assert found[Key("t", METRIC, "m")] == Measurement("ms", "lower", [2, 2], [1, 2, 3])
    others = {Key("u", DURATION, "run_time_seconds"), Key("u", METRIC, "m")}
    assert found.keys() == {Key("t", DURATION, "run_time_seconds"), Key("t", METRIC, "m"), *others}


def test_attempts_that_rate_a_test_are_its_repetitions() -> None:
    attempts = [result(status="pass", stop_time=100.0 + seconds) for seconds in (1, 2)]
    failed = result(status="fail")
    found = measurements_of(
        [result(test_status="FLAKY", runs={"passed": 2, "failed": 1}, attempts=[*attempts, failed])]
    )
    assert found[Key("t", DURATION, "run_time_seconds")].runs == [1, 2]
    assert found[Key("t", METRIC, "m")].runs == [2, 2]


def test_results_that_make_no_sense_are_passed_over() -> None:
    nonsense: list[Any] = [
        *(None, 7, {}, {"test_id": 5}, result(start_time=None, metrics=[1]), result(start_time=-1, metrics={"m": 3})),
        result(start_time="1", metrics={"m": {"p50": float("nan")}, "n": {"p50": 10**400}, "o": {"kind": "counter"}}),
        result(stop_time=1.0, metrics={"ok": {"kind": "counter", "total": 3, "unit": 5, "better": [], "values": 8}}),
    ]
    assert measurements_of(nonsense) == {Key("t", METRIC, "ok"): Measurement("", None, [3])}
