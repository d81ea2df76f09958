# SPDX-License-Identifier: Apache-2.0
"""The files in the directory of a test, with the last lines of logs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

from ducktape.utils.support.files import open_to_read

_MOST_FILES = 200
_DEEPEST = 8
_LONGEST_TAIL = 3_000
_RAREST_ZERO = 20
# Reports, which are about the test, and what is no text
_NOT_LOGS = frozenset({"report.json", "report.txt", "data.json", "events.json"})
_NO_TEXT = (".tgz", ".gz", ".zip", ".zst", ".xz", ".bz2", ".jfr", ".hprof", ".dump")


class LogFile(NamedTuple):
    """A file: its path as seen from the directory of the test, its size, and its end if that was wanted."""

    path: str
    bytes: int
    tail: str


def log_files(directory: str, *, tail_bytes: int = 0) -> list[LogFile]:
    """Return the first files below a directory, sorted by their paths; symbolic links are not followed.

    Args:
        directory: the directory of the test; if it cannot be read, there are no files.
        tail_bytes: how much of the ends of all files there may be; ``0`` is nothing.
    """
    found: list[LogFile] = []
    for path in _paths(directory, ""):
        if len(found) == _MOST_FILES:
            break
        with contextlib.suppress(OSError):
            size, tail = end_of_file(
                os.path.join(directory, path), 0 if path.endswith(_NO_TEXT) else min(tail_bytes, _LONGEST_TAIL)
            )
            tail_bytes -= len(tail)
            found.append(LogFile(path, size, tail))
    return found


def size_text(number: int) -> str:
    """Return a number of bytes as ``512 B``, ``1.5 kB`` or ``20 MB``."""
    value, unit = float(number), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"


def _paths(directory: str, below: str) -> Iterator[str]:
    """Yield files before directories: what is about the whole test comes first."""
    folders: list[str] = []
    with contextlib.suppress(OSError), os.scandir(os.path.join(directory, below)) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            path = os.path.join(below, entry.name)
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif entry.is_file(follow_symlinks=False) and (below or entry.name not in _NOT_LOGS):
                yield path
    if below.count(os.sep) < _DEEPEST:
        for folder in folders:
            yield from _paths(directory, folder)


def end_of_file(path: str, most: int) -> tuple[int, str]:
    """Return the size of a regular file and its last whole lines within a number of bytes."""
    with os.fdopen(open_to_read(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if most <= 0:
            return size, ""
        file.seek(max(0, size - most))
        content = file.read(most)
    # A machine that loses its power may leave zeros in a text; in other files they are frequent
    if content.count(0) * _RAREST_ZERO > len(content):
        return size, ""
    content = content.replace(b"\0", b"")
    if size > most:
        content = content[content.find(b"\n") + 1 :]
    return size, content.decode("utf-8", "replace")
