# SPDX-License-Identifier: Apache-2.0
"""``ducktape history``: earlier sessions, and how tests went in them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.command_line.options.errors import CommandError
from ducktape.command_line.options.options import positive
from ducktape.command_line.options.subcommands import subcommand_parser
from ducktape.command_line.session.common import require_current_directory
from ducktape.json_serializable import strict_dumps

# Wrong options are reported without the modules that read sessions
if TYPE_CHECKING:
    from rich.text import Text

    from ducktape.tests.recording.history import History, TestHistory

_INTERRUPTED = 130
_SESSIONS = 20
_MOST_TESTS = 50
_MOST_MATCHES = 10
_STYLES = {"new": "bold red", "known": "red", "flaky": "yellow", "fixed": "green"}
_STYLES |= {"PASS": "green", "FAIL": "red", "FLAKY": "yellow", "IGNORE": "dim"}


def main(argv: list[str]) -> int:
    """Print what is known of the sessions below a results root; returns 0, or raises ``CommandError``."""
    options = create_history_parser().parse_intermixed_args(argv)
    require_current_directory()
    # The libraries are large
    from rich.console import Console

    from ducktape.command_line.progress.live import harmless
    from ducktape.tests.recording.history import History
    from ducktape.tests.recording.outcomes import outcomes_below

    console = Console(highlight=False)
    try:
        history = History(outcomes_below(options.results_root))
        if not history.sessions:
            raise CommandError(
                f"No session in {options.results_root} has results: run tests first, or name its directory with "
                "--results-root"
            )
        if options.html:
            console.print(_write_page(options.results_root, history), soft_wrap=True)
            return 0
        ids = history.test_ids if options.test is None else _matching(history, options.test, options.results_root)
        if options.json:
            from ducktape.command_line.history.as_json import as_json

            print(strict_dumps(as_json(history, ids, options.sessions), indent=1))
            return 0
        show = _overview(history, options.sessions) if options.test is None else _tests(history, ids, options.sessions)
        for line in show:
            # Whole, since programs read it, too
            console.print(harmless(line), soft_wrap=True)
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


def create_history_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; has no side effects."""
    parser = subcommand_parser(
        "history",
        "[options] [TEST]",
        description="Show how the last sessions went, and which tests failed or were flaky.",
        epilog="Each session is a sign, the newest is the last: . passed, F failed, f flaky, - ignored. To run the "
        "tests in a directory of that name: ducktape ./history",
    )
    parser.add_argument(
        "test", nargs="?", metavar="TEST", help="Show the tests whose ids contain this, session by session."
    )
    parser.add_argument(
        "--results-root",
        default=ConsoleDefaults.RESULTS_ROOT_DIRECTORY,
        metavar="DIR",
        help=f"Directory of all sessions, by default {ConsoleDefaults.RESULTS_ROOT_DIRECTORY}.",
    )
    parser.add_argument(
        "--sessions", type=positive, default=_SESSIONS, metavar="N", help=f"Show the last N, by default {_SESSIONS}."
    )
    written = parser.add_mutually_exclusive_group()
    written.add_argument(
        "--json", action="store_true", help="Print the same for programs, with the durations and metrics of each test."
    )
    written.add_argument(
        "--html",
        action="store_true",
        help="Write index.html to the results root, and print its path; every later session writes it again.",
    )
    return parser


def _write_page(results_root: str, history: History) -> str:
    """Write ``index.html`` and return its path."""
    from ducktape.tests.reports import index

    try:
        return index.write(results_root, history)
    except OSError as error:
        raise CommandError(f"Cannot write {index.FILE_NAME} to {results_root}: {error.strerror}") from error


def _overview(history: History, most: int) -> Iterator[Text]:
    """Yield a line for each session, and one for each test that failed last, was repaired, or is flaky."""
    from rich.text import Text

    from ducktape.command_line.progress.live import elapsed
    from ducktape.tests.reports.comparison import beyond_tests, session_verdict

    for session in history.sessions[-most:]:
        changes = history.changes(session.session_id)
        assert changes is not None  # it is of this session
        style = "red" if session.count("FAIL") else ""
        took = elapsed(session.seconds)
        yield Text.assemble(f"{session.session_id}  ", (f"{took:>8}  ", "dim"), (session_verdict(changes), style))
    newest = history.changes(history.sessions[-1].session_id)
    kinds = {} if newest is None else newest.kinds
    noteworthy = [test for test in map(history.test, history.test_ids) if _is_noteworthy(test, kinds)]
    rows = [(kinds.get(test.test_id, ""), test) for test in noteworthy]
    order = ["new", "known", "flaky", "fixed", ""]
    rows.sort(key=lambda row: (order.index(row[0]), -row[1].flake_rate, row[1].test_id))
    if rows:
        yield Text()
    end = len(history.sessions)
    for kind, test in rows[:_MOST_TESTS]:
        yield Text.assemble(
            f"{test.signs(max(0, end - most), end)}  ",
            (f"{kind:<5}  ", _STYLES.get(kind, "")),
            f"flake rate {test.flake_rate:>4.0%}  ",
            test.test_id,
        )
    if len(rows) > _MOST_TESTS:
        yield Text(f"… and {len(rows) - _MOST_TESTS:,} more")
    if changed := list(beyond_tests(newest)):
        yield from map(Text, ["", *changed])


def _is_noteworthy(test: TestHistory, kinds: dict[str, str]) -> bool:
    verdicts = test.verdicts
    return test.test_id in kinds or test.is_flaky or bool(verdicts and verdicts[-1].status == "FAIL")


def _matching(history: History, wanted: str, results_root: str) -> list[str]:
    """Return the test of an id, or else those whose ids contain a text."""
    ids = [wanted] if history.test(wanted).outcomes else [name for name in history.test_ids if wanted in name]
    if not ids:
        raise CommandError(f"No test in the sessions below {results_root} has {wanted!r} in its id")
    return ids


def _tests(history: History, ids: list[str], most: int) -> Iterator[Text]:
    """Yield the measures and the sessions of tests."""
    from rich.text import Text

    from ducktape.tests.reports.comparison import label, trend_text

    for test_id in ids[:_MOST_MATCHES]:
        test = history.test(test_id)
        verdicts = test.verdicts
        passed = sum(verdict.status != "FAIL" for verdict in verdicts)
        facts = [f"passed {passed} of {len(verdicts)}", f"flake rate {test.flake_rate:.0%}"]
        if test.median_seconds is not None:
            facts.append(f"median {test.median_seconds:.3f} seconds")
        yield Text(test_id, "bold")
        yield Text(f"  {', '.join(facts)}", "dim")
        for trend in history.trends(test_id):
            if trend.usual is not None or not trend.is_duration:
                yield Text(f"  {trend_text(trend)}", "yellow" if trend.change else "")
        for number, outcome in test.outcomes[-most:]:
            session = history.sessions[number].session_id
            changes = history.changes(session)
            words = ", ".join(filter(None, [outcome.reason, label(changes, test_id)]))
            line = f"  {session}  ", (f"{outcome.status:<6}", _STYLES[outcome.status]), f"  {outcome.seconds:>10.3f}s"
            yield Text.assemble(*line, f"  {words}" if words else "")
    if len(ids) > _MOST_MATCHES:
        yield Text(f"… and {len(ids) - _MOST_MATCHES:,} more tests")
