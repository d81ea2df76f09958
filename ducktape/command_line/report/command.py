# SPDX-License-Identifier: Apache-2.0
"""``ducktape report``: the reports of a session, made from its journal alone."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.command_line.session.common import require_current_directory

# Wrong options are answered without what reports are made with.
if TYPE_CHECKING:
    from ducktape.tests.recording.state import RecordedSession
    from ducktape.tests.result import TestResults

_INTERRUPTED = 130
_LONGEST_WAIT_SEC = 60.0


def main(argv: list[str]) -> int:
    """Make the reports of sessions and print where they are.

    Args:
        argv: the command line, with the name of the subcommand in it.

    Returns:
        The exit code: 1 if reports of a session could not be made, else 0, whatever became of the tests.

    Raises:
        SystemExit: an option is wrong.
    """
    # Directories may stand before and after an option
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
    parser = argparse.ArgumentParser(
        prog="ducktape",
        usage="ducktape report [options] [RESULTS_DIR ...]",
        description="Make report.html, report.json, report.txt, report.xml and, if tests failed, rerun-failed.yml from "
        "the journal of a session, also of one that was killed or is still going on.",
        epilog="Exit code 1 means that reports could not be made; failed tests do not count. Tests in a directory of "
        "that name are run by: ducktape ./report",
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
        help="Where to write instead; with more than one RESULTS_DIR into a directory for each session.",
    )
    return parser


def _report_all(places: list[str], output: str | None) -> list[str]:
    """Make all reports that can be made, and return in a line each what could not."""
    from ducktape.errors import DucktapeError

    failures: list[str] = []
    written: set[str] = set()
    for place in places:
        try:
            directory = _find(place)
            target = _target(directory, output, several=len(places) > 1)
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
    """Return the directory of the session that a place means."""
    from ducktape.command_line.session.resume import without_link
    from ducktape.tests.recording import past_sessions as earlier
    from ducktape.tests.recording.state import RecordError

    try:
        directory = without_link(place)
        if not earlier.has_journal(directory) and os.path.isdir(directory):
            directory = earlier.newest_with_journal(directory) or directory
    except OSError as error:
        raise RecordError(f"Cannot read {error.filename}: {error.strerror}") from error
    return directory


def _target(directory: str, output: str | None, *, several: bool) -> str:
    from ducktape.tests.recording.state import RecordedSession

    if output is None:
        return os.path.abspath(directory)
    session_id = RecordedSession.read(directory).session_id
    target = os.path.join(os.path.abspath(output), session_id) if several else os.path.abspath(output)
    os.makedirs(target, exist_ok=True)
    return target


def _report_to(target: str, directory: str) -> list[str]:
    """Write the reports of one session; returns what could not be written."""
    from ducktape.errors import DucktapeError
    from ducktape.tests.recording.state import RecordedSession
    from ducktape.utils.support.files import locked_directory

    # Read under the lock: what is written is never older than what is there
    with locked_directory(target, wait_sec=_LONGEST_WAIT_SEC) as is_ours:
        if not is_ours:
            raise DucktapeError(f"Another program is writing reports to {target}: try again when it is done")
        return _report(RecordedSession.read(directory), target)


def _report(recorded: RecordedSession, directory: str) -> list[str]:
    results = recorded.results()
    if directory != recorded.results_dir:
        results.logs_root = os.path.relpath(recorded.results_dir, directory)
    written: list[str] = []
    failures: list[str] = []
    for name, write in _files(results, recorded.expected, directory):
        path = os.path.join(directory, name)
        try:
            write(path)
            written.append(path)
        except OSError as error:
            failures.append(_cannot_write(error, path))
            break  # nor will the others go there
        except Exception as error:  # one report among many, made of whatever the journal says
            failures.append(f"Could not make {path}: {type(error).__name__}: {error}")
    print("\n    ".join([_headline(recorded, results), *written]))
    if recorded.damaged_lines:
        lines = "1 line" if recorded.damaged_lines == 1 else f"{recorded.damaged_lines} lines"
        print(f"{lines} of the journal could not be understood, and are passed over", file=sys.stderr)
    return failures


def _files(results: TestResults, expected: int | None, directory: str) -> Iterable[tuple[str, Callable[[str], None]]]:
    """Yield the name of every report, and what writes it to a path."""
    from ducktape.tests.reports import html, json_report, junit, rerun, text
    from ducktape.utils.support.files import write_atomically

    yield "report.txt", lambda path: write_atomically(path, text.session_pieces(results))
    yield "report.css", lambda path: write_atomically(path, html.style_sheet())
    yield "report.html", lambda path: write_atomically(path, html.pieces(results, expected))
    yield "report.json", lambda path: write_atomically(path, json_report.pieces(results))
    yield "report.xml", lambda path: write_atomically(path, junit.pieces(results))
    if not results.get_aggregate_success():
        yield "rerun-failed.yml", lambda path: write_atomically(path, rerun.suite(results, directory))


def _headline(recorded: RecordedSession, results: TestResults) -> str:
    state = " is going on" if recorded.going_on else "" if recorded.ended else " was cut off"
    counts = {
        "passed": results.num_passed,
        "flaky": results.num_flaky,
        "failed": results.num_failed,
        "ignored": results.num_ignored,
        "not run to the end": len(results.not_run),
    }
    told = ", ".join(f"{number} {name}" for name, number in counts.items() if number) or "no results"
    return f"Session {recorded.session_id}{state}: {told}"


def _cannot_write(error: OSError, path: str | None = None) -> str:
    return f"Cannot write {path or error.filename}: {error.strerror}. --output DIR puts the reports elsewhere"
