# SPDX-License-Identifier: Apache-2.0
"""Measures time independently of changes of the machine's clock."""

from __future__ import annotations

import time


class Stopwatch:
    """Starts when it is created, at ``start_time`` in seconds since the epoch."""

    def __init__(self) -> None:
        self.start_time = time.time()
        self._begin = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._begin

    def now(self) -> float:
        """Return seconds since the epoch, by the clock as it was at the start."""
        return self.start_time + self.elapsed
