# SPDX-License-Identifier: Apache-2.0
"""What sandboxes have left whose processes were killed: found and removed.

The kernel takes back nearly everything by itself. Directories of control groups stay, and so do keys that a killed
driver had made. What a living run owns is never touched, nor what may belong to one that cannot be seen from here: of
another user, or in another container.
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

_KEYS = "ducktape-sandbox-"
_MOST_PATIENCE = 2.0


def sandbox_leftovers() -> list[str]:
    """Return what is left that this user may remove, one line each: processes, links, control groups and keys of dead
    runs. To be called by an ordinary user before the process enters a user namespace, in which less can be seen."""
    return [
        *(f"process {pid} holds a sandbox, but its run is dead" for pid in _lonely_keepers()),
        *(f"network link {name}" for name in _links()),
        *(f"control group {path}" for path in _groups()),
        *(f"keys in {path}" for path in _keys()),
    ]


def remove_sandbox_leftovers() -> list[str]:
    """Remove it; returns what could not be removed, as :func:`sandbox_leftovers` does."""
    _end(_lonely_keepers())
    for name in _links():
        _delete_link(name)
    for path in _groups():
        cgroups.remove_leftover(path)
    for path in _keys():
        shutil.rmtree(path, ignore_errors=True)
    return sandbox_leftovers()


def _end(keepers: list[int]) -> None:
    for pid in keepers:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    # What they held is known by them until they are gone, which is up to whoever inherited them
    deadline = time.monotonic() + _MOST_PATIENCE
    while any(cgroups.is_keeper(str(pid)) for pid in keepers) and time.monotonic() < deadline:
        time.sleep(0.01)


def _lonely_keepers() -> list[int]:
    """The keepers whose driver is dead, which ends them in a moment unless they are stopped."""
    return [int(name) for name in os.listdir("/proc") if cgroups.is_keeper(name) and _is_lonely(name)]


def _is_lonely(pid: str) -> bool:
    try:
        stat = read_stat(pid)
        if stat is None or stat.is_dead:
            return False
        driver = _watched_by(pid)
        # Before kernels let a process watch another, only the parent tells; in a container the driver may be process 1
        if driver is None:
            return stat.parent == 1 and not _is_driver("1")
    except OSError:  # it is gone by now, or its owner is somebody else
        return False
    if driver <= 0:
        return True
    stat = read_stat(driver)
    return stat is None or stat.is_dead


def _watched_by(pid: str) -> int | None:
    """The process whose end a process waits for: -1 if that has come; ``None`` if it waits for nobody's."""
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        with open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("Pid:"):
                    return int(line.split()[1])
    return None


def _is_driver(pid: str) -> bool:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return b"ducktape" in file.read()


def _links() -> list[str]:
    if os.geteuid() != 0:
        return []  # those of ordinary users are in networks of their own
    names = [name for _, name in socket.if_nameindex() if name.startswith(HOST_LINK)]
    return [name for name in names if not cgroups.is_keeper(name.removeprefix(HOST_LINK))]


def _delete_link(name: str) -> None:
    netlink = Netlink()
    try:
        netlink.delete(socket.if_nametoindex(name))
    except OSError:  # it went by itself, or may not be deleted, which shows when they are listed again
        pass
    finally:
        netlink.close()


def _groups() -> list[str]:
    found = cgroups.leftovers()
    return [path for path in found if os.access(os.path.dirname(path), os.W_OK) and not _has_strangers(path)]


def _has_strangers(path: str) -> bool:
    """Whether processes of another container are in a group, which have no number here."""
    for directory, _, _ in os.walk(path):
        with contextlib.suppress(OSError), open(f"{directory}/cgroup.procs", encoding="ascii") as file:
            if "0" in file.read().split():
                return True
    return False


def _keys() -> list[str]:
    found = glob.glob(os.path.join(tempfile.gettempdir(), f"{_KEYS}*-*"))
    return [path for path in found if _is_mine(path) and not _lives(os.path.basename(path).split("-")[2])]


def _is_mine(path: str) -> bool:
    try:
        return os.geteuid() in (0, os.lstat(path).st_uid)
    except OSError:
        return False


def _lives(pid: str) -> bool:
    return pid.isdecimal() and os.path.exists(f"/proc/{pid}")
