# SPDX-License-Identifier: Apache-2.0
"""The network of a sandbox: a bridge without an uplink, a port for each node, and one for the driver.

It is made by messages to the kernel rather than by a program, since programs would take most of the time that a node
takes to be made. This module is loaded by a process that is copied for every node: it imports as little as possible.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterable

BRIDGE = "switch"
HOST_LINK = "dtbox"  # the rest of the name is the process id of whoever holds the sandbox
_UPLINK = "driver"
_FREED = 0x6474  # a group of links that are about to be deleted

_NEWLINK, _DELLINK, _GETLINK, _NEWADDR, _NEWROUTE = 16, 17, 18, 20, 24
_REQUEST, _ACK, _EXCL, _CREATE = 0x1, 0x4, 0x200, 0x400
_ADDRESS, _IFNAME, _MASTER, _LINKINFO, _NET_NS_PID, _GROUP, _NET_NS_FD = 1, 3, 10, 18, 19, 27, 28
_INFO_KIND, _INFO_DATA, _VETH_PEER, _MCAST_SNOOPING = 1, 2, 1, 23
_ERROR = 2
_UP = 1


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode() + b"\0")


def _number(kind: int, number: int) -> bytes:
    return _attribute(kind, struct.pack("=I", number))


def _link(*, index: int = 0, up: bool = False) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, _UP if up else 0, _UP if up else 0)


class Netlink:
    """A conversation with the kernel about the network namespace in which it began."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((0, 0))
        self._number = 0

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def _request(self, kind: int, flags: int, body: bytes) -> bytes:
        self._number += 1
        header = struct.pack("=IHHII", len(body) + 16, kind, flags | _REQUEST | _ACK, self._number, 0)
        self._socket.send(header + body)
        answer = self._socket.recv(1 << 16)
        _, answer_kind, _, _, _, error = struct.unpack_from("=IHHIIi", answer)
        if answer_kind == _ERROR and error:
            raise OSError(-error, f"network: {os.strerror(-error)}")
        return answer

    def index_of(self, name: str) -> int:
        """The index of a link."""
        answer = self._request(_GETLINK, 0, _link() + _text(_IFNAME, name))
        index: int = struct.unpack_from("=i", answer, 16 + 4)[0]
        # The acknowledgement comes as a message of its own
        self._socket.recv(1 << 16)
        return index

    def add_bridge(self, name: str) -> None:
        """Add a switch that passes on everything, multicast included."""
        data = _attribute(_INFO_DATA, _attribute(_MCAST_SNOOPING, b"\0"))
        info = _attribute(_LINKINFO, _text(_INFO_KIND, "bridge") + data)
        self._request(_NEWLINK, _CREATE | _EXCL, _link(up=True) + _text(_IFNAME, name) + info)

    def add_pair(
        self, name: str, *, master: int, peer: str, address: bytes, pid: int = 0, descriptor: int = -1
    ) -> None:
        """Add two connected links, one here and one elsewhere.

        Args:
            name: of the one here.
            master: index of the bridge that it is a port of.
            peer: name of the other.
            address: of the other; six bytes.
            pid: a process in the other's network namespace; or
            descriptor: of that namespace.
        """
        place = _number(_NET_NS_PID, pid) if pid else _number(_NET_NS_FD, descriptor)
        other = _link() + _text(_IFNAME, peer) + _attribute(_ADDRESS, address) + place
        data = _attribute(_INFO_DATA, _attribute(_VETH_PEER, other))
        info = _attribute(_LINKINFO, _text(_INFO_KIND, "veth") + data)
        body = _link(up=True) + _text(_IFNAME, name) + _number(_MASTER, master) + info
        self._request(_NEWLINK, _CREATE | _EXCL, body)

    def set_up(self, index: int) -> None:
        """Bring a link up."""
        self._request(_NEWLINK, 0, _link(index=index, up=True))

    def add_address(self, index: int, address: str, prefix: int) -> None:
        """Give a link an address, with the route that belongs to it."""
        packed = socket.inet_aton(address)
        head = struct.pack("=BBBBI", socket.AF_INET, prefix, 0, 0, index)
        last = struct.pack("!I", struct.unpack("!I", packed)[0] | ((1 << (32 - prefix)) - 1))
        body = head + _attribute(2, packed) + _attribute(1, packed) + _attribute(4, last)
        self._request(_NEWADDR, _CREATE | _EXCL, body)

    def add_route(self, index: int, network: str, prefix: int) -> None:
        """Let packets to some addresses leave by a link, where no gateway is needed."""
        table_main, protocol_boot, scope_link, unicast = 254, 3, 253, 1
        head = struct.pack(
            "=BBBBBBBBI", socket.AF_INET, prefix, 0, 0, table_main, protocol_boot, scope_link, unicast, 0
        )
        body = head + _attribute(1, socket.inet_aton(network)) + _number(4, index)
        self._request(_NEWROUTE, _CREATE | _EXCL, body)

    def delete(self, index: int) -> None:
        """Delete a link, and the one that it is connected to."""
        self._request(_DELLINK, 0, _link(index=index))

    def delete_all(self, indices: Iterable[int]) -> None:
        """Delete links, and those that they are connected to, in the time that one takes; none may be left of them."""
        # The kernel deletes them by itself, too, once the processes at the other ends are dead
        for index in indices:
            with contextlib.suppress(OSError):
                self._request(_NEWLINK, 0, _link(index=index) + _number(_GROUP, _FREED))
        with contextlib.suppress(OSError):
            self._request(_DELLINK, 0, _link() + _number(_GROUP, _FREED))


