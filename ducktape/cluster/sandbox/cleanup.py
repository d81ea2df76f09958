# SPDX-License-Identifier: Apache-2.0
"""Finds and removes the leftovers of killed sandboxes.

The kernel frees nearly everything by itself, except directories of control groups and the keys of a killed driver.
Resources that belong, or may belong, to a living run are never touched, including runs of other users and containers.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import signal
import socket
import tempfile
import time

from ducktape.cluster.sandbox import cgroups
from ducktape.cluster.sandbox.network import HOST_LINK, Netlink
from ducktape.utils.process.proc import read_stat
from ducktape.utils.support.times import Deadline

_KEYS = "ducktape-sandbox-"
_WAIT_SEC = 2.0


def sandbox_leftovers() -> list[str]:
    """Return the leftovers that this user may remove, one line each: processes, links, control groups and keys.

    An ordinary user has to call it before the process enters a user namespace, in which less is visible.
    """
    return [
        *(f"process {pid} holds a sandbox, but its run is dead" for pid in _orphaned_supervisors()),
        *(f"network link {name}" for name in _links()),
        *(f"control group {path}" for path in _groups()),
        *(f"keys in {path}" for path in _keys()),
    ]


def remove_sandbox_leftovers() -> list[str]:
    """Remove the leftovers; returns those that remain."""
    supervisors = _orphaned_supervisors()
    for pid in supervisors:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    # Their links and groups count as used until they are reaped
    deadline = Deadline(_WAIT_SEC)
    while any(cgroups.is_supervisor(str(pid)) for pid in supervisors) and not deadline.is_over:
        time.sleep(0.01)
    for name in _links():
        # Already gone, or not allowed: the next listing shows it
        with contextlib.suppress(OSError), contextlib.closing(Netlink()) as netlink:
            netlink.delete(socket.if_nametoindex(name))
    for path in _groups():
        cgroups.remove_leftover(path)
    for path in _keys():
        shutil.rmtree(path, ignore_errors=True)
    return sandbox_leftovers()


def _orphaned_supervisors() -> list[int]:
    """Return the supervisors that nobody needs any more; they end by themselves unless they are stopped."""
    return [int(name) for name in os.listdir("/proc") if cgroups.is_supervisor(name) and _is_orphaned(name)]


def _is_orphaned(pid: str) -> bool:
    try:
        stat = read_stat(pid)
        if stat is None or stat.is_dead:
            return False
        watched = _watched_by(pid)
        if not watched:
            # Old kernels have no pidfd, so only the parent is known; in a container the driver may be process 1
            with open("/proc/1/cmdline", "rb") as file:
                return stat.parent == 1 and b"ducktape" not in file.read()
    except OSError:  # it has ended, or belongs to another user
        return False
    # The driver, or after its end the processes that keep nodes
    return not any(_is_alive(process) for process in watched)


def _is_alive(pid: int) -> bool:
    stat = read_stat(pid) if pid > 0 else None
    return stat is not None and not stat.is_dead


def _watched_by(pid: str) -> list[int]:
    """Return the processes that a process watches with pidfds, -1 for those that have ended."""
    watched = []
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        with open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii", errors="replace") as file:
            watched += [int(line.split()[1]) for line in file if line.startswith("Pid:")]
    return watched


def _links() -> list[str]:
    if os.geteuid() != 0:
        return []  # ordinary users have links only in their own network namespaces
    names = [name for _, name in socket.if_nameindex() if name.startswith(HOST_LINK)]
    return [name for name in names if not cgroups.is_supervisor(name.removeprefix(HOST_LINK))]


def _groups() -> list[str]:
    found = cgroups.leftovers()
    return [path for path in found if os.access(os.path.dirname(path), os.W_OK) and not _has_strangers(path)]


def _has_strangers(path: str) -> bool:
    """Whether a group contains processes of another pid namespace."""
    for directory, _, _ in os.walk(path):
        with contextlib.suppress(OSError), open(f"{directory}/cgroup.procs", encoding="ascii") as file:
            if "0" in file.read().split():
                return True
    return False


def _keys() -> list[str]:
    found = []
    for path in glob.glob(os.path.join(tempfile.gettempdir(), f"{_KEYS}*-*")):
        pid = os.path.basename(path).split("-")[2]
        with contextlib.suppress(OSError):
            is_mine = os.geteuid() in (0, os.lstat(path).st_uid)
            if is_mine and not (pid.isdecimal() and os.path.exists(f"/proc/{pid}")):
                found.append(path)
    return found
