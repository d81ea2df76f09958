# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle
import socket
from typing import Any

import pytest

from ducktape.cluster.json import JsonCluster
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig
from ducktape.utils.support.addresses import in_url, resolved
from ducktape.utils.waiting.probes import address_of


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A resolver that knows one host, by both kinds of addresses; the names that it was asked for."""
    names: list[str] = []

    def getaddrinfo(host: str, *_: Any, **__: Any) -> list[Any]:
        names.append(host)
        if host != "db.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET6, 1, 6, "", ("fd00::7", 0, 0, 0)), (socket.AF_INET, 1, 6, "", ("10.0.0.7", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names


def _account(hostname: str, address: str | None = None) -> LinuxRemoteAccount:
    return LinuxRemoteAccount(RemoteAccountSSHConfig("w1", hostname), address)


def test_a_name_stands_for_its_first_address_of_the_old_kind_or_for_itself(asked: list[str]) -> None:
    assert [resolved(name) for name in ("db.example", "nowhere.example", "x" * 300)] == [
        "10.0.0.7",
        "nowhere.example",
        "x" * 300,
    ]


def test_addresses_stand_in_urls() -> None:
    assert [in_url(address) for address in ("10.0.0.7", "db", "fd00::7", "[fd00::7]")] == [
        "10.0.0.7",
        "db",
        "[fd00::7]",
        "[fd00::7]",
    ]


def test_a_node_without_an_address_has_that_of_its_host_name_looked_up_once(asked: list[str]) -> None:
    nodes = [{"ssh_config": {"host": "w1", "hostname": "db.example"}}]
    [account] = JsonCluster({"nodes": nodes})._available_accounts
    same = (account == _account("db.example"), hash(account), repr(account), pickle.loads(pickle.dumps(account)))
    assert (asked, same[0]) == ([], True)
    assert [account.externally_routable_ip, address_of(account)] == ["10.0.0.7", "10.0.0.7"]
    assert (asked, account == same[3], repr(account)) == (["db.example"], True, same[2])


def test_an_assigned_address_is_taken_and_a_missing_name_asked_again(asked: list[str]) -> None:
    account = _account("nowhere.example")
    assert [account.externally_routable_ip, account.externally_routable_ip] == ["nowhere.example"] * 2
    account.externally_routable_ip = "10.9.9.9"
    assert (account.externally_routable_ip, asked) == ("10.9.9.9", ["nowhere.example"] * 2)
    assert _account("db.example", "10.1.1.1").externally_routable_ip == "10.1.1.1"


def test_a_service_on_a_node_without_an_address_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    urls: list[str] = []
    account = _account("localhost")
    monkeypatch.setattr(account, "_can_ping_url", lambda url, headers: not urls.append(url))  # type: ignore[func-returns-value]
    account.wait_for_http_service(8080, {})
    assert urls == ["http://127.0.0.1:8080/"]
