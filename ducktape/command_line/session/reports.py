# SPDX-License-Identifier: Apache-2.0
"""The reports of a run: interim ones while it lasts, complete ones at its end, elsewhere if the disk is full."""

from __future__ import annotations

import contextlib
import copy
import errno
import logging
import os
import shutil
import tempfile
import time
import traceback
from typing import TYPE_CHECKING

from ducktape.utils.support.text import class_and_text

if TYPE_CHECKING:
    from ducktape.command_line.options.options import Options
    from ducktape.tests.recording.history import Changes, History
    from ducktape.tests.recording.journal import Journal
    from ducktape.tests.result import TestResults

# Errors that another directory or some waiting may help against
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
_NO_ROOM |= {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ESTALE, errno.ENODEV}
_SECONDS_FOR_ROOM = 3.0
_SECONDS_BETWEEN_LOOKS = 0.5


class SessionReports:
    """Writes the reports of one session, beside a copy of its journal if they are written elsewhere."""

    def __init__(
        self,
        logger: logging.Logger,
        journal: Journal,
        expected: int,
        *,
        silent: bool = False,
        seed: int | None = None,
    ) -> None:
        self._silent = silent
        self._seed = seed
        self.changes: Changes | None = None  # since earlier sessions, once this one has ended
        self.expected = expected  # number of results at the end
        self._logger = logger
        self._journal = journal
        self._warned = False

    def write_partial(self, results: TestResults) -> None:
        """Write the reports of the results so far; a full disk is logged once."""
        for name, error in self._write_files(results, partial=True):
            if not _is_no_room(error):
                self._log_error(name, error)
            elif not self._warned and self._journal.trouble is None:
                self._warned = True
                self._logger.error("Could not write %s for now: %s", name, class_and_text(error))

    def write(self, results: TestResults) -> bool:
        """Print the summary and write all files; returns whether all are in the results directory.

        If the disk stays full for a few seconds, the files are written to a new directory elsewhere, which is logged.
        """
        from ducktape.tests.driver.recorder import write_missing_files
        from ducktape.tests.recording.history import remembered
        from ducktape.tests.reports import index

        self._journal.flush()
        root = os.path.dirname(results.session_context.results_dir)
        history = remembered(results, self.expected, self._seed, whole=index.is_ours(root))
        if history is not None:
            self.changes = history.changes(os.path.basename(results.session_context.results_dir))
        failures = self._write_files(results, silent=self._silent)
        deadline = time.monotonic() + _SECONDS_FOR_ROOM
        while self._needs_room(failures) and time.monotonic() < deadline:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            self._journal.flush()
            failures = self._write_files(results)
        for name, error in failures:
            if not _is_no_room(error):
                self._log_error(name, error)
        if history is not None:
            _write_index(root, history, self._logger)
        if self._needs_room(failures):
            reasons = [error for _, error in failures if _is_no_room(error)]
            self._write_elsewhere(results, reasons[0] if reasons else self._journal.trouble)
        return not failures and self._journal.trouble is None and write_missing_files(results)

    def _needs_room(self, failures: list[tuple[str, Exception]]) -> bool:
        return self._journal.trouble is not None or any(_is_no_room(error) for _, error in failures)

    def _write_files(
        self, results: TestResults, *, partial: bool = False, silent: bool = True
    ) -> list[tuple[str, Exception]]:
        # Reports load much that a run which only lists tests does not need
        from ducktape.tests.reporter import write_session_reports

        failures = write_session_reports(results, self.expected, partial=partial, silent=silent, changes=self.changes)
        # A closed console loses nothing that is not in the files
        return [(name, error) for name, error in failures if not isinstance(error, BrokenPipeError)]

    def _write_elsewhere(self, results: TestResults, error: Exception | None) -> None:
        """Write everything to the first directory that has room."""
        wanted = results.session_context.results_dir
        moved = copy.copy(results)
        moved.session_context = copy.copy(results.session_context)
        moved.logs_root = wanted
        for find_parent in (tempfile.gettempdir, lambda: os.path.expanduser("~"), os.getcwd):
            with contextlib.suppress(OSError), contextlib.ExitStack() as undo:
                prefix = f"ducktape-{results.session_context.session_id}-"
                directory = moved.session_context.results_dir = tempfile.mkdtemp(prefix=prefix, dir=find_parent())
                undo.callback(shutil.rmtree, directory, ignore_errors=True)
                self._journal.copy_to(directory)
                if not self._write_files(moved):
                    undo.pop_all()
                    where = (wanted, error, directory)
                    self._logger.error("The reports cannot be written to %s (%s): they are in %s", *where)
                    return
        self._logger.error("The reports cannot be written to %s (%s), nor anywhere else", wanted, error)

    def _log_error(self, name: str, error: Exception) -> None:
        self._logger.error("Could not write %s: %s", name, "".join(traceback.format_exception(error)))


def remove_old_sessions(options: Options, results_dir: str, logger: logging.Logger) -> None:
    """Remove the sessions beyond the limit in the options, if any, also from the page about all sessions."""
    if options.keep_sessions is None:
        return
    from ducktape.tests.keeping.registry import kept_tests
    from ducktape.tests.recording import retention
    from ducktape.tests.recording.history import History
    from ducktape.tests.recording.outcomes import outcomes_below
    from ducktape.tests.reports import index

    results_root = os.path.dirname(results_dir)
    limit = retention.Limit.parse(options.keep_sessions)
    # The logs of a test whose nodes are kept are collected when these are released
    in_use = [results_dir, *(test.results_dir for test in kept_tests())]
    if retention.remove_old_sessions(results_root, limit, in_use, logger) and index.is_ours(results_root):
        _write_index(results_root, History(outcomes_below(results_root)), logger)


def _write_index(results_root: str, history: History, logger: logging.Logger) -> None:
    """Write the page about all sessions again, if somebody has asked for it."""
    from ducktape.tests.reports import index

    if index.is_ours(results_root):
        try:
            index.write(results_root, history)
        except OSError as error:
            logger.warning("Could not write %s of %s: %s", index.FILE_NAME, results_root, error)


def _is_no_room(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in _NO_ROOM
