# SPDX-License-Identifier: Apache-2.0
"""What sandboxes have left whose processes were killed: found and removed.

The kernel takes back nearly everything by itself. Directories of control groups stay, and so do keys that a killed
driver had made.
"""

from __future__ import annotations

import glob
import os
import shutil
import signal
import socket
import tempfile

from ducktape.cluster import sandbox_cgroups
from ducktape.cluster.sandbox_network import HOST_LINK, Netlink

_KEYS = "ducktape-sandbox-"


def sandbox_leftovers() -> list[str]:
    """Return what is left, one line each: processes, links, control groups and keys of dead runs."""
    return [
        *(f"process {pid} holds a sandbox, but its run is dead" for pid in _lonely_keepers()),
        *(f"network link {name}" for name in _links()),
        *(f"control group {path}" for path in sandbox_cgroups.leftovers()),
        *(f"keys in {path}" for path in _keys()),
    ]


def remove_sandbox_leftovers() -> list[str]:
    """Remove it; returns what could not be removed, as :func:`sandbox_leftovers` does."""
    for pid in _lonely_keepers():
        os.kill(pid, signal.SIGKILL)
    for name in _links():
        _delete_link(name)
    for path in sandbox_cgroups.leftovers():
        sandbox_cgroups.remove_tree(path)
    for path in _keys():
        shutil.rmtree(path, ignore_errors=True)
    return sandbox_leftovers()


def _keepers() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if sandbox_cgroups.is_keeper(name)]


def _lonely_keepers() -> list[int]:
    """The keepers whose driver is not their parent any more, which ends them in a moment unless they are stopped."""
    return [pid for pid in _keepers() if _parent_of(pid) in (0, 1)]


def _parent_of(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return -1


def _links() -> list[str]:
    names = [name for _, name in socket.if_nameindex() if name.startswith(HOST_LINK)]
    return [name for name in names if not sandbox_cgroups.is_keeper(name.removeprefix(HOST_LINK))]


def _delete_link(name: str) -> None:
    netlink = Netlink()
    try:
        netlink.delete(socket.if_nametoindex(name))
    except OSError:  # it went by itself, or may not be deleted, which shows when they are listed again
        pass
    finally:
        netlink.close()


def _keys() -> list[str]:
    found = glob.glob(os.path.join(tempfile.gettempdir(), f"{_KEYS}*-*"))
    return [path for path in found if not _lives(os.path.basename(path).removeprefix(_KEYS).split("-")[0])]


def _lives(pid: str) -> bool:
    return pid.isdecimal() and os.path.exists(f"/proc/{pid}")
