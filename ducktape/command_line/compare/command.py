# SPDX-License-Identifier: Apache-2.0
"""``ducktape compare``: names what differs between two sessions in durations and metrics."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import math
import os
from typing import TYPE_CHECKING

from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.command_line.options.errors import CommandError
from ducktape.command_line.options.subcommands import subcommand_parser

# Wrong options are reported without the modules that read sessions.
if TYPE_CHECKING:
    from ducktape.command_line.compare.comparison import Change, Comparison
    from ducktape.command_line.compare.measurements import Key, Measurement

_NO_ANSWER = 2
_HEADINGS = {"worse": "WORSE  ", "better": "BETTER ", "changed": "CHANGED"}


class NoSessionError(CommandError):
    """There is no session at a place, or it cannot be read."""

    exit_code = _NO_ANSWER  # 1 is the answer that there are regressions


def main(argv: list[str]) -> int:
    """Compare two sessions and print the differences; returns 1 for regressions if they are to fail, else 0."""
    options = create_compare_parser().parse_intermixed_args(argv)
    from ducktape.command_line.compare.comparison import WORSE, compare

    places = [_find(place, options.results_root) for place in (options.first, options.second)]
    first, second = (_measurements(place) for place in places)
    comparison = compare(first, second, options.threshold)
    print(_as_json(comparison, places) if options.json else _as_text(comparison, places))
    return 1 if options.fail_on_regression and comparison.named(WORSE) else 0


def create_compare_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; has no side effects."""
    parser = subcommand_parser(
        "compare",
        "[options] A B",
        description="Name the durations and metrics of tests that differ between two sessions by more than chance "
        "explains, and by the threshold at least.",
        epilog="A session is its id, its directory or its report.json. Exit code 1 means regressions, with "
        "--fail-on-regression; 2 means that the sessions cannot be compared. Tests in a directory of that name are run "
        "by: ducktape ./compare",
    )
    parser.add_argument("first", metavar="A", help="The earlier session.")
    parser.add_argument("second", metavar="B", help="The later session.")
    parser.add_argument(
        "--fail-on-regression", action="store_true", help="Exit with 1 if something has become significantly worse."
    )
    parser.add_argument(
        "--threshold",
        type=percentage,
        default=0.05,
        metavar="PERCENT",
        help="Smallest change of a median that is named, such as 10%%. Default: 5%%",
    )
    parser.add_argument("--json", action="store_true", help="Print all comparisons as JSON.")
    parser.add_argument(
        "--results-root",
        default=ConsoleDefaults.RESULTS_ROOT_DIRECTORY,
        metavar="DIR",
        help=f"Directory of sessions that are named by id. Default: {ConsoleDefaults.RESULTS_ROOT_DIRECTORY}",
    )
    return parser


def percentage(text: str) -> float:
    """Return the share that a text such as ``5%`` or ``5`` means."""
    with contextlib.suppress(ValueError):
        if 0 <= (number := float(text.strip().removesuffix("%"))) < math.inf:
            return number / 100
    raise argparse.ArgumentTypeError(f"must be a percentage such as 5%, not {text}")


def _find(place: str, results_root: str) -> str:
    """Return the path of a session, given the path or the id."""
    candidates = [place, os.path.join(results_root, place)]
    found = next((path for path in candidates if os.path.exists(path)), None)
    if found is None:
        raise NoSessionError(f"There is no session {place}, neither here nor in {os.path.normpath(results_root)}")
    return os.path.realpath(found)


def _measurements(path: str) -> dict[Key, Measurement]:
    """Return what a session measured, from its journal or its report."""
    from ducktape.command_line.compare.measurements import measurements_of
    from ducktape.errors import DucktapeError
    from ducktape.tests.recording.past_sessions import has_journal, reported_results
    from ducktape.tests.recording.state import RecordedSession

    try:
        if os.path.isdir(path) and has_journal(path):
            return measurements_of(result.to_record() for result in RecordedSession.read(path).finished)
        results, _ = reported_results(path)
        return measurements_of(results)
    except OSError as error:
        raise NoSessionError(f"Cannot read {error.filename or path}: {error.strerror}") from error
    except (ValueError, DucktapeError) as error:
        raise NoSessionError(f"Cannot read the session {path}: {error}") from error


def _as_json(comparison: Comparison, places: list[str]) -> str:
    from ducktape.command_line.compare.comparison import ALPHA
    from ducktape.json_serializable import strict_dumps

    content = {
        "a": places[0],
        "b": places[1],
        "alpha": ALPHA,
        "correction": "holm",
        "threshold": comparison.threshold,
        "comparisons": [dataclasses.asdict(change) for change in comparison.changes],
        "too_few_runs": comparison.too_few,
        "only_in_a": [key._asdict() for key in comparison.only_in_a],
        "only_in_b": [key._asdict() for key in comparison.only_in_b],
    }
    return strict_dumps(content, indent=2)


def _as_text(comparison: Comparison, places: list[str]) -> str:
    lines = [f"A: {places[0]}", f"B: {places[1]}", ""]
    for verdict, heading in _HEADINGS.items():
        lines += [f"{heading} {_line(change)}" for change in comparison.named(verdict)]
    named = len(lines) - 3
    if named:
        lines.append("")
    lines.append(
        f"Compared {len(comparison.changes)} durations and metrics: {named or 'none'} differ significantly and by "
        f"{100 * comparison.threshold:g} % or more"
    )
    if comparison.too_few:
        lines.append(
            f"{comparison.too_few} more have too few runs, at least 4 in each session are needed: use --repeat"
        )
    for name, keys in (("A", comparison.only_in_a), ("B", comparison.only_in_b)):
        if keys:
            lines.append(f"{len(keys)} more are only in {name}")
    return "\n".join(lines)


def _line(change: Change) -> str:
    unit = f" {change.unit}" if change.unit else ""
    percent = "" if change.change is None else f"{100 * change.change:+.1f} %, "
    line = (
        f"{change.test_id}: {change.name} {change.median_a:.4g} -> {change.median_b:.4g}{unit} "
        f"({percent}p={change.p_corrected:.2g}, Cliff's delta {change.cliffs_delta:+.2f}, "
        f"{change.n_a} and {change.n_b} {change.values})"
    )
    # The files of sessions may come from anywhere, and terminals obey control characters
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
