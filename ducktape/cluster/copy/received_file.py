# SPDX-License-Identifier: Apache-2.0
"""Files on the driver's disk that fill with what a node sends: holes stay holes, and the disk does not run full."""

from __future__ import annotations

import errno
import os
import stat
from types import TracebackType
from typing import IO

from ducktape.utils.support.files import NO_ROOM

# What is kept of a file for which there is no room.
KEPT_BYTES = 1024 * 1024
_PIECE = 1024 * 1024
_ZEROS = bytes(_PIECE)
# A run of zeros that is shorter takes its room, as it does on most disks.
_SHORTEST_HOLE = 4096
# Small files always find room: the last bit of the disk is kept for them and for the reports.
_UNWATCHED = 16 * 1024 * 1024
_RESERVE = 256 * 1024 * 1024
_RESERVED_SHARE = 20


class ReceivedFile:
    """Writes what a node sends into a file of the driver, which is made or emptied.

    When the disk is full, or nearly so while the file is a large one, no more than its beginning is kept, and an error
    says so: other logs and the reports need the room.

    Args:
        path: of the file.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = open(path, "wb", buffering=0, opener=_open)  # noqa: SIM115  # closed by __exit__
        os.set_blocking(self._file.fileno(), True)
        self._is_regular = stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
        self._length = 0
        self._watched_at = _UNWATCHED
        self._written = 0

    def write(self, piece: bytes | memoryview) -> None:
        """Add the next bytes.

        Raises:
            OSError: the disk does not take them.
        """
        size = len(piece)
        if self._is_regular and size >= _SHORTEST_HOLE and _is_zero(piece):
            self.skip(size)
            return
        left = memoryview(piece)
        try:
            self._watch(size)
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            if error.errno in NO_ROOM:
                raise self._cut(error) from error
            raise
        self._length += size

    def skip(self, size: int) -> None:
        """Add zeros that take no room."""
        if not self._is_regular:
            for start in range(0, size, _PIECE):
                self._file.write(_ZEROS[: size - start])
            return
        self._file.seek(size, os.SEEK_CUR)
        self._length += size

    def finish(self) -> None:
        """Give the file its length, which a hole at the end does not."""
        if self._is_regular:
            self._file.truncate(self._length)

    def __enter__(self) -> ReceivedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if kind is None:
                self.finish()

    def _watch(self, size: int) -> None:
        """Look now and then whether the disk will soon be full."""
        self._written += size
        if self._written < self._watched_at or not self._is_regular:
            return
        self._watched_at = self._written + _UNWATCHED
        disk = os.fstatvfs(self._file.fileno())
        free, whole = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
        if whole and free < min(_RESERVE, whole // _RESERVED_SHARE):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _cut(self, error: OSError) -> OSError:
        kept = min(KEPT_BYTES, self._length)
        if self._is_regular:
            self._file.truncate(kept)
        self._length = kept
        text = f"{error.strerror} on the driver: only the first {kept} bytes were kept"
        return OSError(error.errno, text, self._path)


def receive_file(source: IO[bytes], path: str) -> None:
    """Copy an open file of this machine to another one; what it gains meanwhile stays out.

    Args:
        source: the file.
        path: of the copy.

    Raises:
        OSError: it cannot be read, or not be written.
    """
    with ReceivedFile(path) as target:
        size = os.fstat(source.fileno()).st_size
        position = 0
        # Without a size, as below /proc, it is read to its end.
        while position < size or not size:
            begin = _next_data(source, position)
            if begin > position:
                target.skip(min(begin, size) - position)
                position = source.seek(min(begin, size))
                continue
            piece = source.read(min(_PIECE, size - position) if size else _PIECE)
            if not piece:
                return
            target.write(piece)
            position += len(piece)


def _next_data(source: IO[bytes], position: int) -> int:
    """Where the next bytes are that take room; the end of the file if there are none."""
    try:
        begin = os.lseek(source.fileno(), position, os.SEEK_DATA)
    except OSError as error:
        # Nothing but a hole to the end; or a file system that does not tell.
        begin = os.fstat(source.fileno()).st_size if error.errno == errno.ENXIO else position
    source.seek(max(begin, position))
    return max(begin, position)


def _open(path: str, flags: int) -> int:
    # A pipe in its place would be waited for, for ever.
    return os.open(path, flags | os.O_NONBLOCK, 0o666)


def _is_zero(piece: bytes | memoryview) -> bool:
    if piece[0] or piece[-1]:
        return False
    return all(piece[start : start + _PIECE] == _ZEROS[: len(piece) - start] for start in range(0, len(piece), _PIECE))
