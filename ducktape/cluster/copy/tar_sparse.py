# SPDX-License-Identifier: Apache-2.0
"""Files with holes in archives of GNU tar: a map of the data stands before it."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from ducktape.cluster.copy.tar_commands import BLOCK

_IN_HEADER = (386, 4, 482)
_IN_EXTENSION = (0, 21, 504)
_LENGTH = slice(483, 495)
# A file of so many pieces is no log.
_MOST_EXTENSIONS = 50_000
_LONGEST = 1 << 62


class _Reader(Protocol):
    def exactly(self, size: int) -> bytes:
        """The next bytes."""


@dataclass(frozen=True)
class Sparse:
    """Where the data of a file with holes belongs.

    Attributes:
        pieces: offsets and sizes, ascending.
        length: of the whole file.
    """

    pieces: tuple[tuple[int, int], ...]
    length: int

    def spread(self, data: Callable[[int], Iterator[memoryview]]) -> Iterator[memoryview | int]:
        """The data in its places; numbers are the lengths of holes."""
        position = 0
        for offset, size in self.pieces:
            if offset > position:
                yield offset - position
            yield from data(size)
            position = offset + size
        if self.length > position:
            yield self.length - position


def read_sparse(header: bytes, size: int, reader: _Reader) -> Sparse:
    """Read the map of a file with holes.

    Args:
        header: of the file.
        size: of its data.
        reader: stands behind the header.

    Raises:
        OSError: it makes no sense.
    """
    pieces, more = _entries(header, _IN_HEADER)
    extensions = 0
    while more:
        extensions += 1
        if extensions > _MOST_EXTENSIONS:
            raise OSError("this is not an archive: a file has too many holes")
        found, more = _entries(reader.exactly(BLOCK), _IN_EXTENSION)
        pieces += found
    length = _number(header[_LENGTH])
    position = 0
    for offset, count in pieces:
        if offset < position or count < 0:
            raise OSError("this is not an archive: the pieces of a file overlap")
        position = offset + count
    if not position <= length < _LONGEST or sum(count for _, count in pieces) != size:
        raise OSError("this is not an archive: the pieces of a file are not the whole of it")
    return Sparse(tuple(pieces), length)


def _entries(block: bytes, place: tuple[int, int, int]) -> tuple[list[tuple[int, int]], bool]:
    """The offsets and sizes in a block, and whether there are more in the next one."""
    start, count, more = place
    entries = []
    for at in range(start, start + 24 * count, 24):
        offset, size = _number(block[at : at + 12]), _number(block[at + 12 : at + 24])
        if size:
            entries.append((offset, size))
    return entries, bool(block[more])


def _number(field: bytes) -> int:
    try:
        return tarfile.nti(field)  # type: ignore[attr-defined,no-any-return]  # the stubs leave it out
    except tarfile.TarError as error:
        raise OSError(f"this is not an archive: {error}") from error
