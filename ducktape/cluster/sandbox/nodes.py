# SPDX-License-Identifier: Apache-2.0
"""Makes and destroys the nodes of a sandbox, inside the supervisor."""

from __future__ import annotations

import contextlib
import os
import signal
import socket

from ducktape.cluster.sandbox import cgroupfs, cgroups, ipc
from ducktape.cluster.sandbox.cgroups import Groups
from ducktape.cluster.sandbox.disk import Disk
from ducktape.cluster.sandbox.ipc import NodeFacts, NodeWish, Request, Server, Settings
from ducktape.cluster.sandbox.network import HOST_LINK, Switch, reserve
from ducktape.cluster.sandbox.node_init import END_ALL, NETWORK_THERE, NETWORK_WANTED, READY, run_node
from ducktape.cluster.sandbox.rootfs import Host
from ducktape.cluster.sandbox.syscalls import CLONE_NEWNET, fork_as_first, unshare

_SECONDS_TO_BE_MADE = 30.0


class _Node:
    def __init__(self, name: str, address: str, index: int, groups: dict[str, str]) -> None:
        self.name = name
        self.address = address
        self.index = index
        self.groups = groups
        self.pid = 0  # of its first process; 0 while its power is off
        self.channel: socket.socket | None = None
        self.disk: Disk | None = None

        self.port = f"to-{index}"

    def to_json(self) -> NodeFacts:
        return {"name": self.name, "pid": self.pid, "address": self.address, "cgroup": self.groups}


class Nodes:
    """The nodes of a sandbox, with the settings that the driver has sent."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._nodes: dict[str, _Node] = {}
        self._reservation, self._network = reserve(settings["network"])
        self._switch = Switch()
        self.host = Host(settings["mounts"])
        unshare(CLONE_NEWNET)
        self._switch.open()
        gateway = self._address(1)
        self._switch.link_host(f"{HOST_LINK}{os.getpid()}", gateway)
        names = "".join(
            f"{self._address(number + 1)}\tnode{number}\n" for number in range(1, settings["max_nodes"] + 1)
        )
        self._hosts = f"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n{gateway}\tdriver\n{names}"
        # Last, because the kernel would not free these if another step failed
        cgroups.remove_leftovers()
        self.groups = Groups(str(os.getpid()))
        self._server: Server | None = None
        self._early = self.server() if settings["sshd"] else Server(program=[], files={})

    @property
    def names(self) -> list[str]:
        return list(self._nodes)

    def _address(self, last: int) -> str:
        return f"{self._network}.{last}"

    def server(self) -> Server:
        """Return the SSH server of the nodes; makes its keys at the first call."""
        if self._server is None:
            # Most sandboxes do not need it
            from ducktape.cluster.sandbox.sshd import COMMAND, Keys

            keys = Keys(f"{self.host.base}/keys", self._settings["path"])
            self._server = {"program": [keys.server, *COMMAND], "files": keys.files(self._settings["environment"])}
        return self._server

    def create(self, nodes: list[NodeWish]) -> list[NodeFacts]:
        """Make all nodes or none; returns when they accept commands."""
        with contextlib.ExitStack() as undo:
            undo.callback(self.destroy, [each["name"] for each in nodes])
            made = [self._prepare(each) for each in nodes]
            self._power_on(made)
            undo.pop_all()
        return [node.to_json() for node in made]

    def _prepare(self, wanted: NodeWish) -> _Node:
        name, index = wanted["name"], wanted["index"]
        groups = self.groups.add(name, cpu=wanted["cpu"], memory=wanted["memory"], pids=wanted["pids"])
        node = self._nodes[name] = _Node(name, self._address(index + 1), index + 1, groups)
        files = {"hostname": f"{name}\n", "hosts": self._hosts, **self._early["files"]}
        node.disk = self.host.add_disk(name, wanted["disk"], files, crash=wanted["crash_disk"])
        return node

    def _power_on(self, nodes: list[_Node]) -> None:
        channels = [self._fork(node) for node in nodes]
        for node, channel in zip(nodes, channels, strict=True):
            _expect(NETWORK_WANTED, node, channel)
            try:
                self._switch.plug(node.port, node.pid, node.index)
                channel.send(NETWORK_THERE)
            except OSError:
                _expect(READY, node, channel)  # if it died in the meantime, this raises the reason
                raise
        for node, channel in zip(nodes, channels, strict=True):
            _expect(READY, node, channel)
            channel.close()
            node.channel = None

    def _fork(self, node: _Node) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = fork_as_first()
        if not pid:
            run_node(
                theirs,
                self.host,
                name=node.name,
                address=node.address,
                groups=node.groups,
                program=self._early["program"],
                environment=self._settings["environment"],
            )
        theirs.close()
        ours.settimeout(_SECONDS_TO_BE_MADE)
        node.pid, node.channel = pid, ours
        return ours

    def destroy(self, names: list[str]) -> None:
        """Destroy nodes and their resources; unknown names are ignored."""
        nodes = [self._nodes.pop(name) for name in names if name in self._nodes]
        self._power_off(nodes)
        for node in nodes:
            if node.disk is not None:
                node.disk.remove()
            self.host.remove_socket(node.name)
            self.groups.remove(node.groups)

    def _power_off(self, nodes: list[_Node]) -> None:
        self.reap()
        for node in nodes:
            if node.channel is not None:
                node.channel.close()
                node.channel = None
            if node.pid:
                os.kill(node.pid, signal.SIGKILL)
                for path in set(node.groups.values()):
                    cgroupfs.thaw(path)
        self._switch.unplug([node.port for node in nodes])
        for node in nodes:
            if node.pid:
                os.waitpid(node.pid, 0)
                node.pid = 0

    def _lose_unsynced(self, node: _Node, disk: Disk) -> None:
        if node.pid and disk.can_crash:
            # The end of the first process unmounts and thereby syncs the disk
            with ipc.send_request(f"{self.host.base}/sockets/{node.name}", END_ALL) as connection:
                connection.settimeout(_SECONDS_TO_BE_MADE)
                connection.recv(16)
        disk.snapshot()
        self._power_off([node])
        disk.restore()

    def reap(self) -> None:
        """Reap nodes that have died by themselves."""
        for node in self._nodes.values():
            if node.pid and os.waitpid(node.pid, os.WNOHANG)[0]:
                node.pid = 0

    def serve(self, request: Request) -> object:
        verb = request["verb"]
        if verb == "create":
            return self.create(request["nodes"])
        if verb == "destroy":
            self.destroy(request["names"])
            return None
        if verb == "server":
            return self.server()
        node = self._nodes.get(request["name"])
        if node is None:
            raise OSError(f"there is no node {request['name']}")
        self.reap()
        if verb == "power off":
            if request["lose_unsynced"] and node.disk is not None:
                self._lose_unsynced(node, node.disk)
            else:
                self._power_off([node])
        elif verb == "power on" and not node.pid:
            self._power_on([node])
        return node.to_json()

    def close(self) -> None:
        self.destroy(list(self._nodes))
        self._switch.close()
        self.groups.close()


def _expect(message: bytes, node: _Node, channel: socket.socket) -> None:
    said = channel.recv(8192)
    if said != message:
        raise OSError(f"{node.name} cannot be made: {said.decode(errors='replace') or 'its first process died'}")
