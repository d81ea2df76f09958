# SPDX-License-Identifier: Apache-2.0
"""What faults can be aimed at: nodes, services, and any collection of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any


def nodes_of(target: Any) -> list[Any]:
    """The nodes that are meant, each once.

    Args:
        target: a node, a service, or a collection of nodes and services.

    Raises:
        TypeError: it is none of them.
        ValueError: it has no nodes.
    """
    nodes = list({id(node): node for node in _each(target)}.values())
    if not nodes:
        raise ValueError(f"{target!r} has no nodes to break")
    return nodes


def _each(target: Any) -> Iterable[Any]:
    if hasattr(target, "account"):
        return [target]
    if hasattr(target, "nodes"):
        return list(target.nodes)
    if isinstance(target, (str, bytes)) or not isinstance(target, Iterable):
        raise TypeError(f"expected a node, a service, or a list of them, and got {target!r}")
    return [node for part in target for node in _each(part)]


def split_peers(to: Any) -> tuple[list[Any], list[str]]:
    """Nodes and plain addresses among what a fault is to act against.

    Args:
        to: a node, a service, an address, or a collection of them; ``None`` is nobody.

    Raises:
        TypeError: it is none of them.
        ValueError: a text is not an address.
    """
    if to is None:
        return [], []
    is_one = isinstance(to, str) or hasattr(to, "account") or hasattr(to, "nodes")
    if not is_one and (isinstance(to, bytes) or not isinstance(to, Iterable)):
        raise TypeError(f"expected an address, a node, a service, or a list of them, and got {to!r}")
    parts = [to] if is_one else list(to)
    addresses = [str(_address(part)) for part in parts if isinstance(part, str)]
    others = [part for part in parts if not isinstance(part, str)]
    return (nodes_of(others) if others else []), addresses


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address; give an address, a node, or a service") from None
