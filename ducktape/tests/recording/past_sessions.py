# SPDX-License-Identifier: Apache-2.0
"""Sessions that ran earlier, found below a results root."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator

from ducktape.tests.recording.journal import JOURNAL_NAME, read_events
from ducktape.tests.recording.state import RecordedSession
from ducktape.tests.status import FAIL
from ducktape.utils.support.files import open_to_read

_SESSION_ID = re.compile(r"(\d{4}-\d{2}-\d{2})--(\d{3,})")


def has_journal(directory: str) -> bool:
    """Return whether a directory is that of a session with a journal."""
    return os.path.isfile(os.path.join(directory, JOURNAL_NAME))


def sessions(results_root: str) -> Iterator[str]:
    """Yield the directories of all sessions, the one that began last first.

    The link ``latest`` is not asked: a driver that is killed does not set it.

    Args:
        results_root: directory of all sessions; without any if it does not exist.

    Raises:
        OSError: it cannot be read.
    """
    try:
        names = os.listdir(results_root)
    except FileNotFoundError:
        return
    found = sorted((match for name in names if (match := _SESSION_ID.fullmatch(name))), key=_date, reverse=True)
    for _, of_one_day in itertools.groupby(found, key=_date):
        # The number counts in the directory in which the program was started, and there may be several of them
        ordered = sorted(of_one_day, key=lambda match: (_began(os.path.join(results_root, match[0])), int(match[2])))
        for match in reversed(ordered):
            yield os.path.join(results_root, match[0])


def newest_with_journal(results_root: str) -> str | None:
    """Return the directory of the newest session that has a journal; ``None`` if there is none.

    Args:
        results_root: directory of all sessions.

    Raises:
        OSError: it cannot be read.
    """
    return next(filter(has_journal, sessions(results_root)), None)


def last_failed(results_root: str) -> tuple[str, frozenset[str]] | None:
    """Return the newest session that has results: its id, and the ids of the tests that failed.

    Args:
        results_root: directory of all sessions.

    Returns:
        ``None`` if there is no such session.

    Raises:
        RecordError: its journal cannot be understood.
        OSError: the directory or a report cannot be read.
    """
    for directory in sessions(results_root):
        failed = _failed_by_journal(directory) if has_journal(directory) else _failed_by_report(directory)
        if failed is not None:
            return os.path.basename(directory), failed
    return None


def _date(match: re.Match[str]) -> str:
    return match[1]


def _began(directory: str) -> float:
    """Return when a session began by its journal; sessions of before there were journals come before all others."""
    try:
        first = next(read_events(os.path.join(directory, JOURNAL_NAME)), None)
    except OSError:
        return 0.0
    return float(first[0]["time"]) if first and first[0] else 0.0


def _failed_by_journal(directory: str) -> frozenset[str] | None:
    recorded = RecordedSession.read(directory)
    return recorded.failed_ids if recorded.finished else None


def _failed_by_report(directory: str) -> frozenset[str] | None:
    try:
        descriptor = open_to_read(os.path.join(directory, "report.json"))
        with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
            results = json.load(file)["results"]
        failed = frozenset(str(result["test_id"]) for result in results if result["test_status"] == FAIL)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return None  # written half by a program that was killed
    return failed if results else None
