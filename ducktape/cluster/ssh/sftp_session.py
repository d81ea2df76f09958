# SPDX-License-Identifier: Apache-2.0
"""A thread-safe SFTP client; imports paramiko."""

from __future__ import annotations

import contextlib
import struct
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import IO

import paramiko
from paramiko.sftp import (
    CMD_CLOSE,
    CMD_DATA,
    CMD_HANDLE,
    CMD_INIT,
    CMD_NAME,
    CMD_OPENDIR,
    CMD_READ,
    CMD_READDIR,
    CMD_STATUS,
    CMD_VERSION,
    CMD_WRITE,
    int64,
)

from ducktape.cluster.copy.received_file import ReceivedFile
from ducktape.cluster.ssh.channel import bound_answers
from ducktape.utils.support.times import Deadline

# The largest request that every SFTP server accepts
_PIECE = 32 * 1024
# Concurrent requests: few at first, then as many as fill the window of a channel
_FEW = 2
_MANY = 64
# Limit of entries in one directory, to protect the driver's memory
_MOST_ENTRIES = 1_000_000
# Above this, the size of the file is checked
_LONG = 4 * 1024 * 1024
_LONGEST_WITHOUT_SIZE = 64 * 1024 * 1024
# The first message of the server: four bytes of length, type and version; readable text has no such bytes
_GREETING = struct.pack(">BI", CMD_VERSION, 3)
_LONGEST_TEXT = 64 * 1024
_LONGEST_GREETING = 256 * 1024
_SHOWN_TEXT = 200


def unintelligible(text: bytes, name: str, user: str | None) -> paramiko.SSHException:
    """Return the error about output that is not that of an SFTP server."""
    shown = " ".join(text[:_SHOWN_TEXT].decode(errors="replace").split())
    said = f"says {shown!r}" if shown else "ends without a word"
    return paramiko.SSHException(
        f"{name}: what should be the SFTP server of {user or 'the local user'} {said}. If the login shell prints text "
        "for non-interactive sessions, let it be silent there (see ~/.bashrc, ~/.ssh/rc); if its user may not log in "
        "or has a forced command, SFTP is not available; else see 'Subsystem sftp' in sshd_config"
    )


class SharedSFTPFile(paramiko.SFTPFile):
    """A file that, when dropped, is closed by the next request of the session.

    The garbage collector may run in any thread and inside any lock, where sending a message can block forever.
    """

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            self.sftp.dropped.append(self)  # type: ignore[attr-defined]  # the stubs leave it out

    def _write(self, data: bytes) -> int:
        # Request and response are two steps in the library, and a request in between drops the response
        with self.sftp.session_lock:  # type: ignore[attr-defined]  # the stubs leave it out
            return super()._write(data)  # type: ignore[misc,no-any-return]


class _Answers:
    """Receives the responses to pipelined requests."""

    def __init__(self) -> None:
        self.by_number: dict[int, tuple[int, paramiko.Message]] = {}

    def _async_response(self, kind: int, message: paramiko.Message, number: int) -> None:
        self.by_number[number] = (kind, message)


