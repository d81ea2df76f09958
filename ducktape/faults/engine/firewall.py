# SPDX-License-Identifier: Apache-2.0
"""Drops packets by rules of nftables or iptables."""

from __future__ import annotations

import dataclasses
import ipaddress
import shlex
from collections.abc import Iterable

from ducktape.faults.engine.action import Action, refusing
from ducktape.faults.engine.host import Host
from ducktape.faults.errors import FaultUnavailable

IN, OUT = "in", "out"
_MILLION = 1_000_000
_HOOKS = {IN: ("input", "INPUT", "iif"), OUT: ("output", "OUTPUT", "oif")}


@dataclasses.dataclass(frozen=True)
class Rule:
    """The packets to drop."""

    hook: str  # IN for received packets, OUT for sent ones
    peers: tuple[str, ...] = ()  # addresses at the other end; by default all but the machine itself and the driver
    port: int | None = None  # destination port of TCP and UDP; None is any port of any protocol
    probability: float = 1.0  # of dropping a packet


def action_for(host: Host, rules: Iterable[Rule], token: str) -> Action:
    """Return the action that applies rules; the token makes the names of tables and chains unique."""
    host.need_root("dropping packets")
    host.need_own_network()
    rules = list(rules)
    if "nft" in host.facts.works:
        return nft_action(host, rules, token)
    if "iptables" in host.facts.works:
        return iptables_action(host, rules, token)
    present = sorted(host.facts.tools & {"nft", "iptables"})
    raise FaultUnavailable(
        f"{host.name}: {' and '.join(present)} cannot be used there"
        if present
        else f"{host.name} has neither nft nor iptables: {host.install_command('nft')}"
    )


def by_family(addresses: Iterable[str]) -> tuple[list[str], list[str]]:
    """Split addresses into IPv4 and IPv6."""
    versions = [ipaddress.ip_address(address) for address in addresses]
    return [str(v) for v in versions if v.version == 4], [str(v) for v in versions if v.version == 6]


def nft_action(host: Host, rules: list[Rule], token: str) -> Action:
    """Return the rules for nftables, in a table of their own."""
    table = f"dt_{token}"
    lines = []
    for hook in (IN, OUT):
        here = [rule for rule in rules if rule.hook == hook]
        if not here:
            continue
        lines.append(f"chain {hook} {{ type filter hook {_HOOKS[hook][0]} priority -200; policy accept;")
        for rule in here:
            lines.extend(_nft_rule(host, rule))
        lines.append("}")
    definition = f"table inet {table} {{\n" + "\n".join(lines) + "\n}\n"
    load = f"said=$(nft -f - 2>&1 <<'DT_RULES'\n{definition}DT_RULES\n)"
    return Action(
        host,
        inject=f'{load} || {{ echo "nft refuses the rules: $said" >&2; exit 77; }}',
        undo=f"nft delete table inet {table} 2>/dev/null\n! nft list table inet {table} >/dev/null 2>&1",
        check=f"nft list table inet {table} >/dev/null 2>&1",
        lives_in_kernel=True,
    )


def _nft_rule(host: Host, rule: Rule) -> list[str]:
    end = (
        f"numgen random mod {_MILLION} < {round(rule.probability * _MILLION)} drop" if rule.probability < 1 else "drop"
    )
    port = "" if rule.port is None else f"meta l4proto {{ tcp, udp }} th dport {rule.port} "
    if rule.peers:
        side = "saddr" if rule.hook == IN else "daddr"
        fours, sixes = by_family(rule.peers)
        families = (("ip", fours), ("ip6", sixes))
        return [f"{family} {side} {{ {', '.join(some)} }} {port}{end}" for family, some in families if some]
    # Negated conditions rather than accepting rules, which would exempt packets from the other rules too
    drop = f'{_HOOKS[rule.hook][2]}name != "lo" {port}{end}'
    if host.facts.control is None:
        return [drop]
    address, ssh_port = host.facts.control
    family = "ip6" if ":" in address else "ip"
    peer, own = ("saddr", "dport") if rule.hook == IN else ("daddr", "sport")
    return [f"{family} {peer} {address} tcp {own} {ssh_port} accept", drop]


def iptables_action(host: Host, rules: list[Rule], token: str) -> Action:
    """Return the rules for iptables, in chains of their own."""
    inject, undo, check = [], [], []
    for tool, version in (("iptables", 4), ("ip6tables", 6)):
        if tool not in host.facts.works:
            continue
        for hook in (IN, OUT):
            chain = f"DT_{token}_{hook}"
            lines = [line for rule in rules if rule.hook == hook for line in _iptables_rule(host, rule, version)]
            if not lines:
                continue
            builtin = _HOOKS[hook][1]
            call = f"{tool} -w 5"
            inject.append(refusing(f"{call} -N {chain}", f"{tool} refuses a chain"))
            inject += [refusing(f"{call} -A {chain} {line}", f"{tool} refuses a rule") for line in lines]
            inject.append(refusing(f"{call} -I {builtin} 1 -j {chain}", f"{tool} refuses a rule"))
            undo += undo_chain(call, builtin, chain)
            check.append(f"{call} -C {builtin} -j {chain} 2>/dev/null")
    return Action(host, "\n".join(inject), "\n".join([*undo, ":"]), " && ".join(check), lives_in_kernel=True)


def undo_chain(call: str, builtin: str, chain: str) -> list[str]:
    """Return the commands that remove a chain of iptables and the jumps to it."""
    return [
        f"while {call} -D {builtin} -j {chain} 2>/dev/null; do :; done",
        f"{call} -F {chain} 2>/dev/null",
        f"{call} -X {chain} 2>/dev/null",
        f"{call} -n -L {chain} >/dev/null 2>&1 && exit 1",
    ]


def _iptables_rule(host: Host, rule: Rule, version: int) -> list[str]:
    chance = f" -m statistic --mode random --probability {rule.probability:.6f}" if rule.probability < 1 else ""
    ports = [""] if rule.port is None else [f" -p {protocol} --dport {rule.port}" for protocol in ("tcp", "udp")]
    if rule.peers:
        flag = "-s" if rule.hook == IN else "-d"
        peers = by_family(rule.peers)[version == 6]
        return [f"{flag} {shlex.quote(peer)}{port}{chance} -j DROP" for peer in peers for port in ports]
    device = "-i" if rule.hook == IN else "-o"
    lines = [f"! {device} lo{port}{chance} -j DROP" for port in ports]
    control = host.facts.control
    if control is not None and ipaddress.ip_address(control[0]).version == version:
        peer, own = ("-s", "--dport") if rule.hook == IN else ("-d", "--sport")
        return [f"{peer} {control[0]} -p tcp {own} {control[1]} -j RETURN", *lines]
    return lines
