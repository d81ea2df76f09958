# SPDX-License-Identifier: Apache-2.0
"""Files over an SFTP session."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, TypeVar

from ducktape.cluster.copy.received_file import ReceivedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import paramiko

    from ducktape.cluster.transport import FileAttributes

R = TypeVar("R")

# Time limit for a response, since these operations have no timeout of their own
ANSWER_SEC = 120.0
_PIECE = 32 * 1024


class SftpFiles:
    """A :class:`ducktape.cluster.transport.Files` over paramiko's SFTP client."""

    def __init__(self, session: Callable[[], paramiko.SFTPClient], *, name: str) -> None:
        self._session = session
        self._name = name

    def lstat(self, path: str) -> FileAttributes:
        return self._ask(lambda sftp: sftp.lstat(path))

    def stat(self, path: str) -> FileAttributes:
        return self._ask(lambda sftp: sftp.stat(path))

    def listdir_attr(self, path: str) -> Sequence[FileAttributes]:
        return self._ask(lambda sftp: sftp.listdir_attr(path))

    def normalize(self, path: str) -> str:
        return self._ask(lambda sftp: sftp.normalize(path))

    def open(self, path: str, mode: str = "r") -> paramiko.SFTPFile:
        return self._ask(lambda sftp: sftp.open(path, mode))

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        """Create one directory; the server's umask applies."""
        self._ask(lambda sftp: sftp.mkdir(path, mode))

    def get(self, path: str, local_path: str) -> None:
        """Copy a file's content to the driver, many requests ahead."""

        def copy(sftp: paramiko.SFTPClient) -> None:
            if hasattr(sftp, "fetch"):
                sftp.fetch(path, local_path)
                return
            with sftp.open(path, "rb") as source, ReceivedFile(local_path) as target:
                while piece := source.read(_PIECE):
                    target.write(piece)

        self._ask(copy)

    def put(self, local_path: str, path: str) -> None:
        """Copy a driver's file here, without waiting for each piece to be acknowledged."""

        def copy(sftp: paramiko.SFTPClient) -> None:
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

        self._ask(copy)

    def _ask(self, question: Callable[[paramiko.SFTPClient], R]) -> R:
        """Ask a live session; an error of a lost one, which looks like one about the file, becomes an SSH failure."""
        sftp = self._session()
        try:
            return question(sftp)
        except TimeoutError:
            raise
        except (EOFError, OSError) as error:
            channel = sftp.get_channel() if hasattr(sftp, "get_channel") else None
            if isinstance(error, OSError) and (error.errno is not None or not getattr(channel, "closed", False)):
                raise
            import paramiko

            raise paramiko.SSHException(
                f"{self._name}: the SFTP session ended: {error or type(error).__name__}"
            ) from error
