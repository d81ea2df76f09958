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
import signal
import socket
import sys
from collections.abc import Mapping

from ducktape.cluster.sandbox import cgroups, ipc
from ducktape.cluster.sandbox.nodes import Nodes
from ducktape.cluster.sandbox.syscalls import set_command_line
from ducktape.utils.process.proc import end_with_parent, set_name


def _serve(nodes: Nodes, control: socket.socket, driver: int, ended: list[int]) -> None:
    """Serve requests until SIGTERM, or until the driver and all processes that keep nodes of it have ended."""
    kept = _KeptNodes(nodes)
    watched = [control.fileno(), driver]
    for ready in ipc.readable(watched):
        if ended:
            return
        if driver in ready and kept.outlive_driver():
            os.close(driver)  # what this process watches says who needs it
            driver = -1
        elif driver in ready:
            return
        nodes.reap()
        is_left = kept.end(ready)
        if kept.has_no_driver and not is_left:
            return
        if control.fileno() in ready and _answer(control, nodes, kept):
            return
        watched[:] = [control.fileno(), driver, *kept.holders]


def _answer(control: socket.socket, nodes: Nodes, kept: _KeptNodes) -> bool:
    """Serve a request; returns whether it was the last one."""
    data, client, descriptors = ipc.receive(control)
    for each in descriptors:
        os.close(each)
    if client is None:
        return False
    with client:
        request = json.loads(data)
        if request["verb"] == "stop":
            is_needed = kept.outlive_driver()
            if not is_needed:
                nodes.close()
            ipc.answer(client, {"result": {"kept": is_needed}})
            return not is_needed
        try:
            answer = {"result": kept.serve(request)}
        except Exception as error:  # no request ends the nodes of other tests
            answer = {"error": _reason(error)}
        ipc.answer(client, answer)
    return False


class _KeptNodes:
    """The nodes that processes keep, which are destroyed when these end; they may outlive the driver."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self.has_no_driver = False
        self.holders: dict[int, list[str]] = {}  # by the descriptors of the processes

    def serve(self, request: ipc.Request) -> object:
        if request["verb"] == "keep":
            self.holders[os.pidfd_open(request["pid"])] = request["names"]
            return None
        if request["verb"] == "destroy":
            # Their names may belong to other nodes soon
            for names in self.holders.values():
                names[:] = [name for name in names if name not in request["names"]]
        return self._nodes.serve(request)

    def end(self, ready: set[int]) -> bool:
        """Destroy the nodes whose holders have ended; returns whether others are kept."""
        for descriptor in ready & set(self.holders):
            self._nodes.destroy(self.holders.pop(descriptor))
            os.close(descriptor)
        return bool(self.holders)

    def outlive_driver(self) -> bool:
        """Destroy the nodes that nobody keeps; returns whether there are others."""
        self.has_no_driver = True
        names = {name for names in self.holders.values() for name in names}
        if names:
            self._nodes.destroy([name for name in self._nodes.names if name not in names])
        return bool(names)


def _reason(error: Exception) -> str:
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error) or type(error).__name__
    return error.strerror if error.filename is None else f"{error.strerror}: {error.filename}"


def _report(answer: Mapping[str, object]) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")
    # Readers of the driver's output must not wait for this process as well
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.close(null)


def main() -> None:
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
    try:
        driver = os.pidfd_open(settings["driver"])
    except OSError:  # kernels before 5.3
        driver = -1
        # Second choice: the kernel sends it when the thread ends that has started this process
        end_with_parent(signal.SIGTERM)
    if os.getppid() != settings["driver"]:
        return
    with contextlib.ExitStack() as ending:
        try:
            nodes = Nodes(settings)
            ending.callback(nodes.close)
            control = ipc.bind_socket(f"{nodes.host.base}/control")
        except OSError as error:
            _report({"error": _reason(error)})
            return
        controllers, problem = sorted(nodes.groups.controllers), nodes.groups.problem
        _report({"base": nodes.host.base, "controllers": controllers, "problem": problem})
        gc.collect()
        gc.freeze()
        _serve(nodes, control, driver, ended)
