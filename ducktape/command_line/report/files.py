# SPDX-License-Identifier: Apache-2.0
"""The files of a report, and the words about them."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterable, Iterator

from ducktape.errors import DucktapeError
from ducktape.tests.recording.history import Changes
from ducktape.tests.reports import html, json_report, junit, markdown, page_file, rerun, summary
from ducktape.tests.reports.session_details import SessionDetails
from ducktape.tests.result import TestResults
from ducktape.utils.support.files import locked_directory, write_atomically

_LONGEST_WAIT_SEC = 60.0


@contextlib.contextmanager
def locked_target(directory: str) -> Iterator[None]:
    """Lock a directory within a block, so that newer reports are never replaced by older ones."""
    with locked_directory(directory, wait_sec=_LONGEST_WAIT_SEC) as is_ours:
        if not is_ours:
            raise DucktapeError(f"Another program is writing reports to {directory}: try again when it is done")
        yield


def write_files(
    directory: str, results: TestResults, expected: int | None, details: SessionDetails, changes: Changes | None
) -> tuple[list[str], list[str]]:
    """Write all reports; returns the paths of those that were written, and a line for each failure."""
    written: list[str] = []
    failures: list[str] = []
    for name, write in _files(directory, results, expected, details, changes):
        path = os.path.join(directory, name)
        try:
            write(path)
            written.append(path)
        except OSError as error:
            failures.append(cannot_write(error, path))
            break  # the others would fail, too
        except Exception as error:  # one report among several must not prevent the others
            failures.append(f"Could not write {path}: {type(error).__name__}: {error}")
    return written, failures


def counts(results: TestResults) -> str:
    """Return how many tests passed, failed and so on, in words."""
    numbers = {
        "passed": results.num_passed,
        "flaky": results.num_flaky,
        "failed": results.num_failed,
        "ignored": results.num_ignored,
        "not finished": len(results.not_run),
    }
    return ", ".join(f"{number} {name}" for name, number in numbers.items() if number) or "no results"


def cannot_write(error: OSError, path: str | None = None) -> str:
    """Return a line for a file that could not be written."""
    return f"Cannot write {path or error.filename}: {error.strerror}. Use --output DIR to write the reports elsewhere"


def _files(
    directory: str, results: TestResults, expected: int | None, details: SessionDetails, changes: Changes | None
) -> Iterable[tuple[str, Callable[[str], None]]]:
    """Yield the name of every report, and a function that writes it to a path."""
    yield "report.txt", lambda path: write_atomically(path, summary.session_pieces(results))
    yield "report.css", lambda path: write_atomically(path, html.style_sheet())
    yield (
        "report.html",
        lambda path: page_file.write(path, functools.partial(html.pieces, results, expected, details, changes)),
    )
    yield "report.json", lambda path: write_atomically(path, json_report.pieces(results))
    yield "report.md", lambda path: write_atomically(path, markdown.render(results, expected, os.getcwd()))
    yield "report.xml", lambda path: write_atomically(path, junit.pieces(results, os.getcwd(), details))
    if not results.get_aggregate_success():
        yield "rerun-failed.yml", lambda path: write_atomically(path, rerun.suite(results, directory))
