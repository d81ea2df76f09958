# SPDX-License-Identifier: Apache-2.0
"""Writes and prints what the pure renderers of ``ducktape.tests.reports`` make of results."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ducktape.tests.reports import json_report, summary, text
from ducktape.tests.reports.text import DEFAULT_SEPARATOR_WIDTH, format_time
from ducktape.tests.result import TestResult, TestResults
from ducktape.utils.support.files import locked_directory, write_atomically

if TYPE_CHECKING:
    from ducktape.tests.recording.history import Changes
    from ducktape.tests.reports.session_details import SessionDetails

__all__ = [
    "DEFAULT_SEPARATOR_WIDTH",
    "FailedTestSymbolReporter",
    "HTMLSummaryReporter",
    "JSONReporter",
    "JUnitReporter",
    "MarkdownReporter",
    "SimpleFileSummaryReporter",
    "SimpleStdoutSummaryReporter",
    "SimpleSummaryReporter",
    "SingleResultFileReporter",
    "SingleResultReporter",
    "SummaryReporter",
    "format_time",
    "write_session_reports",
]


class SingleResultReporter:
    """Reports one result as text.

    Args:
        result: the result.
    """

    def __init__(self, result: TestResult) -> None:
        self.result = result
        self.width = DEFAULT_SEPARATOR_WIDTH

    def result_string(self) -> str:
        """Return the block of the result."""
        return text.result_text(self.result)

    def report_string(self) -> str:
        """Return the block of the result below a line of ``width`` characters."""
        return text.result_report(self.result, self.width)

    def report(self) -> None:
        """Publish the report; subclasses say where."""
        raise NotImplementedError(f"{type(self).__name__} does not say where to report: write its method report()")


class SingleResultFileReporter(SingleResultReporter):
    """Writes ``report.txt`` into the directory of the test."""

    def report(self) -> None:
        """Write the file."""
        write_atomically(os.path.join(self.result.results_dir, "report.txt"), self.report_string())


class SummaryReporter:
    """Reports the results of a session.

    Args:
        results: the results.
    """

    # How to get what the journal says; by default it is read
    details: Callable[[], SessionDetails] | None = None

    def __init__(self, results: TestResults) -> None:
        self.results = results
        self.width = DEFAULT_SEPARATOR_WIDTH

    def report(self) -> None:
        """Publish the report; subclasses say how and where."""
        raise NotImplementedError(f"{type(self).__name__} does not say where to report: write its method report()")

    def _details(self) -> SessionDetails:
        return _read_details(self.results) if self.details is None else self.details()

    def _write(self, name: str, content: str | Iterable[str]) -> None:
        write_atomically(os.path.join(self.results.session_context.results_dir, name), content)


class SimpleSummaryReporter(SummaryReporter):
    """Reports the results of a session as text."""

    def header_string(self) -> str:
        """Return the totals."""
        return summary.session_header(self.results, self.width)

    def report_string(self) -> str:
        """Return the totals and the block of every result."""
        return summary.session_report(self.results, self.width)


class SimpleFileSummaryReporter(SimpleSummaryReporter):
    """Writes ``report.txt`` into the directory of the session."""

    def report(self) -> None:
        """Write the file."""
        self._write("report.txt", summary.session_pieces(self.results, self.width))


class SimpleStdoutSummaryReporter(SimpleSummaryReporter):
    """Prints the text report, as wide as the terminal and with very long texts cut.

    Args:
        results: the results.
    """

    def __init__(self, results: TestResults) -> None:
        super().__init__(results)
        self.width = _terminal_width()

    def report(self) -> None:
        """Print the report."""
        for piece in summary.console_pieces(self.results, self.width):
            _print(piece, end="")
        _print("")


class JSONReporter(SummaryReporter):
    """Writes ``report.json`` into the directory of the session."""

    def report_string(self) -> str:
        """Return the content of the file."""
        return json_report.render(self.results)

    def report(self) -> None:
        """Write the file."""
        self._write("report.json", json_report.pieces(self.results))


class JUnitReporter(SummaryReporter):
    """Writes ``report.xml`` into the directory of the session.

    Args:
        results: the results.
        details: returns what the journal says; by default it is read.
    """

    def __init__(self, results: TestResults, *, details: Callable[[], SessionDetails] | None = None) -> None:
        super().__init__(results)
        self.details = details

    def report_string(self) -> str:
        """Return the content of the file."""
        return "".join(self._pieces())

    def report(self) -> None:
        """Write the file."""
        self._write("report.xml", self._pieces())

    def _pieces(self) -> Iterable[str]:
        from ducktape.tests.reports import junit

        return junit.pieces(self.results, _current_directory(), self._details())


class HTMLSummaryReporter(SummaryReporter):
    """Writes ``report.html`` and ``report.css`` into the directory of the session.

    Args:
        results: the results.
        expected_test_count: how many tests were to run; by default as many as there are results.
        details: returns what the journal says; by default it is read.
        changes: what changed since earlier sessions, if that is to be in the page.
    """

    def __init__(
        self,
        results: TestResults,
        expected_test_count: int | None = None,
        *,
        details: Callable[[], SessionDetails] | None = None,
        changes: Changes | None = None,
    ) -> None:
        super().__init__(results)
        self.expected_test_count = expected_test_count
        self.details = details
        self.changes = changes

    def report_string(self) -> str:
        """Return the content of ``report.html``."""
        from ducktape.tests.reports import html

        return html.render(self.results, self.expected_test_count, self._details(), self.changes)

    def report(self) -> None:
        """Write both files, and those with details that are too large for the page."""
        from ducktape.tests.reports import html, page_file

        self._write("report.css", html.style_sheet())
        pieces = functools.partial(html.pieces, self.results, self.expected_test_count, self._details(), self.changes)
        page_file.write(os.path.join(self.results.session_context.results_dir, "report.html"), pieces)


class MarkdownReporter(SummaryReporter):
    """Writes ``report.md`` into the directory of the session.

    Args:
        results: the results.
        expected_test_count: how many tests were to run; by default as many as there are results.
    """

    def __init__(self, results: TestResults, expected_test_count: int | None = None) -> None:
        super().__init__(results)
        self.expected_test_count = expected_test_count

    def report_string(self) -> str:
        """Return the content of the file."""
        from ducktape.tests.reports import markdown

        return markdown.render(self.results, self.expected_test_count, _current_directory())

    def report(self) -> None:
        """Write the file."""
        self._write("report.md", self.report_string())


class _BuildServerReporter(MarkdownReporter):
    """Tells the CI server on which this program runs, if it is one that can be told, what failed and where."""

    def report(self) -> None:
        from ducktape.tests.reports import build_servers

        if os.environ.get("TEAMCITY_VERSION"):
            path = os.path.join(self.results.session_context.results_dir, "report.xml")
            _print(build_servers.junit_import(os.path.abspath(path)))
        if os.environ.get("GITHUB_ACTIONS") != "true":
            return
        repository = os.environ.get("GITHUB_WORKSPACE") or _current_directory()
        for line in build_servers.annotations_of(self.results, repository):
            _print(line)
        if summary_file := os.environ.get("GITHUB_STEP_SUMMARY"):
            try:
                with open(summary_file, "a", encoding="utf-8", errors="backslashreplace") as file:
                    file.write(self.report_string())
            except OSError as error:  # no reason for a run to fail
                _print(build_servers.warning(f"Could not write the job summary: {error}"))


class FailedTestSymbolReporter(SummaryReporter):
    """Reports how to run the failed tests again: writes ``rerun-failed.yml`` and prints the symbols.

    Args:
        results: the results.
    """

    def __init__(self, results: TestResults) -> None:
        super().__init__(results)
        self.working_dir = Path.cwd().absolute()
        self.width = _terminal_width()

    def to_symbol(self, result: TestResult) -> str:
        """Return the symbol of one test, with its path as seen from ``working_dir``."""
        from ducktape.tests.reports import rerun

        return rerun.symbol(result, str(self.working_dir))

    def report_string(self) -> str:
        """Return what is printed."""
        from ducktape.tests.reports import rerun

        suite_file = os.path.join(self.results.session_context.results_dir, "rerun-failed.yml")
        return rerun.console(self.results, str(self.working_dir), suite_file, self.width)

    def report(self) -> None:
        """Write the file and print the symbols, unless nothing failed."""
        if self.results.get_aggregate_success():
            self.write_file()
            return
        try:
            self.write_file()
        finally:
            _print(self.report_string())

    def write_file(self) -> None:
        """Write the file alone; remove one of an earlier part of the session if nothing failed."""
        if self.results.get_aggregate_success():
            with contextlib.suppress(OSError):
                os.remove(os.path.join(self.results.session_context.results_dir, "rerun-failed.yml"))
            return
        from ducktape.tests.reports import rerun

        self._write("rerun-failed.yml", rerun.suite(self.results, self.results.session_context.results_dir))


_Maker = Callable[[TestResults], SummaryReporter]
# For `ducktape report`, whose lock dies with it
_LONGEST_WAIT_SEC = 30.0


class _RerunFile(FailedTestSymbolReporter):
    """Writes ``rerun-failed.yml`` and prints nothing."""

    def report(self) -> None:
        self.write_file()


def write_session_reports(
    results: TestResults,
    expected_test_count: int | None,
    *,
    partial: bool,
    silent: bool = False,
    changes: Changes | None = None,
) -> list[tuple[str, Exception]]:
    """Write the reports of a session; if one fails, the others are still written.

    Args:
        results: the results so far.
        expected_test_count: how many tests were to run.
        partial: whether the session goes on: then only the files are written, without a word on the console.
        silent: write the files of a session that is over, without a word on the console.
        changes: what changed since earlier sessions.

    Returns:
        The name of every report that could not be made, and why.
    """
    if partial:
        results = results.so_far()
    # Once for all reports; while the session goes on, they do without the journal and the files of the tests
    details = functools.cache(functools.partial(_read_details, results, partial=partial))
    files: list[_Maker] = [
        SimpleFileSummaryReporter,
        functools.partial(
            HTMLSummaryReporter, expected_test_count=expected_test_count, details=details, changes=changes
        ),
        JSONReporter,
        functools.partial(MarkdownReporter, expected_test_count=expected_test_count),
        functools.partial(JUnitReporter, details=details),
    ]
    if not partial and silent:
        files.append(_RerunFile)
    elif not partial:
        # The symbols are the last lines of the output, where scripts look for them
        tell_server = functools.partial(_BuildServerReporter, expected_test_count=expected_test_count)
        files += [tell_server, FailedTestSymbolReporter]
    failures = [] if partial or silent else _reported([SimpleStdoutSummaryReporter], results)
    # Whoever writes reports has the newest state while the lock is held: an older one never replaces a newer one
    wait_sec = 0.0 if partial else _LONGEST_WAIT_SEC
    with locked_directory(results.session_context.results_dir, wait_sec=wait_sec) as is_ours:
        if is_ours or not partial:
            failures += _reported(files, results)
    return failures


def _reported(makers: Iterable[_Maker], results: TestResults) -> list[tuple[str, Exception]]:
    failures: list[tuple[str, Exception]] = []
    for make in makers:
        try:
            make(results).report()
        except Exception as error:  # one reporter among many
            maker = make.func if isinstance(make, functools.partial) else make
            failures.append((maker.__name__, error))
    return failures


def _read_details(results: TestResults, *, partial: bool = False) -> SessionDetails:
    from ducktape.tests.reports.session_details import SessionDetails

    if partial:
        return SessionDetails()
    directory = results.session_context.results_dir
    return SessionDetails.read(directory, os.path.join(directory, results.logs_root))


def _print(content: str, *, end: str = "\n") -> None:
    # The terminal may know fewer characters than what the tests put into their results
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(content.encode(encoding, errors="backslashreplace").decode(encoding), end=end, flush=bool(end))


def _current_directory() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None


def _terminal_width() -> int:
    return shutil.get_terminal_size((80, 24)).columns
