# SPDX-License-Identifier: Apache-2.0
"""Processes of this machine: who their parents are, and how they end.

On Linux a process can adopt the orphans among its descendants and can ask for a signal when its own parent dies. Both
are used so that nothing a test started outlives it. Elsewhere these requests do nothing, and process groups remain.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


@functools.cache
def _prctl() -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    function: Callable[..., int] | None = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)
    return function


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies (Linux: "child subreaper")."""
    prctl = _prctl()
    if prctl is not None:
        prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_with_parent(sig: signal.Signals) -> None:
    """Ask for a signal when the parent of this process dies (Linux only).

    Args:
        sig: the signal to be sent to this process.
    """
    prctl = _prctl()
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, int(sig), 0, 0, 0)


def child_pids() -> set[int]:
    """Return the process ids of this process's direct children, dead ones included while nobody waited for them."""
    try:
        pids: set[int] = set()
        for thread in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{thread}/children", encoding="ascii") as file:
                pids.update(int(pid) for pid in file.read().split())
        return pids
    except OSError:
        import psutil

        return {process.pid for process in psutil.Process().children()}


def signal_group(pid: int, sig: signal.Signals) -> None:
    """Send a signal to the process group that a process leads, or to the process alone if it leads none.

    Args:
        pid: the process; it may be gone.
        sig: the signal.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, sig)
        else:
            os.kill(pid, sig)


def end_processes(pids: Callable[[], Iterable[int]], *, grace_sec: float) -> list[str]:
    """End processes and all their descendants, politely first; blocks until they are gone or it is hopeless.

    Args:
        pids: tells which processes are there; asked again after each round, since a process may fork while it is ended.
        grace_sec: seconds between SIGTERM and SIGKILL; 0 means SIGKILL at once.

    Returns:
        A short description of each process that had to be ended.
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
        _signal_all(victims, signal.SIGTERM if polite else signal.SIGKILL)
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


def _signal_all(processes: Iterable[psutil.Process], sig: signal.Signals) -> None:
    import psutil

    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(sig)


def _describe(process: psutil.Process) -> str:
    """Name a process; an empty text for one that is dead already and was only not waited for."""
    import psutil

    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return ""
        return f"{process.pid} ({' '.join(process.cmdline())[:200] or process.name()})"
    except psutil.Error:
        return ""


class Orphans:
    """What dead children of this process left running: it becomes this process's own, where the system allows that.

    A child that leads a session of its own can be told by it: whatever it started, and however deep, is in some session
    but never in this process's own one.
    """

    def __init__(self) -> None:
        adopt_orphans()
        self._not_orphans = child_pids()

    def end_all(self, *, keep: set[int]) -> list[str]:
        """Kill them; blocks until they are gone.

        Args:
            keep: children that are meant to run.

        Returns:
            A short description of each.
        """
        own_session = os.getsid(0)
        kept = keep | self._not_orphans

        def orphans() -> list[int]:
            return [pid for pid in child_pids() - kept if _session_of(pid) not in (None, own_session)]

        return end_processes(orphans, grace_sec=0) if orphans() else []


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None
