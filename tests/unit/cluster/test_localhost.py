# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec, NodeSpec
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.cluster.node_container import InsufficientResourcesError, NodeContainer, NodeNotPresentError
from ducktape.cluster.remoteaccount import RemoteAccountError, RemoteAccountSSHConfig


def _take(cluster: LocalhostCluster, number: int) -> list[str]:
    return [node.name for node in cluster.alloc(ClusterSpec.simple_linux(number))]


def test_it_pretends_to_have_a_thousand_nodes() -> None:
    cluster = LocalhostCluster(cluster_file=None)
    assert (len(cluster), cluster.available().size(), cluster.used().size()) == (1000, 1000, 0)
    assert _take(cluster, 3) == ["localhost0", "localhost1", "localhost2"]
    assert (len(cluster), cluster.available().size(), cluster.used().size()) == (1000, 997, 3)
    assert str(cluster.all()) == '[{"num_nodes": 1000, "os": "linux"}]'


def test_freed_nodes_come_back_last_and_are_the_same() -> None:
    cluster = LocalhostCluster(num_nodes=3)
    first, second = cluster.alloc(ClusterSpec.simple_linux(2))
    cluster.free(first)
    third, again = cluster.alloc(ClusterSpec.simple_linux(2))
    assert (third.name, again is first) == ("localhost2", True)
    cluster.free([second, third, again])
    assert cluster.max_used() == 3


def test_too_much_is_refused() -> None:
    cluster = LocalhostCluster(num_nodes=2)
    with pytest.raises(InsufficientResourcesError, match=r"linux nodes requested: 3. linux nodes available: 2. "):
        cluster.alloc(ClusterSpec.simple_linux(3))
    for spec in (ClusterSpec.simple_linux(1, "large"), ClusterSpec([NodeSpec("windows")])):
        with pytest.raises(InsufficientResourcesError):
            cluster.alloc(spec)
    assert cluster.available().size() == 2


def test_a_node_is_freed_once_and_by_its_owner() -> None:
    cluster = LocalhostCluster(num_nodes=2)
    (node,) = cluster.alloc(ClusterSpec.simple_linux(1))
    with pytest.raises(NodeNotPresentError):
        LocalhostCluster(num_nodes=2).free(node)
    cluster.free(node)
    with pytest.raises(NodeNotPresentError):
        cluster.free(node)


def test_accounts_are_local_and_need_nothing() -> None:
    (node,) = LocalhostCluster(ssh_exception_checks=[print]).alloc(ClusterSpec.simple_linux(1))
    account = node.account
    assert isinstance(account, LinuxRemoteAccount)
    assert (account.is_local, account.local, account.externally_routable_ip) == (True, True, "localhost")
    assert (account.hostname, account.ssh_hostname, str(account)) == ("localhost0", "localhost", "localhost0")
    assert account._custom_ssh_exception_checks == [print]
    assert account.ssh_output("echo $PPID").decode() == f"{os.getpid()}\n"
    with pytest.raises(RemoteAccountError, match="no SSH connection"):
        _ = account.ssh_client


def test_the_sftp_client_of_a_local_account_has_its_everyday_methods(tmp_path: Path) -> None:
    (node,) = LocalhostCluster().alloc(ClusterSpec.simple_linux(1))
    client = node.account.sftp_client
    (tmp_path / "one").write_text("four")
    assert (client.listdir(str(tmp_path)), client.stat(str(tmp_path / "one")).st_size) == (["one"], 4)
    client.rename(str(tmp_path / "one"), str(tmp_path / "two"))
    client.chmod(str(tmp_path / "two"), 0o600)
    assert (client.stat(str(tmp_path / "two")).st_mode or 0) & 0o777 == 0o600
    client.remove(str(tmp_path / "two"))
    client.mkdir(str(tmp_path / "three"))
    client.rmdir(str(tmp_path / "three"))
    assert client.listdir(str(tmp_path)) == []


def test_everything_can_be_pickled() -> None:
    cluster = LocalhostCluster(num_nodes=4)
    nodes = cluster.alloc(ClusterSpec.simple_linux(2))
    nodes[0].account.ssh("true")
    copies = pickle.loads(pickle.dumps(nodes))
    assert [copy.name for copy in copies] == ["localhost0", "localhost1"]
    assert [copy.account.is_local for copy in copies] == [True, True]
    assert copies[0].account.ssh_output("echo copy") == b"copy\n"
    assert copies[0].account == nodes[0].account
    copy = pickle.loads(pickle.dumps(cluster))
    assert (len(copy), _take(copy, 2)) == (4, ["localhost2", "localhost3"])


