# SPDX-License-Identifier: Apache-2.0
"""The keys of an SSH agent, with time limits; imports paramiko."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

import paramiko

from ducktape.utils.support.times import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

_VARIABLE = "SSH_AUTH_SOCK"
_BUSY_SEC = 0.05


class AgentError(paramiko.SSHException):
    """The SSH agent cannot be used; says where it is and why."""


class BoundedAgent(paramiko.Agent):
    """An agent with a time limit for each answer, which ``patience`` returns; every failure is an ``AgentError``."""

    def __init__(self, patience: Callable[[], float]) -> None:
        self._patience = patience
        self._deadline = Deadline(patience())
        self._place = os.environ.get(_VARIABLE, "")
        if sys.platform == "win32":
            super().__init__()
            return
        # The library would wait forever for an agent that accepts no connections, and ignore a missing one
        paramiko.agent.AgentSSH.__init__(self)
        if self._place:
            self._connect(self._connection())  # type: ignore[attr-defined]  # the stubs leave it out

    def _connection(self) -> socket.socket:
        with contextlib.ExitStack() as undo:
            sock = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            try:
                sock.settimeout(self._seconds_left())
                while True:
                    try:
                        sock.connect(self._place)
                        break
                    except BlockingIOError as error:  # the backlog is full
                        if self._deadline.is_over:
                            raise TimeoutError from error
                        time.sleep(_BUSY_SEC)
            except (OSError, ValueError) as error:
                raise self._trouble(error) from error
            undo.pop_all()
        return sock

    def _send_message(self, msg: paramiko.Message) -> tuple[int, paramiko.Message]:
        self._deadline = Deadline(self._patience())
        try:
            return super()._send_message(msg)  # type: ignore[misc,no-any-return]  # the stubs leave it out
        except AgentError:
            raise
        except (EOFError, OSError, TypeError, ValueError, paramiko.SSHException) as error:  # its answer may be anything
            raise self._trouble(error) from error

    def _read_all(self, wanted: int) -> bytes:
        conn: Any = self._conn  # type: ignore[attr-defined]  # the stubs leave it out
        data = b""
        while len(data) < wanted:
            if hasattr(conn, "settimeout"):
                conn.settimeout(self._seconds_left())
            piece = conn.recv(min(wanted - len(data), 65536))
            if not piece:
                raise EOFError("it closed the connection")
            data += piece
        return data

    def _seconds_left(self) -> float:
        return max(0.001, self._deadline.left() or 0)

    def _trouble(self, error: Exception) -> AgentError:
        reason = f"no answer within {self._deadline.seconds:.3g} seconds" if isinstance(error, TimeoutError) else error
        return AgentError(
            f"the SSH agent at {self._place} ({_VARIABLE}) cannot be used: {reason or type(error).__name__}. Start "
            f"another one, or unset {_VARIABLE}"
        )