class SharedSFTPClient(paramiko.SFTPClient):
    """Serializes requests of several threads.

    In the library's client, a thread that waits for its response drops those of other threads, which wait forever.
    """

    def __init__(self, sock: paramiko.Channel, name: str, user: str | None) -> None:
        self._name = name
        self._user = user
        self.session_lock = threading.RLock()
        self.dropped: deque[SharedSFTPFile] = deque()
        super().__init__(sock)

    def _send_version(self) -> int:
        """Do the SFTP handshake, skipping output of the login shell."""
        message = paramiko.Message()
        message.add_int(3)
        self._send_packet(CMD_INIT, message)  # type: ignore[attr-defined]  # the stubs leave it out
        heard = b""
        while (place := heard.find(_GREETING, 4)) < 0:
            piece = self.sock.recv(_PIECE)
            if not piece or len(heard) > _LONGEST_TEXT:
                raise unintelligible(heard, self._name, self._user)
            heard += piece
        (length,) = struct.unpack(">I", heard[place - 4 : place])
        if not len(_GREETING) <= length <= _LONGEST_GREETING:
            raise unintelligible(heard, self._name, self._user)
        # Nothing follows the handshake
        missing = length - (len(heard) - place)
        if missing > 0:
            self._read_all(missing)  # type: ignore[attr-defined]
        return 3

    def open(self, filename: bytes | str, mode: str = "r", bufsize: int = -1) -> paramiko.SFTPFile:
        file = super().open(filename, mode, bufsize)
        file.__class__ = SharedSFTPFile
        return file

    file = open

    def listdir_attr(self, path: bytes | str = ".") -> list[paramiko.SFTPAttributes]:
        """Entries of a directory; names that are not UTF-8, where the library fails, use surrogate escapes."""
        kind, message = self._request(CMD_OPENDIR, self._adjust_cwd(path))
        if kind != CMD_HANDLE:
            raise paramiko.SFTPError("the server opened no directory")
        handle = message.get_binary()
        found: list[paramiko.SFTPAttributes] = []
        with contextlib.suppress(EOFError):
            while len(found) <= _MOST_ENTRIES:
                kind, message = self._request(CMD_READDIR, handle)
                if kind != CMD_NAME:
                    raise paramiko.SFTPError("the server sent no names")
                found += _entries(message)
        self._request(CMD_CLOSE, handle)
        if len(found) > _MOST_ENTRIES:
            raise OSError(f"{self._name}: a directory has more than {_MOST_ENTRIES} entries: not listed")
        return found

    def _adjust_cwd(self, path: bytes | str) -> bytes:
        if isinstance(path, str):
            path = path.encode("utf-8", "surrogateescape")
        return super()._adjust_cwd(path)  # type: ignore[misc,no-any-return]

    def fetch(self, path: str, local_path: str) -> None:
        """Copy a file's content, up to its size at the start; other requests are served in between."""
        with self.open(path, "rb") as file, ReceivedFile(local_path) as target:
            offset, ahead, end = 0, _FEW, 0
            while not end or offset < end:
                pieces, ended = self._read_ahead(file, offset, ahead)
                for piece in pieces:
                    target.write(piece)
                    offset += len(piece)
                if ended:
                    return
                ahead = min(_MANY, ahead * 4)
                if not end and offset > _LONG:
                    # It may grow while it is read; without a size, as below /proc, a maximum applies
                    end = max(file.stat().st_size or 0, _LONGEST_WITHOUT_SIZE)

    def store(self, source: IO[bytes], path: str) -> int:
        """Copy a stream to a file and return the number of bytes; other requests are served in between."""
        written, ahead = 0, _FEW
        with self.open(path, "wb") as file:
            while block := source.read(ahead * _PIECE):
                pieces = {written + start: block[start : start + _PIECE] for start in range(0, len(block), _PIECE)}
                requests = [(CMD_WRITE, file.handle, int64(offset), piece) for offset, piece in pieces.items()]
                for kind, message in self._ask_ahead(requests):
                    if kind != CMD_STATUS:
                        raise paramiko.SSHException(f"unexpected answer over SFTP: {kind}")
                    self._convert_status(message)  # type: ignore[attr-defined]
                written += len(block)
                ahead = min(_MANY, ahead * 4)
        return written

    def _read_ahead(self, file: paramiko.SFTPFile, offset: int, count: int) -> tuple[list[bytes], bool]:
        """Return the next contiguous pieces, and whether the file ends there."""
        requests = [(CMD_READ, file.handle, int64(offset + number * _PIECE), _PIECE) for number in range(count)]
        pieces: list[bytes] = []
        for kind, message in self._ask_ahead(requests):
            if kind == CMD_STATUS:
                with contextlib.suppress(EOFError):
                    self._convert_status(message)  # type: ignore[attr-defined]
                return pieces, True
            if kind != CMD_DATA:
                raise paramiko.SSHException(f"unexpected answer over SFTP: {kind}")
            pieces.append(message.get_string())
            if len(pieces[-1]) < _PIECE:
                # Servers may return less than requested
                return pieces, not pieces[-1]
        return pieces, False

    def _ask_ahead(self, requests: Sequence[tuple[object, ...]]) -> list[tuple[int, paramiko.Message]]:
        """Pipeline requests; returns the responses in their order."""
        answers = _Answers()
        with self.session_lock, self._unbroken():
            numbers = [self._async_request(answers, *request) for request in requests]  # type: ignore[attr-defined]
            while len(answers.by_number) < len(numbers):
                self._read_response()
        return [answers.by_number[number] for number in numbers]

    def _request(self, t: int, *args: object) -> tuple[int, paramiko.Message]:
        with self.session_lock:
            self._close_dropped()
            with self._unbroken():
                return super()._request(t, *args)  # type: ignore[misc,no-any-return]

    def _read_response(self, waitfor: object = None) -> tuple[int | None, paramiko.Message | None]:
        # Files read, and write several pieces, by this without the method above
        with self.session_lock, self._unbroken():
            return super()._read_response(waitfor)  # type: ignore[misc,no-any-return]

    @contextlib.contextmanager
    def _unbroken(self) -> Iterator[None]:
        """Close the session if an exchange was interrupted, since later responses could not be assigned."""
        is_broken = True
        try:
            yield
            is_broken = False
        except TimeoutError as error:
            if str(error).startswith(self._name):
                raise
            silence = f"{self._name}: no answer over SFTP for {self.sock.gettimeout()} seconds"
            raise TimeoutError(silence) from error
        except paramiko.SSHException as error:
            is_broken = False
            if str(error).startswith(self._name):
                raise
            raise paramiko.SSHException(f"{self._name}: the SFTP session ended: {error}") from error
        except (paramiko.SFTPError, OSError, EOFError):
            is_broken = False
            raise
        finally:
            if is_broken:
                self.sock.close()

    def _close_dropped(self) -> None:
        while self.dropped:
            try:
                file = self.dropped.popleft()
            except IndexError:
                return
            # Errors of dropped files cannot be reported
            with contextlib.suppress(OSError):
                try:
                    file.close()
                except ValueError:  # the collector has finalised its buffer already
                    self._request(CMD_CLOSE, file.handle)


