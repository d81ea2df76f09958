# SPDX-License-Identifier: Apache-2.0
"""Errors of the command line: each is one line for the user, and an exit code."""

from __future__ import annotations

import sys

from ducktape.errors import DucktapeError


class CommandError(DucktapeError):
    """The program cannot go on, for a reason that its user can fix; some messages belong to standard output.

    ``option`` is the name of the option with the wrong value.
    """

    exit_code = 1

    def __init__(self, message: str, *, on_stdout: bool = False, option: str = "") -> None:
        super().__init__(message)
        self._on_stdout = on_stdout
        self.option = option

    def show(self, place: str = "") -> None:
        """Print the message, with the place of the option if it comes from a file."""
        hint = f" (--{self.option.replace('_', '-')} is in {place})" if place else ""
        print(f"{self}{hint}", file=sys.stdout if self._on_stdout else sys.stderr)


class UsageError(CommandError):
    """An option is wrong; the message names it, and the file and line if it is in a file."""

    exit_code = 2

    def __init__(self, message: str, *, help_command: str = "") -> None:
        super().__init__(message)
        self._help_command = help_command

    def show(self, place: str = "") -> None:
        """Print the message, and which command describes the options."""
        hint = f" (see {self._help_command})" if self._help_command else ""
        print(f"ducktape: error: {self}{hint}", file=sys.stderr)
