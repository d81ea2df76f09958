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
from ducktape.cluster.pool.cluster_file import mistake_in_cluster_file
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig
from ducktape.cluster.windows_remoteaccount import WindowsRemoteAccount

# Many nodes here have no address, as in files of users
pytestmark = pytest.mark.filterwarnings("ignore:nodes.* has no hostname:ducktape.errors.CompatibilityWarning")


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


@pytest.mark.filterwarnings("ignore:the key .* is unknown and has no effect:ducktape.errors.CompatibilityWarning")
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
                "ssh_config": {"host": "a", "color": 1, "password": "UNUSED"},
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


_LOGIN = 'write {"ssh_config": {"hostname": ..., "user": ...}}'


def _two(second: Any) -> dict[str, Any]:
    return {"nodes": [{"ssh_config": {"host": "w1"}}, second]}


@pytest.mark.parametrize(
    ("description", "complaint"),
    [
        ({}, "the key nodes is missing; the top level has nothing"),
        ({"node": [], "a": 1}, "the key nodes is missing; the top level has a, node (did you mean nodes?)"),
        ({"max_nodes": 3}, "the key nodes is missing; max_nodes is for --cluster sandbox"),
        ([], "the top level is a list, not an object with the key nodes"),
        ({"nodes": 1}, "the key nodes is a number, not a list"),
        ({"nodes": {"w1": {}}}, "the key nodes is an object, not a list"),
        ({"nodes": None}, "the key nodes is null, not a list"),
        (_two({}), f"nodes[1]: has no ssh_config, only nothing: {_LOGIN}"),
        (_two({"host": "w2", "ssh_config": None}), f"nodes[1]: has no ssh_config, only host, ssh_config: {_LOGIN}"),
        (_two({"ssh-config": {}}), "nodes[1]: has no ssh_config, only ssh-config: did you mean ssh_config?"),
        (_two("w2"), "nodes[1]: is a string, not an object with the key ssh_config"),
        (_two({"ssh_config": "w2"}), "nodes[1]: ssh_config is a string, not an object"),
        (
            _two({"ssh_config": {"host": "w2", "port": "x"}}),
            'nodes[1] (w2): ssh_config.port is "x", not a number from 1 to 65535',
        ),
        (
            _two({"ssh_config": {"host": "w2", "port": 70000}}),
            "nodes[1] (w2): ssh_config.port is 70000, not a number from 1 to 65535",
        ),
        (_two({"ssh_config": {"host": 2}}), "nodes[1]: ssh_config.host is 2, not a string"),
        (
            _two({"ssh_config": {"host": "w2", "connecttimeout": "soon"}}),
            'nodes[1] (w2): ssh_config.connecttimeout is "soon", not a number of seconds',
        ),
        (
            _two({"ssh_config": {"host": "w2", "maxsessions": 0}}),
            "nodes[1] (w2): ssh_config.maxsessions is 0, not a number of at least 1",
        ),
        (
            _two({"ssh_config": {"host": "w2", "proxyjump": "root:s3cret@a b"}}),
            "nodes[1] (w2): proxyjump must be one machine, written [user@]host[:port], not 'a b'",
        ),
        (
            _two({"ssh_config": {"host": "w2", "password": 83}}),
            "nodes[1] (w2): ssh_config.password is a number, not a string",
        ),
        (
            _two({"ssh_config": {"host": "w2", "password": "s3cret", "password_env": "X"}}),
            "nodes[1] (w2): password and password_env exclude each other",
        ),
        (
            _two({"ssh_config": {"host": "w2", "password_env": "NO_SUCH_VARIABLE"}}),
            "nodes[1] (w2): the environment variable NO_SUCH_VARIABLE, which password_env names, is not set",
        ),
        (
            _two({"ssh_config": {"host": "w2"}, "node_type": ["large"]}),
            "nodes[1] (w2): node_type is a list, not a string",
        ),
        (
            _two({"ssh_config": {"host": "w2"}, "externally_routable_ip": 1}),
            "nodes[1] (w2): externally_routable_ip is 1, not a string",
        ),
        ({"nodes": [], "lease_dir": 1}, "the key lease_dir is a number, not the path of a folder"),
    ],
)
def test_what_cannot_be_understood_is_told_in_one_line(description: Any, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught:
        JsonCluster(description)
    assert (type(caught.value), str(caught.value)) == (ValueError, f"JSON cluster definition invalid: {complaint}")
    assert mistake_in_cluster_file(caught.value) == str(caught.value)
    file = tmp_path / "cluster.json"
    file.write_text(json.dumps(description))
    with pytest.raises(ValueError) as caught:
        JsonCluster(cluster_file=str(file))
    assert str(caught.value) == f"JSON cluster definition invalid: {file}: {complaint}"


def test_code_that_fails_to_make_an_account_is_told_with_its_place() -> None:
    def make(*args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError("of their own")

    with pytest.raises(
        ValueError, match=r"^JSON cluster definition invalid: nodes\[0\] \(a\): of their own: "
    ) as caught:
        _cluster("a", make_remote_account_func=make)
    assert 'raise ZeroDivisionError("of their own")' in str(caught.value)
    assert mistake_in_cluster_file(caught.value) is None


def test_files_that_cannot_be_read_say_where(tmp_path: Path) -> None:
    file = tmp_path / "cluster.json"
    with pytest.raises(FileNotFoundError) as missing:
        JsonCluster(cluster_file=str(file))
    remedy = "name the file with --cluster-file, or write it"
    assert mistake_in_cluster_file(missing.value) == f"{file}: No such file or directory: {remedy}"
    (tmp_path / "clusters.json").touch()
    with pytest.raises(FileNotFoundError) as missing:
        JsonCluster(cluster_file=str(file))
    assert mistake_in_cluster_file(missing.value) == f"{file}: No such file or directory (did you mean clusters.json?)"
    file.write_text('{"nodes": [\n  {,}\n]}')
    with pytest.raises(json.JSONDecodeError) as malformed:
        JsonCluster(cluster_file=str(file))
    told = mistake_in_cluster_file(malformed.value)
    assert told is not None
    assert told.startswith(f"{file}: not valid JSON: line 2, column 4: Expecting property name")
    file.write_bytes(b'{"nodes": "\xff"}')
    with pytest.raises(UnicodeDecodeError) as undecodable:
        JsonCluster(cluster_file=str(file))
    assert mistake_in_cluster_file(undecodable.value) == f"{file}: not UTF-8 text: invalid start byte at byte 11"
    assert mistake_in_cluster_file(ValueError("anything else")) is None


def test_settings_of_a_node_reach_its_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/tester")
    monkeypatch.setenv("W1_PASSWORD", "s3cret")
    settings = {
        "host": "w1",
        "identityfile": "~/.ssh/key",
        "password": "",
        "password_env": "W1_PASSWORD",
        "maxsessions": "4",
        "proxyjump": "me@gate:2222",
        "connecttimeout": "2.5",
    }
    (account,) = JsonCluster({"nodes": [{"ssh_config": settings}]})._available_accounts
    config = account.ssh_config
    assert (config.identityfile, config.password) == ("/home/tester/.ssh/key", "s3cret")
    assert (config.max_sessions, config.proxyjump, config.connecttimeout) == (4, "me@gate:2222", 2.5)
    assert "s3cret" not in f"{account!r} {account} {config!r} {pickle.dumps(account)!r}"
    assert pickle.loads(pickle.dumps(account)).ssh_config.password == "s3cret"
    assert settings["identityfile"] == "~/.ssh/key"


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_stays_one_as_does_an_exit(end: type[BaseException]) -> None:
    def make(*args: Any, **kwargs: Any) -> Any:
        raise end

    with pytest.raises(end):
        _cluster("a", make_remote_account_func=make)


def test_it_can_be_pickled_before_and_after_use() -> None:
    cluster = _cluster("a", "b")
    assert _take(pickle.loads(pickle.dumps(cluster)), 2) == ["a", "b"]
    cluster.free(cluster.alloc(ClusterSpec.simple_linux(1)))
    assert _take(pickle.loads(pickle.dumps(cluster)), 2) == ["b", "a"]
