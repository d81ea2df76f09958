# SPDX-License-Identifier: Apache-2.0
"""Runs commands as local processes."""

from __future__ import annotations

import subprocess
from collections import deque

from ducktape.cluster.account.detached import Leftovers, StreamHandle
from ducktape.cluster.local.command import LocalCommand, home_directory
from ducktape.cluster.local.files import LocalFiles
from ducktape.cluster.transport import CommandStream, Stdin, Transport


class LocalTransport(Transport):
    """Runs commands as processes of this machine, like a login over SSH.

    Each command has a session of its own, so a Ctrl-C at the terminal does not reach it.
    """

    is_local = True

    def __init__(self) -> None:
        self._unreaped: deque[subprocess.Popen[bytes]] = deque()
        self._leftovers = Leftovers()

    def __reduce__(self) -> tuple[type[LocalTransport], tuple[()]]:
        # Copies know nothing of the commands of this one
        return type(self), ()

    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> CommandStream:
        self._leftovers.tidy()
        self._reap()
        started = LocalCommand(
            command, stdin=stdin, merge_stderr=merge_stderr, timeout=timeout, survivors=self._unreaped
        )
        return StreamHandle(started, self._leftovers)

    @property
    def files(self) -> LocalFiles:
        return LocalFiles(home_directory())

    def close(self) -> None:
        """Close the streams of dropped commands and reap ended processes; running ones keep running."""
        self._leftovers.close()
        self._reap()

    def _reap(self) -> None:
        # Processes that outlive their stream become zombies, and have to be reaped
        for _ in range(len(self._unreaped)):
            try:
                process = self._unreaped.popleft()
            except IndexError:
                return
            if process.poll() is None:
                self._unreaped.append(process)
