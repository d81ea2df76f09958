# SPDX-License-Identifier: Apache-2.0
"""Chooses an unused network."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

_ROUTE_UP = 1


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
