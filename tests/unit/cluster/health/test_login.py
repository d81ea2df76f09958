# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pickle
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.cluster import ClusterNode, ClusterSpec, UnhealthyNode
from ducktape.cluster.finite_subcluster import FiniteSubcluster
from ducktape.cluster.health.probe import log_in
from ducktape.cluster.health.runner import LOGIN_SEC, failed_logins, failures_of, start_logins
from ducktape.cluster.json import JsonCluster
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.cluster.node_container import (
    InsufficientHealthyNodesError,
    InsufficientResourcesError,
    NodeNotPresentError,
)
from ducktape.cluster.pool.lease import NodesLeasedElsewhereError
from ducktape.cluster.pool.quarantine import Quarantine, quarantine, unhealthy_nodes
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig
from ducktape.cluster.transport import Completed
from ducktape.utils.process.tree import child_pids

# Many nodes here have no address, as in files of users
pytestmark = pytest.mark.filterwarnings("ignore:nodes.* has no hostname:ducktape.errors.CompatibilityWarning")


class Scripted:
    """A transport whose login ends as the name of the machine says."""

    is_local = False

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, command: str, **_: Any) -> Completed:
        if self.name == "silent":
            time.sleep(1000)
        if self.name == "refused":
            raise ConnectionRefusedError("nobody there, not even for s3cret\nand a second line")
        if self.name == "nologin":
            return Completed(command, 1, b"\nThis account\x1b[31m s3cret is not available.\nsecond\n", b"")
        is_barred = self.name == "barred"
        return Completed(command, int(is_barred), b"", b"x" * 10_000 if is_barred else b"")


class Account:
    """What a check needs of an account."""

    operating_system = "linux"
    ssh_config = RemoteAccountSSHConfig(password="s3cret")

    def __init__(self, name: str) -> None:
        self.hostname = name
        self.transport = Scripted(name)


