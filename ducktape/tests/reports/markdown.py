# SPDX-License-Identifier: Apache-2.0
"""Results as Markdown: the ``report.md`` of a session, for comments, chats and the summary of a CI job."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ducktape import __version__
from ducktape.tests.reports.html import reason_of, verdict
from ducktape.tests.reports.places import failure_of, logs_of
from ducktape.tests.reports.text import excerpt, finding_line, format_time, headline, visible
from ducktape.tests.status import FAIL, FLAKY, PASS
from ducktape.utils.support.text import one_line

if TYPE_CHECKING:
    from ducktape.tests.result import TestResult, TestResults

# CI servers take a megabyte at most, and nobody reads that much
_MOST_BYTES = 250_000
_MOST_ROWS = 100
_MOST_SUMMARIES = 20
_LONGEST_SUMMARY = 4_000
_LONGEST_CELL = 200
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


def render(results: TestResults, expected_test_count: int | None = None, directory: str | None = None) -> str:
    """Return the text of ``report.md``; paths are relative if they are below the directory."""
    text = ""
    size = 0
    for block in _blocks(results, expected_test_count, directory):
        size += len(block.encode("utf-8", "backslashreplace"))
        if size > _MOST_BYTES:
            return f"{text}The rest is left out: see `report.html`.\n"
        text += block
    return text


def code(text: str, longest: int = _LONGEST_CELL) -> str:
    """Return a text as code in one line, in which nothing is markup, also within a table."""
    line = one_line(visible(text), longest)
    if not line:
        return ""
    if any(mark in line for mark in "|`\\"):
        return f"<code>{_PUNCTUATION.sub(lambda mark: f'&#{ord(mark[0])};', line)}</code>"
    return f"`{line}`"


def _blocks(results: TestResults, expected_test_count: int | None, directory: str | None) -> Iterator[str]:
    """Yield the parts of the report, each of which can be left out together with those after it."""
    session = code(str(results.session_context.session_id))
    took = format_time(results.run_time_seconds)
    yield f"## {verdict(results, expected_test_count)}\n\nSession {session}, {took}, ducktape {__version__}\n\n"
    failed = [result for result in results if result.test_status == FAIL]
    yield from _table("Failed", ("Test", "Reason", "Error", "Where"), (_failure(each, directory) for each in failed))
    found = ([_name(each), code(finding_line(finding))] for each in results for finding in each.findings)
    yield from _table("Findings", ("Test", "Finding"), found)
    if results.unhealthy_nodes:
        yield from _table("Unhealthy nodes", ("Node",), ([code(str(node))] for node in results.unhealthy_nodes))
    flaky = [result for result in results if result.test_status == FLAKY]
    yield from _table("Flaky", ("Test", "Error"), ([_name(each), code(headline(each.summary))] for each in flaky))
    missing = ([code(test.test_id), code(test.why)] for test in results.not_run)
    yield from _table("Not run", ("Test", "Why"), missing)
    broken = [each for each in results if each.teardown_errors and each.test_status == PASS]
    errors = ([_name(each), code(headline(each.teardown_errors[0]))] for each in broken)
    yield from _table("Passed with errors in the teardown", ("Test", "Error"), errors)
    for result in failed[:_MOST_SUMMARIES]:
        yield _summary(result, results, directory)
    if len(failed) > _MOST_SUMMARIES:
        yield f"The tracebacks of {len(failed) - _MOST_SUMMARIES:,} more failed tests are in `report.html`.\n"


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield a heading and a table, row by row; nothing without a row."""
    number = 0
    for number, row in enumerate(rows, start=1):
        if number == 1:
            yield f"### {title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n"
        if number <= _MOST_ROWS:
            yield f"| {' | '.join(row)} |\n"
    if number:
        yield f"\nand {number - _MOST_ROWS:,} more\n\n" if number > _MOST_ROWS else "\n"


def _name(result: TestResult) -> str:
    return code(result.test_id.removeprefix(f"{result.module_name}."))


def _failure(result: TestResult, directory: str | None) -> list[str]:
    place = failure_of(result, directory)
    where = "" if place is None else place.file if place.line is None else f"{place.file}:{place.line}"
    return [_name(result), code(reason_of(result)), code(headline(result.summary)), code(where)]


def _summary(result: TestResult, results: TestResults, directory: str | None) -> str:
    """Return what can be unfolded for a failed test."""
    text = html.escape(visible(excerpt(result.summary, _LONGEST_SUMMARY, "report.txt")), quote=False)
    # From its first line to an empty one, this is markup in which there is no Markdown
    name = html.escape(one_line(visible(result.test_id), _LONGEST_CELL), quote=False)
    logs = logs_of(result, results, directory)
    return (
        f"<details>\n<summary><code>{name}</code></summary>\n\n"
        f"<pre>\n{text}\n</pre>\n\n{f'Logs: {code(logs)}' if logs else 'No logs'}\n\n</details>\n\n"
    )
