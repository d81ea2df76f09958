# SPDX-License-Identifier: Apache-2.0
"""Reports of an unfinished run, so that a driver that is killed leaves usable files."""

from __future__ import annotations

import time
from collections.abc import Callable

from ducktape.tests.result import TestResults

_SHARE_OF_TIME = 0.05
_SECONDS_BEFORE_THE_FIRST = 1.0


class InterimReports:
    """Writes reports of an unfinished run so rarely that they take a small share of its time."""

    def __init__(self, report: Callable[[TestResults], object] | None) -> None:
        self._report = report
        self._written = 0
        # A run of a second needs no reports before its end
        self._not_before = time.monotonic() + _SECONDS_BEFORE_THE_FIRST

    def write(self, results: TestResults) -> None:
        """Write the reports if there is something new and it is not too early."""
        start = time.monotonic()
        if self._report is None or len(results) == self._written or start < self._not_before:
            return
        self._report(results)
        self._written = len(results)
        end = time.monotonic()
        self._not_before = end + (end - start) / _SHARE_OF_TIME
