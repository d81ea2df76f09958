# SPDX-License-Identifier: Apache-2.0
"""Control groups as directories: reads, writes, locks, thaws and removes them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator

_WAIT_SEC = 10.0  # for a busy machine


def read(path: str) -> str:
    """Return the content of a file of a group; empty if it cannot be read."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def hold(path: str, *, make: bool = False) -> int | None:
    """Lock a group, also against other containers; returns the descriptor, ``None`` if it is locked or missing."""
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
        # It may have been replaced by another one before it was locked
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(path), os.fstat(held)):
                return held
        os.close(held)


@contextlib.contextmanager
def unused(path: str) -> Iterator[bool]:
    """Lock an existing group within a block, and yield whether nobody else had locked it."""
    held = hold(path)
    try:
        yield held is not None
    finally:
        if held is not None:
            os.close(held)


def thaw(path: str) -> None:
    """Thaw a group and its subgroups, so that their processes can die."""
    for directory, _, names in os.walk(path):
        for name, text in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
            if name in names:
                with contextlib.suppress(OSError):
                    write(f"{directory}/{name}", text)


def remove_tree(path: str) -> bool:
    """Remove a group with its subgroups and kill their processes; returns whether it is gone in time."""
    deadline = time.monotonic() + _WAIT_SEC
    while True:
        for directory, _, _ in os.walk(path, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(directory)
        if not os.path.exists(path):
            return True
        if time.monotonic() > deadline:
            return False
        thaw(path)
        for directory, _, _ in os.walk(path):
            for pid in read(f"{directory}/cgroup.procs").split():
                if pid != "0":  # 0 is a process of another pid namespace
                    with contextlib.suppress(OSError):
                        os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.005)
