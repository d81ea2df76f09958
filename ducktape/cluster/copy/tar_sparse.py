# SPDX-License-Identifier: Apache-2.0
"""Sparse files in archives of GNU tar, with a map before the data."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from ducktape.cluster.copy.tar_commands import BLOCK

_IN_HEADER = (386, 4, 482)
_IN_EXTENSION = (0, 21, 504)
_LENGTH = slice(483, 495)
# Limit of pieces
_MOST_EXTENSIONS = 50_000
_LONGEST = 1 << 62


class _Reader(Protocol):
    def exactly(self, size: int) -> bytes:
        """Return the next bytes."""


@dataclass(frozen=True)
class Sparse:
    """The map of a sparse file: offsets and sizes of its data, ascending, and the length of the file."""

    pieces: tuple[tuple[int, int], ...]
    length: int

    def spread(self, data: Callable[[int], Iterator[memoryview]]) -> Iterator[memoryview | int]:
        """Yield data, and the lengths of holes as numbers."""
        position = 0
        for offset, size in self.pieces:
            if offset > position:
                yield offset - position
            yield from data(size)
            position = offset + size
        if self.length > position:
            yield self.length - position


def read_sparse(header: bytes, size: int, reader: _Reader) -> Sparse:
    """Read the map of a sparse file after its header.

    Raises:
        OSError: it is invalid.
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
    """Return the offsets and sizes in a block, and whether another one follows."""
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
