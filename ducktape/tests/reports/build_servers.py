# SPDX-License-Identifier: Apache-2.0
"""Lines on standard output that CI servers understand: annotations of GitHub Actions, messages of TeamCity."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ducktape.tests.reports.html import reason_of
from ducktape.tests.reports.places import failure_of, logs_of
from ducktape.tests.reports.text import headline, visible
from ducktape.tests.status import FAIL
from ducktape.utils.support.text import shorten

if TYPE_CHECKING:
    from ducktape.tests.result import TestResults

# GitHub shows that many of a step, and drops the others
_MOST_ANNOTATIONS = 10
_LONGEST_TITLE = 200
_LONGEST_MESSAGE = 1_000
_SPECIAL_TO_TEAMCITY = re.compile(r"[|'\[\]\n\r\x85\u2028\u2029]|[^\x00-\x7f]")
_TEAMCITY_NAMES = {"\n": "|n", "\r": "|r", "\x85": "|x", "\u2028": "|l", "\u2029": "|p"}


def annotations_of(results: TestResults, directory: str | None = None) -> Iterator[str]:
    """Yield the workflow commands that show the failures of a session at the lines where they arose.

    Paths are relative to the directory, which is to be that of the repository.
    """
    failed = [result for result in results if result.test_status == FAIL]
    shown = failed if len(failed) <= _MOST_ANNOTATIONS else failed[: _MOST_ANNOTATIONS - 1]
    for result in shown:
        properties = {}
        if place := failure_of(result, directory):
            properties["file"] = place.file
            if place.line is not None:
                properties["line"] = str(place.line)
        properties["title"] = shorten(result.test_id, _LONGEST_TITLE)
        message = f"{headline(result.summary, _LONGEST_MESSAGE) or 'failed'} ({reason_of(result)})"
        if logs := logs_of(result, results, directory):
            message += f"\nlogs in {logs}"
        yield _workflow_command("error", message, properties)
    if len(failed) > len(shown):
        yield _workflow_command("error", f"{len(failed) - len(shown):,} more tests failed", {"title": "ducktape"})


def warning(message: str) -> str:
    """Return the workflow command that shows a warning."""
    return _workflow_command("warning", message, {"title": "ducktape"})


def junit_import(path: str) -> str:
    """Return the service message that lets TeamCity read a JUnit file."""
    return f"##teamcity[importData type='junit' path='{_for_teamcity(path)}' parseOutOfDate='true']"


def _workflow_command(name: str, message: str, properties: dict[str, str]) -> str:
    given = ",".join(
        f"{key}={_for_github(value).replace(':', '%3A').replace(',', '%2C')}" for key, value in properties.items()
    )
    return f"::{name} {given}::{_for_github(message)}"


def _for_github(text: str) -> str:
    # A carriage return is visible as \x0d by then
    return visible(text).replace("%", "%25").replace("\n", "%0A")


def _for_teamcity(text: str) -> str:
    def escaped(match: re.Match[str]) -> str:
        mark = match[0]
        if mark in _TEAMCITY_NAMES:
            return _TEAMCITY_NAMES[mark]
        # It takes UTF-16 units, of which a character beyond the first 65,536 has two
        units = mark.encode("utf-16-be", "surrogatepass").hex()
        return f"|{mark}" if mark.isascii() else "".join(f"|0x{units[at : at + 4]}" for at in range(0, len(units), 4))

    return _SPECIAL_TO_TEAMCITY.sub(escaped, text)
