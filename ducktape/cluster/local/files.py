# SPDX-License-Identifier: Apache-2.0
"""The local file system, with the behaviour of an SFTP session."""

from __future__ import annotations

import builtins
import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import IO

from ducktape.cluster.copy.received_file import receive_file


@dataclass
class LocalAttributes:
    """Attributes of a file, with the names of paramiko."""

    filename: str
    st_mode: int | None
    st_size: int | None
    st_uid: int
    st_gid: int
    st_atime: float
    st_mtime: float


def _attributes(filename: str, s: os.stat_result) -> LocalAttributes:
    return LocalAttributes(filename, s.st_mode, s.st_size, s.st_uid, s.st_gid, s.st_atime, s.st_mtime)


class LocalFiles:
    """A :class:`ducktape.cluster.transport.Files` over this machine; relative paths start at ``home``."""

    def __init__(self, home: str) -> None:
        self._home = home

    def lstat(self, path: str) -> LocalAttributes:
        return _attributes(os.path.basename(path), os.lstat(self._at(path)))

    def stat(self, path: str) -> LocalAttributes:
        return _attributes(os.path.basename(path), os.stat(self._at(path)))

    def listdir_attr(self, path: str) -> list[LocalAttributes]:
        found = []
        with os.scandir(self._at(path)) as entries:
            for entry in entries:
                try:
                    found.append(_attributes(entry.name, entry.stat(follow_symlinks=False)))
                except FileNotFoundError:
                    continue
        return found

    def listdir(self, path: str = ".") -> list[str]:
        return os.listdir(self._at(path))

    def normalize(self, path: str) -> str:
        return os.path.realpath(self._at(path))

    def remove(self, path: str) -> None:
        os.remove(self._at(path))

    def rmdir(self, path: str) -> None:
        os.rmdir(self._at(path))

    def rename(self, oldpath: str, newpath: str) -> None:
        os.rename(self._at(oldpath), self._at(newpath))

    def chmod(self, path: str, mode: int) -> None:
        os.chmod(self._at(path), mode)

    def open(self, path: str, mode: str = "r") -> LocalFile:
        return LocalFile(self._at(path), mode)

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        os.mkdir(self._at(path), mode)

    def get(self, path: str, local_path: str) -> None:
        with builtins.open(self._at(path), "rb", buffering=0) as source:
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(source.fileno()), os.stat(local_path)):
                    return
            receive_file(source, local_path)

    def put(self, local_path: str, path: str) -> None:
        with contextlib.suppress(shutil.SameFileError):
            shutil.copyfile(local_path, self._at(path))

    def _at(self, path: str) -> str:
        return os.path.join(self._home, path)


class LocalFile:
    """A local file like one over SFTP: ``read`` returns bytes in every mode, lines are text in modes without ``b``."""

    def __init__(self, path: str, mode: str) -> None:
        self._text = "b" not in mode
        plain = "".join(letter for letter in mode if letter not in "btU")
        self._file: IO[bytes] = builtins.open(path, f"{plain}b")  # noqa: SIM115  # closed by close()

    def read(self, size: int | None = -1) -> bytes:
        return self._file.read(-1 if size is None else size)

    def readline(self, size: int | None = -1) -> str | bytes:
        line = self._file.readline(-1 if size is None else size)
        return line.decode() if self._text else line

    def readlines(self, sizehint: int | None = None) -> list[str | bytes]:
        lines = self._file.readlines(-1 if sizehint is None else sizehint)
        return [line.decode() for line in lines] if self._text else list(lines)

    def write(self, data: str | bytes) -> None:
        """Write text (as UTF-8) or bytes, unbuffered as over SFTP."""
        self._file.write(data.encode() if isinstance(data, str) else data)
        self._file.flush()

    def writelines(self, lines: Iterable[str | bytes]) -> None:
        for line in lines:
            self.write(line)

    def stat(self) -> LocalAttributes:
        return _attributes("", os.fstat(self._file.fileno()))

    def close(self) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[str | bytes]:
        return self

    def __next__(self) -> str | bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def __enter__(self) -> LocalFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getattr__(self, name: str) -> object:
        if name == "_file":
            raise AttributeError(name)
        return getattr(self._file, name)
