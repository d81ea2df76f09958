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
    """Serve requests until the last one, SIGTERM, or the end of the driver."""
    for ready in ipc.readable(control.fileno(), driver):
        if ended or driver in ready:
            return
        nodes.reap()
        if control.fileno() not in ready:
            continue
        data, client, descriptors = ipc.receive(control)
        for each in descriptors:
            os.close(each)
        if client is None:
            continue
        with client:
            request = json.loads(data)
            if request["verb"] == "stop":
                nodes.close()
                ipc.answer(client, {})
                return
            try:
                answer = {"result": nodes.serve(request)}
            except Exception as error:  # no request ends the nodes of other tests
                answer = {"error": _reason(error)}
            ipc.answer(client, answer)


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
