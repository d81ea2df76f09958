# SPDX-License-Identifier: Apache-2.0
"""Results as plain text: the console summary and every ``report.txt``.

Lives below the results themselves, which write their own report with it, and so knows them by shape only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Protocol

from ducktape import __version__
from ducktape.tests.status import FAIL

DEFAULT_SEPARATOR_WIDTH = 100

# Control characters other than tab and newline, halves of characters and what is none: XML cannot contain most of
# them, not even as references, and browsers drop, reinterpret or refuse them
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class ResultText(Protocol):
    """What the text of one result is made from."""

    @property
    def test_id(self) -> str: ...
    @property
    def test_status(self) -> object: ...
    @property
    def run_time_seconds(self) -> float: ...
    @property
    def summary(self) -> str: ...
    @property
    def data(self) -> Any: ...


class SessionText(Protocol):
    """What the header of a summary needs to know of a session."""

    @property
    def session_id(self) -> str: ...


class ResultsText(Protocol):
    """What the text of a whole session is made from."""

    @property
    def session_context(self) -> SessionText: ...
    @property
    def run_time_seconds(self) -> float: ...
    @property
    def num_passed(self) -> int: ...
    @property
    def num_flaky(self) -> int: ...
    @property
    def num_failed(self) -> int: ...
    @property
    def num_ignored(self) -> int: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[ResultText]: ...


def format_time(t: float) -> str:
    """Spell a duration for people.

    Args:
        t: seconds; a negative value, which means unknown, counts as 0.

    Returns:
        ``0.123 seconds``, ``1 minute 1.500 seconds``, ``60 minutes 0.000 seconds``.
    """
    # Rounded before it is split: 59.9996 is one minute and not 60.000 seconds
    milliseconds = round(max(float(t), 0.0) * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    seconds = f"{rest / 1000:.3f} seconds"
    if not minutes:
        return seconds
    return f"{minutes} minute{'' if minutes == 1 else 's'} {seconds}"


def visible(text: str) -> str:
    r"""Return the text with every character that markup cannot carry spelled out, such as ``\x1b``."""
    return _UNPRINTABLE.sub(lambda match: _spelled(ord(match[0])), text.replace("\r\n", "\n"))


def _spelled(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def result_text(result: ResultText) -> str:
    """Return the block of one result, with its summary if it failed and its data if it has any."""
    lines = [
        f"test_id:    {result.test_id}",
        f"status:     {str(result.test_status).upper()}",
        f"run time:   {format_time(result.run_time_seconds)}",
    ]
    if result.test_status == FAIL:
        lines += ["", "", f"    {result.summary}"]
    if result.data is not None:
        lines.append(json.dumps(result.data))
    return "\n".join(lines)


def result_report(result: ResultText, width: int = DEFAULT_SEPARATOR_WIDTH) -> str:
    """Return the ``report.txt`` of one test: a line of ``width`` characters, then the block of the result."""
    return f"{'=' * width}\n{result_text(result)}"


def session_header(results: ResultsText, width: int = DEFAULT_SEPARATOR_WIDTH) -> str:
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
    unhealthy = getattr(results, "unhealthy_nodes", None)
    if unhealthy:
        lines.append(f"unhealthy nodes:  {', '.join(map(str, unhealthy))}")
    lines.append("=" * width)
    return "\n".join(lines)


def session_report(results: ResultsText, width: int = DEFAULT_SEPARATOR_WIDTH) -> str:
    """Return the totals of a session and the block of every result, in the order of the results."""
    return "".join(session_pieces(results, width))


def session_pieces(results: ResultsText, width: int = DEFAULT_SEPARATOR_WIDTH) -> Iterator[str]:
    """Yield the same text result by result, so that a long session is never in memory as a whole."""
    yield session_header(results, width)
    for result in results:
        yield f"\n{result_text(result)}\n{'-' * width}"
