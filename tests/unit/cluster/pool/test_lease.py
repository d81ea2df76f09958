# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.json import JsonCluster
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.node_container import (
    InsufficientHealthyNodesError,
    InsufficientResourcesError,
    NodeContainer,
)
from ducktape.cluster.pool.lease import Holder, Leases, NodesLeasedElsewhereError
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig
from ducktape.cluster.vagrant import VagrantCluster
from tests.support.program import environment

# Many nodes here have no address, as in files of users
pytestmark = pytest.mark.filterwarnings("ignore:nodes.* has no hostname:ducktape.errors.CompatibilityWarning")

HOLDING = """
import os, sys, time
from ducktape.cluster.pool.lease import Leases

leases = Leases(sys.argv[1])
leases.session = "2026-01-02--003"
assert leases.acquire("a:22:a")
pid = os.fork()
if pid == 0:
    time.sleep(1000)
print(pid, flush=True)
time.sleep(1000)
"""


def _cluster(folder: Path, *hosts: str, **kwargs: Any) -> JsonCluster:
    nodes = [{"ssh_config": {"host": host}} for host in hosts]
    return JsonCluster({"nodes": nodes}, lease_dir=str(folder), **kwargs)


def _take(cluster: JsonCluster, number: int) -> list[Any]:
    return cluster.alloc(ClusterSpec.simple_linux(number))


# one lease


def test_a_lease_is_held_once_until_it_is_given_back(tmp_path: Path) -> None:
    one, other = Leases(str(tmp_path)), Leases(str(tmp_path))
    assert (one.acquire("a"), one.acquire("a"), other.acquire("a"), other.acquire("b")) == (True, False, False, True)
    other.release("a")  # is not its own
    assert other.acquire("a") is False
    one.release("a")
    assert other.acquire("a") is True


def test_the_file_tells_who_holds_it(tmp_path: Path) -> None:
    leases = Leases(str(tmp_path))
    leases.session = "2026-01-02--003"
    assert leases.holder("a") == Holder()
    leases.acquire("a")
    assert leases.holder("a") == Holder(os.getpid(), "2026-01-02--003")
    assert str(leases.holder("a")) == f"held by pid {os.getpid()}, session 2026-01-02--003"
    leases.release("a")
    assert (leases.holder("a"), str(leases.holder("a"))) == (Holder(), "held by another run")


def test_names_that_look_alike_in_a_file_system_are_told_apart(tmp_path: Path) -> None:
    leases = Leases(str(tmp_path / "made" / "here"))
    assert [leases.acquire(name) for name in ("a/b", "a:b", "a b", "x" * 500, "ü" * 500)] == [True] * 5
    assert len(os.listdir(tmp_path / "made" / "here")) == 5


def test_copies_hold_nothing_and_take_nothing_away(tmp_path: Path) -> None:
    leases = Leases(str(tmp_path))
    leases.acquire("a")
    copy = pickle.loads(pickle.dumps(leases))
    assert (copy.acquire("a"), copy.acquire("b")) == (False, True)
    copy.release("a")
    assert Leases(str(tmp_path)).acquire("a") is False


def test_the_death_of_the_holder_frees_it_although_a_fork_lives_on(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path)],
        stdout=subprocess.PIPE,
        env=environment(tmp_path),
        text=True,
    ) as holder:
        assert holder.stdout is not None
        fork = int(holder.stdout.readline())
        try:
            leases = Leases(str(tmp_path))
            assert leases.acquire("a:22:a") is False
            assert leases.holder("a:22:a") == Holder(holder.pid, "2026-01-02--003")
            holder.kill()
            holder.wait()
            died = time.monotonic()
            while not leases.acquire("a:22:a"):
                assert time.monotonic() - died < 1
            os.kill(fork, 0)  # lives on
        finally:
            os.kill(fork, signal.SIGKILL)


def test_a_fork_that_ends_takes_no_lease_along(tmp_path: Path) -> None:
    leases = Leases(str(tmp_path))
    leases.acquire("a")
    pid = os.fork()
    if pid == 0:
        leases.release("a")
        os._exit(0)
    os.waitpid(pid, 0)
    assert Leases(str(tmp_path)).acquire("a") is False


def test_others_of_a_shared_folder_may_use_its_leases(tmp_path: Path) -> None:
    tmp_path.chmod(0o770)
    Leases(str(tmp_path)).acquire("a")
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o660]


# leases of a cluster


def test_two_runs_never_get_the_same_node(tmp_path: Path) -> None:
    one, other = _cluster(tmp_path, "a", "b", "c"), _cluster(tmp_path, "a", "b", "c")
    first, second = _take(one, 2), _take(other, 1)
    assert ([node.name for node in first], [node.name for node in second]) == (["a", "b"], ["c"])
    one.free(first)
    other.free(second)
    assert [node.name for node in _take(other, 3)] == ["a", "b", "c"]


def test_nodes_held_elsewhere_are_there_but_not_to_be_had(tmp_path: Path) -> None:
    one, other = _cluster(tmp_path, "a", "b"), _cluster(tmp_path, "a", "b")
    one.name_session("2026-01-02--003")
    _take(one, 1)
    with pytest.raises(NodesLeasedElsewhereError) as caught:
        _take(other, 2)
    holder = Holder(os.getpid(), "2026-01-02--003")
    assert caught.value.holders == {"a": holder}
    assert str(caught.value) == f"Nodes are leased by other runs: a ({holder})"
    assert [account.hostname for account in caught.value.unleased] == ["b"]
    assert (len(other), other.all().size(), other.available().size(), other.used().size()) == (2, 2, 2, 0)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.holders) == (str(caught.value), {"a": holder})


