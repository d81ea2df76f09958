# SPDX-License-Identifier: Apache-2.0
"""Errors on a remote machine."""

from __future__ import annotations

from typing import Any

from ducktape.errors import DucktapeError
from ducktape.utils.support.text import shorten

_SHOWN_COMMAND = 200


class RemoteAccountError(DucktapeError):
    """An operation on a machine failed for the reason ``msg``; of the account, only its text is kept."""

    def __init__(self, account: object, msg: object) -> None:
        self.account_str = str(account)
        self.msg: Any = msg
        # The text instead of the account, since arguments are shown in reports and pickled
        super().__init__(self.account_str, msg)

    def __str__(self) -> str:
        return f"{self.account_str}: {self.msg}"


class RemoteCommandError(RemoteAccountError):
    """A command ended with a status other than 0; -1 when a signal ended it.

    ``msg`` is its error output, empty if that was merged into the output.
    """

    def __init__(self, account: object, cmd: str, exit_status: int, msg: object) -> None:
        super().__init__(account, msg)
        self.cmd = cmd
        self.exit_status = exit_status
        self.args = (self.account_str, cmd, exit_status, msg)

    def __str__(self) -> str:
        text = f"{self.account_str}: Command '{self.cmd}' returned non-zero exit status {self.exit_status}."
        if self.exit_status == -1:
            text += " A signal ended it."
        if self.msg:
            text += f" Remote error message: {self.msg}"
        return text

    def __repr__(self) -> str:
        command = shorten(self.cmd, _SHOWN_COMMAND)
        return f"{type(self).__name__}({self.account_str!r}, {command!r}, {self.exit_status!r})"
