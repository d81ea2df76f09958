# SPDX-License-Identifier: Apache-2.0
"""Which old sessions go when there are too many, and their removal.

Only directories that are certainly those of sessions that are over are removed: they have the name and a log of a
session, nobody writes their journal, and neither a file ``keep`` nor the link ``latest`` protects them.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ducktape.command_line.defaults import SESSION_ID
from ducktape.tests.recording.journal import JOURNAL_NAME
from ducktape.tests.recording.past_sessions import sessions
from ducktape.utils.support.files import lock, locked_directory, open_to_read

KEEP_FILE = "keep"
_LOGS = (JOURNAL_NAME, "session_log.info", "session_log.debug", "report.json")
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_LIMIT = re.compile(r"([0-9]+)(d?)|([0-9]+(?:\.[0-9]+)?)(KB|MB|GB|TB)", re.ASCII | re.IGNORECASE)
# Of a session without an end: somebody may want to resume it, or it is just beginning
_SECONDS_OF_GRACE = 24 * 3600
_TAIL = 1 << 16
_SHOWN = 5


class Limit(NamedTuple):
    """How much is kept: a number of sessions, of days, or of bytes; the others are ``None``."""

    sessions: int | None = None
    days: int | None = None
    size: int | None = None

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Return the limit that a text such as ``20``, ``14d`` or ``5GB`` means; raises ``ValueError``."""
        match = _LIMIT.fullmatch(text.strip())
        limit = cls()
        if match is not None and match[3]:
            limit = cls(size=int(float(match[3]) * _UNITS[match[4].upper()]))
        elif match is not None:
            limit = cls(days=int(match[1])) if match[2] else cls(sessions=int(match[1]))
        if not any(limit):
            raise ValueError(f"{text!r} is not a number of sessions (20), days (14d) or bytes (500MB, 5GB) above 0")
        return limit


def remove_old_sessions(results_root: str, limit: Limit, in_use: Iterable[str], logger: logging.Logger) -> list[str]:
    """Remove sessions beyond a limit, log in one line which, and return their ids; never raises ``OSError``.

    Args:
        results_root: the directory of all sessions.
        limit: how much is kept; sessions that must not be removed count, too.
        in_use: directories of sessions that stay whatever their age, such as that of the session that has just ended.
        logger: also gets a warning for each session that could not be removed.
    """
    protected = {os.path.realpath(directory) for directory in (*in_use, os.path.join(results_root, "latest"))}
    removed: list[str] = []
    with contextlib.suppress(OSError):  # the results root cannot be listed
        for directory in list(_beyond(results_root, limit)):
            if os.path.realpath(directory) in protected:
                continue
            try:
                if _remove(directory):
                    removed.append(os.path.basename(directory))
            except OSError as error:
                logger.warning("Could not remove the old session %s: %s", directory, error)
    if removed:
        more = f" and {len(removed) - _SHOWN} more" if len(removed) > _SHOWN else ""
        number = "1 old session" if len(removed) == 1 else f"{len(removed)} old sessions"
        logger.info("Removed %s: %s%s", number, ", ".join(removed[:_SHOWN]), more)
    return removed


def _beyond(results_root: str, limit: Limit) -> Iterator[str]:
    """Yield the directories of sessions beyond a limit, newest first."""
    first_day = None
    if limit.days is not None:
        # Too far back for a date is without limit
        with contextlib.suppress(OverflowError):
            first_day = (datetime.date.today() - datetime.timedelta(days=limit.days)).isoformat()
    bytes_left = limit.size
    for number, directory in enumerate(sessions(results_root), start=1):
        if bytes_left is not None:
            bytes_left -= _size(directory)
        match = SESSION_ID.fullmatch(os.path.basename(directory))
        is_old = match is not None and first_day is not None and match[1] < first_day
        if is_old or (bytes_left is not None and bytes_left < 0) or number > (limit.sessions or number):
            yield directory


def _remove(directory: str) -> bool:
    """Remove a directory if it is that of a session that is over; return whether it was."""
    if os.path.islink(directory) or not os.path.isdir(directory):
        return False
    is_session = any(os.path.isfile(os.path.join(directory, name)) for name in _LOGS)
    if not is_session or os.path.lexists(os.path.join(directory, KEEP_FILE)):
        return False
    with contextlib.ExitStack() as resources:
        if not resources.enter_context(locked_directory(directory, wait_sec=0)):
            return False  # its reports are being written, or another program removes it
        try:
            journal = open_to_read(os.path.join(directory, JOURNAL_NAME))
        except FileNotFoundError:
            if _changed_lately(directory):
                return False
        else:
            resources.callback(os.close, journal)
            try:
                # Held until the directory is gone: nobody resumes it meanwhile
                lock(journal, 0)
            except BlockingIOError:
                return False
            if not _has_end(journal) and _changed_lately(os.path.join(directory, JOURNAL_NAME)):
                return False
        shutil.rmtree(directory)
    return True


def _has_end(journal: int) -> bool:
    size = os.fstat(journal).st_size
    return b'{"event": "session_end"' in os.pread(journal, _TAIL, max(0, size - _TAIL))


def _changed_lately(path: str) -> bool:
    return time.time() - os.stat(path).st_mtime < _SECONDS_OF_GRACE


def _size(directory: str) -> int:
    """Return the bytes of all files below a directory; links are not followed."""
    size = 0
    for parent, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(parent, name)).st_size
    return size
