# SPDX-License-Identifier: Apache-2.0
"""A node that sends names, archives and answers which would write outside of where they belong."""

from __future__ import annotations

import io
import stat
import tarfile
from dataclasses import dataclass
from typing import Any

from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig
from ducktape.cluster.transport import CommandStream, Stdin, Transport

NAME = "hostile"
TREE = "/logs/tree"
GOOD = b"innocent"
EVIL = b"evil"


@dataclass
class Attributes:
    """Of a file, as paramiko has them."""

    filename: str
    st_mode: int | None
    st_size: int | None


class HostileFiles:
    """An SFTP server whose directory has, between two innocent files, an entry of any name.

    Args:
        name: of the entry.
        is_directory: the entry is a directory with a file in it, instead of a file.
    """

    def __init__(self, name: str, *, is_directory: bool = False) -> None:
        self._name = name
        self._is_directory = is_directory
        self.asked: list[str] = []

    def lstat(self, path: str) -> Attributes:
        return self.stat(path)

    def stat(self, path: str) -> Attributes:
        if path.rstrip("/") == TREE:
            return self._directory("tree")
        if not path.startswith(TREE):
            raise FileNotFoundError(path)
        return self._entry(path.removeprefix(f"{TREE}/"))

    def listdir_attr(self, path: str) -> list[Attributes]:
        if path.rstrip("/") == TREE:
            return [self._entry(name) for name in ("a good", self._name, "z good")]
        return [self._entry("inner")]

    def listdir(self, path: str = ".") -> list[str]:
        return [entry.filename for entry in self.listdir_attr(path)]

    def normalize(self, path: str) -> str:
        return f"/real{path}"

    def open(self, path: str, mode: str = "r") -> io.BytesIO:
        self.asked.append(path)
        return io.BytesIO(GOOD if path.endswith(" good") else EVIL)

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        raise PermissionError(path)

    def get(self, path: str, local_path: str) -> None:
        with open(local_path, "wb") as file:
            file.write(self.open(path).read())

    def put(self, local_path: str, path: str) -> None:
        raise PermissionError(path)

    def _entry(self, name: str) -> Attributes:
        if name == self._name and self._is_directory:
            return self._directory(name)
        return Attributes(name, stat.S_IFREG | 0o6777, 4)

    def _directory(self, name: str) -> Attributes:
        return Attributes(name, stat.S_IFDIR | 0o7777, 4096)


class Said:
    """A command that has said what it says.

    Args:
        output: what it says.
    """

    def __init__(self, output: bytes) -> None:
        self._pieces = [output]

    def read(self) -> bytes:
        return self._pieces.pop() if self._pieces else b""

    def gettimeout(self) -> float | None:
        return None

    def settimeout(self, timeout: float | None) -> None:
        pass

    def exit_status(self) -> int:
        return 0

    def stderr(self) -> bytes:
        return b""

    def close(self) -> None:
        pass


class HostileTransport(Transport):
    """Answers the framework's commands with an archive of its own making; its files are those of a hostile server.

    Args:
        files: what the SFTP server has.
        archive: what its ``tar`` sends; ``None`` is a node without one.
        directories: what its ``find`` says are the directories of the tree.
        answer: to the shell loop that looks for the files that a pattern stands for.
    """

    def __init__(
        self,
        files: HostileFiles,
        *,
        archive: bytes | None = None,
        directories: tuple[bytes, ...] = (),
        answer: bytes = b"",
    ) -> None:
        self._files = files
        self._archive = archive
        self._directories = directories
        self._answer = answer

    @property
    def files(self) -> Any:
        return self._files

    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> CommandStream:
        words = command.split()
        marks = [word for word in words if word.startswith("copy-")]
        if not marks:
            return Said(self._answer if command.startswith("for f in ") else b"")
        return Said(self._said(marks[-1].encode(), command))

    def _said(self, mark: bytes, command: str) -> bytes:
        def block(text: bytes) -> bytes:
            return (mark + b" " + text).ljust(511) + b"\n"

        if self._archive is None:
            return block(b"unable") if "block able" in command else mark + b" unable\0"
        if "block able" in command:
            return block(b"able") + block(b"tree 0") + self._archive + block(b"end 0") + block(b"done")
        if "-type d" in command and "nothing" in command:
            return mark + b" directory\0" + b"".join(name + b"\0" for name in (b".", *self._directories))
        return mark + self._archive

    def close(self) -> None:
        pass


def hostile_archive(*members: tarfile.TarInfo) -> bytes:
    """An archive of members between two innocent files; members with a size have as much evil in them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:", format=tarfile.GNU_FORMAT) as target:
        for member in (_directory("./"), _good("./a good"), *members, _good("./z good")):
            content = GOOD if member.name.endswith(" good") else EVIL[: member.size]
            target.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _directory(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE
    return info


def _good(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = len(GOOD)
    return info


def member(name: str, kind: bytes = tarfile.REGTYPE, *, link: str = "", mode: int = 0o6777) -> tarfile.TarInfo:
    """A member of an archive, with an odd mode and somebody else as its owner."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.uid, info.gid = kind, link, mode, 12345, 12345
    info.size = len(EVIL) if kind == tarfile.REGTYPE else 0
    info.devmajor, info.devminor = 1, 3
    return info


def hostile_account(transport: Transport, kind: type[LinuxRemoteAccount] = LinuxRemoteAccount) -> LinuxRemoteAccount:
    """An account of that node."""
    account = kind(RemoteAccountSSHConfig(host=NAME))
    account.transport = transport
    return account
