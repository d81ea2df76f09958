# SPDX-License-Identifier: Apache-2.0
"""Checks the arguments of faults: numbers, and the nodes and addresses that they are aimed at."""

from __future__ import annotations

import ipaddress
import math
import numbers
from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias, TypeGuard, Union

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.faults.errors import FaultUnavailable


class HasAccount(Protocol):
    """A node."""

    @property
    def account(self) -> object: ...


class HasNodes(Protocol):
    """A service."""

    @property
    def nodes(self) -> Iterable[object]: ...


Target: TypeAlias = Union[HasAccount, HasNodes, Iterable["Target"]]
Peers: TypeAlias = Union[Target, str, Iterable[Union[Target, str]], None]


class PowerSwitch(Protocol):
    """A node that can be switched off and on, such as those of the sandbox."""

    power_off: Callable[..., object]
    power_on: Callable[[], object]


def need_number(value: object, name: str, unit: str) -> float:
    """Return an argument that is a finite number; ``name`` and ``unit`` are for the message of the error."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is {value!r}: give {unit}, as a number")
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}: give {unit} that can be counted to")
    return value  # type: ignore[return-value]  # a rational stays what it is, for the records


def nodes_of(target: object) -> list[ClusterNode]:
    """Return the nodes of a node, a service, or a collection of them, without duplicates; raises if there are none."""
    nodes = list({id(node): node for node in _each(target)}.values())
    if not nodes:
        raise ValueError(f"{target!r} has no nodes to break")
    return nodes


def _is_node(target: object) -> TypeGuard[ClusterNode]:
    return hasattr(target, "account")


def _each(target: object) -> list[ClusterNode]:
    if _is_node(target):
        return [target]
    if hasattr(target, "nodes"):
        return list(target.nodes)
    if isinstance(target, (str, bytes)) or not isinstance(target, Iterable):
        raise TypeError(f"expected a node, a service, or a list of them, and got {target!r}")
    return [node for part in target for node in _each(part)]


def split_peers(to: object) -> tuple[list[ClusterNode], list[str]]:
    """Return the nodes and the plain addresses of a node, a service, an address, or a collection of them."""
    if to is None:
        return [], []
    if isinstance(to, str) or hasattr(to, "account") or hasattr(to, "nodes"):
        parts: list[object] = [to]
    elif isinstance(to, Iterable) and not isinstance(to, bytes):
        parts = list(to)
    else:
        raise TypeError(f"expected an address, a node, a service, or a list of them, and got {to!r}")
    addresses = []
    for text in (part for part in parts if isinstance(part, str)):
        try:
            addresses.append(str(ipaddress.ip_address(text)))
        except ValueError:
            raise ValueError(f"{text!r} is not an IP address; give an address, a node, or a service") from None
    others = [part for part in parts if not isinstance(part, str)]
    return (nodes_of(others) if others else []), addresses


def in_sandbox(node: ClusterNode) -> bool:
    """Whether a node belongs to the sandbox."""
    return getattr(node.account, "is_sandbox", False) is True


def _has_power_switch(node: ClusterNode | PowerSwitch) -> TypeGuard[PowerSwitch]:
    return callable(getattr(node, "power_off", None))


def power_switch_of(node: ClusterNode) -> PowerSwitch:
    """Return a node as one that can be switched off and on, or raise :class:`FaultUnavailable`."""
    if _has_power_switch(node):
        return node
    raise FaultUnavailable(f"{node.account.hostname} has no power switch within reach: nodes of the sandbox have one")
