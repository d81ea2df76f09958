# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from ducktape.cluster.copy.extract import Receiver, Root
from ducktape.cluster.copy.tar_stream import Member, MemberReader, PieceReader, StreamEnded, archive

MARK = b"mark-1"


def in_pieces(data: bytes, size: int = 7) -> Callable[[], bytes]:
    file = io.BytesIO(data)
    return lambda: file.read(size)


def block(text: str) -> bytes:
    return f"{MARK.decode()} {text}".encode().ljust(511) + b"\n"


def packed(*entries: tuple[str, bytes, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:", format=tarfile.GNU_FORMAT) as target:
        for name, kind, content in entries:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content)
            target.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def receive(data: bytes, *roots: Root) -> dict[str, Exception | None]:
    reported: dict[str, Exception | None] = {}
    reader = MemberReader(PieceReader(in_pieces(data, 1000)), MARK)
    Receiver(list(roots), reported.__setitem__).take(reader)
    return reported


def test_exact_numbers_are_taken_from_any_pieces() -> None:
    reader = PieceReader(in_pieces(b"noise mark-1rest of it"))
    assert reader.skip_to_mark(MARK)
    assert (reader.exactly(4), b"".join(reader.pieces(3)), reader.exactly(3)) == (b"rest", b" of", b" it")
    with pytest.raises(StreamEnded):
        reader.exactly(1)


def test_a_small_stream_may_unpack_to_much() -> None:
    machine = zlib.compressobj(wbits=31)
    data = machine.compress(bytes(5_000_000)) + machine.flush()
    reader = PieceReader(in_pieces(data, 100)).unzipped()
    sizes = [len(piece) for piece in reader.pieces(5_000_000)]
    assert (sum(sizes), max(sizes) <= 256 * 1024, reader.rest()) == (5_000_000, True, b"")


def test_an_archive_is_what_tarfile_expects(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1000)
    failed: list[str] = []
    names = iter([("./" + "long/" * 40 + "a", str(tmp_path / "a")), ("./b", str(tmp_path / "absent"))])
    data = b"".join(archive(names, lambda path, error: failed.append(path)))
    with tarfile.open(fileobj=io.BytesIO(data)) as made:
        assert [(member.name, member.size) for member in made] == [("./" + "long/" * 40 + "a", 1000)]
    assert failed == [str(tmp_path / "absent")]


@pytest.mark.parametrize("name", ["../out", "/out", "./a/../../out"])
def test_nothing_is_written_outside_the_target(tmp_path: Path, name: str) -> None:
    data = packed((name, tarfile.REGTYPE, b"evil"), ("./in", tarfile.REGTYPE, b"good"))
    root = Root("/r", str(tmp_path / "target"))
    (tmp_path / "target").mkdir()
    receive(block("tree 0") + data + block("end 0") + block("done"), root)
    assert [path.name for path in tmp_path.rglob("*")] == ["target", "in"]
    assert [path for path, _ in root.errors] == [name]


def test_links_and_devices_in_an_archive_are_not_made(tmp_path: Path) -> None:
    kinds = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
    data = packed(*((f"./{number}", kind, b"") for number, kind in enumerate(kinds)))
    receive(block("tree 0") + data + block("end 0") + block("done"), Root("/r", str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_a_stream_that_ends_early_is_not_taken_for_whole(tmp_path: Path) -> None:
    data = block("tree 0") + packed(("./a", tarfile.REGTYPE, b"x" * 2000))
    for length in (512, 1024, 1600, len(data)):
        with pytest.raises(StreamEnded):
            receive(data[:length], Root("/r", str(tmp_path)))


def test_members_and_texts_alternate() -> None:
    data = block("tree 3") + packed(("./a/", tarfile.DIRTYPE, b""))[:1024] + block("done")
    reader = MemberReader(PieceReader(in_pieces(data)), MARK)
    assert [reader.next() for _ in range(3)] == [["tree", "3"], Member("./a", 0, False, True), ["done"]]


def sparse_header(pieces: list[tuple[int, int]], *, size: int, length: int) -> bytes:
    """The header of a file with holes, as GNU tar writes it."""
    info = tarfile.TarInfo("./sparse")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, size
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    fields = b"".join(b"%011o\0%011o\0" % piece for piece in pieces)
    block[386 : 386 + len(fields)] = fields
    block[483:495] = b"%011o\0" % length
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def test_holes_are_read_from_the_map_of_a_file() -> None:
    data = sparse_header([(512, 3), (1000, 2)], size=5, length=2000) + b"abcde".ljust(512, b"\0") + bytes(1024)
    reader = MemberReader(PieceReader(in_pieces(data)), MARK)
    member = reader.next()
    assert isinstance(member, Member)
    pieces = [piece if isinstance(piece, int) else bytes(piece) for piece in reader.content(member)]
    assert pieces == [512, b"abc", 485, b"de", 998]


@pytest.mark.parametrize(
    ("pieces", "size", "length"),
    [
        ([(512, 3)], 5, 2000),  # more data than places
        ([(512, 5)], 5, 100),  # behind the end
        ([(512, 3), (100, 2)], 5, 2000),  # backwards
        ([(512, 3), (513, 2)], 5, 2000),  # one over the other
    ],
)
def test_a_map_that_makes_no_sense_is_an_error(pieces: list[tuple[int, int]], size: int, length: int) -> None:
    reader = MemberReader(PieceReader(in_pieces(sparse_header(pieces, size=size, length=length))), MARK)
    with pytest.raises(OSError, match="this is not an archive: the pieces of a file"):
        reader.next()


def test_a_stream_without_an_end_ends() -> None:
    reader = MemberReader(PieceReader(lambda: bytes(4096)), MARK)
    with pytest.raises(OSError, match="it goes on after its end"):
        reader.next()
    with pytest.raises(OSError, match="the stream goes on after 1000 bytes"):
        PieceReader(lambda: b"x" * 512).whole_rest(1000)
    with pytest.raises(OSError, match="no compressed stream"):
        next(PieceReader(lambda: b"x" * 512).unzipped().pieces(1))