def test_the_pools_can_be_looked_at() -> None:
    cluster = LocalhostCluster(num_nodes=3)
    nodes = cluster.alloc(ClusterSpec.simple_linux(1))
    assert list(cluster._in_use_nodes) == nodes
    free = list(cluster._available_nodes)
    assert [node.name for node in free] == ["localhost1", "localhost2"]
    assert cluster.alloc(ClusterSpec.simple_linux(2)) == free


def test_a_thousand_nodes_cost_much_less_than_their_accounts() -> None:
    def seconds(work: Callable[[], object]) -> float:
        begin = time.process_time()
        work()
        return time.process_time() - begin

    def lend_out_all() -> list[ClusterNode]:
        cluster = LocalhostCluster()
        nodes = cluster.alloc(ClusterSpec.simple_linux(1000))
        cluster.free(nodes)
        return nodes

    accounts = min(seconds(lambda: [node.account for node in lend_out_all()]) for _ in range(3))
    assert 3 * min(seconds(lend_out_all) for _ in range(10)) < accounts


def test_a_dirty_pseudo_node_is_put_aside() -> None:
    cluster = LocalhostCluster()
    nodes = cluster.alloc(ClusterSpec.simple_linux(2))
    assert cluster.put_aside(nodes[1], "its files are still there") is True
    cluster.free(nodes[0])
    assert (len(cluster), cluster.available().size(), cluster.used().size()) == (999, 999, 0)
    [story] = cluster.unhealthy_nodes
    assert (story.name, story.reason, story.back_at) == ("localhost1", "its files are still there", None)
    assert "localhost1" not in _take(cluster, 999)
    with pytest.raises(NodeNotPresentError):
        cluster.put_aside(nodes[1], "again")


@pytest.mark.parametrize(("num_nodes", "most"), [(9, 0), (10, 1), (25, 2)])
def test_one_in_ten_at_most_is_put_aside_as_all_are_one_machine(num_nodes: int, most: int) -> None:
    cluster = LocalhostCluster(num_nodes=num_nodes)
    nodes = cluster.alloc(ClusterSpec.simple_linux(num_nodes))
    assert [cluster.put_aside(node, "dirty") for node in nodes] == [True] * most + [False] * (num_nodes - most)
    cluster.free(nodes[most:])
    assert len(cluster) == num_nodes - most


def test_subclasses_change_which_nodes_there_are() -> None:
    class Three(LocalhostCluster):
        def __init__(self) -> None:
            super().__init__()
            self._available_nodes = NodeContainer(list(self._available_nodes)[:3])

    class WithoutTheFirst(LocalhostCluster):
        def __init__(self) -> None:
            super().__init__(num_nodes=4)
            self._available_nodes.remove_node(next(iter(self._available_nodes)))

    assert (len(Three()), _take(Three(), 3)) == (3, ["localhost0", "localhost1", "localhost2"])
    assert (len(WithoutTheFirst()), _take(WithoutTheFirst(), 2)) == (3, ["localhost1", "localhost2"])


def test_subclasses_lend_nodes_in_their_own_way() -> None:
    class Own(LocalhostCluster):
        def do_alloc(self, cluster_spec: ClusterSpec) -> list[ClusterNode]:
            nodes, _ = self._available_nodes.remove_spec(cluster_spec)
            self._in_use_nodes.add_nodes(nodes)
            return nodes

        def free_single(self, node: ClusterNode) -> None:
            self._in_use_nodes.remove_node(node)
            self._available_nodes.add_node(node)

    cluster = Own(num_nodes=3)
    nodes = cluster.alloc(ClusterSpec.simple_linux(2))
    assert (cluster.available().size(), cluster.used().size(), cluster.max_used()) == (1, 2, 2)
    cluster.free(nodes)
    assert _take(cluster, 3) == ["localhost2", "localhost0", "localhost1"]


def test_nodes_of_other_kinds_are_lent_by_their_label() -> None:
    cluster = LocalhostCluster(num_nodes=1)
    config = RemoteAccountSSHConfig("large1", "localhost")
    cluster._available_nodes.add_node(ClusterNode(LinuxRemoteAccount(config, node_type="large")))
    [large] = cluster.alloc(ClusterSpec.simple_linux(1, "large"))
    assert (large.name, str(cluster.used())) == ("large1", '[{"node_type": "large", "num_nodes": 1, "os": "linux"}]')
    cluster.free(large)
    assert sorted(str(spec.node_type) for spec in cluster.all()) == ["None", "large"]
