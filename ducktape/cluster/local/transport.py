# SPDX-License-Identifier: Apache-2.0
"""Commands as local processes: the transport that needs nothing."""

from __future__ import annotations

import subprocess
from collections import deque
from typing import Any

from ducktape.cluster.account.detached import Leftovers, StreamHandle
from ducktape.cluster.local.command import LocalCommand, home_directory
from ducktape.cluster.local.files import LocalFiles
from ducktape.cluster.transport import CommandStream, Stdin, Transport


class LocalTransport(Transport):
    """Runs commands as processes of this machine, with the behaviour of a login over SSH.

    Each command is a session of its own, so a Ctrl-C at the terminal never reaches it. Nothing here needs a thread.
    """

    is_local = True

    def __init__(self) -> None:
        self._unreaped: deque[subprocess.Popen[bytes]] = deque()
        self._leftovers = Leftovers()

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._unreaped = deque()
        self._leftovers = Leftovers()

    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> CommandStream:
        """Start a process; see :meth:`Transport.stream`."""
        self._leftovers.tidy()
        self._reap()
        started = LocalCommand(
            command, stdin=stdin, merge_stderr=merge_stderr, timeout=timeout, survivors=self._unreaped
        )
        return StreamHandle(started, self._leftovers)

    @property
    def files(self) -> LocalFiles:
        """The local file system."""
        return LocalFiles(home_directory())

    def close(self) -> None:
        """Close what is left of dropped commands, and collect the processes that have ended; running ones go on."""
        self._leftovers.close()
        self._reap()

    def _reap(self) -> None:
        # A process that outlives its stream becomes a zombie at its end until somebody asks for its status.
        for _ in range(len(self._unreaped)):
            try:
                process = self._unreaped.popleft()
            except IndexError:
                return
            if process.poll() is None:
                self._unreaped.append(process)
