# SPDX-License-Identifier: Apache-2.0
"""The reports of a run: now and then while it lasts, completely at its end, and elsewhere where the disk is full."""

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
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ducktape.utils.support.text import class_and_text

if TYPE_CHECKING:
    from ducktape.tests.recording.journal import Journal
    from ducktape.tests.result import TestResults

# What another directory, or some patience, may help against
_NO_ROOM = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EIO,
    errno.ENOENT,
    errno.EACCES,
    errno.EPERM,
    errno.ESTALE,
    errno.ENODEV,
}
_SECONDS_FOR_ROOM = 3.0
_SECONDS_BETWEEN_LOOKS = 0.5


class SessionReports:
    """Writes the reports of one session.

    Args:
        logger: log of the session.
        journal: goes along where the reports go.
        expected: how many results there will be.
    """

    def __init__(self, logger: logging.Logger, journal: Journal, expected: int) -> None:
        self.expected = expected
        self._logger = logger
        self._journal = journal
        self._told = False

    def write_partial(self, results: TestResults) -> None:
        """Write the files for what there is so far; trouble with the disk is said once."""
        from ducktape.tests.reporter import write_session_reports

        for name, error in write_session_reports(results, self.expected, partial=True):
            if not _is_no_room(error):
                self._tell(name, error)
            elif not self._told and self._journal.trouble is None:
                self._told = True
                self._logger.error("Could not write %s for now: %s", name, class_and_text(error))

    def write(self, results: TestResults) -> bool:
        """Print the summary and write all files; returns whether they are all where they belong.

        A full disk gets a few seconds to get room again; then the files go to a new directory, which is named.
        """
        from ducktape.tests.reporter import write_session_reports

        self._journal.flush()
        failures = self._true_failures(write_session_reports(results, self.expected, partial=False))
        deadline = time.monotonic() + _SECONDS_FOR_ROOM
        while self._lacks_room(failures) and time.monotonic() < deadline:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            self._journal.flush()
            failures = self._write_files(results)
        for name, error in failures:
            if not _is_no_room(error):
                self._tell(name, error)
        if self._lacks_room(failures):
            reasons = [error for _, error in failures if _is_no_room(error)]
            self._write_elsewhere(results, reasons[0] if reasons else self._journal.trouble)
        return not failures and self._journal.trouble is None and _make_up_for_files(results)

    def _lacks_room(self, failures: list[tuple[str, Exception]]) -> bool:
        return self._journal.trouble is not None or any(_is_no_room(error) for _, error in failures)

    def _write_files(self, results: TestResults) -> list[tuple[str, Exception]]:
        from ducktape.tests.reporter import write_session_reports

        return self._true_failures(write_session_reports(results, self.expected, partial=False, silent=True))

    @staticmethod
    def _true_failures(failures: list[tuple[str, Exception]]) -> list[tuple[str, Exception]]:
        # Nobody reads the console any more; the files are what counts
        return [(name, error) for name, error in failures if not isinstance(error, BrokenPipeError)]

    def _write_elsewhere(self, results: TestResults, error: Exception | None) -> None:
        """Write everything to a directory that has room."""
        wanted = results.session_context.results_dir
        for parent in _other_places():
            directory = self._write_below(parent, results)
            if directory is not None:
                self._logger.error("The reports cannot be written to %s (%s): they are in %s", wanted, error, directory)
                return
        self._logger.error("The reports cannot be written to %s (%s), nor anywhere else", wanted, error)

    def _write_below(self, parent: str, results: TestResults) -> str | None:
        """Write everything to a new directory and return it; leaves nothing behind where that fails."""
        directory = None
        with contextlib.suppress(OSError):
            directory = tempfile.mkdtemp(prefix=f"ducktape-{results.session_context.session_id}-", dir=parent)
            self._journal.copy_to(directory)
            if not self._write_files(_moved(results, directory)):
                return directory
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)
        return None

    def _tell(self, name: str, error: Exception) -> None:
        self._logger.error("Could not write %s: %s", name, "".join(traceback.format_exception(error)))


def _other_places() -> Iterator[str]:
    """Yield directories that may have room; which of them are there is found out by writing, or by asking."""
    for find in (tempfile.gettempdir, lambda: os.path.expanduser("~"), os.getcwd):
        with contextlib.suppress(OSError):
            yield find()


def _make_up_for_files(results: TestResults) -> bool:
    """Write the reports of single tests that could not be written at their time; returns whether all are there."""
    try:
        for result in results:
            if result.relative_results_dir and not os.path.exists(os.path.join(result.results_dir, "report.json")):
                result.report()
    except OSError:
        return False
    return True


def _is_no_room(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in _NO_ROOM


def _moved(results: TestResults, directory: str) -> TestResults:
    """Return the same results for reports in another directory."""
    moved = copy.copy(results)
    moved.session_context = copy.copy(results.session_context)
    moved.session_context.results_dir = directory
    moved.logs_root = results.session_context.results_dir
    return moved
