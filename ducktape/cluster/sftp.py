# SPDX-License-Identifier: Apache-2.0
"""Files over an SFTP session."""

from __future__ import annotations

import contextlib
import stat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ducktape.cluster.transport import FileAttributes

# The largest piece that every SFTP server takes in one request.
_PIECE = 32 * 1024
_REQUESTS_AHEAD = 128


class SftpFiles:
    """A :class:`ducktape.cluster.transport.Files` over paramiko's SFTP client.

    Args:
        session: gives a live client, every time it is asked
    """

    def __init__(self, session: Callable[[], Any]) -> None:
        self._session = session

    def lstat(self, path: str) -> FileAttributes:
        """Attributes of the path itself."""
        attributes: FileAttributes = self._ask(lambda sftp: sftp.lstat(path))
        return attributes

    def stat(self, path: str) -> FileAttributes:
        """Attributes of what the path leads to."""
        attributes: FileAttributes = self._ask(lambda sftp: sftp.stat(path))
        return attributes

    def listdir_attr(self, path: str) -> Sequence[FileAttributes]:
        """Entries of a directory, in one round trip or few."""
        entries: Sequence[FileAttributes] = self._ask(lambda sftp: sftp.listdir_attr(path))
        return entries

    def normalize(self, path: str) -> str:
        """The absolute path without links."""
        absolute: str = self._ask(lambda sftp: sftp.normalize(path))
        return absolute

    def open(self, path: str, mode: str = "r") -> Any:
        """Paramiko's file object."""
        return self._ask(lambda sftp: sftp.open(path, mode))

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        """Create one directory; the server's umask applies."""
        self._ask(lambda sftp: sftp.mkdir(path, mode))

    def get(self, path: str, local_path: str) -> None:
        """Copy a file's content to the driver, many requests ahead."""
        self._ask(lambda sftp: _get(sftp, path, local_path))

    def put(self, local_path: str, path: str) -> None:
        """Copy a driver's file here, without waiting for each piece to be acknowledged."""
        self._ask(lambda sftp: _put(sftp, local_path, path))

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        sftp = self._session()
        try:
            return question(sftp)
        except EOFError as error:
            raise _lost(error) from error
        except OSError as error:
            # A closed session says so by an error that looks like one about the file.
            if error.errno is None and _is_closed(sftp):
                raise _lost(error) from error
            raise


def _is_closed(sftp: Any) -> bool:
    channel = sftp.get_channel() if hasattr(sftp, "get_channel") else None
    return bool(getattr(channel, "closed", False))


def _lost(error: Exception) -> Exception:
    import paramiko

    return paramiko.SSHException(f"the SFTP session ended: {error}")


@contextlib.contextmanager
def _alone(sftp: Any) -> Iterator[None]:
    """Requests sent ahead must not mix with another thread's on the same session."""
    lock = getattr(sftp, "session_lock", None)
    if lock is None:
        yield
        return
    with lock:
        yield


def _get(sftp: Any, path: str, local_path: str) -> None:
    with _alone(sftp), sftp.open(path, "rb") as source:
        size = source.stat().st_size or 0
        with open(local_path, "wb") as target:
            if size > _PIECE and hasattr(source, "prefetch"):
                source.prefetch(size, _REQUESTS_AHEAD)
            # A short piece is the end. Asking again would wait for ever if the file shrank meanwhile, because then
            # fewer answers are on their way than were asked for.
            while True:
                piece = source.read(_PIECE)
                target.write(piece)
                if len(piece) < _PIECE:
                    return


def _put(sftp: Any, local_path: str, path: str) -> None:
    with open(local_path, "rb") as source, _alone(sftp):
        with sftp.open(path, "wb") as target:
            if hasattr(target, "set_pipelined"):
                target.set_pipelined(True)
            written = 0
            while piece := source.read(_PIECE):
                target.write(piece)
                written += len(piece)
        arrived = sftp.stat(path)
        # A full disk may show only here. A device or a pipe has no size that could be compared.
        if stat.S_ISREG(arrived.st_mode or 0) and arrived.st_size != written:
            raise OSError(f"{path}: only {arrived.st_size} of {written} bytes arrived")
