# SPDX-License-Identifier: Apache-2.0
"""The network of a sandbox: a bridge without an uplink, with a port for each node and one for the driver.

It uses netlink messages, since starting programs would take most of the time that it takes to make a node.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterable, Iterator

BRIDGE = "switch"
HOST_LINK = "dtbox"  # followed by the process id of the supervisor
_UPLINK = "driver"
_FREED = 0x6474  # group of links to delete

_NEWLINK, _DELLINK, _GETLINK, _NEWADDR, _NEWROUTE = 16, 17, 18, 20, 24
_REQUEST, _ACK, _EXCL, _CREATE = 0x1, 0x4, 0x200, 0x400
_ADDRESS, _IFNAME, _MASTER, _LINKINFO, _NET_NS_PID, _GROUP, _NET_NS_FD = 1, 3, 10, 18, 19, 27, 28
_INFO_KIND, _INFO_DATA, _VETH_PEER, _MCAST_SNOOPING = 1, 2, 1, 23
_ERROR = 2
_UP = 1
_ROUTE_UP = 1


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode() + b"\0")


def _number(kind: int, number: int) -> bytes:
    return _attribute(kind, struct.pack("=I", number))


def _link(*, index: int = 0, up: bool = False) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, _UP if up else 0, _UP if up else 0)


class Netlink:
    """A netlink socket for the network namespace in which it was opened."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((0, 0))
        self._number = 0

    def close(self) -> None:
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
        answer = self._request(_GETLINK, 0, _link() + _text(_IFNAME, name))
        index: int = struct.unpack_from("=i", answer, 16 + 4)[0]
        # The acknowledgement is a separate message
        self._socket.recv(1 << 16)
        return index

    def add_bridge(self, name: str) -> None:
        """Add a bridge that forwards multicast like everything else."""
        data = _attribute(_INFO_DATA, _attribute(_MCAST_SNOOPING, b"\0"))
        info = _attribute(_LINKINFO, _text(_INFO_KIND, "bridge") + data)
        self._request(_NEWLINK, _CREATE | _EXCL, _link(up=True) + _text(_IFNAME, name) + info)

    def add_pair(
        self, name: str, *, master: int, peer: str, address: bytes, pid: int = 0, descriptor: int = -1
    ) -> None:
        """Add a port of a bridge, and its peer in the network namespace of a process or a descriptor."""
        place = _number(_NET_NS_PID, pid) if pid else _number(_NET_NS_FD, descriptor)
        other = _link() + _text(_IFNAME, peer) + _attribute(_ADDRESS, address) + place
        data = _attribute(_INFO_DATA, _attribute(_VETH_PEER, other))
        info = _attribute(_LINKINFO, _text(_INFO_KIND, "veth") + data)
        body = _link(up=True) + _text(_IFNAME, name) + _number(_MASTER, master) + info
        self._request(_NEWLINK, _CREATE | _EXCL, body)

    def set_up(self, index: int) -> None:
        self._request(_NEWLINK, 0, _link(index=index, up=True))

    def add_address(self, index: int, address: str, prefix: int) -> None:
        """Add an address to a link, with its route."""
        packed = socket.inet_aton(address)
        head = struct.pack("=BBBBI", socket.AF_INET, prefix, 0, 0, index)
        last = struct.pack("!I", struct.unpack("!I", packed)[0] | ((1 << (32 - prefix)) - 1))
        body = head + _attribute(2, packed) + _attribute(1, packed) + _attribute(4, last)
        self._request(_NEWADDR, _CREATE | _EXCL, body)

    def add_route(self, index: int, network: str, prefix: int) -> None:
        """Add a route without a gateway."""
        table_main, protocol_boot, scope_link, unicast = 254, 3, 253, 1
        head = struct.pack(
            "=BBBBBBBBI", socket.AF_INET, prefix, 0, 0, table_main, protocol_boot, scope_link, unicast, 0
        )
        body = head + _attribute(1, socket.inet_aton(network)) + _number(4, index)
        self._request(_NEWROUTE, _CREATE | _EXCL, body)

    def delete(self, index: int) -> None:
        """Delete a link and its peer."""
        self._request(_DELLINK, 0, _link(index=index))

    def delete_all(self, indices: Iterable[int]) -> None:
        """Delete links and their peers, in the time of one deletion."""
        # The kernel also deletes them once the processes of the peers' namespaces are dead
        for index in indices:
            with contextlib.suppress(OSError):
                self._request(_NEWLINK, 0, _link(index=index) + _number(_GROUP, _FREED))
        with contextlib.suppress(OSError):
            self._request(_DELLINK, 0, _link() + _number(_GROUP, _FREED))


