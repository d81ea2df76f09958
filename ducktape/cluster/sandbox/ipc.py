# SPDX-License-Identifier: Apache-2.0
"""Requests to the processes of a sandbox: letters to a box in the file system, each with the way to answer it.

Nothing listens for connections, so nothing can be kept waiting by half of one. This module is loaded by a process that
is copied for every node, so it imports as little as possible.
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


def letter_box(path: str) -> socket.socket:
    """Make a box, in the place of an older one."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    box = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    box.bind(path)
    return box


def post(path: str, data: bytes, descriptors: Sequence[int] = (), *, seconds: float = _SECONDS) -> socket.socket:
    """Send a request.

    Args:
        path: of the box.
        data: the request.
        descriptors: that go with it.
        seconds: how long to wait when there are too many unread ones.

    Returns:
        Where the answers come, whole ones; it ends when nobody can answer any more.

    Raises:
        ConnectionRefusedError: nobody reads the letters of this box any more.
        TimeoutError: (builtin) nobody takes the request.
        OSError: there is no such box, or the request is too large.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        with theirs, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as letter:
            letter.settimeout(seconds)
            letter.connect(path)
            socket.send_fds(letter, [data], [theirs.fileno(), *descriptors])
    except (ConnectionRefusedError, FileNotFoundError):
        ours.close()
        name = os.path.basename(path)
        raise ConnectionRefusedError(errno.ECONNREFUSED, f"{name} is off, or was given back", name) from None
    except BaseException:
        ours.close()
        raise
    return ours


def receive(box: socket.socket) -> tuple[bytes, socket.socket | None, list[int]]:
    """Take a request; returns it, where the answers go, and what came with it. ``None``: nobody can be answered."""
    data, descriptors, _, _ = socket.recv_fds(box, LARGEST, _MOST_DESCRIPTORS)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    if not descriptors:
        return data, None, []
    return data, socket.socket(fileno=descriptors[0]), descriptors[1:]


def answer(asker: socket.socket, fields: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Answer a request; whoever does not want the answer any more does not get it."""
    with contextlib.suppress(OSError):
        socket.send_fds(asker, [json.dumps(fields).encode()], list(descriptors))
