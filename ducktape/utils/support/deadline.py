# SPDX-License-Identifier: Apache-2.0
"""One time limit for several blocking steps."""

from __future__ import annotations

import time


class Deadline:
    """A point in time, ``seconds`` from now; ``None`` is never."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self, limit: float | None = None) -> float | None:
        """Return the remaining seconds, from 0 up to ``limit``; ``None`` without any limit."""
        if self._end is None:
            return limit
        left = max(0.0, self._end - time.monotonic())
        return left if limit is None else min(left, limit)

    @property
    def is_over(self) -> bool:
        """Whether it has passed."""
        return self._end is not None and time.monotonic() >= self._end
