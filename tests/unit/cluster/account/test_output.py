# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ducktape.cluster.account.output import OutputFile
from ducktape.cluster.remoteaccount import SSHOutputIter


class Channel:
    def __init__(self) -> None:
        self.timeout: float | None = 7.0
        self.seen: list[float | None] = []

    def gettimeout(self) -> float | None:
        return self.timeout

    def settimeout(self, timeout: float | None) -> None:
        self.timeout = timeout
        self.seen.append(timeout)


class File:
    def __init__(self) -> None:
        self.channel = Channel()


class FakeStream(Channel):
    """Gives its pieces in order; raises those that are exceptions."""

    def __init__(self, *pieces: bytes | Exception, status: int | Exception = 0) -> None:
        super().__init__()
        self.pieces = list(pieces)
        self.status = status
        self.closed = 0

    def read(self) -> bytes:
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def exit_status(self) -> int:
        status, self.status = self.status, 0
        if isinstance(status, Exception):
            raise status
        return status

    def stderr(self) -> bytes:
        return b"errors"

    def close(self) -> None:
        self.closed += 1


class Case:
    def __init__(self, stream: FakeStream, callback: Callable[[str], Any] | None = None) -> None:
        self.stream = stream
        self.finished: list[tuple[int, bytes]] = []
        self.examined: list[Exception] = []
        self.file = OutputFile(
            stream,
            callback=callback,
            finish=lambda status, errors: self.finished.append((status, errors)),
            examine=self.examined.append,
        )
        self.output = SSHOutputIter(self.file.lines, self.file)


def test_items_come_in_order_looked_at_or_not() -> None:
    output = SSHOutputIter(lambda: iter([1, None, 3]))
    assert output.has_next()
    assert output.has_next()
    assert output.next() == 1
    assert list(output) == [None, 3]
    assert not output.has_next()
    with pytest.raises(StopIteration):
        output.next()


def test_a_timeout_needs_a_channel() -> None:
    with pytest.raises(AssertionError, match="should have descriptor to enforce timeout"):
        SSHOutputIter(lambda: iter([1])).has_next(timeout_sec=1)


def test_after_a_timeout_a_fresh_iterator_goes_on_and_the_channel_has_its_old_timeout() -> None:
    file = File()
    events: list[Any] = [1, TimeoutError(), 2]

    def items() -> Iterator[int]:
        while events:
            event = events.pop(0)
            if isinstance(event, Exception):
                raise event
            yield event

    output = SSHOutputIter(items, file)
    assert next(output) == 1
    assert not output.has_next(timeout_sec=0.5)
    assert file.channel.seen == [0.5, 7.0]
    assert output.has_next(timeout_sec=0)
    assert list(output) == [2]


def test_the_end_is_judged_once_and_the_stream_closed() -> None:
    case = Case(FakeStream(b"a\nb", b"c", status=3))
    assert list(case.output) == ["a\n", "bc"]
    assert (case.finished, case.stream.closed) == ([(3, b"errors")], 1)
    assert not case.output.has_next()
    assert case.finished == [(3, b"errors")]


def test_a_silence_while_looking_ahead_is_no_failure() -> None:
    case = Case(FakeStream(b"par", TimeoutError(), b"tial\n", status=TimeoutError()))
    assert not case.output.has_next(timeout_sec=1)
    assert next(case.output) == "partial\n"
    assert not case.output.has_next(timeout_sec=1)
    assert (case.examined, case.stream.closed, case.finished) == ([], 0, [])
    assert list(case.output) == []
    assert case.finished == [(0, b"errors")]


def test_a_silence_while_iterating_ends_it() -> None:
    silence = TimeoutError()
    case = Case(FakeStream(b"a\nb", silence, b"c\n"))
    assert next(case.output) == "a\n"
    with pytest.raises(TimeoutError):
        next(case.output)
    assert (case.examined, case.stream.closed) == ([silence], 1)
    assert list(case.output) == []


def test_a_lost_connection_is_examined_and_ends_it() -> None:
    lost = ConnectionResetError()
    case = Case(FakeStream(b"a\n", lost))
    assert next(case.output) == "a\n"
    with pytest.raises(ConnectionResetError):
        case.output.has_next()
    assert (case.examined, case.stream.closed, case.finished) == ([lost], 1, [])
    assert not case.output.has_next()


def test_results_of_the_callback_are_iterated() -> None:
    case = Case(FakeStream(b"1\n2\n3"), callback=lambda line: None if line == "2\n" else int(line))
    assert list(case.output) == [1, None, 3]


def test_a_raising_callback_closes_the_stream() -> None:
    case = Case(FakeStream(b"1\nx\n3\n"), callback=int)
    assert next(case.output) == 1
    with pytest.raises(ValueError, match="x"):
        next(case.output)
    assert (case.stream.closed, list(case.output), case.finished) == (1, [], [])


def test_closing_drops_what_is_left() -> None:
    case = Case(FakeStream(b"1\n2\n3"))
    assert next(case.output) == "1\n"
    case.output.close()
    assert (list(case.output), case.stream.closed, case.finished) == ([], 1, [])
