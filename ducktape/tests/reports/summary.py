# SPDX-License-Identifier: Apache-2.0
"""The results of a session as plain text: the console summary and ``report.txt``."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence

from ducktape import __version__
from ducktape.tests.recording.not_run import NotRun
from ducktape.tests.reports.text import DEFAULT_SEPARATOR_WIDTH, excerpt, fitting_limit, format_time, result_pieces
from ducktape.tests.result import TestResults

_INDENT = "    "
# How much of the text of one test a console gets, if there is room for all of them within the budget
_CONSOLE_LIMITS = (20_000, 4_000, 1_000)
_CONSOLE_BUDGET = 2_000_000
_MOST_NOT_RUN_ON_CONSOLE = 20


def session_header(results: TestResults, width: int = DEFAULT_SEPARATOR_WIDTH) -> str:
    """Return the totals of a session between two lines of ``width`` characters."""
    lines = [
        "=" * width,
        "SESSION REPORT (ALL TESTS)",
        f"ducktape version: {__version__}",
        f"session_id:       {results.session_context.session_id}",
        f"run time:         {format_time(results.run_time_seconds)}",
        f"tests run:        {len(results)}",
        f"passed:           {results.num_passed}",
        f"flaky:            {results.num_flaky}",
        f"failed:           {results.num_failed}",
        f"ignored:          {results.num_ignored}",
    ]
    if found := [len(result.findings) for result in results if result.findings]:
        lines.append(f"findings:         {sum(found)} in {len(found)} test{'' if len(found) == 1 else 's'}")
    if results.not_run:
        lines.append(f"not run:          {len(results.not_run)}")
    if results.unhealthy_nodes:
        lines.append(f"unhealthy nodes:  {', '.join(map(str, results.unhealthy_nodes))}")
    lines.append("=" * width)
    return "\n".join(lines)


def session_report(results: TestResults, width: int = DEFAULT_SEPARATOR_WIDTH) -> str:
    """Return the totals of a session and the block of every result, in the order of the results."""
    return "".join(session_pieces(results, width))


def session_pieces(results: TestResults, width: int = DEFAULT_SEPARATOR_WIDTH) -> Iterator[str]:
    """Yield the same text result by result, so that a long session is never in memory as a whole."""
    yield session_header(results, width)
    for result in results:
        yield "\n"
        yield from result_pieces(result)
        yield f"\n{'-' * width}"
    yield from _not_run_pieces(results.not_run, width)


def console_pieces(results: TestResults, width: int) -> Iterator[str]:
    """Yield the same text with long texts shortened; the ``report.txt`` of each test has them in full."""
    lengths = [len(result.summary) for result in results]
    limit = fitting_limit(lengths, _CONSOLE_BUDGET, _CONSOLE_LIMITS)
    yield session_header(results, width)
    for result in results:
        whole_text = os.path.join(result.results_dir, "report.txt")
        yield "\n"
        yield from result_pieces(result, functools.partial(excerpt, limit=limit, whole_text=whole_text))
        yield f"\n{'-' * width}"
    yield from _not_run_pieces(results.not_run, width, most=_MOST_NOT_RUN_ON_CONSOLE)


def _not_run_pieces(not_run: Sequence[NotRun], width: int, *, most: int | None = None) -> Iterator[str]:
    """Yield the tests that never ran, grouped by reason."""
    if not not_run:
        return
    yield f"\nNOT RUN ({len(not_run)})"
    reasons: dict[str, list[str]] = {}
    for test in not_run:
        reasons.setdefault(test.why, []).append(test.test_id)
    for why, ids in reasons.items():
        yield f"\n{why or 'unknown reason'}:"
        yield from (f"\n{_INDENT}{test_id}" for test_id in ids[:most])
        if most is not None and len(ids) > most:
            yield f"\n{_INDENT}and {len(ids) - most:,} more, which are in report.txt"
    yield f"\n{'-' * width}"
