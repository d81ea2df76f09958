# SPDX-License-Identifier: Apache-2.0
"""The test of Mann and Whitney: whether the values of two groups differ more than chance explains; pure functions."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

_MOST_EXACT = 60  # values of both groups; beyond, the normal approximation is as good


class Difference(NamedTuple):
    """How a group of values differs from another one.

    ``p_value`` is two-sided. ``cliffs_delta`` is how much more often a value of the second group is above one of the
    first than below it, from -1 (always below) to 1 (always above).
    """

    p_value: float
    cliffs_delta: float


def compared(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Compare two groups that are not empty; ties count half, and are exact too."""
    ranks = _doubled_ranks([*first, *second])
    sum_of_second = sum(ranks[len(first) :])
    n_first, n_second, n = len(first), len(second), len(ranks)
    delta = (sum_of_second - n_second * (n_second + 1)) / (n_first * n_second) - 1
    if n <= _MOST_EXACT:
        return Difference(_exact(tuple(sorted(ranks)), n_second, sum_of_second), delta)
    return Difference(_approximate(ranks, n_second, sum_of_second), delta)


def smallest_p_value(n_first: int, n_second: int) -> float:
    """Return the smallest p-value that groups of these sizes can have."""
    return min(1.0, 2 / math.comb(n_first + n_second, n_first)) if n_first and n_second else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number by the method of Holm.

    If all of those up to a limit are called significant, the probability that any of them is wrong is that limit.
    """
    corrected = [1.0] * len(p_values)
    highest = 0.0
    for position, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - position)))
        corrected[index] = highest
    return corrected


def _doubled_ranks(values: Sequence[float]) -> list[int]:
    """Return twice the rank of each value, which is an integer also if equal values share the mean of their ranks."""
    counts = Counter(values)
    below = 0
    doubled = {}
    for value in sorted(counts):
        doubled[value] = 2 * below + counts[value] + 1
        below += counts[value]
    return [doubled[value] for value in values]


def _exact(ranks: tuple[int, ...], size: int, observed: int) -> float:
    """Return how often a random choice of ``size`` ranks has a sum that is at least as far from the mean."""
    counts = _sums(ranks, size)
    mean = size * (len(ranks) + 1)
    distance = abs(observed - mean)
    return sum(count for total, count in counts.items() if abs(total - mean) >= distance) / math.comb(len(ranks), size)


@functools.lru_cache(maxsize=64)  # without ties the ranks depend on nothing but their number
def _sums(ranks: tuple[int, ...], size: int) -> dict[int, int]:
    """Return how many choices of ``size`` ranks have each sum."""
    # The counts for all sums are the digits of one large integer each, which shifts and adds them at once
    width = math.comb(len(ranks), size).bit_length() // 8 + 1
    choices = [1] + [0] * size
    for rank in ranks:
        for chosen in range(size, 0, -1):
            choices[chosen] += choices[chosen - 1] << (8 * width * rank)
    digits = choices[size].to_bytes((sum(ranks) + 1) * width, "little")
    counts = {
        position // width: int.from_bytes(digits[position : position + width], "little")
        for position in range(0, len(digits), width)
    }
    return {total: count for total, count in counts.items() if count}


def _approximate(ranks: Sequence[int], size: int, observed: int) -> float:
    """Return the p-value of the normal approximation, corrected for ties and continuity."""
    n = len(ranks)
    ties = sum(count**3 - count for count in Counter(ranks).values())
    variance = size * (n - size) / 12 * ((n + 1) - ties / (n * (n - 1)))
    if variance <= 0:
        return 1.0
    distance = max(0.0, abs(observed - size * (n + 1)) / 2 - 0.5)
    return math.erfc(distance / math.sqrt(2 * variance))
