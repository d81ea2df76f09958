# SPDX-License-Identifier: Apache-2.0
"""``ducktape report``: writes the reports of a session from its journal alone."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.command_line.options.options import RaisingParser
from ducktape.command_line.session.common import require_current_directory

# Wrong options are reported without the modules that write reports.
if TYPE_CHECKING:
    from ducktape.tests.recording.history import Changes
    from ducktape.tests.recording.state import RecordedSession
    from ducktape.tests.result import TestResults

_INTERRUPTED = 130
_LONGEST_WAIT_SEC = 60.0


def main(argv: list[str]) -> int:
    """Write the reports of sessions and print their paths; returns 1 if some could not be written, else 0."""
    # Directories may be given before and after an option
    options = create_report_parser().parse_intermixed_args(argv)
    require_current_directory()
    try:
        failures = _report_all(options.results_dir or [ConsoleDefaults.RESULTS_ROOT_DIRECTORY], options.output)
    except KeyboardInterrupt:
        return _INTERRUPTED
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def create_report_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; has no side effects."""
    parser = RaisingParser(
        prog="ducktape",
        usage="ducktape report [options] [RESULTS_DIR ...]",
        description="Write report.html, report.json, report.txt, report.xml and, if tests failed, rerun-failed.yml "
        "from the journal of a session, even if it was killed or is still running.",
        epilog="Exit code 1 means that reports could not be written; failed tests do not count. Tests in a directory "
        "of that name are run by: ducktape ./report",
    )
    parser.add_argument("subcommand", choices=["report"], help=argparse.SUPPRESS)
    parser.add_argument(
        "results_dir",
        nargs="*",
        metavar="RESULTS_DIR",
        help="Directory of a session, or of all sessions for the newest of them, by default "
        f"{ConsoleDefaults.RESULTS_ROOT_DIRECTORY}.",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="Directory to write to instead; with more than one RESULTS_DIR, each session gets a directory there.",
    )
    return parser


def _report_all(places: list[str], output: str | None) -> list[str]:
    """Write the reports of several sessions, and return one line for each failure."""
    from ducktape.errors import DucktapeError
    from ducktape.tests.recording.state import RecordedSession

    failures: list[str] = []
    written: set[str] = set()
    for place in places:
        try:
            directory = _find(place)
            target = os.path.abspath(directory if output is None else output)
            if output is not None:
                session_id = RecordedSession.read(directory).session_id
                target = os.path.join(target, session_id) if len(places) > 1 else target
                os.makedirs(target, exist_ok=True)
            if target in written:
                raise DucktapeError(f"There are reports of another session in {target} already: call for each session")
            written.add(target)
            failures += _report_to(target, directory)
        except DucktapeError as error:
            failures.append(str(error))
        except OSError as error:
            failures.append(_cannot_write(error))
    return failures


def _find(place: str) -> str:
    """Return the directory of a session, given that directory, a link to it, or the directory of all sessions."""
    from ducktape.command_line.session.resume import without_link
    from ducktape.tests.recording import past_sessions
    from ducktape.tests.recording.state import RecordError

    try:
        directory = without_link(place)
        if not past_sessions.has_journal(directory) and os.path.isdir(directory):
            directory = past_sessions.newest_with_journal(directory) or directory
    except OSError as error:
        raise RecordError(f"Cannot read {error.filename}: {error.strerror}") from error
    return directory


def _report_to(target: str, directory: str) -> list[str]:
    """Write the reports of one session; returns the failures."""
    from ducktape.errors import DucktapeError
    from ducktape.tests.recording.history import remembered
    from ducktape.tests.recording.outcomes import seed_of
    from ducktape.tests.recording.state import RecordedSession
    from ducktape.utils.support.files import locked_directory

    written: list[str] = []
    failures: list[str] = []
    # Read under the lock: newer reports are never replaced by older ones
    with locked_directory(target, wait_sec=_LONGEST_WAIT_SEC) as is_ours:
        if not is_ours:
            raise DucktapeError(f"Another program is writing reports to {target}: try again when it is done")
        recorded = RecordedSession.read(directory)
        results = recorded.results()
        if target != recorded.results_dir:
            results.logs_root = os.path.relpath(recorded.results_dir, target)
        changes = None
        if not recorded.going_on:
            # Whoever wants the reports elsewhere may not write here
            keep = target == recorded.results_dir
            history = remembered(results, recorded.expected, seed_of(recorded.configuration), keep=keep)
            changes = None if history is None else history.changes(os.path.basename(recorded.results_dir))
        for name, write in _files(recorded, results, changes, target):
            path = os.path.join(target, name)
            try:
                write(path)
                written.append(path)
            except OSError as error:
                failures.append(_cannot_write(error, path))
                break  # the others would fail, too
            except Exception as error:  # one report among several must not prevent the others
                failures.append(f"Could not write {path}: {type(error).__name__}: {error}")
    print("\n    ".join([_headline(recorded, results), *written]))
    if recorded.damaged_lines:
        lines = "1 damaged line" if recorded.damaged_lines == 1 else f"{recorded.damaged_lines} damaged lines"
        print(f"Ignored {lines} of the journal", file=sys.stderr)
    return failures


def _files(
    recorded: RecordedSession, results: TestResults, changes: Changes | None, directory: str
) -> Iterable[tuple[str, Callable[[str], None]]]:
    """Yield the name of every report, and a function that writes it to a path."""
    from ducktape.tests.reports import html, json_report, junit, rerun, summary
    from ducktape.tests.reports.session_details import SessionDetails
    from ducktape.utils.support.files import write_atomically

    yield "report.txt", lambda path: write_atomically(path, summary.session_pieces(results))
    yield "report.css", lambda path: write_atomically(path, html.style_sheet())
    details = SessionDetails.read(recorded.results_dir)
    yield "report.html", lambda path: write_atomically(path, html.pieces(results, recorded.expected, details, changes))
    yield "report.json", lambda path: write_atomically(path, json_report.pieces(results))
    yield "report.xml", lambda path: write_atomically(path, junit.pieces(results))
    if not results.get_aggregate_success():
        yield "rerun-failed.yml", lambda path: write_atomically(path, rerun.suite(results, directory))


def _headline(recorded: RecordedSession, results: TestResults) -> str:
    state = " is still running" if recorded.going_on else "" if recorded.ended else " was interrupted"
    counts = {
        "passed": results.num_passed,
        "flaky": results.num_flaky,
        "failed": results.num_failed,
        "ignored": results.num_ignored,
        "not finished": len(results.not_run),
    }
    told = ", ".join(f"{number} {name}" for name, number in counts.items() if number) or "no results"
    return f"Session {recorded.session_id}{state}: {told}"


def _cannot_write(error: OSError, path: str | None = None) -> str:
    return f"Cannot write {path or error.filename}: {error.strerror}. Use --output DIR to write the reports elsewhere"
