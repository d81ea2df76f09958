# SPDX-License-Identifier: Apache-2.0
"""Checks the arguments of faults: numbers, and the nodes and addresses that they are aimed at."""

from __future__ import annotations

import ipaddress
import math
import numbers
from collections.abc import Iterable
from typing import Any


def need_number(value: Any, name: str, unit: str) -> float:
    """Return an argument that is a finite number; ``name`` and ``unit`` are for the message of the error.

    Raises:
        TypeError: it is not a number.
        ValueError: it is not finite.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is {value!r}: give {unit}, as a number")
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}: give {unit} that can be counted to")
    return value  # type: ignore[return-value]


def nodes_of(target: Any) -> list[Any]:
    """Return the nodes of a node, a service, or a collection of them, without duplicates.

    Raises:
        TypeError: the target is none of these.
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
    """Return the nodes and the plain addresses of a node, a service, an address, or a collection of them.

    Raises:
        TypeError: the argument is none of these.
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


def in_sandbox(node: Any) -> bool:
    """Whether a node belongs to the sandbox."""
    return getattr(node.account, "is_sandbox", False) is True
