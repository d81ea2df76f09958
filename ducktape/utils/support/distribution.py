# SPDX-License-Identifier: Apache-2.0
"""Extremes, mean and percentiles of any number of values in bounded memory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}

_MOST_EXACT = 200
_GROWTH = 1.01  # of the bounds of two neighbouring buckets: percentiles are right within half of that
_MOST_BUCKETS = 4096


class Distribution:
    """Counts finite numbers: the first 200 exactly, more of them in buckets whose width is 1 % of their values."""

    def __init__(self) -> None:
        self.count = 0
        self._low = math.inf
        self._high = -math.inf
        self._mean = 0.0
        self._exact: list[float] | None = []
        self._log_growth = math.log(_GROWTH)
        self._zeros = 0
        self._buckets: dict[int, Counter[int]] = {-1: Counter(), 1: Counter()}  # by sign

    def add(self, value: float, count: int = 1) -> None:
        """Add a finite number ``count`` times."""
        self.count += count
        self._low = min(self._low, value)
        self._high = max(self._high, value)
        # In this order no intermediate result overflows
        self._mean += value * (count / self.count) - self._mean * (count / self.count)
        if self._exact is not None:
            if len(self._exact) + count <= _MOST_EXACT:
                self._exact += [value] * count
                return
            exact, self._exact = self._exact, None
            for each in exact:
                self._add_to_bucket(each, 1)
        self._add_to_bucket(value, count)

    def _add_to_bucket(self, value: float, count: int) -> None:
        if value == 0:
            self._zeros += count
            return
        buckets = self._buckets[1 if value > 0 else -1]
        buckets[math.ceil(math.log(abs(value)) / self._log_growth)] += count
        if len(buckets) > _MOST_BUCKETS:
            self._log_growth *= 2
            for sign, old in self._buckets.items():
                coarser: Counter[int] = Counter()
                for key, number in old.items():
                    coarser[-(-key // 2)] += number
                self._buckets[sign] = coarser

    @property
    def values(self) -> list[float]:
        """All values in the order in which they came; empty if they are too many to be kept."""
        return list(self._exact or ())

    def summary(self) -> dict[str, float]:
        """Return ``count``, ``min``, ``max``, ``mean`` and the percentiles by name; only the count if it is 0."""
        if not self.count:
            return {"count": 0}
        found = {"count": self.count, "min": self._low, "max": self._high, "mean": self._mean}
        ordered = list(self._ordered())
        for name, share in PERCENTILES.items():
            rank = math.ceil(share * self.count)
            seen = 0
            for value, number in ordered:
                seen += number
                if seen >= rank:
                    found[name] = min(max(value, self._low), self._high)
                    break
        return found

    def _ordered(self) -> Iterator[tuple[float, int]]:
        """Yield representative values in ascending order, and how many there are of each."""
        if self._exact is not None:
            yield from ((value, 1) for value in sorted(self._exact))
            return
        for key in sorted(self._buckets[-1], reverse=True):
            yield -self._middle(key), self._buckets[-1][key]
        if self._zeros:
            yield 0.0, self._zeros
        for key in sorted(self._buckets[1]):
            yield self._middle(key), self._buckets[1][key]

    def _middle(self, key: int) -> float:
        # The bounds of a bucket of the greatest numbers may be beyond the range of floats
        return math.exp(min((key - 0.5) * self._log_growth, 709.78))
