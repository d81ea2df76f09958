# SPDX-License-Identifier: Apache-2.0
"""An SFTP server that an OpenSSH server starts: its one directory has, between innocent files, entries of any name.

Its arguments are the names, as ``repr`` has them of their bytes; one whose last part is "directory" is a directory.
"""

from __future__ import annotations

import ast
import struct
import sys
from collections.abc import Callable

_DIRECTORY, _FILE = 0o047777, 0o106777
_INIT, _OPEN, _CLOSE, _READ, _LSTAT, _FSTAT, _OPENDIR, _READDIR, _REALPATH, _STAT = 1, 3, 4, 5, 7, 8, 11, 12, 16, 17
_STATUS, _HANDLE, _DATA, _NAME, _ATTRS = 101, 102, 103, 104, 105
_END_OF_FILE, _NO_SUCH_FILE, _FAILURE = 1, 2, 4


def _text(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _attributes(mode: int) -> bytes:
    return struct.pack(">IQI", 1 | 4, 4, mode)


def _mode(path: bytes) -> int | None:
    name = path.rstrip(b"/").rpartition(b"/")[2]
    if name in (b"tree", b"directory"):
        return _DIRECTORY
    return _FILE if b"/tree/" in path else None


def _entry(name: bytes) -> bytes:
    mode = _DIRECTORY if name.endswith(b"/directory") else _FILE
    return _text(name) + _text(b"-rwsrwsrwt " + name) + _attributes(mode)


class Server:
    """Answers one request at a time.

    Args:
        names: of the entries between the innocent ones.
    """

    def __init__(self, names: list[bytes]) -> None:
        self._names = names
        self._listed: set[bytes] = set()
        self._read: set[bytes] = set()

    def answer(self, kind: int, data: bytes) -> bytes:
        """The answer to a request, without its number."""
        path = data[4 : 4 + struct.unpack(">I", data[:4])[0]] if len(data) >= 4 else b""
        answers: dict[int, Callable[[bytes], bytes]] = {
            _LSTAT: self._stat,
            _STAT: self._stat,
            _FSTAT: self._stat,
            _OPENDIR: self._open,
            _OPEN: self._open,
            _READDIR: self._list,
            _READ: self._content,
            _REALPATH: self._real,
        }
        return answers[kind](path) if kind in answers else self._status(0)

    def _real(self, path: bytes) -> bytes:
        return bytes([_NAME]) + b"##" + struct.pack(">I", 1) + _entry(b"/real" + path)

    def _status(self, code: int) -> bytes:
        return bytes([_STATUS]) + b"##" + struct.pack(">I", code) + _text(b"no") + _text(b"")

    def _stat(self, path: bytes) -> bytes:
        mode = _mode(path)
        return self._status(_NO_SUCH_FILE) if mode is None else bytes([_ATTRS]) + b"##" + _attributes(mode)

    def _open(self, path: bytes) -> bytes:
        self._listed.discard(path)
        self._read.discard(path)
        return bytes([_HANDLE]) + b"##" + _text(path)

    def _list(self, handle: bytes) -> bytes:
        if handle in self._listed:
            return self._status(_END_OF_FILE)
        self._listed.add(handle)
        names = [b"a good", *self._names, b"z good"] if handle.rstrip(b"/").endswith(b"/tree") else [b"inner"]
        # More than there are: whoever believes it waits, or fills its memory.
        return bytes([_NAME]) + b"##" + struct.pack(">I", 0xFFFFFFFF) + b"".join(map(_entry, names))

    def _content(self, handle: bytes) -> bytes:
        if handle in self._read:
            return self._status(_END_OF_FILE)
        self._read.add(handle)
        return bytes([_DATA]) + b"##" + _text(b"innocent" if handle.endswith(b" good") else b"evil")


def main() -> None:
    """Serve standard input until it ends."""
    server = Server([ast.literal_eval(text) for text in sys.argv[1:]])
    while head := sys.stdin.buffer.read(4):
        packet = sys.stdin.buffer.read(struct.unpack(">I", head)[0])
        if packet[0] == _INIT:
            reply = bytes([2]) + struct.pack(">I", 3)
        else:
            body = server.answer(packet[0], packet[5:])
            reply = body[:1] + packet[1:5] + body[3:]
        sys.stdout.buffer.write(_text(reply))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
