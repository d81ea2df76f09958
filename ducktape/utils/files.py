# SPDX-License-Identifier: Apache-2.0
"""Files that are never seen half-written."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterable

# What a disk says that is full, or full for this user or this file
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def write_atomically(path: str | os.PathLike[str], data: str | bytes | Iterable[str]) -> None:
    """Replace the content of a file in one step.

    Readers see the old content or the new one. An existing file keeps its permissions, a symbolic link stays a link
    and its target is replaced. After a failure the old file is as it was.

    Args:
        path: the file, in an existing directory.
        data: the whole content, or text in pieces. Text is written as UTF-8 with its line ends unchanged, and what
            UTF-8 cannot express (lone surrogates) as an escape sequence.

    Raises:
        OSError: the directory is missing or not writable, or the disk is full.
    """
    pieces: Iterable[str | bytes] = [data] if isinstance(data, (str, bytes)) else data
    target = os.path.realpath(path)
    # A short name of its own: the target's name may already have the greatest length that is allowed
    temporary = os.path.join(os.path.dirname(target), f".{os.getpid()}-{time.monotonic_ns():x}.tmp")
    try:
        with os.fdopen(_create(temporary, like=target), "wb") as file:
            for piece in pieces:
                file.write(piece.encode("utf-8", "backslashreplace") if isinstance(piece, str) else piece)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def read_start(path: str | os.PathLike[str], most: int) -> str:
    """Return the beginning of a file that somebody else may have put there: never waits, never takes more than asked.

    Args:
        path: of the file.
        most: bytes.

    Raises:
        OSError: there is no such file, or it is a pipe, a device or a directory.
    """
    # Opening a pipe that nobody writes to would wait for ever
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
        return file.read(most).decode("utf-8", "replace")


def _create(path: str, *, like: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        mode = stat.S_IMODE(os.stat(like).st_mode)
    except FileNotFoundError:
        return os.open(path, flags, 0o666)
    # Private until the mode is that of the old file: what is replaced may hold passwords
    descriptor = os.open(path, flags, 0o600)
    try:
        os.chmod(path, mode)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
