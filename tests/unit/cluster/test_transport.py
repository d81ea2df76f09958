# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import threading

import pytest

from ducktape.cluster.local.transport import LocalTransport
from ducktape.cluster.transport import (
    BoundedBytes,
    CommandStream,
    LineSplitter,
    Stdin,
    TransportWrapper,
    framework_commands,
    is_framework_command,
    stdin_chunks,
    unwrap,
)


class Prefixing(TransportWrapper):
    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> CommandStream:
        if not is_framework_command():
            command = f"PREFIX=1; {command}"
        return super().stream(command, stdin=stdin, merge_stderr=merge_stderr, timeout=timeout)


def test_a_wrapper_changes_every_command_but_the_frameworks_own() -> None:
    transport = Prefixing(TransportWrapper(LocalTransport()))
    assert transport.run("echo $PREFIX").stdout == b"1\n"
    with framework_commands():
        assert transport.run("echo $PREFIX").stdout == b"\n"
    assert not is_framework_command()


def test_a_wrapper_is_where_its_inside_is() -> None:
    heart = LocalTransport()
    wrapper = Prefixing(TransportWrapper(heart))
    assert wrapper.is_local
    assert unwrap(wrapper) is heart


def test_the_mark_of_framework_commands_belongs_to_one_thread() -> None:
    seen: list[bool] = []
    with framework_commands():
        thread = threading.Thread(target=lambda: seen.append(is_framework_command()))
        thread.start()
        thread.join()
    assert seen == [False]


def test_few_bytes_are_kept_as_they_are() -> None:
    keeper = BoundedBytes(head=4, tail=3)
    for piece in (b"ab", b"cde", b"fg"):
        keeper.feed(piece)
    assert keeper.value() == b"abcdefg"


def test_of_many_bytes_both_ends_are_kept() -> None:
    keeper = BoundedBytes(head=4, tail=3)
    for piece in (b"abcdefghij", b"k", b"lmnopqrst"):
        keeper.feed(piece)
    assert keeper.value() == b"abcd\n[... 13 bytes left out ...]\nrst"


def _split(*pieces: bytes) -> list[str]:
    splitter = LineSplitter()
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    rest = splitter.rest()
    return lines + ([rest] if rest else [])


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([], []),
        ([b"a\nb\n"], ["a\n", "b\n"]),
        ([b"a", b"b\nc", b"", b"d"], ["ab\n", "cd"]),
        ([b"\n\n", b"\n"], ["\n", "\n", "\n"]),
        ([b"\xc3", b"\xbc\n\xe6\x97", b"\xa5"], ["ü\n", "日"]),
        ([b"a\r\nb\x0bc\x0c\xc2\x85\xe2\x80\xa8d\n"], ["a\r\n", "b\x0bc\x0c\x85\u2028d\n"]),
    ],
)
def test_lines_end_at_newlines_only(pieces: list[bytes], lines: list[str]) -> None:
    assert _split(*pieces) == lines


def test_good_lines_come_before_the_error_of_a_bad_one() -> None:
    lines = LineSplitter().feed(b"good\nbad\xff\nlater\n")
    assert next(lines) == "good\n"
    with pytest.raises(UnicodeDecodeError):
        next(lines)


@pytest.mark.parametrize("given", ["abcde", b"abcde", io.BytesIO(b"abcde"), io.StringIO("abcde")])
def test_input_comes_in_pieces(given: str | bytes | io.BytesIO | io.StringIO) -> None:
    assert list(stdin_chunks(given, size=2)) == [b"ab", b"cd", b"e"]
