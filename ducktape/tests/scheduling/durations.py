# SPDX-License-Identifier: Apache-2.0
"""How long tests took in past sessions."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import re
from collections.abc import Collection
from typing import NamedTuple

from ducktape.tests.recording.journal import JOURNAL_NAME
from ducktape.tests.recording.past_sessions import has_journal, reported_results, sessions
from ducktape.utils.support.files import open_to_read

_MAX_SESSIONS = 20
_MAX_BYTES = 256 << 20
# A test that failed because of these says nothing about how long it takes
_CUT_SHORT = frozenset({"crash", "infrastructure", "import", "interrupted", "unschedulable"})
_TEST_ID = re.compile(rb'"test_id": "([^"\\]*)"')


class _Run(NamedTuple):
    """One run of a test that says how long the test takes."""

    test_id: str
    seconds: float
    passed: bool


class _Estimates:
    """Durations by test id: of the last run that passed, or else of the last that failed in its own time."""

    def __init__(self) -> None:
        self.passed: dict[str, float] = {}
        self._failed: dict[str, float] = {}

    def read(self, directory: str, budget: int) -> int:
        """Add the results of a session that is older than those before; return how many bytes were read."""
        if has_journal(directory):
            runs, size = _journaled_runs(os.path.join(directory, JOURNAL_NAME), self.passed, budget)
        else:
            results, size = reported_results(directory)
            runs = [run for result in results if (run := _run_of(result))]
        # Within a session, too, the last run of a test counts
        for run in reversed(runs):
            (self.passed if run.passed else self._failed).setdefault(run.test_id, run.seconds)
        return size

    def all(self) -> dict[str, float]:
        return {**self._failed, **self.passed}


def durations_below(
    results_root: str, *, except_session: str | None = None, wanted: Collection[str] | None = None
) -> dict[str, float]:
    """Return the last known seconds of tests by test id, from the newest 20 sessions; skips damaged files.

    The last run that passed, or was flaky, counts, otherwise the last that failed without being cut short. The search
    ends when all ``wanted`` tests are known to have passed.
    """
    estimates = _Estimates()
    missing = None if wanted is None else set(wanted)
    budget = _MAX_BYTES
    with contextlib.suppress(OSError):
        others = (each for each in sessions(results_root) if os.path.basename(each) != except_session)
        for directory in itertools.islice(others, _MAX_SESSIONS):
            if budget <= 0 or (missing is not None and not missing):
                break
            with contextlib.suppress(OSError, ValueError):
                budget -= estimates.read(directory, budget)
            if missing is not None:
                missing -= estimates.passed.keys()
    return estimates.all()


def durations_of(session: str) -> dict[str, float]:
    """Return how long the tests of one session (its directory, or the journal in it) took, in seconds by test id.

    Raises:
        OSError: there is neither a journal nor a report, or it cannot be read.
        ValueError: the report is damaged.
    """
    estimates = _Estimates()
    estimates.read(os.path.dirname(session) if os.path.isfile(session) else session, _MAX_BYTES)
    return estimates.all()


def _journaled_runs(path: str, known: Collection[str], budget: int) -> tuple[list[_Run], int]:
    runs: list[_Run] = []
    size = 0
    with os.fdopen(open_to_read(path), "rb") as file:
        for line in file:
            if size >= budget:
                break
            size += len(line)
            if b'"finished"' not in line or not line.endswith(b"\n"):
                continue
            # Most past sessions ran the same tests; decoding their results would take five times as long
            test_id = _TEST_ID.search(line)
            if test_id is not None and test_id[1].decode("ascii", "replace") in known:
                continue
            with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
                if run := _run_of(json.loads(line)["result"]):
                    runs.append(run)
    return runs, size


def _run_of(result: object) -> _Run | None:
    """Return what a result, as journals and reports have it, says about the duration of its test, if anything."""
    if not isinstance(result, dict):
        return None
    try:
        test_id, seconds = str(result["test_id"]), float(result["run_time_seconds"])
        status, reason = str(result["test_status"]).upper(), str(result.get("reason"))
    except (ValueError, KeyError, TypeError):
        return None
    if not (math.isfinite(seconds) and seconds >= 0):
        return None
    passed = status in ("PASS", "FLAKY")
    return _Run(test_id, seconds, passed) if passed or (status == "FAIL" and reason not in _CUT_SHORT) else None
