# SPDX-License-Identifier: Apache-2.0
"""Waiting for a line in a log."""

from __future__ import annotations

from typing import Any

from ducktape.cluster.remote_errors import RemoteCommandError
from ducktape.cluster.transport import framework_commands
from ducktape.utils.util import wait_until

# grep does not understand the pattern; the shell cannot run grep; there is no grep.
_GREP_TROUBLE = (2, 126, 127)


class LogMonitor:
    """Looks for patterns in what was written to a log after a certain place.

    Args:
        acct: the account of the machine.
        log: path of the log; expanded by the shell.
        offset: bytes at the begin of the log that are ignored.
    """

    def __init__(self, acct: Any, log: str, offset: int) -> None:
        self.acct = acct
        self.log = log
        self.offset = offset

    def wait_until(self, pattern: str, **kwargs: Any) -> None:
        """Block until a line matches.

        Args:
            pattern: a basic regular expression of grep.
            **kwargs: of the function ``wait_until``: ``timeout_sec`` is required.

        Raises:
            TimeoutError: the framework's, with the caller's message.
            RemoteCommandError: grep refuses the pattern, or cannot be run.
        """
        quoted = pattern.replace("'", "'\\''")
        command = f"tail -c +{self.offset + 1} {self.log} | grep '{quoted}'"

        def found() -> bool:
            with framework_commands():
                status = self.acct.ssh(command, allow_fail=True)
            if status in _GREP_TROUBLE:
                raise RemoteCommandError(self.acct, command, status, "grep cannot search with this pattern")
            return bool(status == 0)

        wait_until(found, **kwargs)
