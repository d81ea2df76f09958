# SPDX-License-Identifier: Apache-2.0
"""The process that owns a sandbox: the nodes and all their resources end with it.

It ends with the driver, however that dies. If it is killed itself, the kernel ends the nodes and frees all but the
directories of control groups. It is forked for every node, so it imports as little as possible, as do the modules that
it loads.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from typing import Any

from ducktape.cluster.sandbox import cgroups, ipc
from ducktape.cluster.sandbox.nodes import Nodes
from ducktape.cluster.sandbox.syscalls import set_command_line
from ducktape.utils.process.proc import end_with_parent, set_name


class _Loop:
    """Waits for requests, and for the end of the driver."""

    def __init__(self, nodes: Nodes, control: socket.socket, driver: int, ended: list[int]) -> None:
        self._nodes = nodes
        self._control = control
        self._driver = driver
        self._ended = ended

    def run(self) -> None:
        wake, wake_end = socket.socketpair()
        for end in (wake, wake_end):
            end.setblocking(False)
        signal.set_wakeup_fd(wake_end.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        poll = select.poll()
        for descriptor in (self._control.fileno(), self._driver, wake.fileno()):
            if descriptor >= 0:
                poll.register(descriptor, select.POLLIN)
        while not self._ended:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if self._driver in ready:
                return
            if wake.fileno() in ready:
                wake.recv(4096)
                self._nodes.reap()
            if self._control.fileno() in ready and not self._answer():
                return

    def _answer(self) -> bool:
        """Serve one request; returns whether there may be others."""
        data, client, descriptors = ipc.receive(self._control)
        for each in descriptors:
            os.close(each)
        if client is None:
            return True
        with client:
            request = json.loads(data)
            if request["verb"] == "stop":
                self._nodes.close()
                ipc.answer(client, {})
                return False
            try:
                answer = {"result": self._nodes.serve(request)}
            except Exception as error:
                answer = {"error": _reason(error)}
            ipc.answer(client, answer)
        return True


def _descriptor_of(pid: int) -> int:
    """Return a descriptor that becomes readable when a process ends; -1 on kernels before 5.3."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return -1


def _reason(error: Exception) -> str:
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error) or type(error).__name__
    return error.strerror if error.filename is None else f"{error.strerror}: {error.filename}"


def _report(answer: dict[str, Any]) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")
    # Readers of the driver's output must not wait for this process as well
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.close(null)


def main() -> None:
    """Entry point of the supervisor."""
    os.chdir("/")
    settings = json.load(sys.stdin)
    set_name(cgroups.SUPERVISOR)
    set_command_line("ducktape-sandbox")
    for sig in (signal.SIGINT, signal.SIGHUP):
        signal.signal(sig, signal.SIG_IGN)
    # Only noted: an exception in the middle of an operation would leave half of it
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    os.umask(0o022)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("-1000")
    nodes = None
    try:
        driver = _descriptor_of(settings["driver"])
        if driver < 0:
            # Second choice: the kernel sends it when the thread ends that has started this process
            end_with_parent(signal.SIGTERM)
        if os.getppid() != settings["driver"]:
            return
        nodes = Nodes(settings)
        control = ipc.bind_socket(f"{nodes.host.base}/control")
    except Exception as error:
        if nodes is not None:
            nodes.close()
        _report({"error": _reason(error)})
        return
    try:
        problem = nodes.groups.problem
        _report(
            {
                "base": nodes.host.base,
                "gateway": nodes.gateway,
                "controllers": sorted(nodes.groups.controllers),
                "problem": problem,
            }
        )
        gc.collect()
        gc.freeze()
        _Loop(nodes, control, driver, ended).run()
    finally:
        nodes.close()
