# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount, parse_addresses
from ducktape.cluster.remoteaccount import RemoteAccountError, RemoteAccountSSHConfig

LISTING = """1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
2: eth0    inet 10.0.0.5/24 brd 10.0.0.255 scope global eth0\\       valid_lft forever
2: eth0    inet 10.0.0.6/24 scope global secondary eth0\\       valid_lft forever
4: eth1@if5    inet 172.17.0.2/16 scope global eth1
Device "x" does not exist.
"""


class Faked(LinuxRemoteAccount):
    def __init__(self, devices: list[str], ip_output: bytes = b"", ifconfig: dict[str, bytes] | None = None) -> None:
        super().__init__(RemoteAccountSSHConfig(host="worker"))
        self.devices = devices
        self.ip_output = ip_output
        self.ifconfig = ifconfig or {}

    def get_network_devices(self) -> list[str]:
        return self.devices

    def ssh_output(self, cmd: str, *args: Any, **kwargs: Any) -> bytes:
        if " ip " in cmd:
            return self.ip_output
        return next((text for name, text in self.ifconfig.items() if f"ifconfig {name} " in cmd), b"")


def test_addresses_are_parsed() -> None:
    assert parse_addresses(LISTING) == {"lo": "127.0.0.1", "eth0": "10.0.0.5", "eth1": "172.17.0.2"}
    assert parse_addresses("") == {}


def test_only_some_devices_can_be_reached_from_outside() -> None:
    account = Faked(["lo", "docker0", "eth1", "enp3s0", "wlan0"])
    assert account.get_external_accessible_network_devices() == ["eth1", "enp3s0"]


def test_the_first_device_with_an_address_counts() -> None:
    assert Faked(["lo", "eth9", "eth1", "eth0"], LISTING.encode()).fetch_externally_routable_ip() == "172.17.0.2"


def test_ifconfig_is_asked_where_ip_is_missing() -> None:
    account = Faked(["eth0", "eth1"], b"", {"eth0": b"\n", "eth1": b"10.1.1.1\n"})
    assert account.fetch_externally_routable_ip(is_aws=True) == "10.1.1.1"


def test_without_device_or_address_there_is_an_error() -> None:
    with pytest.raises(RemoteAccountError, match="Couldn't find any network devices"):
        Faked(["lo"]).fetch_externally_routable_ip()
    with pytest.raises(RemoteAccountError, match="eth0 has an IPv4 address"):
        Faked(["eth0"]).fetch_externally_routable_ip()
