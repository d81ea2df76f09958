# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec, NodeSpec
from ducktape.cluster.json import JsonCluster, make_remote_account
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.node_container import InsufficientHealthyNodesError, NodeNotPresentError
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig
from ducktape.cluster.windows_remoteaccount import WindowsRemoteAccount


class Sick(LinuxRemoteAccount):
    closed = 0

    def available(self) -> bool:
        return "sick" not in self.hostname

    def close(self) -> None:
        self.closed += 1


def _cluster(*hosts: str, **kwargs: Any) -> JsonCluster:
    return JsonCluster({"nodes": [{"ssh_config": {"host": host}} for host in hosts]}, **kwargs)


def _take(cluster: JsonCluster, number: int) -> list[str]:
    return [node.name for node in cluster.alloc(ClusterSpec.simple_linux(number))]


def test_nodes_come_in_the_order_of_the_file_and_freed_ones_last() -> None:
    cluster = _cluster("h0", "h1", "h2")
    nodes = cluster.alloc(ClusterSpec.simple_linux(2))
    cluster.free(nodes[0])
    again = cluster.alloc(ClusterSpec.simple_linux(2))
    assert [node.name for node in again] == ["h2", "h0"]
    assert [vars(node)["slot_id"] for node in nodes + again] == [0, 1, 2, 3]
    with pytest.raises(NodeNotPresentError):
        cluster.free(nodes[0])


def test_a_node_in_use_keeps_its_type() -> None:
    cluster = JsonCluster({"nodes": [{"ssh_config": {"host": "a"}, "node_type": "large"}]})
    cluster.alloc(ClusterSpec.simple_linux(1, "large"))
    assert str(cluster.used()) == '[{"node_type": "large", "num_nodes": 1, "os": "linux"}]'
    assert str(cluster.all()) == str(cluster.used())


def test_unhealthy_accounts_leave_the_cluster() -> None:
    cluster = _cluster("sick0", "a", "sick1", "b", make_remote_account_func=Sick)
    assert _take(cluster, 1) == ["a"]
    assert (len(cluster), [account.hostname for account in cluster._bad_accounts]) == (3, ["sick0"])
    with pytest.raises(InsufficientHealthyNodesError) as caught:
        cluster.alloc(ClusterSpec.simple_linux(2))
    assert [account.hostname for account in caught.value.bad_nodes] == ["sick1"]
    assert [account.hostname for account in cluster._bad_accounts] == ["sick0", "sick1"]
    assert (_take(cluster, 1), len(cluster)) == (["b"], 2)


def test_freeing_closes_the_account() -> None:
    cluster = _cluster("a", make_remote_account_func=Sick)
    nodes = cluster.alloc(ClusterSpec.simple_linux(1))
    cluster.free(nodes)
    assert vars(nodes[0].account)["closed"] == 1


def test_the_factory_gets_all_that_is_known() -> None:
    calls: list[tuple[Any, ...]] = []

    def make(*args: Any, **kwargs: Any) -> LinuxRemoteAccount:
        calls.append((args, kwargs))
        return LinuxRemoteAccount(*args, **kwargs)

    description = {
        "_comment": "old files carry more",
        "nodes": [
            {
                "hostname": "ignored",
                "ssh_config": {"host": "a", "Port": 1, "password": "UNUSED"},
                "externally_routable_ip": "1.2.3.4",
                "node_type": "small",
            },
            {"ssh_config": {}},
        ],
    }
    JsonCluster(description, make_remote_account_func=make, ssh_exception_checks=[print])
    assert calls == [
        (
            (RemoteAccountSSHConfig(host="a", password="UNUSED"), "1.2.3.4"),
            {"node_type": "small", "ssh_exception_checks": [print]},
        ),
        ((RemoteAccountSSHConfig(), None), {"node_type": None, "ssh_exception_checks": [print]}),
    ]


def test_a_factory_older_than_node_types_is_served() -> None:
    def make(ssh_config: Any, externally_routable_ip: Any = None, ssh_exception_checks: Any = None) -> Any:
        return LinuxRemoteAccount(ssh_config, externally_routable_ip, ssh_exception_checks=ssh_exception_checks)

    assert _take(_cluster("a", make_remote_account_func=make), 1) == ["a"]


def test_subclasses_may_supply_addresses_and_accounts() -> None:
    class Own(JsonCluster):
        def _externally_routable_ip(self, account: Any) -> str:
            return f"ip of {account.hostname}"

        def _make_remote_account(self, ssh_config: RemoteAccountSSHConfig, *args: Any, **kwargs: Any) -> Any:
            return Sick(ssh_config, *args, **kwargs)

    (account,) = Own({"nodes": [{"ssh_config": {"host": "a"}}]})._available_accounts
    assert (type(account), account.externally_routable_ip) == (Sick, "ip of a")


def test_the_host_name_makes_a_windows_machine() -> None:
    assert type(make_remote_account(RemoteAccountSSHConfig(host="my-windows-1"))) is WindowsRemoteAccount
    assert type(make_remote_account(RemoteAccountSSHConfig(host="Windows"))) is LinuxRemoteAccount
    assert type(JsonCluster.make_remote_account(RemoteAccountSSHConfig())) is LinuxRemoteAccount
    cluster = _cluster("a", "windows")
    assert [node.name for node in cluster.alloc(ClusterSpec([NodeSpec("windows")]))] == ["windows"]


def test_a_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".ducktape").mkdir()
    default = tmp_path / ".ducktape" / "cluster.json"
    default.write_text(json.dumps({"nodes": [{"ssh_config": {"host": "default"}}]}))
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"nodes": []}))
    monkeypatch.chdir(tmp_path)
    assert _take(JsonCluster(cluster_file=None), 1) == ["default"]
    assert len(JsonCluster(cluster_file=str(other))) == 0
    default.write_text("{")
    with pytest.raises(json.JSONDecodeError):
        JsonCluster()
    default.unlink()
    with pytest.raises(FileNotFoundError):
        JsonCluster()


@pytest.mark.parametrize(
    "description",
    [{}, {"nodes": [{}]}, {"nodes": [{"ssh_config": None}]}, {"nodes": [{"ssh_config": {"port": "x"}}]}, {"nodes": 1}],
)
def test_what_cannot_be_understood_is_a_value_error(description: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^JSON cluster definition invalid: "):
        JsonCluster(description)


def test_an_interrupt_stays_one() -> None:
    def make(*args: Any, **kwargs: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _cluster("a", make_remote_account_func=make)


def test_it_can_be_pickled_before_and_after_use() -> None:
    cluster = _cluster("a", "b")
    assert _take(pickle.loads(pickle.dumps(cluster)), 2) == ["a", "b"]
    cluster.free(cluster.alloc(ClusterSpec.simple_linux(1)))
    assert _take(pickle.loads(pickle.dumps(cluster)), 2) == ["b", "a"]
