# SPDX-License-Identifier: Apache-2.0
"""Requests to the processes of a sandbox: datagrams to a Unix socket, each with a socket pair for the answers.

Nothing accepts connections, so no client can block a process with half of a request.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
from collections.abc import Sequence
from typing import Any

LARGEST = 200 * 1024  # less than what the kernel takes by default
_MOST_DESCRIPTORS = 4
_SECONDS = 60.0


def bind_socket(path: str) -> socket.socket:
    """Create the socket that receives requests; replaces an older one."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    receiver.bind(path)
    return receiver


def send_request(
    path: str, data: bytes, descriptors: Sequence[int] = (), *, seconds: float = _SECONDS
) -> socket.socket:
    """Send a request with descriptors; returns the socket for the answers, which ends when nobody can answer any more.

    Raises:
        ConnectionRefusedError: the receiving process has ended, or there is none.
        TimeoutError: (builtin) the queue of unread requests stayed full.
        OSError: the request is too large.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        with theirs, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.settimeout(seconds)
            connection.connect(path)
            socket.send_fds(connection, [data], [theirs.fileno(), *descriptors])
    except (ConnectionRefusedError, FileNotFoundError):
        ours.close()
        name = os.path.basename(path)
        raise ConnectionRefusedError(errno.ECONNREFUSED, f"{name} is off, or was given back", name) from None
    except BaseException:
        ours.close()
        raise
    return ours


def receive(receiver: socket.socket) -> tuple[bytes, socket.socket | None, list[int]]:
    """Receive a request; returns it, the socket for answers (``None`` if there is none), and further descriptors."""
    data, descriptors, _, _ = socket.recv_fds(receiver, LARGEST, _MOST_DESCRIPTORS)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    if not descriptors:
        return data, None, []
    return data, socket.socket(fileno=descriptors[0]), descriptors[1:]


def answer(client: socket.socket, fields: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Answer a request; does nothing if the client has gone."""
    with contextlib.suppress(OSError):
        socket.send_fds(client, [json.dumps(fields).encode()], list(descriptors))
