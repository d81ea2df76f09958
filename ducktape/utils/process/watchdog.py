# SPDX-License-Identifier: Apache-2.0
"""A process that kills the children of this one if it dies and they do not end by themselves.

A child requests SIGTERM for the death of its parent, and tears down then. One that is stopped, or blocked in a library,
would stay forever. The cursor of the terminal, which live progress hides, is shown again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time

from ducktape.utils.process.proc import close_descriptors, detach_standard_streams, read_stat, set_name
from ducktape.utils.process.spawn import HELD_BACK
from ducktape.utils.process.tree import Family
from ducktape.utils.process.untraced import fork_untraced

_ENDING = "dt-ending"
_SECONDS_TO_ANSWER = 3.0
_SECONDS_TO_TEAR_DOWN = 60.0
_SECONDS_BETWEEN_LOOKS = 0.1
_READ_SIZE = 1 << 12
_SHOW_CURSOR = b"\x1b[?25h"


def announce_teardown() -> None:
    """Tell the watchdog that this process has noticed the death of its parent and needs time to tear down."""
    set_name(_ENDING)


class Watchdog:
    """Kills the remaining children of this process after its death; Linux only."""

    def __init__(self) -> None:
        self.pid = 0  # 0 without one
        # Forked children have to close it, so that only this process holds it; -1 without one
        self.descriptor = -1

    def start(self) -> None:
        """Start it; errors are ignored."""
        if not sys.platform.startswith("linux"):
            return
        try:
            reader, writer = os.pipe()
        except OSError:
            return
        previous = signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
        try:
            pid = fork_untraced()
            if pid == 0:
                _guard(reader, writer)
        except OSError:
            os.close(writer)
            return
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, previous)
            os.close(reader)
        self.pid, self.descriptor = pid, writer
        os.set_blocking(writer, False)

    def watch(self, pid: int, mark: str) -> None:
        """Watch a child, which leads a session of its own, and its family with this mark."""
        self._send(f"+{pid} {mark}\n")

    def forget(self, pid: int) -> None:
        """Stop watching a child that has ended."""
        self._send(f"-{pid}\n")

    def _send(self, line: str) -> None:
        if self.descriptor >= 0:
            with contextlib.suppress(OSError):
                os.write(self.descriptor, line.encode())

    def stop(self) -> None:
        """End the watchdog; returns when it is gone."""
        if not self.pid:
            return
        # It takes a closed pipe for the death of this process
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.descriptor)
        self.pid, self.descriptor = 0, -1


def _guard(reader: int, writer: int) -> None:
    """Entry point of the watchdog; never returns."""
    code = 1
    try:
        os.setsid()
        for sig in HELD_BACK:
            signal.signal(sig, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        set_name("dt-watchdog")
        terminal = _terminal()
        if reader <= 2:  # the parent has no standard streams
            reader = fcntl.fcntl(reader, fcntl.F_DUPFD_CLOEXEC, 3)
        detach_standard_streams()
        close_descriptors(reader)
        children = _children_at_the_end(reader)
        _show_cursor(terminal)
        _end(children)
        code = 0
    finally:
        os._exit(code)


def _terminal() -> str:
    """Return the path of the terminal on standard output, empty if there is none that understands control sequences."""
    if os.environ.get("TERM", "dumb") in {"", "dumb", "unknown"}:
        return ""
    try:
        return os.ttyname(1)
    except OSError:
        return ""


def _show_cursor(terminal: str) -> None:
    if not terminal:
        return
    # Not its settings, which the shell restores, and may have changed for its prompt by now
    with contextlib.suppress(OSError):
        descriptor = os.open(terminal, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        os.write(descriptor, _SHOW_CURSOR)
        os.close(descriptor)


def _children_at_the_end(reader: int) -> dict[int, str]:
    """Track the children until the driver dies; returns the remaining ones and their marks."""
    children: dict[int, str] = {}
    buffer = b""
    while chunk := os.read(reader, _READ_SIZE):
        *lines, buffer = (buffer + chunk).split(b"\n")
        for line in lines:
            pid, _, mark = line[1:].decode().partition(" ")
            if line.startswith(b"+"):
                children[int(pid)] = mark
            else:
                children.pop(int(pid), None)
    return children


def _end(children: dict[int, str]) -> None:
    """Kill the children and their families that do not end by themselves in time."""
    start = time.monotonic()
    while children:
        elapsed = time.monotonic() - start
        for pid, mark in list(children.items()):
            stat = read_stat(pid)
            name = "" if stat is None or stat.is_dead else stat.name
            limit = _SECONDS_TO_TEAR_DOWN if name == _ENDING else _SECONDS_TO_ANSWER
            if name and elapsed < limit:
                continue
            del children[pid]
            family = Family(mark, pid).members(int(name) for name in os.listdir("/proc") if name.isdecimal())
            for member in {pid, *family} - {os.getpid()}:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(member, signal.SIGKILL)
        time.sleep(_SECONDS_BETWEEN_LOOKS)
