# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random

import pytest

from ducktape.utils.support.distribution import Distribution


def summary_of(values: list[float]) -> dict[str, float]:
    distribution = Distribution()
    for value in values:
        distribution.add(value)
    return distribution.summary()


def test_percentiles_of_few_values_are_exact() -> None:
    values: list[float] = [5, 1, 4, 2, 3, 10, 6, 9, 7, 8]
    expected = {"count": 10, "min": 1, "max": 10, "mean": 5.5, "p50": 5, "p90": 9, "p99": 10, "p999": 10}
    assert summary_of(values) == pytest.approx(expected)
    assert summary_of([]) == {"count": 0}


@pytest.mark.parametrize("sign", [1, -1])
def test_percentiles_of_many_values_are_right_within_one_percent(sign: int) -> None:
    source = random.Random(7)
    values = [sign * source.lognormvariate(0, 3) for _ in range(20_000)]
    found = summary_of(values)
    ordered = sorted(values)
    assert found["p50"] == pytest.approx(ordered[9_999], rel=0.01)
    assert found["p90"] == pytest.approx(ordered[17_999], rel=0.01)
    assert found["p999"] == pytest.approx(ordered[19_979], rel=0.01)
    assert (found["min"], found["max"]) == (ordered[0], ordered[-1])
    assert found["mean"] == pytest.approx(sum(values) / len(values))


def test_both_signs_zeros_and_the_greatest_floats_have_their_places() -> None:
    values = [-1.7e308, 1.7e308, *[0.0] * 300, 5e-324]
    found = summary_of(values)
    assert (found["min"], found["p50"], found["max"]) == (-1.7e308, 0.0, 1.7e308)
    assert found["p999"] == pytest.approx(1.7e308, rel=0.01)
    assert abs(found["mean"]) < 1e306


def test_any_values_take_a_bounded_number_of_buckets() -> None:
    distribution = Distribution()
    for exponent in range(-3000, 3000):
        distribution.add(10 ** (exponent / 10))
    assert sum(map(len, distribution._buckets.values())) <= 4096
    assert distribution.summary()["p50"] == pytest.approx(1, rel=0.3)
