# SPDX-License-Identifier: Apache-2.0
"""What Linux tells about processes in ``/proc``, and what a process can change about itself.

The sandbox's processes load this without site-packages and are copied for every node: standard library only.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Callable
from typing import NamedTuple

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36


class Stat(NamedTuple):
    """``/proc/<pid>/stat`` of one process."""

    name: str  # at most 15 bytes, chosen by the process
    fields: list[str]  # what follows the name, beginning with the state

    @property
    def is_dead(self) -> bool:
        """Whether it has ended and only waits to be reaped."""
        return self.fields[0] in "ZX"

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped by a signal or a debugger."""
        return self.fields[0] in "Tt"

    @property
    def parent(self) -> int:
        """Process id of its parent."""
        return int(self.fields[1])


def read_stat(pid: int | str) -> Stat | None:
    """Return the state of a process, ``None`` if there is none.

    Raises:
        OSError: it cannot be read, for another reason.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            name, _, rest = file.read().partition("(")[2].rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return Stat(name, rest.split())


@functools.cache
def _prctl() -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    function: Callable[..., int] | None = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)
    return function


def _set(option: int, value: int | bytes) -> None:
    prctl = _prctl()
    if prctl is not None:
        prctl(option, value, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies (Linux: "child subreaper")."""
    _set(_PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(sig: int) -> None:
    """Ask for a signal when the parent of this process dies (Linux only)."""
    _set(_PR_SET_PDEATHSIG, int(sig))


def set_name(name: str) -> None:
    """Change the name that others see of this process, at most 15 bytes (Linux only); call it in the main thread."""
    _set(_PR_SET_NAME, name.encode())


def close_descriptors(keep: int) -> None:
    """Close all descriptors but the standard streams and one more."""
    highest = os.sysconf("SC_OPEN_MAX")
    os.closerange(3, keep)
    os.closerange(keep + 1, highest if highest > 0 else 4096)


def detach_standard_streams() -> None:
    """Redirect the standard streams to the null device: whoever reads those of the parent must not wait for us."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for number in range(3):
        os.dup2(null, number)
    if null > 2:
        os.close(null)
