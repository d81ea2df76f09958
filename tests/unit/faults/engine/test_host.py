# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.local.transport import LocalTransport
from ducktape.faults.engine.host import Facts, Host, parse_facts
from ducktape.faults.errors import FaultError, FaultUnavailable

LISTING = """Welcome to this machine
rights sudo
tool nft
tool tc
works nft
control 192.0.2.9 50022 192.0.2.1 22
boot 6d0f
network net:[4026531840]
address 10.0.0.1
device eth0
address fe80::1
address 10.0.0.1
address fd00::1
device eth1
processes pid:[4026531836]
"""


def test_facts_are_understood_among_what_start_up_files_say() -> None:
    assert parse_facts(LISTING) == Facts(
        rights="sudo",
        tools=frozenset({"nft", "tc"}),
        works=frozenset({"nft"}),
        control=("192.0.2.9", 22),
        boot_id="6d0f",
        addresses=("10.0.0.1", "fd00::1"),
        network="net:[4026531840]",
        device="eth1",
        processes="pid:[4026531836]",
    )


@pytest.mark.parametrize("said", ["", "control", "control UNKNOWN 65535 UNKNOWN 65535"])
def test_who_is_not_reached_over_a_network_has_no_connection_to_spare(said: str) -> None:
    assert parse_facts(said).control is None


def test_an_address_of_version_4_in_the_clothes_of_version_6_is_one_of_version_4() -> None:
    assert parse_facts("control ::ffff:192.0.2.9 1 ::ffff:192.0.2.1 22").control == ("192.0.2.9", 22)


def test_this_machine_says_what_it_is() -> None:
    facts = Host(LocalTransport(), "here").facts
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        assert facts.boot_id == file.read().strip()


def test_a_script_says_in_its_status_whether_it_failed_or_cannot_be() -> None:
    host = Host(LocalTransport(), "here")
    assert host.ask("echo word", "speaking") == "word\n"
    with pytest.raises(FaultUnavailable, match="here: no such thing"):
        host.ask("echo no such thing >&2; exit 77", "speaking")
    with pytest.raises(FaultError, match="here: speaking failed with status 3: dumb"):
        host.ask("echo dumb >&2; exit 3", "speaking")


def test_other_systems_are_refused() -> None:
    account: Any = SimpleNamespace(hostname="w1", operating_system="windows", transport=LocalTransport())
    with pytest.raises(FaultUnavailable, match="w1 does not run Linux"):
        Host.of(ClusterNode(account))


def test_an_ordinary_user_is_told_what_is_missing() -> None:
    host = Host(LocalTransport(), "here")
    host.__dict__["facts"] = Facts()
    with pytest.raises(FaultUnavailable, match="here: dropping packets needs root or sudo without a password"):
        host.need_root("dropping packets")
    with pytest.raises(FaultUnavailable, match=r"^here has no tc: install iproute2$"):
        host.need_tool("tc")
    host.__dict__["facts"] = Facts(tools=frozenset({"dnf", "ip"}))
    with pytest.raises(FaultUnavailable, match=r"^here has no tc: dnf install iproute-tc$"):
        host.need_tool("tc")
