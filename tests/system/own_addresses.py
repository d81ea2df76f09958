# SPDX-License-Identifier: Apache-2.0
"""Nodes with an address of their own each: SSH servers in network namespaces that a bridge connects."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.program import Program
from tests.support.sshd import Sshd

# An environment of the tests may lie below /tmp, which is empty on the nodes
_PYTHON = os.path.realpath(sys.executable)
_CLONE_NEWNS = 0x00020000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_numbers = itertools.count()

# The first process of a machine, which is the parent of all that were left alone
_INIT = """
import os, time
print("ready", flush=True)
while True:
    try:
        os.wait()
    except ChildProcessError:
        time.sleep(0.05)
"""


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


@contextlib.contextmanager
def finished(folder: Path, *arguments: str) -> Iterator[Program]:
    """Run the program on a cluster that the arguments name to its end; nothing of it outlives the block."""
    program = Program(folder, *arguments)
    try:
        program.wait(240)
        yield program
    finally:
        program.kill_everything()


class Network:
    """A bridge, to which this machine and some namespaces are connected; everything has gone after ``remove``.

    Args:
        folder: the one directory that the namespaces see of this machine's /tmp, if it is in there.

    Attributes:
        addresses: of the namespaces, by their names.
        servers: the processes that were there before anybody used it.
        inits: the first processes of the namespaces.
    """

    def __init__(self, folder: Path) -> None:
        self._visible = folder.relative_to("/tmp").parts[0] if folder.is_relative_to("/tmp") else ""
        self._prefix = f"dt{os.getpid()}x{next(_numbers)}"
        self._net = _free_net()
        self.addresses: dict[str, str] = {}
        self.servers: list[int] = []
        self.inits: list[subprocess.Popen[bytes]] = []
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
        return sorted(names - {self._visible})

    def remove(self) -> None:
        """End what runs in the namespaces, and remove them and the bridge."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for init in self.inits:
            init.wait()
        for name in self.addresses:
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("link", "del", name)
            _ip("netns", "del", name)
        _ip("link", "del", self._prefix)


def _free_net() -> str:
    """The first three numbers of a private range that this machine does not use."""
    taken = _ip("-4", "addr") + _ip("-4", "route")
    candidates = [f"172.{second}.{third}" for second in range(17, 32) for third in range(250)]
    # At random, because others may be looking for one at this moment
    return random.choice([net for net in candidates if f"{net}." not in taken])


def _inside(namespace: str, folder: Path, action: Callable[[], None]) -> subprocess.Popen[bytes]:
    """Do something in a network namespace, with a fresh /tmp; processes that it starts stay there, and see no others.

    Args:
        namespace: its name.
        folder: what is to be seen all the same, if it is in /tmp.
        action: what to do.

    Returns:
        The first of the processes, with which all others end.
    """
    found: list[subprocess.Popen[bytes]] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with open(f"/run/netns/{namespace}", "rb") as file:
                _must("setns", file.fileno(), _CLONE_NEWNET)
            _must("unshare", _CLONE_NEWNS)
            _mount_fresh_tmp(folder)
            _must("unshare", _CLONE_NEWPID)
            found.append(_start_init())
            action()
        except BaseException as error:  # raised again by the caller
            errors.append(error)

    # A namespace is entered for the rest of a thread's life
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return found[0]


def _must(call: str, *arguments: int) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), call)(*arguments):
        raise OSError(ctypes.get_errno(), f"{call} failed")


def _mount_fresh_tmp(folder: Path) -> None:
    script = """
        mount --make-rprivate / && exec 3<"$1" && mount -t tmpfs -o mode=1777 tmpfs /tmp && mkdir -p "$1" &&
        mount -c --bind /proc/self/fd/3 "$1"
    """
    subprocess.run(["sh", "-c", script, "sh", str(folder)], check=True, capture_output=True)


def _start_init() -> subprocess.Popen[bytes]:
    script = 'mount -t proc proc /proc && exec "$0" -S -c "$1"'
    init = subprocess.Popen(["sh", "-c", script, _PYTHON, _INIT], stdout=subprocess.PIPE, start_new_session=True)
    assert init.stdout is not None
    with init.stdout as output:
        assert output.readline() == b"ready\n"
    return init


@contextlib.contextmanager
def nodes_with_own_addresses(folder: Path, count: int) -> Iterator[tuple[str, Network]]:
    """Start so many servers, and yield the path of a cluster file for ``worker1`` and so on, and their network."""
    network = Network(folder)
    with contextlib.ExitStack() as stack:
        stack.callback(network.remove)
        entries = [_entry(stack, folder / f"worker{number}", network) for number in range(1, count + 1)]
        path = folder / "cluster.json"
        path.write_text(json.dumps({"nodes": entries}))
        network.servers = network.processes()
        yield str(path), network


def _entry(stack: contextlib.ExitStack, directory: Path, network: Network) -> dict[str, object]:
    directory.mkdir()
    namespace = network.add()
    address = network.addresses[namespace]
    server = Sshd(directory, (f"ListenAddress {address}",))
    network.inits.append(_inside(namespace, directory, server.start))
    stack.callback(server.stop)
    settings = {**server.settings.to_json(), "host": directory.name, "hostname": address}
    return {"externally_routable_ip": address, "ssh_config": settings}
