# SPDX-License-Identifier: Apache-2.0
"""Helper processes that debuggers do not follow.

A debugger that follows subprocesses patches ``os``, ``subprocess`` and ``_posixsubprocess``, and adds itself to the
command line of every Python program. That is useful for tests but not for helpers, whose children would wait for the
debugger. The functions of ``posix`` are not patched.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any

from ducktape.utils.support.times import Deadline

_SECONDS_BETWEEN_LOOKS = 0.005
_FIRST_FREE_DESCRIPTOR = 3


def fork_untraced() -> int:
    """Fork an untraced process; returns like ``os.fork``."""
    import posix

    pid = posix.fork()
    if not pid:
        sys.settrace(None)
        sys.setprofile(None)
        monitoring: Any = getattr(sys, "monitoring", None)  # Python 3.12 and later
        for tool in range(6) if monitoring is not None else ():
            if monitoring.get_tool(tool) is not None:
                monitoring.set_events(tool, 0)
    return pid


class UntracedProcess:
    """A program that was started by :func:`start_untraced`, with this end of its three streams."""

    def __init__(self, pid: int, streams: tuple[IO[bytes], IO[bytes], IO[bytes]]) -> None:
        self.pid = pid
        self.stdin, self.stdout, self.stderr = streams
        self._status: int | None = None

    def poll(self) -> int | None:
        """The exit status, negative if a signal ended it; ``None`` while it runs."""
        if self._status is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # already reaped
                self._status = 0
            else:
                self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        """Block until it has ended, or raise ``subprocess.TimeoutExpired``; returns its exit status."""
        deadline = Deadline(timeout)
        while (status := self.poll()) is None:
            if deadline.is_over:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        return status

    def kill(self) -> None:
        """Kill it unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def start_untraced(arguments: Sequence[str], environment: Mapping[str, str]) -> UntracedProcess:
    """Start a program with pipes, in a session of its own and with exactly this environment."""
    import posix

    with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
        streams: list[IO[bytes]] = []
        actions = []
        for number in range(3):
            reader, writer = map(_above_the_standard_streams, os.pipe())
            here, there = (writer, reader) if number == 0 else (reader, writer)
            theirs.callback(os.close, there)
            streams.append(ours.enter_context(os.fdopen(here, "rb" if number else "wb")))
            actions.append((os.POSIX_SPAWN_DUP2, there, number))
        pid = posix.posix_spawn(arguments[0], list(arguments), dict(environment), file_actions=actions, setsid=True)
        ours.pop_all()
    return UntracedProcess(pid, (streams[0], streams[1], streams[2]))


def _above_the_standard_streams(descriptor: int) -> int:
    """Return a descriptor above 2; without standard streams, pipes get their numbers."""
    if descriptor >= _FIRST_FREE_DESCRIPTOR:
        return descriptor
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE_DESCRIPTOR)
    os.close(descriptor)
    return moved