def hardware_address(index: int) -> bytes:
    """The hardware address of a position in the network: always the same, since others remember it for a while."""
    return bytes((0x02, 0x64, 0x74, 0, 0, index))


class Switch:
    """The bridge of a sandbox, in a network namespace of its own, with a link to the one that the driver is in.

    Has to be made in the namespace of the driver, and opened in that of the bridge.
    """

    def __init__(self) -> None:
        self._host = Netlink()
        self._host_namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._here: Netlink | None = None
        self._bridge = 0

    def open(self) -> None:
        """Make the bridge in the present network namespace."""
        quiet_ipv6()
        self._here = here = Netlink()
        here.add_bridge(BRIDGE)
        self._bridge = socket.if_nametoindex(BRIDGE)

    def link_host(self, name: str, address: str) -> None:
        """Connect the driver.

        Args:
            name: of the link in its namespace.
            address: of the link; the rest of its 256 addresses are the nodes'.
        """
        assert self._here is not None
        self._here.add_pair(
            _UPLINK, master=self._bridge, peer=name, address=hardware_address(1), descriptor=self._host_namespace
        )
        index = self._host.index_of(name)
        self._host.add_address(index, address, 24)
        self._host.set_up(index)

    def plug(self, name: str, pid: int, index: int) -> None:
        """Give a process's network namespace the link ``eth0``."""
        assert self._here is not None
        self._here.add_pair(name, master=self._bridge, peer="eth0", address=hardware_address(index), pid=pid)

    def unplug(self, names: Iterable[str]) -> None:
        """Take ports away; those that are gone already are fine."""
        assert self._here is not None
        found = []
        for name in names:
            with contextlib.suppress(OSError):
                found.append(socket.if_nametoindex(name))
        if found:
            self._here.delete_all(found)

    def close(self) -> None:
        """Take the driver's link away."""
        with contextlib.suppress(OSError):
            self.unplug([_UPLINK])


def quiet_ipv6() -> None:
    """Let the links to come have no IPv6 addresses, which would take a second to be settled."""
    with contextlib.suppress(OSError), open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w") as file:
        file.write("1")


def open_node_link(address: str) -> None:
    """Bring up the links of this network namespace."""
    netlink = Netlink()
    netlink.set_up(socket.if_nametoindex("lo"))
    link = socket.if_nametoindex("eth0")
    netlink.add_address(link, address, 24)
    netlink.set_up(link)
    # There is no route to everywhere, which these would take; programs find each other by them
    for network, prefix in (("224.0.0.0", 4), ("255.255.255.255", 32)):
        netlink.add_route(link, network, prefix)
    netlink.close()