def test_a_run_that_cannot_get_all_holds_none(tmp_path: Path) -> None:
    one, other, third = (_cluster(tmp_path, "a", "b", "c") for _ in range(3))
    nodes = _take(one, 2)
    one.free(nodes[0])
    with pytest.raises(NodesLeasedElsewhereError):
        _take(other, 3)
    assert [node.name for node in _take(third, 2)] == ["a", "c"]


def test_more_than_there_is_at_all_is_no_matter_of_leases(tmp_path: Path) -> None:
    one, other = _cluster(tmp_path, "a"), _cluster(tmp_path, "a")
    _take(one, 1)
    with pytest.raises(InsufficientResourcesError, match=r"linux nodes requested: 2\. linux nodes available: 1\. "):
        _take(other, 2)
    assert issubclass(NodesLeasedElsewhereError, InsufficientResourcesError)


def test_nodes_that_are_described_alike_are_different_nodes(tmp_path: Path) -> None:
    def make(config: RemoteAccountSSHConfig, *args: Any, **kwargs: Any) -> LinuxRemoteAccount:
        return LinuxRemoteAccount(RemoteAccountSSHConfig(host="a"))

    one, other = (_cluster(tmp_path, "a", "b", make_remote_account_func=make) for _ in range(2))
    _take(one, 1)
    _take(other, 1)
    with pytest.raises(NodesLeasedElsewhereError):
        _take(other, 1)


def test_typed_requests_get_their_type_with_its_lease(tmp_path: Path) -> None:
    description = {
        "nodes": [
            {"ssh_config": {"host": "a"}},
            {"ssh_config": {"host": "b"}, "node_type": "large"},
            {"ssh_config": {"host": "c"}, "node_type": "large"},
        ]
    }
    one, other = (JsonCluster(description, lease_dir=str(tmp_path)) for _ in range(2))
    large = ClusterSpec.simple_linux(1, "large")
    assert [cluster.alloc(large)[0].name for cluster in (one, other)] == ["b", "c"]
    with pytest.raises(NodesLeasedElsewhereError) as caught:
        one.alloc(large)
    assert list(caught.value.holders) == ["c"]


class Sick(LinuxRemoteAccount):
    asked = 0

    def available(self) -> bool:
        self.asked += 1
        return "sick" not in self.hostname


def test_health_is_asked_for_only_when_the_leases_are_there(tmp_path: Path) -> None:
    one = _cluster(tmp_path, "a", "b", make_remote_account_func=Sick)
    nodes = _take(_cluster(tmp_path, "a", "b"), 1)
    for _ in range(3):
        with pytest.raises(NodesLeasedElsewhereError):
            _take(one, 2)
    assert [vars(account).get("asked", 0) for account in one._available_accounts] == [0, 0]
    assert nodes[0].name == "a"


def test_unhealthy_nodes_are_put_aside_without_their_leases(tmp_path: Path) -> None:
    cluster = _cluster(tmp_path, "sick", "a", "b", make_remote_account_func=Sick)
    assert [node.name for node in _take(cluster, 1)] == ["a"]
    assert [node.name for node in cluster.unhealthy_nodes] == ["sick"]
    assert Leases(str(tmp_path)).acquire("localhost:22:sick") is True
    other = _cluster(tmp_path / "other", "sick", "a", make_remote_account_func=Sick)
    with pytest.raises(InsufficientHealthyNodesError) as caught:
        _take(other, 2)
    assert ([node.hostname for node in caught.value.bad_nodes], len(other)) == (["sick"], 1)


def test_the_description_may_name_the_folder_beside_its_file(tmp_path: Path) -> None:
    file = tmp_path / "cluster.json"
    file.write_text(json.dumps({"nodes": [{"ssh_config": {"host": "a"}}], "lease_dir": "locks"}))
    _take(JsonCluster(cluster_file=str(file)), 1)
    [name] = os.listdir(tmp_path / "locks")
    assert name.startswith("localhost_22_a-")
    _take(JsonCluster(cluster_file=str(file), lease_dir=str(tmp_path / "given")), 1)
    assert os.listdir(tmp_path / "given") == os.listdir(tmp_path / "locks")


def test_a_folder_that_cannot_be_used_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ValueError, match=r"^JSON cluster definition invalid: the lease folder \S+/file cannot be used: "
    ):
        _cluster(tmp_path / "file", "a")


def test_without_leases_there_are_none() -> None:
    cluster = JsonCluster({"nodes": [{"ssh_config": {"host": "a"}}]})
    assert cluster.name_session("2026-01-02--003") is False
    assert NodeContainer(cluster.alloc(ClusterSpec.simple_linux(1))).size() == 1


def test_a_cluster_with_leases_can_be_pickled(tmp_path: Path) -> None:
    cluster = _cluster(tmp_path, "a", "b")
    _take(cluster, 1)
    copy = pickle.loads(pickle.dumps(cluster))
    assert [node.name for node in _take(copy, 1)] == ["b"]
    cluster.free(list(cluster._in_use_nodes))
    assert Leases(str(tmp_path)).acquire("localhost:22:a") is True


def test_machines_of_vagrant_are_leased_alike(tmp_path: Path) -> None:
    file = tmp_path / "cluster.json"
    file.write_text('{"nodes": [{"ssh_config": {"host": "a"}}], "lease_dir": "locks"}')
    one, other = (VagrantCluster(cluster_file=str(file)) for _ in range(2))
    _take(one, 1)
    with pytest.raises(NodesLeasedElsewhereError):
        _take(other, 1)