def hardware_address(index: int) -> bytes:
    """Return the hardware address for a position: always the same, since other hosts cache it."""
    return bytes((0x02, 0x64, 0x74, 0, 0, index))


class Switch:
    """The bridge of a sandbox in a network namespace of its own, linked to the driver's.

    Create it in the namespace of the driver, and open it in that of the bridge.
    """

    def __init__(self) -> None:
        self._host = Netlink()
        self._host_namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._here: Netlink | None = None
        self._bridge = 0

    def open(self) -> None:
        """Make the bridge in the current network namespace."""
        quiet_ipv6()
        self._here = here = Netlink()
        here.add_bridge(BRIDGE)
        self._bridge = socket.if_nametoindex(BRIDGE)

    def link_host(self, name: str, address: str) -> None:
        """Connect the driver's network namespace, by a link with this name and address."""
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
        """Remove ports; missing ones are fine."""
        assert self._here is not None
        found = []
        for name in names:
            with contextlib.suppress(OSError):
                found.append(socket.if_nametoindex(name))
        if found:
            self._here.delete_all(found)

    def close(self) -> None:
        """Remove the driver's link."""
        with contextlib.suppress(OSError):
            self.unplug([_UPLINK])


def quiet_ipv6() -> None:
    """Disable IPv6 for new links, since duplicate address detection takes a second."""
    with contextlib.suppress(OSError), open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w") as file:
        file.write("1")


def open_node_link(address: str) -> None:
    """Bring up the links of this network namespace."""
    with contextlib.closing(Netlink()) as netlink:
        netlink.set_up(socket.if_nametoindex("lo"))
        link = socket.if_nametoindex("eth0")
        netlink.add_address(link, address, 24)
        netlink.set_up(link)
        # Without a default route, multicast and broadcast need routes of their own
        for network, prefix in (("224.0.0.0", 4), ("255.255.255.255", 32)):
            netlink.add_route(link, network, prefix)


def reserve(wanted: str | None) -> tuple[socket.socket, str]:
    """Reserve a network of 256 addresses, such as ``10.1.2``, or any free one, while the returned socket is open."""
    taken = list(routes())
    if wanted is not None:
        collision = next((route for route in taken if _overlap(wanted, *route)), None)
        if collision:
            place = socket.inet_ntoa(struct.pack("!I", collision[0]))
            raise OSError(f"the network {wanted}.0/24 is not free: this machine has a route to {place}")
        return _hold(wanted), wanted
    # Concurrent runs start at different candidates
    start = os.getpid()
    for step in range(64 * 256):
        number = (start * 7 + step * 41) % (64 * 256)
        candidate = f"10.{128 + number // 256}.{number % 256}"
        if any(_overlap(candidate, *route) for route in taken):
            continue
        try:
            return _hold(candidate), candidate
        except OSError:
            continue
    raise OSError('no private network is free on this machine: name one, as in "network": "10.1.2.0/24"')


def _hold(network: str) -> socket.socket:
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        holder.bind(f"\0ducktape-sandbox-{network}")
    except OSError as error:
        holder.close()
        raise OSError(error.errno, f"the network {network}.0/24 is used by another sandbox") from None
    return holder


def routes() -> Iterator[tuple[int, int]]:
    """Yield destination and mask of the routes of this machine except the default route."""
    try:
        with open("/proc/net/route", encoding="ascii") as file:
            lines = file.read().splitlines()[1:]
    except OSError:
        return
    for line in lines:
        words = line.split()
        destination, mask = (socket.ntohl(int(words[column], 16)) for column in (1, 7))
        if mask and int(words[3], 16) & _ROUTE_UP:
            yield destination, mask


def _overlap(network: str, destination: int, mask: int) -> bool:
    first: int = struct.unpack("!I", socket.inet_aton(f"{network}.0"))[0]
    common = mask & 0xFFFF_FF00
    return first & common == destination & common