@pytest.fixture
def mute() -> Iterator[int]:
    """A port where somebody listens and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# one check


def test_every_node_that_cannot_be_used_is_named_with_its_reason() -> None:
    names = ["fine", "refused", "barred", "fine", "nologin"]
    assert failed_logins([Account(name) for name in names]) == {
        1: "nothing listens at localhost, port 22",
        2: f"no command can be run: 'true' ended with status 1: {'x' * 297}...",
        4: "no command can be run: 'true' ended with status 1: This account?[31m *** is not available.",
    }


def test_silent_nodes_cost_a_limited_time_and_hide_no_other_answer() -> None:
    before = child_pids()
    begin = time.monotonic()
    runner = start_logins([Account(name) for name in ("silent", "fine", "refused", "silent")], timeout=1)
    reasons = failures_of(runner.wait())
    assert 1 <= time.monotonic() - begin < 1 + LOGIN_SEC
    assert sorted(reasons) == [0, 2, 3]
    assert (reasons[0], reasons[3]) == ("no answer within 1.0 s (login)",) * 2
    assert child_pids() == before


def test_logins_can_be_looked_at_without_waiting() -> None:
    runner = start_logins([Account("silent")], timeout=1000)
    begin = time.monotonic()
    assert runner.finished() is False
    assert time.monotonic() - begin < 1
    runner.cancel()
    assert runner.finished() is True
    [reason] = failures_of(runner.findings).values()
    assert reason.startswith("no answer within 1000.0 s (")


def test_no_thread_and_no_descriptor_is_left() -> None:
    failed_logins([Account("fine")])
    before = len(os.listdir("/proc/self/fd")), threading.active_count()
    failed_logins([Account("fine"), Account("refused")])
    assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == before


def test_real_logins_that_fail_say_why(mute: int) -> None:
    closed = _closed_port()
    accounts = [
        LinuxRemoteAccount(RemoteAccountSSHConfig(host=f"n{port}", hostname="127.0.0.1", port=port))
        for port in (mute, closed)
    ]
    reasons = failures_of(start_logins(accounts, timeout=3).wait())
    assert sorted(reasons) == [0, 1]
    assert reasons[0].startswith("no answer within 3.") or "127.0.0.1" in reasons[0] or "banner" in reasons[0]
    assert reasons[1] == f"nothing listens at 127.0.0.1, port {closed}"
    pickle.dumps(accounts)


def test_what_has_no_transport_passes() -> None:
    log_in(object(), lambda news: None, timeout=1)
    assert failed_logins([object()]) == {}
    assert failed_logins([]) == {}


# quarantine


class Moody(LinuxRemoteAccount):
    """Says what a file says: it is there as long as the machine is well."""

    folder = Path("/nonexistent")

    def available(self) -> bool:
        return not (self.folder / self.hostname).exists()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Moody, "folder", tmp_path)
    return tmp_path


def _moody(*hosts: str) -> JsonCluster:
    nodes = [{"ssh_config": {"host": host}} for host in hosts]
    return JsonCluster({"nodes": nodes}, make_remote_account_func=Moody)


def test_a_node_that_says_no_is_quarantined_with_a_story(folder: Path) -> None:
    (folder / "a").touch()
    cluster = _moody("a", "b")
    assert [node.name for node in cluster.alloc(ClusterSpec.simple_linux(1))] == ["b"]
    [node] = unhealthy_nodes(cluster)
    assert (node.name, node.reason, node.back_at) == ("a", "it says that it is not available", None)
    assert str(node) == "a (it says that it is not available)"
    assert node.to_json() == {
        "name": "a",
        "reason": "it says that it is not available",
        "put_aside_at": node.put_aside_at,
        "back_at": None,
    }
    assert abs(node.put_aside_at - time.time()) < 60


def test_it_is_tried_again_when_its_time_has_come(folder: Path) -> None:
    (folder / "a").touch()
    cluster = _moody("a", "b")
    cluster.alloc(ClusterSpec.simple_linux(1))
    (folder / "a").unlink()
    assert (cluster.retry_unhealthy(), len(cluster)) == (False, 1)
    cluster.retry_unhealthy_sec = 0
    assert (cluster.retry_unhealthy(), len(cluster), len(cluster._bad_accounts)) == (True, 2, 0)
    [node] = cluster.unhealthy_nodes
    assert node.back_at is not None
    assert str(node) == "a (it says that it is not available; healthy again later)"
    assert [node.name for node in cluster.alloc(ClusterSpec.simple_linux(1))] == ["a"]
    assert cluster.retry_unhealthy() is False


def test_one_that_is_still_unwell_stays_aside(folder: Path) -> None:
    (folder / "a").touch()
    cluster = _moody("a")
    with pytest.raises(InsufficientHealthyNodesError):
        cluster.alloc(ClusterSpec.simple_linux(1))
    cluster.retry_unhealthy_sec = 0
    assert (cluster.retry_unhealthy(), len(cluster), len(cluster.unhealthy_nodes)) == (False, 0, 1)


def test_logins_are_tried_again_without_waiting_for_them() -> None:
    aside = Quarantine(logs_in=True)
    account: Any = Account("silent")
    account.available = lambda: True
    aside.add(account, "no answer")
    begin = time.monotonic()
    assert aside.recovered(0) == []
    account.transport.name = "fine"  # too late for the check that is under way
    assert aside.recovered(0) == []
    assert time.monotonic() - begin < 2
    copy = pickle.loads(pickle.dumps(Quarantine(logs_in=True)))
    assert copy.recovered(0) == []
    assert aside._logins is not None
    aside._logins[1].cancel()
    assert aside.recovered(1000) == []
    deadline = time.monotonic() + 30
    while not (back := aside.recovered(0)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (back, len(aside.accounts), aside.stories[0].name) == ([account], 0, "silent")


def test_clusters_without_such_nodes_have_none() -> None:
    class Strange:
        unhealthy_nodes = "yes"

    assert (unhealthy_nodes(None), unhealthy_nodes(Strange())) == ([], [])
    story = UnhealthyNode("a", "b", 1.0)
    Strange.unhealthy_nodes = [story, "c"]  # type: ignore[assignment]
    assert unhealthy_nodes(Strange()) == [story]


# a cluster that checks its nodes


class Scripts(LinuxRemoteAccount):
    """An account whose login ends as its name says."""

    @property  # type: ignore[misc]  # nobody sets it here
    def transport(self) -> Any:
        return Scripted(self.hostname.partition("-")[0])


def _checking(*hosts: str, **kwargs: Any) -> JsonCluster:
    nodes = [{"ssh_config": {"host": host, "password": "s3cret"}} for host in hosts]
    return JsonCluster({"nodes": nodes}, make_remote_account_func=Scripts, check_nodes=True, **kwargs)


def test_only_nodes_that_can_be_logged_in_to_are_lent_out() -> None:
    cluster = _checking("refused-1", "fine-1", "refused-2", "fine-2", "barred-1")
    nodes = cluster.alloc(ClusterSpec.simple_linux(2))
    assert sorted(node.name for node in nodes) == ["fine-1", "fine-2"]
    assert [(node.name, node.reason[:20]) for node in cluster.unhealthy_nodes] == [
        ("refused-1", "nothing listens at l"),
        ("refused-2", "nothing listens at l"),
        ("barred-1", "no command can be ru"),
    ]
    assert (len(cluster), "s3cret" in str(cluster.unhealthy_nodes)) == (2, False)
    pickle.dumps(cluster)


def test_too_few_that_can_be_logged_in_to_is_an_error_that_names_the_others() -> None:
    cluster = _checking("refused-1", "fine-1")
    with pytest.raises(InsufficientHealthyNodesError, match=r"linux nodes available: 1\. Unhealthy: refused-1 \(noth"):
        cluster.alloc(ClusterSpec.simple_linux(2))
    assert (len(cluster), [node.name for node in cluster.alloc(ClusterSpec.simple_linux(1))]) == (1, ["fine-1"])


def test_no_check_where_no_node_is_asked_for() -> None:
    assert _checking("silent-1").alloc(ClusterSpec.empty()) == []


def test_leases_of_nodes_in_quarantine_are_given_back(tmp_path: Path) -> None:
    cluster = _checking("refused-1", "fine-1", lease_dir=str(tmp_path))
    assert [node.name for node in cluster.alloc(ClusterSpec.simple_linux(1))] == ["fine-1"]
    other = JsonCluster({"nodes": [{"ssh_config": {"host": "refused-1"}}]}, lease_dir=str(tmp_path))
    assert [node.name for node in other.alloc(ClusterSpec.simple_linux(1))] == ["refused-1"]


# nodes that a test has left dirty


def test_a_dirty_node_is_not_used_again_however_healthy_it_is(folder: Path) -> None:
    cluster = _moody("a", "b")
    cluster.retry_unhealthy_sec = 0
    nodes = cluster.alloc(ClusterSpec.simple_linux(2))
    assert quarantine(cluster, nodes[0], "its server\n  could not be stopped") is True
    cluster.free(nodes[1])
    assert (len(cluster), cluster.used().size(), cluster.retry_unhealthy()) == (1, 0, False)
    [node] = unhealthy_nodes(cluster)
    assert (node.name, node.reason, node.back_at) == ("a", "its server could not be stopped", None)
    with pytest.raises(InsufficientResourcesError):
        cluster.alloc(ClusterSpec.simple_linux(2))
    with pytest.raises(NodeNotPresentError):
        quarantine(cluster, nodes[0], "again")
    assert [story.name for story in pickle.loads(pickle.dumps(cluster)).unhealthy_nodes] == ["a"]


def test_a_dirty_node_does_not_keep_a_sick_one_from_coming_back(folder: Path) -> None:
    cluster = _moody("a", "b")
    cluster.retry_unhealthy_sec = 0
    [first] = cluster.alloc(ClusterSpec.simple_linux(1))
    quarantine(cluster, first, "dirty")
    (folder / "b").touch()
    with pytest.raises(InsufficientHealthyNodesError):
        cluster.alloc(ClusterSpec.simple_linux(1))
    (folder / "b").unlink()
    assert (cluster.retry_unhealthy(), len(cluster)) == (True, 1)
    assert [(node.name, node.back_at is None) for node in cluster.unhealthy_nodes] == [("a", True), ("b", False)]


def test_a_cluster_of_a_user_learns_that_a_dirty_node_is_not_used_any_more() -> None:
    class Counting(JsonCluster):
        freed: list[str] = []

        def free_single(self, node: ClusterNode) -> None:
            super().free_single(node)
            self.freed.append(node.name)

    cluster = Counting({"nodes": [{"ssh_config": {"host": "a"}}]})
    [node] = cluster.alloc(ClusterSpec.simple_linux(1))
    assert quarantine(cluster, node, "dirty") is True
    assert (cluster.freed, len(cluster), [each.name for each in cluster.unhealthy_nodes]) == (["a"], 0, ["a"])


def test_a_cluster_without_quarantine_is_left_alone() -> None:
    class Strange(FiniteSubcluster):
        put_aside = "no"  # type: ignore[assignment]

    for kind in (FiniteSubcluster, Strange):
        cluster = kind(LocalhostCluster(num_nodes=1)._available_nodes)
        [node] = cluster.alloc(ClusterSpec.simple_linux(1))
        assert quarantine(cluster, node, "dirty") is False
        assert cluster.used().size() == 1


def test_other_runs_do_not_get_a_dirty_node_while_this_one_goes_on(tmp_path: Path) -> None:
    description = {"nodes": [{"ssh_config": {"host": "a"}}], "lease_dir": str(tmp_path)}
    cluster, other = JsonCluster(description), JsonCluster(description)
    [node] = cluster.alloc(ClusterSpec.simple_linux(1))
    assert quarantine(cluster, node, "dirty") is True
    with pytest.raises(NodesLeasedElsewhereError):
        other.alloc(ClusterSpec.simple_linux(1))


def test_no_password_is_in_the_reason() -> None:
    cluster = JsonCluster({"nodes": [{"ssh_config": {"host": "a", "password": "s3cret"}}]})
    [node] = cluster.alloc(ClusterSpec.simple_linux(1))
    quarantine(cluster, node, "could not log in with s3cret")
    assert cluster.unhealthy_nodes[0].reason == "could not log in with ***"
