# SPDX-License-Identifier: Apache-2.0
"""How long tests took in earlier sessions, from what these left in the results tree."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ducktape.utils.support.files import open_to_read

_JOURNAL = "journal.jsonl"
_REPORT = "report.json"
_SESSION = re.compile(r"(\d{4}-\d{2}-\d{2})--(\d+)")
_MOST_SESSIONS = 20
_MOST_BYTES = 256 << 20
_BLOCK = 1 << 20
# A test that failed because of these says nothing about how long it takes
_CUT_SHORT = frozenset({"crash", "infrastructure", "import", "interrupted", "unschedulable"})


class _Run(NamedTuple):
    """What is left of one run of a test; ``reason`` is why it failed, if that is known."""

    test_id: str
    seconds: float
    status: str
    reason: str | None


class _Estimates:
    """Durations by test id: of the first run that passed, or else of the first that failed in its own time."""

    def __init__(self) -> None:
        self.passed: dict[str, float] = {}
        self._failed: dict[str, float] = {}

    def add(self, runs: Iterable[_Run]) -> None:
        for run in runs:
            if not (math.isfinite(run.seconds) and run.seconds >= 0):
                continue
            if run.status in ("PASS", "FLAKY"):
                self.passed.setdefault(run.test_id, run.seconds)
            elif run.status == "FAIL" and run.reason not in _CUT_SHORT:
                self._failed.setdefault(run.test_id, run.seconds)

    def all(self) -> dict[str, float]:
        return {**self._failed, **self.passed}


def durations_below(
    results_root: str, *, except_session: str | None = None, wanted: Collection[str] | None = None
) -> dict[str, float]:
    """Return how long tests took last time, in seconds by test id; blocks while files are read.

    The last run that passed, or was flaky, counts. A test that passed in none of the sessions counts with the last
    run that failed, unless it was cut short, by a crash for instance. At most the newest 20 sessions are looked at.
    What is missing or damaged is passed over.

    Args:
        results_root: the directory of all sessions.
        except_session: id of a session that is not looked at, such as the one that begins.
        wanted: ids of the tests that matter; the search ends when all of them are known to have passed.
    """
    estimates = _Estimates()
    missing = None if wanted is None else set(wanted)
    budget = _MOST_BYTES
    for session in _newest_sessions(results_root, except_session):
        if budget <= 0 or (missing is not None and not missing):
            break
        with contextlib.suppress(OSError, ValueError):
            budget -= _read_session(session, estimates, budget)
        if missing is not None:
            missing -= estimates.passed.keys()
    return estimates.all()


def durations_of(session: str) -> dict[str, float]:
    """Return how long the tests of one session took, in seconds by test id; blocks while a file is read.

    Args:
        session: its directory, or the journal in it.

    Raises:
        OSError: there is neither a journal nor a report, or it cannot be read.
        ValueError: the report is damaged.
    """
    estimates = _Estimates()
    _read_session(os.path.dirname(session) if os.path.isfile(session) else session, estimates, _MOST_BYTES)
    return estimates.all()


def _newest_sessions(results_root: str, except_session: str | None) -> list[str]:
    try:
        names = os.listdir(results_root)
    except OSError:
        return []
    matches = [match for name in names if name != except_session and (match := _SESSION.fullmatch(name))]
    matches.sort(key=lambda match: (match[1], int(match[2])), reverse=True)
    return [os.path.join(results_root, match[0]) for match in matches[:_MOST_SESSIONS]]


def _read_session(directory: str, estimates: _Estimates, budget: int) -> int:
    """Add what a session knows, and return how many bytes were read for it."""
    journal = os.path.join(directory, _JOURNAL)
    if os.path.isfile(journal):
        return _read_journal(journal, estimates, budget)
    with os.fdopen(open_to_read(os.path.join(directory, _REPORT)), "rb") as report:
        content = report.read()
    estimates.add(_runs_of_report(content, estimates.passed))
    return len(content)


# --- the journal


def _read_journal(path: str, estimates: _Estimates, budget: int) -> int:
    """Look for the ends of tests among lines most of which are about something else."""
    total = 0
    runs: list[_Run] = []
    known = {test_id.encode() for test_id in estimates.passed}
    rest = b"\n"
    with os.fdopen(open_to_read(path), "rb", buffering=0) as file:
        while total < budget and (block := file.read(_BLOCK)):
            total += len(block)
            # The last line of a driver that was killed may be half of one, and is not looked at
            end = block.rfind(b"\n")
            if end < 0:
                rest += block
                continue
            runs += _runs_of_lines(b"".join((rest, memoryview(block)[: end + 1])), known)
            rest = block[end:]
    # The last run of a test is what counts, and a session may have several
    estimates.add(reversed(runs))
    return total


_FINISHED = b'\n{"event": "finished", '
_SECONDS = b'"run_time_seconds": '
_STATUS = b'"test_status": "'
_ID = b'"test_id": "'
_REASON = b'"reason": "'


def _runs_of_lines(lines: bytes, known: Collection[bytes]) -> Iterator[_Run]:
    start = lines.find(_FINISHED)
    while start >= 0:
        # Whose test it is stands near the beginning, and most sessions tell what a newer one has told
        id_at = lines.find(_ID, start) + len(_ID)
        end = lines.find(b'"', id_at)
        if lines[id_at:end] not in known:
            end = lines.index(b"\n", start + 1)
            run = _scanned(lines[start + 1 : end])
            if run is not None:
                yield run
        start = lines.find(_FINISHED, end)


def _id_in(content: bytes, start: int, end: int) -> str | None:
    """Return the first test id, if there is one without escape sequences."""
    start = content.find(_ID, start, end) + len(_ID)
    text = content[start : content.find(b'"', start, end)]
    return text.decode("ascii", "replace") if start >= len(_ID) and b"\\" not in text else None


def _scanned(line: bytes) -> _Run | None:
    """Read a line without decoding all of it, if that is safe.

    Quotes within texts are escaped, so a name in quotes is a key. It is the right one if there is no other.
    """
    if line.count(_SECONDS) != 1 or line.count(_STATUS) != 1 or line.count(_ID) != 2 or line.count(_REASON) > 1:
        return _decoded(line)
    try:
        reason = _text_after(line, _REASON) if _REASON in line else None
        seconds = line[line.index(_SECONDS) + len(_SECONDS) :]
        number = float(seconds[: seconds.index(b",")] if b"," in seconds else seconds.rstrip(b"}"))
        test_id = _id_in(line, 0, len(line))
        return _decoded(line) if test_id is None else _Run(test_id, number, _text_after(line, _STATUS), reason)
    except ValueError:
        return _decoded(line)


def _text_after(line: bytes, key: bytes) -> str:
    start = line.index(key) + len(key)
    return line[start : line.index(b'"', start)].decode("ascii")


def _decoded(line: bytes) -> _Run | None:
    try:
        return _run_of(json.loads(line)["result"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _run_of(result: Mapping[str, Any]) -> _Run:
    reason = result.get("reason")
    return _Run(
        str(result["test_id"]),
        float(result["run_time_seconds"]),
        str(result["test_status"]).upper(),
        None if reason is None else str(reason),
    )


# --- the report


_ITEM = b"\n      "  # where the keys of a result begin, as the report is indented


def _runs_of_report(content: bytes, known: Collection[str]) -> Iterable[_Run]:
    """Return the runs, the last one first."""
    scanned = list(_scanned_report(content, known))
    if scanned and len(scanned) == content.count(_ITEM + _STATUS) and None not in scanned:
        return [run for run in reversed(scanned) if run is not None and run.test_id not in known]
    try:
        results = list(json.loads(content)["results"])
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"it is no report: {type(error).__name__}: {error}") from error
    decoded = []
    for result in reversed(results):
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            decoded.append(_run_of(result))
    return decoded


def _scanned_report(content: bytes, known: Collection[str]) -> Iterator[_Run | None]:
    """Read a report whose keys are sorted, without decoding all of it; ``None`` stands for what is not understood."""
    end = 0
    while (id_at := content.find(_ITEM + _ID, end)) >= 0:
        beginning, end = end, content.find(b"\n", content.find(_ITEM + _STATUS, id_at) + 1)
        test_id = _id_in(content, id_at, content.find(b"\n", id_at + 1))
        if test_id is None or end < 0:
            yield None
            return
        if test_id in known:
            yield _Run(test_id, math.nan, "", None)
            continue
        start = content.find(_ITEM + _SECONDS, beginning, id_at) + len(_ITEM + _SECONDS)
        head = content[beginning : start + 1]
        try:
            seconds = float(content[start : content.index(b",\n", start)])
            reason = _text_after(head, _ITEM + _REASON) if _ITEM + _REASON in head else None
            yield _Run(test_id, seconds, _text_after(content[id_at:end], _STATUS), reason)
        except ValueError:
            yield None
            return
