# SPDX-License-Identifier: Apache-2.0
"""``ducktape report``: writes the reports of a session from its journal alone."""

from __future__ import annotations

import argparse
import os
import sys

from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.command_line.options.subcommands import subcommand_parser
from ducktape.command_line.session.common import require_current_directory

_INTERRUPTED = 130


def main(argv: list[str]) -> int:
    """Write the reports of sessions and print their paths; returns 1 if some could not be written, else 0."""
    # Directories may be given before and after an option
    options = create_report_parser().parse_intermixed_args(argv)
    require_current_directory()
    places = options.results_dir or [ConsoleDefaults.RESULTS_ROOT_DIRECTORY]
    try:
        failures = _report_all(places, options.output) if options.merge is None else _merge(places, options.merge)
    except KeyboardInterrupt:
        return _INTERRUPTED
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def create_report_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; has no side effects."""
    parser = subcommand_parser(
        "report",
        "[options] [RESULTS_DIR ...]",
        description="Write report.html, report.json, report.md, report.txt, report.xml and, if tests failed, "
        "rerun-failed.yml from the journal of a session, even if it was killed or is still running.",
        epilog="Exit code 1 means that reports could not be written; failed tests do not count. Tests in a directory "
        "of that name are run by: ducktape ./report",
    )
    parser.add_argument(
        "results_dir",
        nargs="*",
        metavar="RESULTS_DIR",
        help="Directory of a session, or of all sessions for the newest of them, by default "
        f"{ConsoleDefaults.RESULTS_ROOT_DIRECTORY}.",
    )
    target = parser.add_mutually_exclusive_group()
    target.add_argument(
        "--merge",
        metavar="DIR",
        help="Write one report of all sessions, which are parts of a run (--subsets), to this directory.",
    )
    target.add_argument(
        "--output",
        metavar="DIR",
        help="Directory to write to instead; with more than one RESULTS_DIR, each session gets a directory there.",
    )
    return parser


def _merge(places: list[str], target: str) -> list[str]:
    """Write one report of several sessions, and return one line for each failure."""
    # Wrong options are reported without the modules that write reports
    from ducktape.command_line.report.files import cannot_write
    from ducktape.command_line.report.merge import merge_to
    from ducktape.errors import DucktapeError

    try:
        directories = [_find(place) for place in places]
        if twice := [place for place in directories if directories.count(place) > 1]:
            raise DucktapeError(f"{twice[0]} is named twice")
        return merge_to(os.path.abspath(target), directories)
    except DucktapeError as error:
        return [str(error)]
    except OSError as error:
        return [cannot_write(error)]


def _report_all(places: list[str], output: str | None) -> list[str]:
    """Write the reports of several sessions, and return one line for each failure."""
    from ducktape.command_line.report.files import cannot_write
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
            failures.append(cannot_write(error))
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
    from ducktape.command_line.report.files import counts, locked_target, write_files
    from ducktape.tests.recording.history import remembered
    from ducktape.tests.recording.outcomes import seed_of
    from ducktape.tests.recording.state import RecordedSession
    from ducktape.tests.reports.session_details import SessionDetails

    with locked_target(target):
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
        details = SessionDetails.read(recorded.results_dir)
        written, failures = write_files(target, results, recorded.expected, details, changes)
    state = " is still running" if recorded.going_on else "" if recorded.ended else " was interrupted"
    print("\n    ".join([f"Session {recorded.session_id}{state}: {counts(results)}", *written]))
    if recorded.damaged_lines:
        lines = "1 damaged line" if recorded.damaged_lines == 1 else f"{recorded.damaged_lines} damaged lines"
        print(f"Ignored {lines} of the journal", file=sys.stderr)
    return failures
