# SPDX-License-Identifier: Apache-2.0
"""The file system of a node of a sandbox."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import stat
from typing import Any, cast

from ducktape.cluster.copy.received_file import receive_file
from ducktape.cluster.local.files import LocalAttributes, LocalFile
from ducktape.cluster.sandbox.ipc import LARGEST, Server, send_request

_SECONDS_TO_ANSWER = 60.0
_SILENT = "the node did not answer: it was powered off, or all its processes were killed"


class SandboxFiles:
    """A :class:`ducktape.cluster.transport.Files` over a node, whose first process does the work."""

    def __init__(self, socket_path: str, home: str) -> None:
        self._socket = socket_path
        self._home = home

    def _ask(self, verb: str, *arguments: object) -> tuple[Any, list[int]]:
        """Send a request; returns the result and the descriptor of an opened file."""
        with send_request(self._socket, json.dumps([verb, self._home, arguments]).encode()) as connection:
            connection.settimeout(_SECONDS_TO_ANSWER)
            found: list[object] = []
            while True:
                data, descriptors, _, _ = socket.recv_fds(connection, LARGEST, 1)
                fields: dict[str, Any] = json.loads(data) if data else {"errno": errno.EIO, "error": _SILENT}
                if "errno" in fields:
                    path = [each for each in arguments[:1] if isinstance(each, str)]
                    raise OSError(fields["errno"], fields["error"], *path)
                result = fields["result"]
                if verb != "list":
                    return result, descriptors
                found += result
                if not fields.get("more"):
                    return found, descriptors

    def provide_server(self, server: Server) -> None:
        """Start an SSH server in the node unless one runs; returns when it listens."""
        self._ask("server", server["program"], server["files"])

    def lstat(self, path: str) -> LocalAttributes:
        return LocalAttributes(*self._ask("stat", path, False)[0])

    def stat(self, path: str) -> LocalAttributes:
        return LocalAttributes(*self._ask("stat", path, True)[0])

    def listdir_attr(self, path: str) -> list[LocalAttributes]:
        return [LocalAttributes(*entry) for entry in self._ask("list", path)[0]]

    def listdir(self, path: str = ".") -> list[str]:
        return [entry.filename for entry in self.listdir_attr(path)]

    def normalize(self, path: str) -> str:
        return str(self._ask("normalize", path)[0])

    def remove(self, path: str) -> None:
        self._ask("remove", path)

    def rmdir(self, path: str) -> None:
        self._ask("rmdir", path)

    def rename(self, oldpath: str, newpath: str) -> None:
        self._ask("rename", oldpath, newpath)

    def chmod(self, path: str, mode: int) -> None:
        self._ask("chmod", path, mode)

    def open(self, path: str, mode: str = "r") -> LocalFile:
        """A file object that reads bytes and writes text or bytes."""
        descriptor = self.open_descriptor(path, _flags(mode))
        # A descriptor can be opened like a path; the file was created or truncated already
        return LocalFile(cast(str, descriptor), mode.replace("x", "w"))

    def mkdir(self, path: str, mode: int = 0o777) -> None:
        self._ask("mkdir", path, mode)

    def get(self, path: str, local_path: str) -> None:
        with os.fdopen(self.open_descriptor(path, os.O_RDONLY), "rb", buffering=0) as source:
            receive_file(source, local_path)

    def put(self, local_path: str, path: str) -> None:
        with (
            open(local_path, "rb") as source,
            os.fdopen(self.open_descriptor(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as target,
        ):
            shutil.copyfileobj(source, target, 1 << 20)

    def open_descriptor(self, path: str, flags: int) -> int:
        """Open a file in the node with flags of the system; returns the descriptor."""
        [descriptor] = self._ask("open", path, flags)[1]
        os.set_inheritable(descriptor, False)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        return descriptor


def _flags(mode: str) -> int:
    """Return the flags of ``open`` for a mode."""
    kinds = {
        "r": os.O_RDONLY,
        "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
        "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
        "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    }
    kind = next((letter for letter in mode if letter in kinds), "")
    if not kind:
        raise ValueError(f"a file is opened with mode r, w, a or x, not {mode!r}")
    if "+" not in mode:
        return kinds[kind]
    return kinds[kind] & ~(os.O_WRONLY | os.O_RDONLY) | os.O_RDWR
