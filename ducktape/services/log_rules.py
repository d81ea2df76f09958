# SPDX-License-Identifier: Apache-2.0
"""Rules for the logs of services: lines that must not be there, whatever the test itself checks."""

from __future__ import annotations

import dataclasses
import fnmatch
import os
import re
import reprlib

from ducktape.errors import DucktapeError


@dataclasses.dataclass(frozen=True)
class LogRule:
    """One rule of :attr:`ducktape.services.service.Service.log_rules`; made by :func:`bad`.

    Attributes:
        pattern: the lines that are bad contain it.
        unless: those that contain this are not; ``None`` if there are no exceptions.
        file: pattern of the shell for the names of the files that are searched; ``None`` for all.
    """

    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None = None
    file: str | None = None

    def matches(self, line: str) -> bool:
        """Return whether a line of a log is bad."""
        return self.pattern.search(line) is not None and (self.unless is None or self.unless.search(line) is None)

    def applies_to(self, path: str) -> bool:
        """Return whether a file, by its path on any machine, is searched."""
        return self.file is None or fnmatch.fnmatchcase(os.path.basename(path), self.file)


def bad(
    pattern: str | re.Pattern[str], *, unless: str | re.Pattern[str] | None = None, file: str | None = None
) -> LogRule:
    """Return a rule: lines of the service's logs that contain a pattern are findings.

    Args:
        pattern: regular expression, searched anywhere in a line.
        unless: regular expression; lines that also contain this are no findings.
        file: pattern of the shell such as ``server.log*`` for the names of files; all logs of the service by default.

    Raises:
        DucktapeError: a regular expression is invalid.
    """
    if not isinstance(file, (str, type(None))):
        raise DucktapeError(f"bad(file=...) is the name of a log such as 'server.log', not {reprlib.repr(file)}")
    return LogRule(compiled(pattern), None if unless is None else compiled(unless), file)


def compiled(pattern: str | re.Pattern[str]) -> re.Pattern[str]:
    """Return a regular expression for the lines of logs.

    Args:
        pattern: the expression, as text or compiled.

    Raises:
        DucktapeError: it is invalid, or for bytes.
    """
    try:
        expression = re.compile(pattern)
    except (re.error, TypeError, OverflowError, RecursionError) as error:
        raise DucktapeError(f"Wrong pattern for logs {reprlib.repr(pattern)}: {error}") from None
    if not isinstance(expression.pattern, str):
        raise DucktapeError(f"Wrong pattern for logs {reprlib.repr(pattern)}: write it as text, not as bytes")
    return expression
