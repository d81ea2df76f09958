# SPDX-License-Identifier: Apache-2.0
"""Past sessions: where they are, in which order they ran, and which tests failed in the last one."""

from __future__ import annotations

import contextlib
import itertools
import json
import operator
import os
from collections.abc import Iterator
from typing import Any

from ducktape.command_line.defaults import SESSION_ID
from ducktape.tests.recording.journal import JOURNAL_NAME, read_events
from ducktape.tests.recording.state import RecordedSession
from ducktape.tests.status import FAIL
from ducktape.utils.support.files import open_to_read


def has_journal(directory: str) -> bool:
    """Return whether a directory holds the journal of a session."""
    return os.path.isfile(os.path.join(directory, JOURNAL_NAME))


def sessions(results_root: str) -> Iterator[str]:
    """Yield the directories of all sessions, newest first; nothing if the results root does not exist.

    The link ``latest`` is ignored: a driver that is killed does not set it.
    """
    try:
        names = os.listdir(results_root)
    except FileNotFoundError:
        return
    date = operator.itemgetter(1)
    found = sorted((match for name in names if (match := SESSION_ID.fullmatch(name))), key=date, reverse=True)
    for _, of_one_day in itertools.groupby(found, key=date):
        # Numbers are counted in the directory where the program is started, and several may share a results root
        ordered = sorted(of_one_day, key=lambda match: (_began(os.path.join(results_root, match[0])), int(match[2])))
        for match in reversed(ordered):
            yield os.path.join(results_root, match[0])


def newest_with_journal(results_root: str) -> str | None:
    """Return the directory of the newest session that has a journal, if any."""
    return next(filter(has_journal, sessions(results_root)), None)


def last_failed(results_root: str) -> tuple[str, frozenset[str]] | None:
    """Return the id of the newest session that has results, and the ids of its failed tests; ``None`` without one."""
    for directory in sessions(results_root):
        if has_journal(directory):
            recorded = RecordedSession.read(directory)
            if recorded.finished:
                return os.path.basename(directory), recorded.failed_ids
            continue
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):  # missing or damaged
            results, _ = reported_results(directory)
            failed = frozenset(str(result["test_id"]) for result in results if result["test_status"] == FAIL)
            if results:
                return os.path.basename(directory), failed
    return None


def reported_results(place: str) -> tuple[list[Any], int]:
    """Return the results in a ``report.json`` (or that of a session), and its bytes; ``ValueError`` if damaged."""
    path = os.path.join(place, "report.json") if os.path.isdir(place) else place
    with os.fdopen(open_to_read(path), "rb") as file:
        content = file.read()
    try:
        return list(json.loads(content)["results"]), len(content)
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"it is no report: {type(error).__name__}: {error}") from error


def _began(directory: str) -> float:
    """Return when a session began according to its journal; 0 for sessions without one, which are older."""
    try:
        first = next(read_events(os.path.join(directory, JOURNAL_NAME)), None)
    except OSError:
        return 0.0
    return float(first[0]["time"]) if first and first[0] else 0.0
