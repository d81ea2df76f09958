# SPDX-License-Identifier: Apache-2.0
"""The outcomes of a session in brief, which later sessions are compared with; in a small file of its directory.

They are beside the results, not in the results root: scripts take whatever is there, but ``latest``, for a session.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import math
import os
from collections import Counter
from collections.abc import Container, Mapping
from typing import BinaryIO, NamedTuple, cast

from ducktape.json_serializable import strict_dumps
from ducktape.tests.recording import past_metrics
from ducktape.tests.recording.journal import JOURNAL_NAME, is_written
from ducktape.tests.recording.past_metrics import PastMetric
from ducktape.tests.recording.past_sessions import has_journal, reported_results, sessions
from ducktape.tests.recording.state import RecordedSession, RecordError
from ducktape.tests.reports.traceback_view import cause_of_failure
from ducktape.tests.result import TestResult, TestResults
from ducktape.tests.session import SessionContext
from ducktape.tests.status import FAIL, FLAKY, IGNORE, PASS
from ducktape.utils.support.files import open_to_read, write_atomically

logger = logging.getLogger(__name__)

FILE_NAME = "outcomes.json"
_VERSION = 1
_MOST_SESSIONS = 500
_MOST_OUTCOMES = 300_000  # which take about a second
# Sessions of earlier versions have no such file: reading their results takes long
_MOST_TO_CONVERT = 50
_BYTES_TO_CONVERT = 64 << 20
# Ids and reasons are those of users
_LONGEST_ID = 1000
_LONGEST_REASON = 100
_LARGEST_FILE = 32 << 20
_CHUNK = 64 << 10
_ROOM_FOR_TESTS = 16 << 20
# Of this session and the 40 before
_SESSIONS_WITH_METRICS = 41
# At the end of the file, on a line of their own: whoever does not need them does not parse them
_BEFORE_METRICS = ',\n"metrics": '
_STATUSES = frozenset(str(status).upper() for status in (PASS, FLAKY, FAIL, IGNORE))
_DAMAGED = (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)


class PastOutcome(NamedTuple):
    """How one test went in one session; ``cause`` is a hash that similar failures share.

    If it ran several times in the session, a failure counts, and ``mixed`` says that it also passed.
    """

    status: str
    seconds: float
    attempts: int = 1
    reason: str = ""
    cause: str = ""
    mixed: bool = False

    @property
    def is_verdict(self) -> bool:
        """Whether it says something about the test: not if a mark skipped it, nor if the run was interrupted."""
        return self.status != "IGNORE" and self.reason != "interrupted"

    @property
    def is_failure(self) -> bool:
        """Whether the test failed."""
        return self.status == "FAIL"


@dataclasses.dataclass(frozen=True)
class SessionOutcomes:
    """A session in brief; ``total`` is the number of tests that were to run, ``seconds`` how long it took.

    ``metrics`` are those of each test by name; of sessions long ago they are not read.
    """

    session_id: str
    start_time: float
    seconds: float
    total: int
    counts: Mapping[str, int]  # by status
    tests: Mapping[str, PastOutcome]
    seed: int | None = None
    left_out: int = 0  # tests for which there was no room
    metrics: Mapping[str, Mapping[str, PastMetric]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, results: TestResults, expected: int | None = None, seed: int | None = None) -> SessionOutcomes:
        """Return the outcomes of a session."""
        tests: dict[str, PastOutcome] = {}
        metrics: dict[str, dict[str, PastMetric]] = {}
        for result in results:
            outcome, test_id = _outcome(result), bounded_id(result.test_id)
            # Of several runs, those of the first that passed
            before = tests.get(test_id)
            if before is None or (before.is_failure and not before.mixed and not outcome.is_failure):
                metrics[test_id] = past_metrics.metrics_in(result.metrics)
            tests[test_id] = outcome if before is None else _merged(before, outcome)
        room = _ROOM_FOR_TESTS
        # Failures first: they are what later sessions ask for
        kept: dict[str, PastOutcome] = {}
        for test_id in sorted(tests, key=lambda name: tests[name].status != "FAIL"):
            room -= len(json.dumps(test_id)) + _LONGEST_REASON + 60
            if room < 0:
                break
            kept[test_id] = tests[test_id]
        name = os.path.basename(results.session_context.results_dir)
        total = max(expected or 0, len(results) + len(results.not_run))
        seconds = max(results.run_time_seconds, 0)
        counts = Counter(str(result.test_status).upper() for result in results)
        left_out = len(tests) - len(kept)
        of_tests = past_metrics.fitting(metrics, kept)
        return cls(name, results.start_time, seconds, total, counts, kept, seed, left_out, of_tests)

    @classmethod
    def read(cls, directory: str, only: Container[str] | None = None, *, metrics: bool = True) -> SessionOutcomes:
        """Return the outcomes in the file of a session; ``OSError`` without one, ``ValueError`` if it is damaged.

        With ``only`` those of other tests are left out.
        """
        with os.fdopen(open_to_read(os.path.join(directory, FILE_NAME)), "rb") as file:
            content = file.read(_LARGEST_FILE + 1) if metrics else _without_metrics(file)
        if len(content) > _LARGEST_FILE:
            raise ValueError(f"it has more than {_LARGEST_FILE:,} bytes")
        try:
            return cls._parsed(os.path.basename(directory), json.loads(content), only)
        except _DAMAGED as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error

    @classmethod
    def _parsed(cls, name: str, values: Mapping[str, object], only: Container[str] | None) -> SessionOutcomes:
        if values["version"] != _VERSION:
            raise ValueError(f"its version {values['version']!r} is not known")
        tests = {
            test_id: PastOutcome(*fields)
            for test_id, fields in _of_tests(values["tests"]).items()
            if only is None or test_id in only
        }
        if not all(map(_is_sound, tests.values())):
            raise ValueError("not all outcomes of tests are sound")
        counts = {str(status): _integer(number) for status, number in _object(values["counts"]).items()}
        seed = values.get("seed")
        return cls(
            name,
            _finite(values["start_time"]),
            _finite(values["seconds"]),
            _integer(values["total"]),
            counts,
            tests,
            seed if isinstance(seed, int) else None,
            _integer(values.get("left_out", 0)),
            past_metrics.from_json(values.get("metrics", {}), only),
        )

    def write(self, directory: str) -> None:
        """Write the file of a session, in place of an earlier one."""
        values = {
            "version": _VERSION,
            "start_time": self.start_time,
            "seconds": self.seconds,
            "total": self.total,
            "counts": dict(self.counts),
            "seed": self.seed,
            "left_out": self.left_out,
            # Lists, since these are thousands
            "tests": {test_id: _shortest(outcome) for test_id, outcome in self.tests.items()},
        }
        text = strict_dumps(values)
        if self.metrics:
            text = f"{text[:-1]}{_BEFORE_METRICS}{strict_dumps(past_metrics.to_json(self.metrics))}}}"
        write_atomically(os.path.join(directory, FILE_NAME), text + "\n")

    def count(self, status: object) -> int:
        """Return how many results had a status."""
        return self.counts.get(str(status).upper(), 0)


def outcomes_below(
    results_root: str, current: SessionOutcomes | None = None, *, keep: bool = True, only: Container[str] | None = None
) -> list[SessionOutcomes]:
    """Return the outcomes of the newest sessions below a results root, oldest first; of ``current`` as given.

    Sessions that are still running are left out. Damaged files are skipped with a warning. Of sessions without a file
    the newest are read from their journal or report, and get one unless ``keep`` is false. With ``only`` those of other
    tests may be left out, which takes less time. Metrics are read of the newest 41 sessions, and of the 40 before
    ``current``.
    """
    found: list[SessionOutcomes] = []
    tests = 0
    with_metrics = _SESSIONS_WITH_METRICS
    converter = _Converter(keep=keep)
    with contextlib.suppress(OSError):
        for directory in sessions(results_root):
            # At least two, since these are compared
            if len(found) == _MOST_SESSIONS or (len(found) > 1 and tests >= _MOST_OUTCOMES):
                break
            outcomes: SessionOutcomes | None = None
            try:
                is_current = current is not None and os.path.basename(directory) == current.session_id
                with_metrics = _SESSIONS_WITH_METRICS if is_current else with_metrics
                outcomes = current if is_current else SessionOutcomes.read(directory, only, metrics=with_metrics > 0)
            except FileNotFoundError:
                outcomes = converter.convert(directory)
            except (OSError, ValueError) as error:
                logger.warning("Ignored %s: %s", os.path.join(directory, FILE_NAME), error)
            if outcomes is not None:
                found.append(outcomes)
                with_metrics -= 1
                tests += max(outcomes.total, len(outcomes.tests))
    return found[::-1]


class _Converter:
    """Makes the missing files of old sessions, within limits."""

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._sessions = _MOST_TO_CONVERT
        self._bytes = _BYTES_TO_CONVERT

    def convert(self, directory: str) -> SessionOutcomes | None:
        """Return the outcomes of a session and keep them; ``None`` if there are none."""
        journal = os.path.join(directory, JOURNAL_NAME)
        source = journal if has_journal(directory) else os.path.join(directory, "report.json")
        try:
            self._bytes -= os.path.getsize(source)
            self._sessions -= 1
            if self._bytes < 0 or self._sessions < 0 or is_written(journal):
                return None
            outcomes = _recorded(directory) if source == journal else _reported(directory)
        except (OSError, RecordError, *_DAMAGED):
            return None
        if not outcomes.tests:
            return None
        if self._keep:
            with contextlib.suppress(OSError):  # read-only results
                outcomes.write(directory)
        return outcomes


def _without_metrics(file: BinaryIO) -> bytes:
    """Return the content of a file up to the metrics, which are most of it."""
    content = bytearray()
    separator = _BEFORE_METRICS.encode()
    while len(content) <= _LARGEST_FILE and (chunk := file.read(_CHUNK)):
        content += chunk
        end = content.find(separator, max(0, len(content) - len(chunk) - len(separator)))
        if end >= 0:
            return bytes(content[:end]) + b"}"
    return bytes(content)


def _recorded(directory: str) -> SessionOutcomes:
    recorded = RecordedSession.read(directory)
    return SessionOutcomes.of(recorded.results(), recorded.expected, seed_of(recorded.configuration))


def _reported(directory: str) -> SessionOutcomes:
    context = SessionContext(session_id=os.path.basename(directory), results_dir=directory)
    results = TestResults(context, ())
    records, _ = reported_results(directory)
    for record in records:
        results.append(TestResult.from_record(record, context))
    started = [result.start_time for result in results if result.start_time > 0]
    results.start_time = min(started, default=0.0)
    results.stop_time = max((result.stop_time for result in results), default=0.0)
    return SessionOutcomes.of(results)


def seed_of(configuration: Mapping[str, object]) -> int | None:
    """Return the seed of a session's order according to its options."""
    seed = configuration.get("shuffle")
    return seed if type(seed) is int else None


