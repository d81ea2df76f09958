# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.cluster.account.detached import Leftovers, StreamHandle


class Command:
    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = list(pieces)
        self.timeout: float | None = 9.0
        self.closed = False

    def read(self) -> bytes:
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def gettimeout(self) -> float | None:
        return self.timeout

    def settimeout(self, timeout: float | None) -> None:
        self.timeout = timeout

    def exit_status(self) -> int:
        return 0

    def stderr(self) -> bytes:
        return b""

    def close(self) -> None:
        self.closed = True


def test_dropping_alone_touches_nothing() -> None:
    command = Command(b"x")
    StreamHandle(command, Leftovers())
    assert (command.closed, command.pieces, command.timeout) == (False, [b"x"], 9.0)


def test_what_was_read_in_part_is_closed() -> None:
    leftovers, command = Leftovers(), Command(b"x", b"y")
    StreamHandle(command, leftovers).read()
    leftovers.tidy()
    assert (command.closed, command.pieces) == (True, [b"y"])


def test_what_was_never_read_is_emptied_without_waiting_and_closed_at_its_end() -> None:
    leftovers, command = Leftovers(), Command(b"x", b"y", TimeoutError(), b"z")
    StreamHandle(command, leftovers)
    leftovers.tidy()
    assert (command.closed, command.pieces, command.timeout) == (False, [b"z"], 0)
    leftovers.tidy()
    assert command.closed


def test_a_lost_connection_ends_it() -> None:
    leftovers, command = Leftovers(), Command(ConnectionResetError())
    StreamHandle(command, leftovers)
    leftovers.tidy()
    assert command.closed


def test_an_endless_writer_holds_nobody_up() -> None:
    leftovers, command = Leftovers(), Command(*[b"x"] * 1000)
    StreamHandle(command, leftovers)
    leftovers.tidy()
    assert (command.closed, 900 < len(command.pieces) < 1000) == (False, True)


def test_the_oldest_gives_way_and_closing_ends_all() -> None:
    leftovers = Leftovers()
    commands = [Command(TimeoutError()) for _ in range(3)]
    for command in commands:
        StreamHandle(command, leftovers)
    assert leftovers.give_up_oldest()
    assert [command.closed for command in commands] == [True, False, False]
    leftovers.close()
    assert [command.closed for command in commands] == [True, True, True]
    assert not leftovers.give_up_oldest()


def test_a_closed_handle_is_no_leftover() -> None:
    leftovers, command = Leftovers(), Command()
    StreamHandle(command, leftovers).close()
    assert (command.closed, leftovers.give_up_oldest()) == (True, False)
