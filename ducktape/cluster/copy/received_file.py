# SPDX-License-Identifier: Apache-2.0
"""Writes received files to the driver's disk: keeps holes, and prevents a full disk."""

from __future__ import annotations

import errno
import os
import stat
from types import TracebackType
from typing import IO

from ducktape.utils.support.files import NO_ROOM

# Kept part of a file without room
KEPT_BYTES = 1024 * 1024
_PIECE = 1024 * 1024
_ZEROS = bytes(_PIECE)
# Shorter runs of zeros are written
_SHORTEST_HOLE = 4096
# The rest of the disk is reserved for small files and reports
_UNWATCHED = 16 * 1024 * 1024
_RESERVE = 256 * 1024 * 1024
_RESERVED_SHARE = 20


class ReceivedFile:
    """Writes received data into a new or truncated file of the driver.

    On a full disk, or a nearly full one for a large file, only its beginning is kept, and an error is raised: other
    logs and the reports need the room.
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
        size = len(piece)
        # Most pieces are known not to be zero by their ends
        may_be_hole = self._is_regular and size >= _SHORTEST_HOLE and not piece[0] and not piece[-1]
        if may_be_hole and all(piece[at : at + _PIECE] == _ZEROS[: size - at] for at in range(0, size, _PIECE)):
            self.skip(size)
            return
        left = memoryview(piece)
        try:
            self._watch(size)
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            self._length = min(KEPT_BYTES, self._length)
            if self._is_regular:
                self._file.truncate(self._length)
            text = f"{error.strerror} on the driver: only the first {self._length} bytes were kept"
            raise OSError(error.errno, text, self._path) from error
        self._length += size

    def skip(self, size: int) -> None:
        """Add a hole."""
        if not self._is_regular:
            for start in range(0, size, _PIECE):
                self._file.write(_ZEROS[: size - start])
            return
        self._file.seek(size, os.SEEK_CUR)
        self._length += size

    def finish(self) -> None:
        """Set the length of the file, which a hole at the end does not."""
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
        self._written += size
        if self._written < self._watched_at or not self._is_regular:
            return
        self._watched_at = self._written + _UNWATCHED
        disk = os.fstatvfs(self._file.fileno())
        free, whole = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
        if whole and free < min(_RESERVE, whole // _RESERVED_SHARE):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def receive_file(source: IO[bytes], path: str) -> None:
    """Copy an open local file up to its current size."""
    with ReceivedFile(path) as target:
        size = os.fstat(source.fileno()).st_size
        position = 0
        # Files without a size, as below /proc, are read to their end
        while position < size or not size:
            try:
                begin = os.lseek(source.fileno(), position, os.SEEK_DATA)
            except OSError as error:
                # Only a hole is left, or the file system does not support this
                begin = os.fstat(source.fileno()).st_size if error.errno == errno.ENXIO else position
            begin = max(begin, position)
            source.seek(begin)
            if begin > position:
                target.skip(min(begin, size) - position)
                position = source.seek(min(begin, size))
                continue
            piece = source.read(min(_PIECE, size - position) if size else _PIECE)
            if not piece:
                return
            target.write(piece)
            position += len(piece)


def _open(path: str, flags: int) -> int:
    # Opening a pipe would block
    return os.open(path, flags | os.O_NONBLOCK, 0o666)
