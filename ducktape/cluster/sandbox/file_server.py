# SPDX-License-Identifier: Apache-2.0
"""Serves requests for the files of a node, in a child of the node's first process for each request.

Files are opened in the node, so that paths and links are resolved there; the descriptor is sent to the client.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Callable

from ducktape.cluster.sandbox.ipc import answer
from ducktape.cluster.sandbox.ssh_server import provide_server

# Long directories are answered in pieces
_ENTRIES_AT_ONCE = 100
_LARGEST_SNAPSHOT = 1 << 20


def _attributes(name: str, status: os.stat_result) -> list[str | float]:
    return [name, status.st_mode, status.st_size, status.st_uid, status.st_gid, status.st_atime, status.st_mtime]


def _open(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
    # Files that describe this process can only be read while it lives, and it ends with its answer
    if flags & os.O_ACCMODE == os.O_RDONLY and os.readlink(f"/proc/self/fd/{descriptor}").startswith(
        f"/proc/{os.getpid()}/"
    ):
        with os.fdopen(descriptor, "rb") as original:
            content = original.read(_LARGEST_SNAPSHOT)
        descriptor = os.memfd_create("snapshot", os.MFD_CLOEXEC)
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _stat(path: str, follow: bool) -> list[str | float]:
    return _attributes(os.path.basename(path), os.stat(path, follow_symlinks=follow))


def _entries(path: str) -> list[list[str | float]]:
    found = []
    with os.scandir(path) as entries:
        for entry in entries:
            try:
                found.append(_attributes(entry.name, entry.stat(follow_symlinks=False)))
            except FileNotFoundError:  # it vanished meanwhile
                continue
    return found


_WORK: dict[str, Callable[..., object]] = {
    "stat": _stat,
    "normalize": os.path.realpath,
    "remove": os.remove,
    "rmdir": os.rmdir,
    "rename": os.rename,
    "chmod": os.chmod,
    "mkdir": os.mkdir,
    "server": provide_server,
}


def serve(connection: socket.socket, data: bytes) -> None:
    verb, home, arguments = json.loads(data)
    try:
        os.chdir(home)
        if verb == "open":
            descriptor = _open(*arguments)
            answer(connection, {"result": None}, [descriptor])
            return
        result = _entries(*arguments) if verb == "list" else _WORK[verb](*arguments)
    except OSError as error:
        answer(connection, {"errno": error.errno or errno.EIO, "error": error.strerror or str(error)})
        return
    while isinstance(result, list) and len(result) > _ENTRIES_AT_ONCE:
        answer(connection, {"result": result[:_ENTRIES_AT_ONCE], "more": True})
        del result[:_ENTRIES_AT_ONCE]
    answer(connection, {"result": result})