def _entries(message: paramiko.Message) -> Iterator[paramiko.SFTPAttributes]:
    """Return the entries in one response, whatever count it claims."""
    for _ in range(message.get_int()):
        if not message.get_remainder():
            return
        name = message.get_string().decode("utf-8", "surrogateescape")
        more = message.get_string().decode("utf-8", "replace")
        if name not in (".", ".."):
            yield paramiko.SFTPAttributes._from_msg(message, name, more)  # type: ignore[attr-defined]
        else:
            paramiko.SFTPAttributes._from_msg(message)  # type: ignore[attr-defined]


def start_session(channel: paramiko.Channel, deadline: Deadline, *, name: str, user: str | None) -> SharedSFTPClient:
    """Start an SFTP session, whose maximum silence is that of the deadline; without a server, closes the channel."""
    silence = f"{name}: no SFTP session within {deadline.seconds} seconds: see 'Subsystem sftp' in sshd_config there"
    with contextlib.ExitStack() as undo:
        undo.callback(channel.close)
        try:
            channel.settimeout(deadline.left())
            bound_answers(channel, deadline, silence)
            channel.invoke_subsystem("sftp")
            session = SharedSFTPClient(channel, name, user)
        except TimeoutError as error:
            if str(error) == silence:
                raise
            raise TimeoutError(silence) from error
        channel.settimeout(deadline.seconds)
        undo.pop_all()
    return session
