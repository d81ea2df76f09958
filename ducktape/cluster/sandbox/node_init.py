# SPDX-License-Identifier: Apache-2.0
"""The first process of a node: it makes the node's surroundings, and then starts commands for those who ask.

Commands are its children: they have the node's limits, environment and root from their first moment, and go on when
whoever asked for them is gone. This module is loaded by a process that is copied for every node, so it imports as
little as possible.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
from collections.abc import Mapping
from typing import Any, NoReturn

from ducktape.cluster.sandbox import cgroups, ipc
from ducktape.cluster.sandbox import network as sandbox_network
from ducktape.cluster.sandbox.file_server import serve
from ducktape.cluster.sandbox.rootfs import Host, hide_program
from ducktape.cluster.sandbox.ssh_server import run_server
from ducktape.cluster.sandbox.syscalls import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWUTS,
    drop_capabilities,
    set_command_line,
    set_hostname,
    unshare,
)
from ducktape.utils.process.proc import close_descriptors, detach_standard_streams, end_with_parent, set_name

NETWORK_WANTED, NETWORK_THERE, READY = b"network", b"there", b"ready"
END_ALL = b"end all"
# What reaches the whole machine: modules, devices, its clock, its log, its power. The rest is the node's own.
_CAPABILITIES_OF_THE_MACHINE = {16, 17, 20, 22, 25, 26, 27, 30, 32, 33, 34, 35, 36}
# All that a node shows of its first process: suites look for theirs by the words of their paths
_NAME = "init"
_DEFAULTS = (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


def be_a_node(talk: socket.socket, host: Host, node: Mapping[str, Any], environment: dict[str, str]) -> NoReturn:
    """Be the first process of a node; never returns.

    Args:
        talk: to the process that makes nodes.
        host: what nodes see of this machine.
        node: name, address and groups.
        environment: of commands.
    """
    try:
        end_with_parent(signal.SIGKILL)
        set_name(_NAME)
        set_command_line(_NAME)
        os.setsid()
        for sig in _DEFAULTS:
            signal.signal(sig, signal.SIG_DFL)
        close_descriptors(talk.fileno())
        door = _become(talk, host, node)
        talk.send(READY)
        talk.close()
        _Door(door, environment).serve()
    except BaseException as error:
        with contextlib.suppress(OSError):
            kind = "" if isinstance(error, RuntimeError) else f"{type(error).__name__}: "
            talk.send(f"{kind}{error}".encode()[:4000])
    finally:
        os._exit(1)


def _become(talk: socket.socket, host: Host, node: Mapping[str, Any]) -> socket.socket:
    cgroups.enter(node["cgroup"])
    # Before it has a network of its own, in which this would be listed
    door = ipc.letter_box(f"{host.base}/doors/{node['name']}")
    unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC)
    with contextlib.suppress(OSError):  # kernels without control groups
        unshare(CLONE_NEWCGROUP)
    sandbox_network.quiet_ipv6()
    talk.send(NETWORK_WANTED)
    set_hostname(node["name"])
    host.enter(node["name"])
    hide_program()
    if talk.recv(64) != NETWORK_THERE:
        raise OSError("the network was not made")
    sandbox_network.open_node_link(node["address"])
    drop_capabilities(_CAPABILITIES_OF_THE_MACHINE)
    detach_standard_streams()
    if node["program"]:
        run_server(node["program"])
    return door


class _Door:
    """Takes requests, and tells how commands ended."""

    def __init__(self, door: socket.socket, environment: dict[str, str]) -> None:
        self._door = door
        self._environment = environment
        self._askers: dict[int, socket.socket] = {}

    def serve(self) -> NoReturn:
        wake, wake_end = socket.socketpair()
        for end in (wake, wake_end):
            end.setblocking(False)
        signal.set_wakeup_fd(wake_end.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        poll = select.poll()
        for listened in (self._door, wake):
            poll.register(listened, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == self._door.fileno():
                    self._take()
                else:
                    wake.recv(4096)
            self._reap()

    def _take(self) -> None:
        """Take a request; one that cannot be served is answered with the reason."""
        data, asker, descriptors = ipc.receive(self._door)
        if asker is None:
            return
        try:
            if data == END_ALL:
                os.kill(-1, signal.SIGKILL)
                ipc.answer(asker, {})
                return
            self._start(asker, data, descriptors)
        except OSError as error:
            ipc.answer(asker, {"errno": error.errno, "error": os.strerror(error.errno or 0)})
        finally:
            for each in descriptors:
                os.close(each)

    def _start(self, asker: socket.socket, data: bytes, descriptors: list[int]) -> None:
        pid = os.fork()
        if pid:
            if descriptors:
                self._askers[pid] = asker
            return
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write("0")
            if descriptors:
                self._be_a_command(data, descriptors)
            else:
                serve(asker, data)
        finally:
            os._exit(127)

    def _be_a_command(self, data: bytes, descriptors: list[int]) -> NoReturn:
        head, _, command = data.partition(b"\0")
        shell, home, own = json.loads(head)
        os.setsid()
        os.chdir(home)
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)  # a background process must not keep its asker's pipes open unknowingly
        if not os.access(shell, os.X_OK):
            shell = "/bin/sh"
        os.execve(shell, [os.path.basename(shell), b"-c", command], {**self._environment, **own})

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            asker = self._askers.pop(pid, None)
            if asker is not None:
                ipc.answer(asker, {"status": os.waitstatus_to_exitcode(status)})
                asker.close()
