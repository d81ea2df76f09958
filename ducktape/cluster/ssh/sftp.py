# SPDX-License-Identifier: Apache-2.0
"""Files over an SFTP session."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

from ducktape.cluster.copy.received_file import ReceivedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ducktape.cluster.transport import FileAttributes

# Time limit for a response, since these operations have no timeout of their own
ANSWER_SEC = 120.0
_PIECE = 32 * 1024


class SftpFiles:
    """A :class:`ducktape.cluster.transport.Files` over paramiko's SFTP client."""

    def __init__(self, session: Callable[[], Any], *, name: str) -> None:
        self._session = session
        self._name = name

    def lstat(self, path: str) -> FileAttributes:
        """Attributes of the path itself."""
        attributes: FileAttributes = self._ask(lambda sftp: sftp.lstat(path))
        return attributes

    def stat(self, path: str) -> FileAttributes:
        """Attributes of what the path leads to."""
        attributes: FileAttributes = self._ask(lambda sftp: sftp.stat(path))
        return attributes

    def listdir_attr(self, path: str) -> Sequence[FileAttributes]:
        """Entries of a directory."""
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
        except Exception as error:
            self._tell_if_lost(sftp, error)
            raise

    def _tell_if_lost(self, sftp: Any, error: Exception) -> None:
        # The error of a closed session looks like one about the file
        is_lost = isinstance(error, OSError) and error.errno is None and _is_closed(sftp)
        if isinstance(error, EOFError) or (is_lost and not isinstance(error, TimeoutError)):
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> Exception:
        import paramiko

        return paramiko.SSHException(f"{self._name}: the SFTP session ended: {error or type(error).__name__}")


def _channel(sftp: Any) -> Any:
    return sftp.get_channel() if hasattr(sftp, "get_channel") else None


def _is_closed(sftp: Any) -> bool:
    return bool(getattr(_channel(sftp), "closed", False))


def _get(sftp: Any, path: str, local_path: str) -> None:
    if hasattr(sftp, "fetch"):
        sftp.fetch(path, local_path)
        return
    with sftp.open(path, "rb") as source, ReceivedFile(local_path) as target:
        while piece := source.read(_PIECE):
            target.write(piece)


def _put(sftp: Any, local_path: str, path: str) -> None:
    with open(local_path, "rb") as source:
        if hasattr(sftp, "store"):
            written = sftp.store(source, path)
        else:
            with sftp.open(path, "wb") as target:
                while piece := source.read(_PIECE):
                    target.write(piece)
            written = source.tell()
        arrived = sftp.stat(path)
    # A full disk may show only here; devices and pipes have no size
    if stat.S_ISREG(arrived.st_mode or 0) and arrived.st_size != written:
        raise OSError(f"{path}: only {arrived.st_size} of {written} bytes arrived")
