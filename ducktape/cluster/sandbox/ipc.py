# SPDX-License-Identifier: Apache-2.0
"""Requests to the processes of a sandbox: datagrams to a Unix socket, each with a socket pair for the answers.

Nothing accepts connections, so no client can block a process with half of a request.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypedDict

LARGEST = 200 * 1024  # less than what the kernel takes by default
_MOST_DESCRIPTORS = 4
_SECONDS = 60.0


class Settings(TypedDict):
    """What the supervisor has to know about its sandbox; ``mounts`` have ``source``, ``target`` and ``mode``."""

    max_nodes: int
    network: str | None
    mounts: list[dict[str, str]]
    environment: dict[str, str]
    sshd: bool
    path: str


class NodeWish(TypedDict):
    """A node to make, with its limits."""

    name: str
    index: int
    cpu: float | None
    memory: int | None
    pids: int | None
    disk: int | None
    crash_disk: bool


class NodeFacts(TypedDict):
    """A node as it is; ``pid`` is its first process, or 0 while its power is off."""

    name: str
    pid: int
    address: str
    cgroup: dict[str, str]


class Server(TypedDict):
    """The command of an SSH server, and its files under ``/etc`` by name."""

    program: list[str]
    files: dict[str, str]


class Request(TypedDict, total=False):
    """A request to the supervisor: a verb and what it needs."""

    verb: str
    nodes: list[NodeWish]
    names: list[str]
    name: str
    lose_unsynced: bool
    pid: int


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
    with contextlib.ExitStack() as undo:
        undo.enter_context(ours)
        try:
            with theirs, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
                connection.settimeout(seconds)
                connection.connect(path)
                socket.send_fds(connection, [data], [theirs.fileno(), *descriptors])
        except (ConnectionRefusedError, FileNotFoundError):
            name = os.path.basename(path)
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"{name} is off, or was given back", name) from None
        undo.pop_all()
    return ours


def receive(receiver: socket.socket) -> tuple[bytes, socket.socket | None, list[int]]:
    """Receive a request; returns it, the socket for answers (``None`` if there is none), and further descriptors."""
    data, descriptors, _, _ = socket.recv_fds(receiver, LARGEST, _MOST_DESCRIPTORS)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    if not descriptors:
        return data, None, []
    return data, socket.socket(fileno=descriptors[0]), descriptors[1:]


def answer(client: socket.socket, fields: Mapping[str, object], descriptors: Sequence[int] = ()) -> None:
    """Answer a request; does nothing if the client has gone."""
    with contextlib.suppress(OSError):
        socket.send_fds(client, [json.dumps(fields).encode()], list(descriptors))


def readable(descriptors: Collection[int]) -> Iterator[set[int]]:
    """Yield the descriptors with data: none at first and after a signal; ignores negative ones.

    The collection may change meanwhile.
    """
    wake, wake_end = socket.socketpair()
    for end in (wake, wake_end):
        end.setblocking(False)
    signal.set_wakeup_fd(wake_end.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    ready: set[int] = set()
    while True:
        yield ready
        poll = select.poll()
        for descriptor in (wake.fileno(), *descriptors):
            if descriptor >= 0:
                poll.register(descriptor, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll()}
        if wake.fileno() in ready:
            wake.recv(4096)
