# SPDX-License-Identifier: Apache-2.0
"""Runs on nodes with an address of their own each: SSH servers in network namespaces that a bridge connects."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.program import Program
from tests.support.sshd import Sshd, missing_parts
from tests.system.results import service_of

_CLONE_NEWNS = 0x00020000
_CLONE_NEWNET = 0x40000000
_numbers = itertools.count()


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


def why_not() -> str:
    """Why there can be no such servers here, in words; empty when there can."""
    if os.getuid() != 0:
        return "network namespaces are made by root"
    if shutil.which("ip") is None:
        return "there is no ip on this machine: apt-get install iproute2"
    name = f"dtprobe{os.getpid()}"
    try:
        _ip("link", "add", name, "type", "bridge")
        _ip("link", "del", name)
    except subprocess.CalledProcessError as error:
        return f"this kernel makes no bridges: {error.stderr.strip()}"
    return missing_parts()


@contextlib.contextmanager
def finished(folder: Path, *arguments: str) -> Iterator[Program]:
    """Run the program on a cluster that the arguments name to its end; nothing of it outlives the block."""
    program = Program(folder, *arguments)
    try:
        program.wait(240)
        yield program
    finally:
        program.kill_everything()


def logs_of(program: Program, function_name: str, cls_name: str, name: str) -> list[str]:
    """Return the content of the logs of a service's nodes, in the order of the nodes.

    Args:
        program: the run.
        function_name: the method of one of its tests.
        cls_name: class of the service.
        name: of the log file, with ``{}`` for the name of the node.
    """
    result = program.result(function_name)
    service = service_of(result, cls_name)
    directory = program.folder / "results" / "latest" / result["relative_results_dir"] / service["service_id"]
    # Accounts are called user@node
    nodes = [account.rpartition("@")[2] for account in service["nodes"]]
    return [next(directory.rglob(name.format(node))).read_text() for node in nodes]


class Network:
    """A bridge, to which this machine and some namespaces are connected; everything has gone after ``remove``.

    Attributes:
        addresses: of the namespaces, by their names.
    """

    def __init__(self) -> None:
        self._prefix = f"dt{os.getpid()}x{next(_numbers)}"
        self._net = _free_net()
        self.addresses: dict[str, str] = {}
        _ip("link", "add", self._prefix, "type", "bridge")
        _ip("addr", "add", f"{self._net}.1/24", "dev", self._prefix)
        _ip("link", "set", self._prefix, "up")

    def add(self) -> str:
        """Make one more namespace and return its name."""
        number = len(self.addresses) + 2
        name = f"{self._prefix}n{number}"
        self.addresses[name] = f"{self._net}.{number}"
        _ip("netns", "add", name)
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", name, "master", self._prefix, "up")
        for device in ("lo", "eth0"):
            _ip("-n", name, "link", "set", device, "up")
        _ip("-n", name, "addr", "add", f"{self.addresses[name]}/24", "dev", "eth0")
        return name

    def processes(self) -> list[int]:
        """All processes in the namespaces."""
        return [int(pid) for name in self.addresses for pid in _ip("netns", "pids", name).split()]

    def files(self) -> list[str]:
        """What is in the /tmp of the namespaces that belongs to suites."""
        names = {name for pid in self.processes() for name in os.listdir(f"/proc/{pid}/root/tmp")}
        return sorted(name for name in names if not name.startswith("pytest-"))

    def remove(self) -> None:
        """End what runs in the namespaces, and remove them and the bridge."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for name in self.addresses:
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("link", "del", name)
            _ip("netns", "del", name)
        _ip("link", "del", self._prefix)


def _free_net() -> str:
    """The first three numbers of a private range that this machine does not use."""
    taken = _ip("-4", "addr") + _ip("-4", "route")
    candidates = (f"172.{second}.{third}" for second in range(31, 16, -1) for third in range(os.getpid() % 200, 250))
    return next(net for net in candidates if f"{net}." not in taken)


def _inside(namespace: str, folder: Path, action: Callable[[], None]) -> None:
    """Do something in a network namespace and with a fresh /tmp; processes that are started there stay there.

    Args:
        namespace: its name.
        folder: what is to be seen all the same, if it is in /tmp.
        action: what to do.
    """
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with open(f"/run/netns/{namespace}", "rb") as file:
                _must("setns", file.fileno(), _CLONE_NEWNET)
            _must("unshare", _CLONE_NEWNS)
            _mount_fresh_tmp(folder)
            action()
        except BaseException as error:  # raised again by the caller
            errors.append(error)

    # A namespace is entered for the rest of a thread's life
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def _must(call: str, *arguments: int) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), call)(*arguments):
        raise OSError(ctypes.get_errno(), f"{call} failed")


def _mount_fresh_tmp(folder: Path) -> None:
    script = """
        mount --make-rprivate / && exec 3<"$1" && mount -t tmpfs -o mode=1777 tmpfs /tmp && mkdir -p "$1" &&
        mount -c --bind /proc/self/fd/3 "$1"
    """
    subprocess.run(["sh", "-c", script, "sh", str(folder)], check=True, capture_output=True)


@contextlib.contextmanager
def nodes_with_own_addresses(folder: Path, count: int) -> Iterator[tuple[str, Network]]:
    """Start so many servers, and yield the path of a cluster file for ``worker1`` and so on, and their network."""
    network = Network()
    with contextlib.ExitStack() as stack:
        stack.callback(network.remove)
        entries = [_entry(stack, folder / f"worker{number}", network) for number in range(1, count + 1)]
        path = folder / "cluster.json"
        path.write_text(json.dumps({"nodes": entries}))
        yield str(path), network


def _entry(stack: contextlib.ExitStack, directory: Path, network: Network) -> dict[str, object]:
    directory.mkdir()
    namespace = network.add()
    address = network.addresses[namespace]
    server = Sshd(directory, (f"ListenAddress {address}",))
    _inside(namespace, directory, server.start)
    stack.callback(server.stop)
    settings = {**server.settings.to_json(), "host": directory.name, "hostname": address}
    return {"externally_routable_ip": address, "ssh_config": settings}
