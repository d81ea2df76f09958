# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from ducktape.cluster.local.transport import LocalTransport
from ducktape.faults.engine.firewall import IN, OUT, Rule, action_for, iptables_action, nft_action
from ducktape.faults.engine.host import Facts, Host
from ducktape.faults.errors import FaultUnavailable


def host(**facts: object) -> Host:
    made = Host(LocalTransport(), "n1")
    made.__dict__["facts"] = Facts(rights="root", **facts)  # type: ignore[arg-type]
    return made


def rules_of_nft(script: str) -> list[str]:
    inside = script.partition("DT_RULES'\n")[2].partition("DT_RULES")[0]
    return [line for line in inside.splitlines() if line not in ("{", "}") and not line.startswith(("table", "chain"))]


def test_packets_of_peers_are_dropped_by_version_of_their_addresses() -> None:
    rule = Rule(IN, ("10.0.0.2", "fd00::2", "10.0.0.3"))
    made = nft_action(host(), [rule], "t")
    assert rules_of_nft(made.inject) == ["ip saddr { 10.0.0.2, 10.0.0.3 } drop", "ip6 saddr { fd00::2 } drop"]
    made = iptables_action(host(works=frozenset({"iptables"})), [rule], "t")
    assert "iptables -w 5 -A DT_t_in -s 10.0.0.2 -j DROP" in made.inject
    assert "fd00::2" not in made.inject


def test_a_share_of_packets_to_a_port() -> None:
    rule = Rule(OUT, ("10.0.0.2",), 80, 0.25)
    assert rules_of_nft(nft_action(host(), [rule], "t").inject) == [
        "ip daddr { 10.0.0.2 } meta l4proto { tcp, udp } th dport 80 numgen random mod 1000000 < 250000 drop"
    ]
    made = iptables_action(host(works=frozenset({"iptables"})), [rule], "t")
    chance = "-m statistic --mode random --probability 0.250000 -j DROP"
    for protocol in ("tcp", "udp"):
        assert f"-A DT_t_out -d 10.0.0.2 -p {protocol} --dport 80 {chance}" in made.inject


def test_whoever_loses_everything_keeps_itself_and_the_connection_of_the_driver() -> None:
    here = host(control=("192.0.2.9", 22), works=frozenset({"iptables"}))
    assert rules_of_nft(nft_action(here, [Rule(IN), Rule(OUT)], "t").inject) == [
        "ip saddr 192.0.2.9 tcp dport 22 accept",
        'iifname != "lo" drop',
        "ip daddr 192.0.2.9 tcp sport 22 accept",
        'oifname != "lo" drop',
    ]
    made = iptables_action(here, [Rule(OUT)], "t").inject
    assert made.index("-d 192.0.2.9 -p tcp --sport 22 -j RETURN") < made.index("! -o lo -j DROP")


def test_the_firewall_is_the_one_that_works() -> None:
    rules = [Rule(IN, ("10.0.0.2",))]
    assert "nft" in action_for(host(works=frozenset({"nft", "iptables"})), rules, "t").inject
    assert "iptables" in action_for(host(works=frozenset({"iptables"})), rules, "t").inject
    with pytest.raises(FaultUnavailable, match=r"^n1 has neither nft nor iptables: install nftables$"):
        action_for(host(), rules, "t")
    with pytest.raises(FaultUnavailable, match="n1: nft cannot be used there"):
        action_for(host(tools=frozenset({"nft"})), rules, "t")
