# SPDX-License-Identifier: Apache-2.0
"""An SFTP client that several threads may use. Imports paramiko: to be imported where a connection is made."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from typing import IO, Any

import paramiko
from paramiko.sftp import CMD_CLOSE, CMD_DATA, CMD_READ, CMD_STATUS, CMD_WRITE, int64

from ducktape.cluster.ssh_command import bound_answers
from ducktape.utils.deadline import Deadline

# The largest piece that every SFTP server takes in one request.
_PIECE = 32 * 1024
# Requests under way at once: few for small files, and then more, up to what fills the window of a channel.
_FEW = 2
_MANY = 64


class SharedSFTPFile(paramiko.SFTPFile):
    """A file that is closed by the next request when it is dropped.

    The garbage collector may find it on any thread and inside any lock, where the library's own way, a message to the
    server, can block for ever.
    """

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            self.sftp.dropped.append(self)  # type: ignore[attr-defined]  # the stubs leave it out


class _Answers:
    """Takes the answers to requests that were sent ahead."""

    def __init__(self) -> None:
        self.by_number: dict[int, tuple[int, Any]] = {}

    def _async_response(self, kind: int, message: Any, number: int) -> None:
        self.by_number[number] = (kind, message)


class SharedSFTPClient(paramiko.SFTPClient):
    """Lets one thread at a time ask and hear its answers.

    In the library's client, a thread that waits for its own answer drops the answers of others, who then wait for
    ever.

    Args:
        sock: a channel to the server's subsystem.
        name: of the machine, for messages.

    Attributes:
        dropped: files that nobody holds any longer.
    """

    def __init__(self, sock: paramiko.Channel, name: str) -> None:
        self._name = name
        self.session_lock = threading.RLock()
        self.dropped: deque[SharedSFTPFile] = deque()
        super().__init__(sock)

    def open(self, filename: Any, mode: str = "r", bufsize: int = -1) -> paramiko.SFTPFile:
        """A file of the server, see the library."""
        file = super().open(filename, mode, bufsize)
        file.__class__ = SharedSFTPFile
        return file

    file = open

    def fetch(self, path: str, local_path: str) -> None:
        """Copy a file's content to the driver, whatever happens to its size meanwhile.

        The session is free for others now and then.
        """
        with self.open(path, "rb") as file, open(local_path, "wb") as target:
            offset, ahead = 0, _FEW
            while True:
                pieces, ended = self._read_ahead(file, offset, ahead)
                for piece in pieces:
                    target.write(piece)
                    offset += len(piece)
                if ended:
                    return
                ahead = min(_MANY, ahead * 4)

    def store(self, source: IO[bytes], path: str) -> int:
        """Copy what is read to a file of the server, and return the number of bytes.

        The session is free for others now and then.
        """
        written, ahead = 0, _FEW
        with self.open(path, "wb") as file:
            while block := source.read(ahead * _PIECE):
                self._write_ahead(file, written, block)
                written += len(block)
                ahead = min(_MANY, ahead * 4)
        return written

    def _read_ahead(self, file: paramiko.SFTPFile, offset: int, count: int) -> tuple[list[bytes], bool]:
        """The next pieces without a gap, and whether the file ends with them."""
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
                # Servers may answer with less than was asked for: what comes next is asked for anew.
                return pieces, not pieces[-1]
        return pieces, False

    def _write_ahead(self, file: paramiko.SFTPFile, offset: int, block: bytes) -> None:
        requests = [
            (CMD_WRITE, file.handle, int64(offset + start), block[start : start + _PIECE])
            for start in range(0, len(block), _PIECE)
        ]
        for kind, message in self._ask_ahead(requests):
            if kind != CMD_STATUS:
                raise paramiko.SSHException(f"unexpected answer over SFTP: {kind}")
            self._convert_status(message)  # type: ignore[attr-defined]

    def _ask_ahead(self, requests: list[tuple[Any, ...]]) -> list[tuple[int, Any]]:
        """Send all requests before the first answer is awaited; the answers in the order of the requests."""
        answers = _Answers()
        with self.session_lock, self._unbroken():
            numbers = [
                self._async_request(answers, *request)  # type: ignore[attr-defined]
                for request in requests
            ]
            while len(answers.by_number) < len(numbers):
                self._read_response()
        return [answers.by_number[number] for number in numbers]

    def _request(self, t: int, *args: Any) -> Any:
        with self.session_lock:
            self._close_dropped()
            with self._unbroken():
                return super()._request(t, *args)  # type: ignore[misc]

    def _read_response(self, waitfor: Any = None) -> Any:
        # Files read, and write several pieces, by this without the method above.
        with self.session_lock, self._unbroken():
            return super()._read_response(waitfor)  # type: ignore[misc]

    @contextlib.contextmanager
    def _unbroken(self) -> Any:
        """Close the session when an exchange was left in its middle: what comes next would not be understood."""
        try:
            yield
        except TimeoutError as error:
            self.sock.close()
            if str(error).startswith(self._name):
                raise
            seconds = self.sock.gettimeout()
            raise TimeoutError(f"{self._name}: no answer over SFTP for {seconds} seconds") from error
        except paramiko.SSHException as error:
            if str(error).startswith(self._name):
                raise
            raise paramiko.SSHException(f"{self._name}: the SFTP session ended: {error}") from error
        except (paramiko.SFTPError, OSError, EOFError):
            raise
        except BaseException:
            self.sock.close()
            raise

    def _close_dropped(self) -> None:
        while self.dropped:
            try:
                file = self.dropped.popleft()
            except IndexError:
                return
            # Nobody is left to hear that the last bytes of such a file could not be written.
            with contextlib.suppress(OSError):
                try:
                    file.close()
                except ValueError:  # the collector has finalised its buffer already
                    self._request(CMD_CLOSE, file.handle)


def open_session(transport: paramiko.Transport, deadline: Deadline, *, name: str) -> SharedSFTPClient:
    """A new SFTP session on a connection.

    Args:
        transport: the connection.
        deadline: of the opening; its seconds are also the longest silence that the session bears afterwards.
        name: of the machine, for messages.
    """
    left = deadline.left()
    channel = transport.open_session() if left is None else transport.open_session(timeout=max(left, 0.001))
    try:
        channel.settimeout(deadline.seconds)
        bound_answers(channel, deadline, f"{name}: no SFTP session within {deadline.seconds} seconds")
        channel.invoke_subsystem("sftp")
        return SharedSFTPClient(channel, name)
    except BaseException:
        channel.close()
        raise
