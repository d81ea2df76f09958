# SPDX-License-Identifier: Apache-2.0
"""Finds and ends the processes of a test on this machine.

On Linux a process can adopt the orphans among its descendants and can request a signal for the death of its parent, so
that no process outlives its test. The driver adopts: it knows its own children and reaps all others, so that tests see
no zombies. Other systems only have process groups.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from ducktape.utils.process.proc import adopt_orphans, adopts_orphans, read_stat

if TYPE_CHECKING:
    import psutil

T = TypeVar("T")

_MARK_VARIABLE = "DUCKTAPE_TEST_PROCESS"


def child_pids(of: int | None = None) -> set[int]:
    """Return the process ids of the direct children of a process (this one by default), including zombies."""
    parent = "self" if of is None else str(of)
    try:
        pids: set[int] = set()
        for thread in os.listdir(f"/proc/{parent}/task"):
            with open(f"/proc/{parent}/task/{thread}/children", encoding="ascii") as file:
                pids.update(int(pid) for pid in file.read().split())
        return pids
    except OSError:  # not Linux, or a kernel without this file
        import psutil

        with contextlib.suppress(psutil.Error):
            return {process.pid for process in psutil.Process(of).children()}
        return set()


@dataclasses.dataclass(frozen=True)
class Family:
    """All processes that one test started: in the session of ``leader``, or with ``mark`` in their environment."""

    mark: str
    leader: int

    def found(self) -> None:
        """Set the mark in this process, the leader."""
        os.environ[_MARK_VARIABLE] = self.mark

    def members(self, pids: Iterable[int]) -> list[int]:
        mark = f"{_MARK_VARIABLE}={self.mark}".encode()
        found = []
        for pid in pids:
            if _session_of(pid) == self.leader:
                found.append(pid)
                continue
            with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
                if mark in file.read().split(b"\0"):
                    found.append(pid)
        return found


def of_this_test(pids: Iterable[int]) -> list[int]:
    """Return the processes that this test has started; outside of a test, all but this one and its ancestors."""
    spared, parent = {os.getpid()}, os.getppid()
    while parent > 1 and parent not in spared:
        spared.add(parent)
        stat = read_stat(parent)
        parent = stat.parent if stat is not None else 0
    others = [pid for pid in pids if pid not in spared]
    mark = os.environ.get(_MARK_VARIABLE)
    return others if mark is None else Family(mark, os.getsid(0)).members(others)


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def signal_group(pid: int, sig: signal.Signals) -> None:
    """Send a signal to the process group that a process leads, or to the process alone; it may have ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, sig)
        else:
            os.kill(pid, sig)


def end_processes(pids: Callable[[], Iterable[int]], *, grace_sec: float) -> list[str]:
    """End processes and their descendants, by SIGTERM and after ``grace_sec`` by SIGKILL; returns their descriptions.

    Blocks until they are gone, or five rounds have failed; each asks for the processes again, as they may fork.
    """
    import psutil

    ended: dict[int, str] = {}
    for attempt in range(5):
        victims = _with_descendants(pids())
        for victim in victims:
            ended.setdefault(victim.pid, _describe(victim))
        if not victims:
            break
        polite = attempt == 0 and grace_sec > 0
        for victim in victims:
            with contextlib.suppress(psutil.Error):
                victim.send_signal(signal.SIGTERM if polite else signal.SIGKILL)
        psutil.wait_procs(victims, timeout=grace_sec if polite else 2)
    return [description for description in ended.values() if description]


def _with_descendants(pids: Iterable[int]) -> list[psutil.Process]:
    import psutil

    found: dict[int, psutil.Process] = {}
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            for each in [process, *process.children(recursive=True)]:
                found[each.pid] = each
    return list(found.values())


def _describe(process: psutil.Process) -> str:
    """Return a short description of a process; empty for a zombie."""
    import psutil

    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return ""
        return f"{process.pid} ({' '.join(process.cmdline())[:200] or process.name()})"
    except psutil.Error:
        return ""


class Orphans:
    """Processes that tests left behind, which this process adopts.

    A test's process leads a session of its own, so its descendants are never in the session of this process.
    """

    def __init__(self) -> None:
        self._not_orphans: set[int] = set()
        self._adopted_before = False

    def adopt(self) -> None:
        """Start adopting; existing children are not orphans."""
        self._adopted_before = adopts_orphans()
        adopt_orphans()
        self._not_orphans |= child_pids()

    def release(self) -> None:
        """Stop adopting, unless this process did so before: who runs tests as a library reaps no strangers."""
        adopt_orphans(adopt=self._adopted_before)

    def not_from(self, work: Callable[[], T]) -> T:
        """Call a function whose child processes are not orphans, such as the tunnels of a cluster."""
        before = child_pids()
        try:
            return work()
        finally:
            self._not_orphans |= child_pids() - before

    def pids(self, *, keep: set[int]) -> list[int]:
        """Return the process ids of orphans, except ``keep``."""
        own_session = os.getsid(0)
        strangers = child_pids() - self._not_orphans - keep
        return [pid for pid in strangers if _session_of(pid) not in (None, own_session)]

    def reap(self, *, keep: set[int]) -> None:
        """Reap dead orphans, except ``keep``; never blocks."""
        for pid in self.pids(keep=keep):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
