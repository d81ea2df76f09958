# SPDX-License-Identifier: Apache-2.0
"""Faults of the network: partitions, lost packets, slow links."""

from __future__ import annotations

from collections.abc import Sequence

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.faults.engine.action import Action
from ducktape.faults.engine.firewall import IN, OUT, Rule, action_for
from ducktape.faults.engine.host import Host
from ducktape.faults.engine.scripted import TTL_SEC, ScriptedFault
from ducktape.faults.engine.validation import Peers, Target, need_number, nodes_of, split_peers
from ducktape.faults.errors import FaultUnavailable


class Partition(ScriptedFault):
    """Groups of nodes that exchange no packets."""

    kind = "partition"

    def __init__(self, groups: Sequence[list[ClusterNode]], *, one_way: bool, ttl: float) -> None:
        nodes = [node for group in groups for node in group]
        if len({id(node) for node in nodes}) < len(nodes):
            raise ValueError("a node cannot be on two sides of a partition")
        names = [[str(node.account.hostname) for node in group] for group in groups]
        super().__init__(nodes, ttl=ttl, groups=names, one_way=one_way or None)
        self._sizes = [len(group) for group in groups]
        self._one_way = one_way

    def _plan(self) -> list[Action]:
        remaining = iter(self._hosts())
        groups = [[next(remaining) for _ in range(size)] for size in self._sizes]
        actions = []
        for number, group in enumerate(groups):
            if self._one_way and number == 0:
                continue
            others = [host for other in groups if other is not group for host in other]
            for host in group:
                # Dropping received packets only has the same effect, and allows for one-way partitions
                actions.append(action_for(host, [Rule(IN, peers_of(host, others))], self.token))
        return actions


class Loss(ScriptedFault):
    """Lost packets of nodes."""

    kind = "drop"

    def __init__(
        self,
        nodes: list[ClusterNode],
        *,
        hooks: tuple[str, ...],
        to: object,
        port: int | None,
        probability: float,
        ttl: float,
    ) -> None:
        if not 0 < need_number(probability, "probability", "0 to 1") <= 1:
            raise ValueError(f"the probability {probability} is not between 0 and 1")
        if port is not None and not (need_number(port, "port", "one of TCP or UDP") == int(port) and 0 < port < 65536):
            raise ValueError(f"{port} is not a port")
        self._peers, self._addresses = split_peers(to)
        names = [*(str(peer.account.hostname) for peer in self._peers), *self._addresses]
        chance = None if probability == 1 else probability
        super().__init__(nodes, ttl=ttl, to=names or None, port=port, probability=chance)
        self._hooks = hooks
        self._peer_hosts: list[Host] = []
        self._to_all = to is None
        self._port = port
        self._probability = probability

    def _plan(self) -> list[Action]:
        self._peer_hosts = [Host.of(node) for node in self._peers]
        return super()._plan()

    def _action(self, host: Host, node: ClusterNode) -> Action:
        addresses = () if self._to_all else (*peers_of(host, self._peer_hosts), *self._addresses)
        rules = [Rule(hook, addresses, self._port, self._probability) for hook in self._hooks]
        return action_for(host, rules, self.token)


class Isolation(Loss):
    """Nodes cut off from the network."""

    kind = "isolate"


def peers_of(host: Host, others: Sequence[Host]) -> tuple[str, ...]:
    """Return the addresses of other machines from which one is to be cut off, or raise :class:`FaultUnavailable`."""
    found: dict[str, None] = {}
    for other in others:
        same = (other.facts.boot_id, other.facts.network) == (host.facts.boot_id, host.facts.network)
        if same and host.facts.network:
            raise FaultUnavailable(f"{host.name} and {other.name} share one network: nothing lies between them")
        # Container hosts all have the same private address for their bridge
        addresses = [address for address in other.addresses if address not in host.facts.addresses]
        if not addresses:
            raise FaultUnavailable(f"{other.name} has no address by which {host.name} could know its packets")
        found.update(dict.fromkeys(addresses))
    return tuple(found)


def partition(*groups: Target, one_way: bool = False, ttl: float = TTL_SEC) -> Partition:
    """Cut groups of nodes off from each other, but not from their own group or from anybody else.

    Args:
        *groups: two or more; each a node, a service, or a list of nodes.
        one_way: packets from the first group do not reach the second, while those from the second do reach the first.
        ttl: seconds after which the nodes undo it by themselves unless the test renews it.

    Raises:
        ValueError: a node is in two groups, or the number of groups is wrong.
    """
    if len(groups) < 2:
        raise ValueError("a partition needs two groups of nodes or more: partition([a, b], [c])")
    if one_way and len(groups) > 2:
        raise ValueError("a one-way partition has two groups: what the first sends does not reach the second")
    return Partition([nodes_of(group) for group in groups], one_way=one_way, ttl=ttl)


def isolate(node: Target, *, ttl: float = TTL_SEC) -> Isolation:
    """Cut each node off from all others, and from programs on the driver's machine.

    Commands of the test still reach it.

    Args:
        node: a node, a service, or a list of nodes.
        ttl: seconds after which the nodes undo it by themselves unless the test renews it.
    """
    return Isolation(nodes_of(node), hooks=(IN, OUT), to=None, port=None, probability=1, ttl=ttl)


def drop(
    node: Target, to: Peers = None, port: int | None = None, probability: float = 1.0, *, ttl: float = TTL_SEC
) -> Loss:
    """Drop packets that nodes send.

    Args:
        node: the senders: a node, a service, or a list of nodes.
        to: the receivers: a node, a service, an address, or a list of them; ``None`` is everybody.
        port: only packets to this port of TCP or UDP.
        probability: of the loss of each packet, above 0 and up to 1.
        ttl: seconds after which the nodes undo it by themselves unless the test renews it.

    Raises:
        ValueError: an argument is out of range.
    """
    return Loss(nodes_of(node), hooks=(OUT,), to=to, port=port, probability=probability, ttl=ttl)
