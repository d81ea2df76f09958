# SPDX-License-Identifier: Apache-2.0
"""Where tests, failures and logs are, as seen from a directory such as the root of a repository."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from ducktape.tests.reports.traceback_view import is_frame_of_framework

if TYPE_CHECKING:
    from ducktape.tests.recording.not_run import NotRun
    from ducktape.tests.result import TestResult, TestResults

_FRAME = re.compile(r'^  File "([^"\n]+)", line ([0-9]{1,9})\b.*$', re.MULTILINE)
_INSTALLED = re.compile(r"[\\/](?:site|dist)-packages[\\/]")
# A longer summary hardly ever names another place after that
_LONGEST_SEARCHED = 1 << 18


class Place(NamedTuple):
    """A file and a line; the line is ``None`` if nobody knows it."""

    file: str
    line: int | None


def definition_of(test: TestResult | NotRun, directory: str | None = None) -> Place | None:
    """Return where a test is written; its path is relative if it is below the directory."""
    if not test.file_name:
        return None
    return Place(seen_from(test.file_name, directory), getattr(test, "line", None))


def failure_of(result: TestResult, directory: str | None = None) -> Place | None:
    """Return the place of the user's code, below the directory or in the file of the test, that failed last."""
    for found in reversed(list(_FRAME.finditer(result.summary, 0, _LONGEST_SEARCHED))):
        file = found[1]
        if is_frame_of_framework(found[0]) or _INSTALLED.search(file):
            continue
        if file == result.file_name or (directory is not None and _is_below(file, directory)):
            return Place(seen_from(file, directory), int(found[2]))
    return definition_of(result, directory)


def logs_of(result: TestResult, results: TestResults, directory: str | None = None) -> str:
    """Return the directory of the logs of a test; empty if it has none."""
    if not result.relative_results_dir:
        return ""
    # Where the results could not take the reports; a relative one is that from reports that were asked for elsewhere
    moved = os.path.isabs(results.logs_root)
    path = os.path.join(results.logs_root, result.relative_results_dir) if moved else result.results_dir
    return seen_from(path.rstrip(os.sep), directory)


def seen_from(path: str, directory: str | None) -> str:
    """Return a path relative to a directory if it is below that, and otherwise as it is."""
    return os.path.relpath(path, directory) if directory is not None and _is_below(path, directory) else path


def _is_below(path: str, directory: str) -> bool:
    return os.path.normpath(path).startswith(os.path.join(os.path.normpath(directory), ""))
