# SPDX-License-Identifier: Apache-2.0
"""The first process of a node: sets up the node, then starts commands on request.

Commands are its children, so they have the node's limits, environment and root from the start, and they survive their
clients.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import termios
from collections.abc import Mapping, Sequence
from typing import NoReturn

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
# Capabilities that affect the whole machine: modules, devices, clock, log, power
_CAPABILITIES_OF_THE_MACHINE = {16, 17, 20, 22, 25, 26, 27, 30, 32, 33, 34, 35, 36}
# Name and command line of the process in the node: suites search for processes by parts of paths
_NAME = "init"
_DEFAULTS = (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


def run_node(
    channel: socket.socket,
    host: Host,
    *,
    name: str,
    address: str,
    groups: Mapping[str, str],
    program: Sequence[str],
    environment: Mapping[str, str],
) -> NoReturn:
    """Entry point of the first process of a node, which never returns; ``program`` is the SSH server, if any."""
    try:
        end_with_parent(signal.SIGKILL)
        set_name(_NAME)
        set_command_line(_NAME)
        os.setsid()
        for sig in _DEFAULTS:
            signal.signal(sig, signal.SIG_DFL)
        close_descriptors(channel.fileno())
        cgroups.enter(groups)
        # Before unsharing the network namespace, whose list of sockets would show it
        requests = ipc.bind_socket(f"{host.base}/sockets/{name}")
        _enter_namespaces(channel, host, name, address)
        drop_capabilities(_CAPABILITIES_OF_THE_MACHINE)
        detach_standard_streams()
        if program:
            run_server(program)
        channel.send(READY)
        channel.close()
        _CommandServer(requests, environment).serve()
    except BaseException as error:
        with contextlib.suppress(OSError):
            kind = "" if isinstance(error, RuntimeError) else f"{type(error).__name__}: "
            channel.send(f"{kind}{error}".encode()[:4000])
    finally:
        os._exit(1)


def _enter_namespaces(channel: socket.socket, host: Host, name: str, address: str) -> None:
    unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC)
    with contextlib.suppress(OSError):  # kernels without control groups
        unshare(CLONE_NEWCGROUP)
    sandbox_network.quiet_ipv6()
    channel.send(NETWORK_WANTED)
    set_hostname(name)
    host.enter(name)
    hide_program()
    if channel.recv(64) != NETWORK_THERE:
        raise OSError("the network was not made")
    sandbox_network.open_node_link(address)


class _CommandServer:
    """Serves requests and reports the exit status of commands."""

    def __init__(self, requests: socket.socket, environment: Mapping[str, str]) -> None:
        self._requests = requests
        self._environment = environment
        self._clients: dict[int, socket.socket] = {}

    def serve(self) -> None:
        for ready in ipc.readable([self._requests.fileno()]):
            if self._requests.fileno() in ready:
                self._take()
            self._reap()

    def _take(self) -> None:
        """Serve one request; errors are answered with their reason."""
        data, client, descriptors = ipc.receive(self._requests)
        if client is None:
            return
        try:
            if data == END_ALL:
                os.kill(-1, signal.SIGKILL)
                ipc.answer(client, {})
                return
            self._start(client, data, descriptors)
        except OSError as error:
            ipc.answer(client, {"errno": error.errno, "error": os.strerror(error.errno or 0)})
        finally:
            for each in descriptors:
                os.close(each)

    def _start(self, client: socket.socket, data: bytes, descriptors: list[int]) -> None:
        pid = os.fork()
        if pid:
            if descriptors:
                self._clients[pid] = client
            return
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write("0")
            if not descriptors:
                serve(client, data)
                return
            head, _, command = data.partition(b"\0")
            shell, home, own, *terminal = json.loads(head)
            os.setsid()
            if terminal == [True]:
                fcntl.ioctl(descriptors[0], termios.TIOCSCTTY, 0)
            os.chdir(home)
            for number, descriptor in enumerate(descriptors):
                os.dup2(descriptor, number)
                os.close(descriptor)  # a background process must not keep the pipes open
            if not os.access(shell, os.X_OK):
                shell = "/bin/sh"
            os.execve(shell, [os.path.basename(shell), b"-c", command], {**self._environment, **own})
        finally:
            os._exit(127)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            client = self._clients.pop(pid, None)
            if client is not None:
                ipc.answer(client, {"status": os.waitstatus_to_exitcode(status)})
                client.close()
