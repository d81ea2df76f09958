# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from ducktape.cluster.local.transport import LocalTransport
from ducktape.command_line.doctor.sandbox import firewall_part
from ducktape.faults.engine.host import Facts, Host


@pytest.mark.parametrize(
    ("tools", "works", "remedy"),
    [
        ({"apt-get"}, set(), "Root installs one: apt-get install nftables"),
        ({"apk", "python3"}, set(), "Root installs one: apk add nftables"),
        ({"apt-get", "nft", "iptables"}, set(), "See what this says in a node: nft list tables"),
        ({"iptables"}, set(), "See what this says in a node: iptables -n -L"),
        ({"apt-get", "iptables"}, {"iptables"}, ""),
    ],
)
def test_a_missing_firewall_is_told_with_the_command_that_installs_it(
    tools: set[str], works: set[str], remedy: str
) -> None:
    host = Host(LocalTransport(), "node1")
    host.__dict__["facts"] = Facts(tools=frozenset(tools), works=frozenset(works))
    assert firewall_part(host).remedy == remedy