def _outcome(result: TestResult) -> PastOutcome:
    status = str(result.test_status).upper()
    seconds = round(max(result.run_time_seconds, 0.0), 3)
    attempts = sum(result.runs.values()) if result.runs else max(len(result.attempts), 1)
    if status != "FAIL":
        return PastOutcome(status, seconds, attempts)
    reason = (result.reason or "other")[:_LONGEST_REASON]
    cause = "\0".join(cause_of_failure(reason, result.summary)).encode("utf-8", "backslashreplace")
    return PastOutcome(status, seconds, attempts, reason, hashlib.sha256(cause).hexdigest()[:12])


def _merged(one: PastOutcome, other: PastOutcome) -> PastOutcome:
    """Return one outcome for two of the same test in one session."""
    ranks = ("FAIL", "FLAKY", "PASS", "IGNORE")
    first, second = sorted((one, other), key=lambda outcome: ranks.index(outcome.status))
    mixed = one.mixed or other.mixed or (first.status == "FAIL" and second.status in ("FLAKY", "PASS"))
    return first._replace(attempts=one.attempts + other.attempts, mixed=mixed)


def _shortest(outcome: PastOutcome) -> list[object]:
    """Return the fields of an outcome without defaults at the end."""
    fields: list[object] = list(outcome)
    defaults = (1, "", "", False)
    while len(fields) > 2 and fields[-1] == defaults[len(fields) - 3]:
        fields.pop()
    return fields


def bounded_id(test_id: str) -> str:
    """Return the name under which a test is kept."""
    if len(test_id) <= _LONGEST_ID:
        return test_id
    digest = hashlib.sha256(test_id.encode("utf-8", "backslashreplace")).hexdigest()[:12]
    return f"{test_id[:_LONGEST_ID]}…{digest}"


def _is_sound(outcome: PastOutcome) -> bool:
    status, seconds, attempts, reason, cause, mixed = outcome
    texts = isinstance(reason, str) and isinstance(cause, str)
    return texts and status in _STATUSES and math.isfinite(seconds) and type(attempts) is int and type(mixed) is bool


def _of_tests(value: object) -> dict[str, tuple[str, float]]:
    return cast("dict[str, tuple[str, float]]", _object(value))  # what is not is found later


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"not an object but {type(value).__name__}")
    return value


def _integer(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"not an integer but {type(value).__name__}")
    return value


def _finite(value: object) -> float:
    number = float(cast(float, value))
    if not math.isfinite(number):
        raise ValueError(f"not a time: {number}")
    return number
