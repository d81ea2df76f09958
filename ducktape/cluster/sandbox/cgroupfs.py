# SPDX-License-Identifier: Apache-2.0
"""Control groups and the groups in them, as directories: held against others, let run, and removed.

This module is loaded by a process that is copied for every node, so it imports as little as possible.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time

_MOST_PATIENCE = 10.0  # for a busy machine


def read(path: str) -> str:
    """Return what a file of a group says; nothing if it cannot be read."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""


def write(path: str, text: str) -> None:
    """Write into a file of a group."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def hold(path: str, *, make: bool = False) -> int | None:
    """Lock a group, in a way that processes of other containers see.

    Args:
        path: of the group.
        make: make it if it is not there.

    Returns:
        The descriptor that holds it; ``None`` if somebody else does, or it is not there.
    """
    while True:
        if make:
            os.makedirs(path, exist_ok=True)
        try:
            held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            if make:
                continue
            return None
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)
            return None
        # It may have been removed before it was locked, and another one made
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(path), os.fstat(held)):
                return held
        os.close(held)


def thaw(path: str) -> None:
    """Let the processes of a group and of the groups in it run, so that they can die."""
    for directory, _, names in os.walk(path):
        for name, text in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
            if name in names:
                with contextlib.suppress(OSError):
                    write(f"{directory}/{name}", text)


def remove_tree(path: str) -> bool:
    """Remove a group and the groups in it; ends processes that are still there, and waits a moment for their death.

    Returns:
        Whether it is gone.
    """
    deadline = time.monotonic() + _MOST_PATIENCE
    while not _is_removed(path):
        if time.monotonic() > deadline:
            return False
        thaw(path)
        for directory, _, _ in os.walk(path):
            for pid in read(f"{directory}/cgroup.procs").split():
                if pid != "0":  # one of another container, which has no number here: 0 would mean ourselves
                    with contextlib.suppress(OSError):
                        os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.005)
    return True


def _is_removed(path: str) -> bool:
    for directory, _, _ in os.walk(path, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(directory)
    return not os.path.exists(path)
