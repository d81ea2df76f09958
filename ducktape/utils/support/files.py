# SPDX-License-Identifier: Apache-2.0
"""Atomic writes, locks, and reads that cannot hang."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import math
import os
import select
import stat
import time
from collections.abc import Iterable, Iterator

from ducktape.utils.support.times import Deadline

# Errors of a full disk, quota or file
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


# Some network disks have no locks, or none for directories
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF})
_SECONDS_BETWEEN_ATTEMPTS = 0.05
_LONGEST_SILENCE_SEC = 5.0
_MOST_OF_A_STREAM = 16 << 20


def read_text(path: str | os.PathLike[str]) -> str:
    """Return the text of a file in UTF-8, without a byte order mark.

    Pipes, such as ``<(command)`` of a shell, and ``/dev/null`` are read, too, with limits of time and size.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        os.close(descriptor)
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if stat.S_ISREG(mode):
        with open(descriptor, encoding="utf-8-sig") as file:
            return file.read()
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        return _read_stream(stream.fileno(), path).decode("utf-8-sig")


def _read_stream(descriptor: int, path: str | os.PathLike[str]) -> bytes:
    """Return the data of a pipe or device, with limits of time and size."""
    content = bytearray()
    deadline = time.monotonic() + _LONGEST_SILENCE_SEC
    while time.monotonic() < deadline and len(content) <= _MOST_OF_A_STREAM:
        try:
            block = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            select.select([descriptor], [], [], _SECONDS_BETWEEN_ATTEMPTS)
            continue
        if block:
            content += block
            deadline = time.monotonic() + _LONGEST_SILENCE_SEC
        elif content or not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return bytes(content)
        else:
            time.sleep(_SECONDS_BETWEEN_ATTEMPTS)  # not yet opened for writing
    problem = "nothing more comes out of this pipe or device" if time.monotonic() >= deadline else "it does not end"
    raise OSError(errno.EINVAL, problem, os.fspath(path))


def write_atomically(path: str | os.PathLike[str], data: str | bytes | Iterable[str]) -> None:
    """Replace the content of a file in one step.

    Readers see the old content or the new one. An existing file keeps its permissions, a symbolic link stays a link
    and its target is replaced. After a failure the old file is as it was. Line ends stay unchanged; what UTF-8 cannot
    express (lone surrogates) becomes an escape sequence.
    """
    pieces: Iterable[str | bytes] = [data] if isinstance(data, (str, bytes)) else data
    target = os.path.realpath(path)
    # A short name, since the target's name may already have the maximum length
    temporary = os.path.join(os.path.dirname(target), f".{os.getpid()}-{time.monotonic_ns():x}.tmp")
    try:
        mode = stat.S_IMODE(os.stat(target).st_mode)
    except FileNotFoundError:
        mode = None
    try:
        # Private until it has the mode of the old file, since it may contain passwords
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                os.chmod(temporary, mode)
            for piece in pieces:
                file.write(piece.encode("utf-8", "backslashreplace") if isinstance(piece, str) else piece)
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def read_start(path: str | os.PathLike[str], most: int) -> str:
    """Return at most ``most`` bytes of an untrusted regular file; never blocks."""
    with os.fdopen(open_to_read(path), "rb") as file:
        return file.read(most).decode("utf-8", "replace")


def open_to_read(path: str | os.PathLike[str]) -> int:
    """Open a regular file and return its descriptor; never blocks, and raises ``OSError`` for other kinds."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    raise OSError(errno.EINVAL, "It is a named pipe or a device, not a file", os.fspath(path))


def without_waiting(path: str, flags: int) -> int:
    """The ``opener`` for :func:`open` that fails for a named pipe without a reader, instead of blocking."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)


def lock(descriptor: int, wait_sec: float) -> None:
    """Lock a file or directory while a descriptor is open; raises ``BlockingIOError`` after ``wait_sec``."""
    deadline = Deadline(wait_sec)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if deadline.is_over:
                raise
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return
            raise
        time.sleep(_SECONDS_BETWEEN_ATTEMPTS)


@contextlib.contextmanager
def locked_directory(path: str, *, wait_sec: float = math.inf) -> Iterator[bool]:
    """Lock a directory within a block, and yield whether no other process holds the lock after ``wait_sec``.

    The lock leaves no file and ends with its process. A directory that cannot be opened is not locked.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield True
        return
    try:
        try:
            lock(descriptor, wait_sec)
            is_ours = True
        except BlockingIOError:
            is_ours = False
        yield is_ours
    finally:
        os.close(descriptor)
