# SPDX-License-Identifier: Apache-2.0
"""What existing suites do with clusters, and with accounts of their own making."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.json import JsonCluster, make_remote_account
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig, SSHOutputIter
from ducktape.services.service import Service
from ducktape.tests.test_context import TestContext

NODES = {"nodes": [{"ssh_config": {"host": f"worker{n}", "hostname": "127.0.0.1"}} for n in (1, 2)]}


# the cluster of a test


def test_allocating_a_simple_spec(context: TestContext) -> None:
    nodes = context.cluster.alloc(ClusterSpec.simple_linux(2))

    assert [node.name for node in nodes] == ["localhost0", "localhost1"]


def test_freeing_a_list(context: TestContext) -> None:
    nodes = context.cluster.alloc(ClusterSpec.simple_linux(2))

    context.cluster.free(nodes)

    assert context.cluster.num_available_nodes() == 5


def test_freeing_a_single_node(context: TestContext) -> None:
    nodes = context.cluster.alloc(ClusterSpec.simple_linux(2))

    context.cluster.free_single(nodes[0])

    assert context.cluster.num_available_nodes() == 4


def test_counting_the_available_nodes_both_ways(context: TestContext) -> None:
    context.cluster.alloc(ClusterSpec.simple_linux(2))

    assert (context.cluster.num_available_nodes(), context.cluster.available().size()) == (3, 3)


def test_the_size_of_a_cluster_does_not_change_with_use(context: TestContext) -> None:
    context.cluster.alloc(ClusterSpec.simple_linux(2))

    assert len(context.cluster) == 5


def test_iterating_over_the_nodes_of_what_is_available(context: TestContext) -> None:
    assert [node.operating_system for node in context.cluster.available().nodes] == ["linux"] * 5


def test_iterating_over_the_nodes_of_the_cluster_of_a_running_test() -> None:
    from ducktape.cluster.finite_subcluster import FiniteSubcluster

    nodes = LocalhostCluster(num_nodes=3).alloc(ClusterSpec.simple_linux(2))

    assert [node.account.hostname for node in FiniteSubcluster(nodes).nodes] == ["localhost0", "localhost1"]


def test_the_older_name_of_the_node_groups(context: TestContext) -> None:
    found = context.cluster._available_nodes.os_to_nodes["linux"]

    assert [node.name for node in found] == [f"localhost{n}" for n in range(5)]


def test_the_older_name_of_the_node_groups_follows_allocation(context: TestContext) -> None:
    context.cluster.alloc(ClusterSpec.simple_linux(3))

    assert [node.name for node in context.cluster._available_nodes.os_to_nodes["linux"]] == ["localhost3", "localhost4"]


def test_the_older_name_in_the_cluster_of_a_running_test() -> None:
    from ducktape.cluster.finite_subcluster import FiniteSubcluster

    nodes = LocalhostCluster(num_nodes=3).alloc(ClusterSpec.simple_linux(2))

    assert FiniteSubcluster(nodes)._available_nodes.os_to_nodes["linux"] == nodes


# how accounts are made


class MarkedAccount(LinuxRemoteAccount):
    """An account that can be told from the usual one."""


def test_a_function_that_makes_the_accounts() -> None:
    calls: list[tuple[Any, ...]] = []

    def make(ssh_config: RemoteAccountSSHConfig, *args: Any, **kwargs: Any) -> LinuxRemoteAccount:
        calls.append((ssh_config.host, *args))
        return MarkedAccount(ssh_config, *args, **kwargs)

    made = JsonCluster(NODES, make_remote_account_func=make)

    assert [type(node.account) for node in made.alloc(ClusterSpec.simple_linux(2))] == [MarkedAccount, MarkedAccount]
    assert calls == [("worker1", None), ("worker2", None)]


def test_a_factory_from_before_node_types_existed() -> None:
    def make(ssh_config: RemoteAccountSSHConfig, externally_routable_ip: str | None = None, **_: Any) -> Any:
        return MarkedAccount(ssh_config, externally_routable_ip)

    nodes = JsonCluster(NODES, make_remote_account_func=make).alloc(ClusterSpec.simple_linux(1))

    assert type(nodes[0].account) is MarkedAccount


def test_a_subclass_that_passes_its_own_factory() -> None:
    class ClusterOfTheirs(JsonCluster):
        def __init__(self, cluster_json: Any = None, *args: Any, **kwargs: Any) -> None:
            kwargs["make_remote_account_func"] = lambda config, *a, **kw: MarkedAccount(config, *a, **kw)
            super().__init__(cluster_json, *args, **kwargs)

    nodes = ClusterOfTheirs(NODES).alloc(ClusterSpec.simple_linux(2))

    assert [type(node.account) for node in nodes] == [MarkedAccount, MarkedAccount]


def test_a_subclass_that_overrides_how_accounts_are_made() -> None:
    class ClusterOfTheirs(JsonCluster):
        def _make_remote_account(self, ssh_config: Any, *args: Any, **kwargs: Any) -> Any:
            return MarkedAccount(ssh_config, *args, **kwargs)

    nodes = ClusterOfTheirs(NODES).alloc(ClusterSpec.simple_linux(2))

    assert [type(node.account) for node in nodes] == [MarkedAccount, MarkedAccount]


def test_the_usual_factory_called_by_hand() -> None:
    account = make_remote_account(RemoteAccountSSHConfig(host="worker1", hostname="10.0.0.1"))

    assert (type(account), account.hostname) == (LinuxRemoteAccount, "worker1")


# accounts over other transports


class OverriddenAccount(LinuxRemoteAccount):
    """Overrides every verb that suites override, and can do nothing in any other way."""

    def __init__(self) -> None:
        super().__init__(RemoteAccountSSHConfig(host="pod-1", hostname="203.0.113.1", connecttimeout=1))
        self.calls: list[str] = []
        self.answers: dict[str, str] = {}
        self.files: dict[str, bytes] = {}

    def ssh(self, cmd: str, allow_fail: bool = False) -> int:  # type: ignore[override]
        self._log(10, "ssh over another way")
        self.calls.append(f"ssh {cmd}")
        return 0

    def ssh_output(  # type: ignore[override]
        self, cmd: str, allow_fail: bool = False, combine_stderr: bool = True, timeout_sec: Any = None
    ) -> bytes:
        self.calls.append(f"ssh_output {cmd}")
        return self._answer(cmd).encode()

    def ssh_capture(  # type: ignore[override]
        self,
        cmd: str,
        allow_fail: bool = False,
        callback: Any = None,
        combine_stderr: bool = True,
        timeout_sec: Any = None,
    ) -> SSHOutputIter:
        self.calls.append(f"ssh_capture {cmd}")
        lines = self._answer(cmd).splitlines(keepends=True)

        def generate() -> Iterator[Any]:
            for line in lines:
                yield line if callback is None else callback(line)

        return SSHOutputIter(generate, _ChannelFile())

    def _answer(self, cmd: str) -> str:
        return next((text for word, text in self.answers.items() if word in cmd), "")

    def exists(self, path: str) -> bool:
        self.calls.append(f"exists {path}")
        return path in self.files

    def isfile(self, path: str) -> bool:
        self.calls.append(f"isfile {path}")
        return path in self.files

    def isdir(self, path: str) -> bool:
        self.calls.append(f"isdir {path}")
        return False

    def islink(self, path: str) -> bool:
        return False

    def open(self, path: str, mode: str = "r") -> Any:
        self.calls.append(f"open {path}")
        return io.BytesIO(self.files[path])

    def create_file(self, path: str, contents: Any) -> None:
        self.calls.append(f"create_file {path}")
        self.files[path] = contents if isinstance(contents, bytes) else contents.encode()

    def mkdir(self, path: str, mode: int = 0o755) -> None:
        self.calls.append(f"mkdir {path}")

    def copy_to(self, src: str, dest: str) -> None:
        self.calls.append("copy_to")
        self.files[self._re_anchor_basename(src, dest)] = Path(src).read_bytes()

    def copy_from(self, src: str, dest: str) -> None:  # type: ignore[override]  # written before it took more
        self.calls.append("copy_from")
        Path(self._re_anchor_basename(src, dest)).write_bytes(self.files[src])

    def available(self) -> bool:
        self.calls.append("available")
        return True

    @property
    def ssh_client(self) -> Any:
        raise AssertionError("went around the override, to the SSH client")

    @property
    def sftp_client(self) -> Any:
        raise AssertionError("went around the override, to the SFTP client")


class _Channel:
    def __init__(self) -> None:
        self.timeout: float | None = None

    def gettimeout(self) -> float | None:
        return self.timeout

    def settimeout(self, timeout: float | None) -> None:
        self.timeout = timeout


class _ChannelFile:
    def __init__(self) -> None:
        self.channel = _Channel()


@pytest.fixture
def overridden() -> OverriddenAccount:
    return OverriddenAccount()


def test_an_output_iterator_over_a_generator_and_a_channel_of_ones_own() -> None:
    file = _ChannelFile()
    file.channel.settimeout(9.0)
    lines = SSHOutputIter(lambda: iter(["one\n", "two\n"]), file)

    seen = [lines.has_next(timeout_sec=1), lines.next(), lines.has_next(), next(lines), lines.has_next(timeout_sec=1)]

    assert (seen, file.channel.gettimeout()) == ([True, "one\n", True, "two\n", False], 9.0)


def test_moving_a_base_name_to_another_directory(overridden: OverriddenAccount) -> None:
    assert overridden._re_anchor_basename("/a/b/name/", "/c") == "/c/name"


def test_making_directories_goes_through_the_override(overridden: OverriddenAccount) -> None:
    overridden.mkdirs("/a/b")

    assert overridden.calls == ["ssh mkdir -p /a/b && chmod 755 /a/b"]


def test_removing_goes_through_the_override(overridden: OverriddenAccount) -> None:
    overridden.remove("/a/b", allow_fail=True)

    assert overridden.calls == ["ssh rm -rf /a/b"]


def test_signals_go_through_the_override(overridden: OverriddenAccount) -> None:
    overridden.signal(12, 9)

    assert overridden.calls == ["ssh kill -9 12"]


def test_asking_whether_a_process_lives_goes_through_the_override(overridden: OverriddenAccount) -> None:
    assert (overridden.alive(12), overridden.calls) == (True, ["ssh kill -0 12"])


def test_killing_by_name_goes_through_the_override(overridden: OverriddenAccount) -> None:
    overridden.answers["ps ax"] = "11\n12\n"

    overridden.kill_process("server", clean_shutdown=False)

    assert overridden.calls[-2:] == ["ssh kill -9 11", "ssh kill -9 12"]


def test_java_processes_are_looked_for_through_the_override(overridden: OverriddenAccount) -> None:
    overridden.answers["jcmd"] = "11\n12\n"

    assert overridden.java_pids("Server") == [11, 12]


def test_watching_a_log_goes_through_the_override(overridden: OverriddenAccount) -> None:
    overridden.answers["wc -c"] = "5\n"

    with overridden.monitor_log("/a/log") as monitor:
        monitor.wait_until("started", timeout_sec=5)

    assert (monitor.offset, overridden.calls[-1]) == (5, "ssh tail -c +6 /a/log | grep 'started'")


def test_copying_between_nodes_goes_through_both_overrides(overridden: OverriddenAccount) -> None:
    class Node:
        account = OverriddenAccount()

    overridden.files["/a/name"] = b"content"

    overridden.copy_between("/a/name", "/b", Node)

    assert (overridden.calls, Node.account.calls) == (["copy_from"], ["copy_to"])
    assert Node.account.files == {"/b/name": b"content"}


def test_the_older_copying_names_go_through_the_override(overridden: OverriddenAccount, tmp_path: Path) -> None:
    overridden.files["/a/name"] = b"content"

    with pytest.warns(DeprecationWarning):
        overridden.scp_from("/a/name", str(tmp_path))

    assert (overridden.calls, (tmp_path / "name").read_bytes()) == (["copy_from"], b"content")


def test_collecting_and_compressing_logs_goes_through_the_override(
    overridden: OverriddenAccount, tmp_path: Path
) -> None:
    from ducktape.services.support.log_compression import compress_logs
    from ducktape.services.support.logs import Order, collect_logs

    class Node:
        account = overridden

    class Fake(Service):
        logs = {"log": {"path": "/a/log", "collect_default": True}}

        def __init__(self) -> None:
            self.nodes = [Node()]

        @property
        def service_id(self) -> str:
            return "Fake-0"

    overridden.files["/a/log.tgz"] = b"packed"

    import logging

    order = Order(Fake(), str(tmp_path / "Fake-0"), lambda name: True)
    collect_logs([order], compress=compress_logs, logger=logging.getLogger("x"))

    assert (
        [call.split()[0] for call in overridden.calls],
        (tmp_path / "Fake-0" / "pod-1" / "log.tgz").read_bytes(),
    ) == (
        ["ssh", "copy_from"],
        b"packed",
    )


def test_availability_is_asked_at_allocation() -> None:
    made: list[OverriddenAccount] = []

    def make(ssh_config: Any, *args: Any, **kwargs: Any) -> Any:
        made.append(OverriddenAccount())
        return made[-1]

    JsonCluster(NODES, make_remote_account_func=make).alloc(ClusterSpec.simple_linux(2))

    assert [account.calls for account in made] == [["available"], ["available"]]
