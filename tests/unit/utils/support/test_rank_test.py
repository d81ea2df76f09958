# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
import random
import statistics

import pytest

from ducktape.utils.support.rank_test import compared, holm, smallest_p_value


def brute_force(first: list[float], second: list[float]) -> float:
    """Return the two-sided p-value by trying all divisions of the values into two groups."""
    pooled = first + second

    def advantage(indices: tuple[int, ...]) -> float:
        b = [pooled[index] for index in indices]
        a = [value for index, value in enumerate(pooled) if index not in indices]
        return sum((y > x) - (y < x) for x in a for y in b)

    observed = abs(advantage(tuple(range(len(first), len(pooled)))))
    divisions = list(itertools.combinations(range(len(pooled)), len(second)))
    return statistics.fmean(abs(advantage(indices)) >= observed for indices in divisions)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([1, 2, 3, 4], [5, 6, 7, 8]),
        ([1, 4, 2, 8, 5], [7, 3, 9]),
        ([1, 1, 2, 3, 3], [3, 3, 4, 1]),
        ([0, 0, 0], [0, 1, 1, 1]),
        ([5], [5, 5]),
    ],
)
def test_small_samples_are_exact_also_with_ties(first: list[float], second: list[float]) -> None:
    assert compared(first, second).p_value == pytest.approx(brute_force(first, second))


def test_known_values() -> None:
    # Of the published tables: U = 2 for samples of 5 and 5 has 4 of 252 divisions on either side
    assert compared([1, 2, 3, 4, 7], [5, 6, 8, 9, 10]).p_value == pytest.approx(2 * 4 / 252)
    assert list(compared([1, 2, 3, 4], [5, 6, 7, 8])) == pytest.approx([2 / 70, 1.0])
    assert compared([5, 6], [1, 2, 5.5]).cliffs_delta == pytest.approx(-4 / 6)
    assert compared([3, 3], [3, 3]) == (1.0, 0.0)
    assert smallest_p_value(4, 4) == pytest.approx(2 / 70)
    assert (smallest_p_value(1, 1), smallest_p_value(0, 9)) == (1.0, 1.0)


def test_large_samples_are_approximated_closely() -> None:
    source = random.Random(3)
    first = [source.gauss(0, 1) for _ in range(30)]
    second = [source.gauss(0.5, 1) for _ in range(30)]
    exact = compared(first, second).p_value
    # One more value beside the middle hardly changes anything, but makes the samples too large for the exact test
    approximate = compared(first, [*second, statistics.median(second)]).p_value
    assert approximate == pytest.approx(exact, rel=0.2)
    assert compared([1.0] * 100, [1.0] * 100) == (1.0, 0.0)
    assert compared([1.0] * 100, [1.0] * 50 + [2.0] * 50).p_value < 1e-10


def test_p_values_are_corrected_for_their_number() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []
