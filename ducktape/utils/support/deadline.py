# SPDX-License-Identifier: Apache-2.0
"""One limit for several steps, each of which may block."""

from __future__ import annotations

import time


class Deadline:
    """The moment at which something has to be over.

    Args:
        seconds: from now; ``None`` is never.

    Attributes:
        seconds: as given.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self, limit: float | None = None) -> float | None:
        """Seconds until then, never below 0.

        Args:
            limit: the answer is at most this; ``None`` is without limit.
        """
        if self._end is None:
            return limit
        left = max(0.0, self._end - time.monotonic())
        return left if limit is None else min(left, limit)

    @property
    def is_over(self) -> bool:
        """Whether it has passed."""
        return self._end is not None and time.monotonic() >= self._end
