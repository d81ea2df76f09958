# SPDX-License-Identifier: Apache-2.0
"""Reads and creates archives as streams."""

from __future__ import annotations

import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, cast

from ducktape.cluster.copy.tar_commands import BLOCK

_ZEROS = bytes(BLOCK)
_PIECE = 256 * 1024
_LONGEST_NAME = 1024 * 1024
_LONGEST_NOISE = 256 * 1024
_LONG_NAME = b"L"
# Limit of the padding of an archive
_MOST_EMPTY = 4096
END = bytes(2 * BLOCK)
# Places in the map of a sparse file: of the first piece, number of pieces, and whether another block follows
_IN_HEADER = (386, 4, 482)
_IN_EXTENSION = (0, 21, 504)
_SPARSE_LENGTH = slice(483, 495)
# Limit of the pieces of sparse files
_MOST_EXTENSIONS = 50_000
_LONGEST_SPARSE = 1 << 62


class StreamEnded(EOFError):
    """The stream ended too early."""


class PieceReader:
    """Reads exact numbers of bytes from a stream; ``read`` returns its next piece, ``b""`` at the end."""

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._piece = memoryview(b"")

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield the next bytes as they arrive; raises :class:`StreamEnded` if there are fewer."""
        while size > 0:
            if not self._piece:
                self._piece = memoryview(self._read())
                if not self._piece:
                    raise StreamEnded("the stream ended early")
            taken, self._piece = self._piece[:size], self._piece[size:]
            size -= len(taken)
            yield taken

    def exactly(self, size: int) -> bytes:
        if size <= len(self._piece):
            taken, self._piece = self._piece[:size], self._piece[size:]
            return bytes(taken)
        return b"".join(self.pieces(size))

    def skip(self, size: int) -> None:
        for _ in self.pieces(size):
            pass

    def skip_to_mark(self, mark: bytes) -> bool:
        """Skip to the end of a marker; returns whether it was found."""
        noise = b""
        while len(noise) < _LONGEST_NOISE:
            piece = self._read()
            if not piece:
                return False
            noise += piece
            _, found, after = noise.partition(mark)
            if found:
                self._piece = memoryview(after)
                return True
        return False

    def rest(self) -> bytes:
        """Return the next piece, ``b""`` at the end."""
        piece, self._piece = bytes(self._piece), memoryview(b"")
        return piece or self._read()

    def whole_rest(self, most: int) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while piece := self.rest():
            size += len(piece)
            if size > most:
                raise OSError(f"the stream goes on after {most} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    def unzipped(self) -> PieceReader:
        machine = zlib.decompressobj(31)

        def read() -> bytes:
            while not machine.eof:
                # Limited: small input may decompress to very much output
                compressed = machine.unconsumed_tail or self.rest()
                if not compressed:
                    raise StreamEnded("the compressed stream ended early")
                try:
                    piece = machine.decompress(compressed, _PIECE)
                except zlib.error as error:
                    raise OSError(f"this is no compressed stream: {error}") from error
                if piece:
                    return piece
            return b""

        return PieceReader(read)


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


def _read_sparse(header: bytes, size: int, reader: PieceReader) -> Sparse:
    """Read the map of a sparse file after its header; raises ``OSError`` if it is invalid."""
    pieces, more = _sparse_pieces(header, _IN_HEADER)
    extensions = 0
    while more:
        extensions += 1
        if extensions > _MOST_EXTENSIONS:
            raise OSError("this is not an archive: a file has too many holes")
        found, more = _sparse_pieces(reader.exactly(BLOCK), _IN_EXTENSION)
        pieces += found
    length = _number(header[_SPARSE_LENGTH])
    position = 0
    for offset, count in pieces:
        if offset < position or count < 0:
            raise OSError("this is not an archive: the pieces of a file overlap")
        position = offset + count
    if not position <= length < _LONGEST_SPARSE or sum(count for _, count in pieces) != size:
        raise OSError("this is not an archive: the pieces of a file are not the whole of it")
    return Sparse(tuple(pieces), length)


def _sparse_pieces(block: bytes, place: tuple[int, int, int]) -> tuple[list[tuple[int, int]], bool]:
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


@dataclass(frozen=True)
class Member:
    """A member of an archive, whose content follows and has to be read or skipped."""

    name: str
    size: int  # of the content in the archive
    is_file: bool  # a regular file
    is_directory: bool
    sparse: Sparse | None = None


class MemberReader:
    """Reads a sequence of archives and of messages, which start with a mark; ``is_between`` after an archive's end."""

    def __init__(self, reader: PieceReader, mark: bytes) -> None:
        self._reader = reader
        self._mark = mark
        self.is_between = False

    def next(self) -> Member | list[str]:
        """Return the next member, or the words of a message."""
        long_name = None
        empty = 0
        while True:
            block = self._reader.exactly(BLOCK)
            self.is_between = block == _ZEROS
            if self.is_between:
                empty += 1
                if empty > _MOST_EMPTY:
                    raise OSError("this is not an archive: it goes on after its end")
                continue
            if block.startswith(self._mark):
                return block[len(self._mark) :].decode(errors="replace").split()
            info = _header(block)
            if info.type == _LONG_NAME:
                if info.size > _LONGEST_NAME:
                    raise OSError(f"the archive has a name of {info.size} bytes")
                raw = self._reader.exactly(padded(info.size))[: info.size]
                long_name = raw.rstrip(b"\0").decode("utf-8", "surrogateescape")
                continue
            name = info.name if long_name is None else long_name
            sparse = _read_sparse(block, info.size, self._reader) if info.type == tarfile.GNUTYPE_SPARSE else None
            return Member(name, info.size, info.isreg(), info.isdir(), sparse)

    def members(self) -> Iterator[Member]:
        """Yield all members of the last archive; raises :class:`StreamEnded` if it is truncated."""
        while True:
            try:
                item = self.next()
            except StreamEnded:
                if not self.is_between:
                    raise
                return
            if not isinstance(item, Member):
                raise OSError("there is a text in the middle of the archive")
            yield item

    def content(self, member: Member) -> Iterator[memoryview | int]:
        """Yield the content of a file in pieces, and the lengths of holes as numbers."""
        if member.sparse is None:
            yield from self._reader.pieces(member.size)
        else:
            yield from member.sparse.spread(self._reader.pieces)
        self._reader.skip(padded(member.size) - member.size)

    def skip(self, member: Member) -> None:
        self._reader.skip(padded(member.size))


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.TarError as error:
        raise OSError(f"this is not an archive: {error}") from error
    if info.size < 0:
        raise OSError(f"this is not an archive: a member has a size of {info.size}")
    return info


def padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def header(name: str, size: int) -> bytes:
    """Return the header of a file, without mode, owner and time."""
    info = tarfile.TarInfo(name)
    info.mode = 0o666
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def archive(files: Iterator[tuple[str, str]], failed: Callable[[str, OSError], None]) -> Iterator[bytes]:
    """Yield the bytes of an archive of local files, given as names in it and paths; ``failed`` gets errors."""
    for name, path in files:
        try:
            file = open(path, "rb")  # noqa: SIM115  # closed below
        except OSError as error:
            failed(path, error)
            continue
        with file:
            yield from _entry(name, path, file, failed)
    yield END


def _entry(name: str, path: str, file: IO[bytes], failed: Callable[[str, OSError], None]) -> Iterator[bytes]:
    size = missing = os.fstat(file.fileno()).st_size
    yield header(name, size)
    try:
        # The size was sent already: cut off a growing file, and pad a shrinking one
        while missing and (piece := file.read(min(missing, _PIECE))):
            missing -= len(piece)
            yield piece
        if missing:
            failed(path, OSError(f"{path} lost {missing} bytes while it was copied"))
    except OSError as error:
        failed(path, error)
    while missing:
        filler = bytes(min(missing, _PIECE))
        missing -= len(filler)
        yield filler
    yield bytes(padded(size) - size)


class Pulled:
    """Pieces as the input of a command, created on demand."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, size: int = -1) -> bytes:
        """Return the next piece, of any size; ``b""`` at the end."""
        return next((piece for piece in self._pieces if piece), b"")

    @classmethod
    def file(cls, pieces: Iterator[bytes]) -> IO[bytes]:
        """Return pieces as a readable file."""
        return cast("IO[bytes]", cls(pieces))
