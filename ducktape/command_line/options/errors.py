# SPDX-License-Identifier: Apache-2.0
"""Errors of the command line: each is one line for the user, and an exit code."""

from __future__ import annotations

import sys

from ducktape.errors import DucktapeError


class CommandError(DucktapeError):
    """The program cannot go on, for a reason that its user can fix; some messages belong to standard output."""

    exit_code = 1

    def __init__(self, message: str, *, on_stdout: bool = False) -> None:
        super().__init__(message)
        self._on_stdout = on_stdout

    def show(self) -> None:
        """Print the message."""
        print(self, file=sys.stdout if self._on_stdout else sys.stderr)


class UsageError(CommandError):
    """An option is wrong; the message names it, and the file and line if it is in a file."""

    exit_code = 2

    def __init__(self, message: str, *, usage: str = "", program: str = "ducktape") -> None:
        super().__init__(message)
        self._usage = usage
        self._program = program

    def show(self) -> None:
        """Print the usage, if there is one, and the message."""
        print(f"{self._usage}{self._program}: error: {self}", file=sys.stderr)
