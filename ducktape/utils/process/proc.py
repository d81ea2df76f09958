# SPDX-License-Identifier: Apache-2.0
"""What Linux reports in ``/proc``, and what a process can change about itself.

The sandbox's processes load this without site-packages and are copied for every node: standard library only.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Collection, Iterator
from typing import NamedTuple

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37

_FIELD_OF_START = 19  # the 22nd of the file, counted from the one after the name

_libc = ctypes.CDLL(None, use_errno=True)


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
        return int(self.fields[1])


def read_stat(pid: int | str) -> Stat | None:
    """Return the state of a process, ``None`` if there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            name, _, rest = file.read().partition("(")[2].rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return Stat(name, rest.split())


def start_of(pid: int) -> str:
    """Return when a living process started, in ticks since the boot; empty if there is none of that number."""
    stat = read_stat(pid)
    return "" if stat is None or stat.is_dead else stat.fields[_FIELD_OF_START]


class Mount(NamedTuple):
    """A mount, as in ``/proc/self/mountinfo``."""

    root: str  # of the file system, that is visible there
    place: str
    flags: list[str]
    kind: str
    options: list[str]  # of the file system

    @classmethod
    def of(cls, line: str) -> Mount:
        """Return the mount that a line describes."""
        # Spaces and a few other characters are escaped, but a path may have others that split() takes for spaces, and
        # the source may be empty
        words = line.rstrip("\n").split(" ")
        words = [re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), word) for word in words]
        kind, _, options = words[words.index("-") + 1 :][:3]
        return cls(words[3], words[4], words[5].split(","), kind, options.split(","))


def mounts() -> Iterator[Mount]:
    """Yield the mounts in this process's namespace."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        yield from map(Mount.of, file)


def _set(option: int, value: int | bytes) -> None:
    if sys.platform.startswith("linux"):
        _libc.prctl(option, value, 0, 0, 0)


def adopt_orphans(*, adopt: bool = True) -> None:
    """Become the parent of every descendant whose own parent dies (Linux: "child subreaper"), or end that."""
    _set(_PR_SET_CHILD_SUBREAPER, int(adopt))


def adopts_orphans() -> bool:
    """Return whether this process becomes the parent of orphans."""
    answer = ctypes.c_int()
    if sys.platform.startswith("linux"):
        _libc.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0)
    return bool(answer.value)


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


def detach_descriptors(keep: Collection[int]) -> None:
    """Let all open descriptors but some lead to the null device, and the standard streams too.

    They are not closed: file objects that still have their numbers must not write into files that are opened later.
    """
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for number in sorted({0, 1, 2, *map(int, os.listdir("/proc/self/fd"))}):
        if number != null and number not in keep:
            os.dup2(null, number, inheritable=number <= 2)
