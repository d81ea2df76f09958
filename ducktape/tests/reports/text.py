# SPDX-License-Identifier: Apache-2.0
"""One result as plain text, and the phrases that all reports share."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Protocol

from ducktape.json_serializable import strict_dumps
from ducktape.tests.status import FAIL, IGNORE

DEFAULT_SEPARATOR_WIDTH = 100
_INDENT = "    "
_LONGEST_HEADLINE = 400
_MOST_FINDINGS = 20
# Where the first line of a text is looked for that says something
_BEGINNING = 1 << 16

# Control characters other than tab and newline, halves of characters and what is none: XML cannot contain most of
# them, not even as references, and browsers drop, reinterpret or refuse them
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

# Lines of a summary of several runs that say nothing about the failure
_UNINFORMATIVE = re.compile(r"\s*|runs? \d+(, \d+)* summary:|~+|passed \d+ of \d+ runs")


class ResultText(Protocol):
    """A ``TestResult``, which writes its own report with this module and so cannot be imported here."""

    @property
    def test_id(self) -> str: ...
    @property
    def test_status(self) -> object: ...
    @property
    def run_time_seconds(self) -> float: ...
    @property
    def summary(self) -> str: ...
    @property
    def data(self) -> object: ...
    @property
    def runs(self) -> Mapping[str, int] | None: ...
    @property
    def attempts(self) -> Sequence[Mapping[str, object]]: ...
    @property
    def teardown_errors(self) -> Sequence[str]: ...
    @property
    def findings(self) -> Sequence[Mapping[str, object]]: ...
    @property
    def results_dir(self) -> str: ...


def format_time(t: float) -> str:
    """Spell seconds as ``0.123 seconds`` or ``60 minutes 0.000 seconds``; negative is unknown, shown as 0."""
    # Rounded before it is split: 59.9996 is one minute and not 60.000 seconds
    milliseconds = round(max(float(t), 0.0) * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    seconds = f"{rest / 1000:.3f} seconds"
    if not minutes:
        return seconds
    return f"{minutes} minute{'' if minutes == 1 else 's'} {seconds}"


def visible(text: str) -> str:
    r"""Return the text with every character that markup cannot contain escaped, such as ``\x1b``."""

    def escaped(match: re.Match[str]) -> str:
        code = ord(match[0])
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"

    return _UNPRINTABLE.sub(escaped, text.replace("\r\n", "\n"))


def headline(summary: str, longest: int = _LONGEST_HEADLINE) -> str:
    """Return the first line of a summary that is not empty, shortened to a number of characters."""
    lines = (line for line in summary[:_BEGINNING].split("\n") if not _UNINFORMATIVE.fullmatch(line))
    line = next(lines, "")
    return line if len(line) <= longest else f"{line[:longest]}..."


def excerpt(text: str, limit: int, whole_text: str = "") -> str:
    """Return a text, or its beginning and end with a line between them about the rest, and where the whole text is."""
    if len(text) <= limit:
        return text
    half = limit // 2
    near = half - half // 4  # cuts are made at the end of a line if there is one near
    start = text.rfind("\n", near, half)
    start = half if start < 0 else start
    end = text.find("\n", len(text) - half, len(text) - near)
    end = len(text) - half if end < 0 else end + 1
    place = f"; all of them are in {whole_text}" if whole_text else ""
    note = f"[... {end - start:,} characters are left out{place} ...]"
    return f"{text[:start]}\n{note}\n{text[end:]}"


def fitting_limit(lengths: Collection[int], budget: int, limits: Sequence[int]) -> int:
    """Return the first of some limits, largest first, within which texts fit a budget, or else the last one."""
    fitting = (limit for limit in limits if sum(min(length, limit) for length in lengths) <= budget)
    return next(fitting, limits[-1])


def verdict_text(*, total: int, passed: int, failed: int, flaky: int, ignored: int, news: str = "") -> str:
    """Return in words how a session went, such as ``2 of 300 tests failed, 1 did not run``.

    ``news`` says how many of the failures are new. ``total`` is the number of tests that were to run.
    """
    if failed:
        said = [f"{failed:,} of {total:,} {'test' if total == 1 else 'tests'} failed", *filter(None, [news])]
    elif passed == total:
        return f"All {total:,} tests passed" if total > 1 else "The test passed" if total else "No tests ran"
    else:
        said = [f"No test failed, {passed:,} of {total:,} passed"]
    said += [f"{count:,} {name}" for name, count in (("flaky", flaky), ("ignored", ignored)) if count]
    if missing := total - passed - failed - flaky - ignored:
        said.append(f"{missing:,} did not run")
    return ", ".join(said)


def rate(runs: Mapping[str, int]) -> str:
    """Return how often a test passed, as ``passed 3 of 5 runs``."""
    return f"passed {runs.get('passed', 0)} of {sum(runs.values())} runs"


def finding_line(finding: Mapping[str, object]) -> str:
    """Return one finding in one line."""
    subject = " on ".join(str(finding[name]) for name in ("service", "node") if finding.get(name))
    place = ":".join(str(finding[name]) for name in ("file", "line") if finding.get(name))
    said = " ".join(visible(str(finding.get("text") or "")).split())
    count = finding.get("count")
    repeated = f" ({count:,} times)" if isinstance(count, int) and count > 1 else ""
    return ": ".join(part for part in (subject, place, said) if part) + repeated


def findings_paragraph(findings: Sequence[Mapping[str, object]]) -> str:
    """Return what a summary says about findings; empty without any."""
    lines = [f"  {finding_line(finding)}" for finding in findings[:_MOST_FINDINGS]]
    if len(findings) > _MOST_FINDINGS:
        lines.append(f"  and {len(findings) - _MOST_FINDINGS} more")
    return "\n".join(["Findings:", *lines]) if lines else ""


def attempt_nodes(attempt: Mapping[str, object]) -> str:
    """Return the names of the nodes of one attempt, separated by commas."""
    nodes = attempt.get("nodes")
    return ", ".join(map(str, nodes)) if isinstance(nodes, (list, tuple)) else ""


def attempt_line(attempt: Mapping[str, object]) -> str:
    """Return one attempt at a test in one line."""
    line = f"{attempt.get('number')}. {str(attempt.get('status')).upper()}"
    if attempt.get("reason"):
        line += f" ({attempt['reason']})"
    if nodes := attempt_nodes(attempt):
        line += f" on {nodes}"
    if attempt.get("directory"):
        line += f", logs in {attempt['directory']}"
    said = headline(str(attempt.get("summary") or ""))
    return f"{line}: {said}" if said else line


def result_text(result: ResultText) -> str:
    """Return the block of one result: with its summary if it failed or was left out, with its data if it has any."""
    return "".join(result_pieces(result))


def result_pieces(result: ResultText, shortened: Callable[[str], str] = str) -> Iterator[str]:
    """Yield the same text piece by piece, with each text that may be long as ``shortened`` returns it."""
    yield f"test_id:    {result.test_id}"
    yield f"\nstatus:     {str(result.test_status).upper()}"
    yield f"\nrun time:   {format_time(result.run_time_seconds)}"
    if result.runs:
        yield f"\nruns:       {rate(result.runs)}"
    if result.attempts:
        yield f"\nattempts:   {len(result.attempts)}"
        yield from (f"\n{_INDENT}{attempt_line(attempt)}" for attempt in result.attempts)
    if result.test_status == FAIL or (result.test_status == IGNORE and result.summary):
        yield f"\n\n\n{_INDENT}"
        yield shortened(result.summary)
    elif result.findings:
        yield f"\n\n\n{findings_paragraph(result.findings)}"
    if result.teardown_errors:
        yield "\n\n\nteardown errors:"
        for error in result.teardown_errors:
            yield f"\n{_INDENT}"
            yield shortened(error)
    if result.data is not None:
        yield "\n"
        yield shortened(strict_dumps(result.data))


def result_report(result: ResultText, width: int = DEFAULT_SEPARATOR_WIDTH) -> str:
    """Return the ``report.txt`` of one test: a line of ``width`` characters, then the block of the result."""
    return "".join(result_report_pieces(result, width))


def result_report_pieces(result: ResultText, width: int = DEFAULT_SEPARATOR_WIDTH) -> Iterator[str]:
    """Yield the same text in pieces."""
    yield f"{'=' * width}\n"
    yield from result_pieces(result)
