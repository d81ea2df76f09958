# SPDX-License-Identifier: Apache-2.0
"""What every implementation of clusters, accounts and services has to pass, over real OpenSSH and local parts."""

from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import paramiko
import pytest

from ducktape.cluster.cluster import Cluster
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.finite_subcluster import FiniteSubcluster
from ducktape.cluster.json import JsonCluster
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.cluster.node_container import InsufficientHealthyNodesError, NodeContainer, NodeNotPresentError
from ducktape.cluster.node_spec import NodeSpec
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig, RemoteCommandError
from ducktape.cluster.vagrant import VagrantCluster
from ducktape.errors import TimeoutError as DucktapeTimeoutError
from ducktape.jvm_logging import JVMLogger
from ducktape.services.background_thread import BackgroundThreadService
from ducktape.services.service import Service
from ducktape.template import TemplateRenderer
from ducktape.tests.test_context import TestContext
from ducktape.utils.util import wait_until
from tests.compatibility import running
from tests.support.sshd import Sshd
from tests.support.vagrant_standin import VagrantStandin, ssh_config

# Nodes here have no address, as in files of users
pytestmark = pytest.mark.filterwarnings("ignore:nodes.* has no hostname:ducktape.errors.CompatibilityWarning")

PASSWORD = "Kn0wnT0N0body"
WORKERS = ("worker1", "worker2")


@pytest.fixture(scope="module", params=["ssh", "local"])
def any_kind(request: pytest.FixtureRequest) -> str:
    """Which accounts a check is done with."""
    return str(request.param)


@pytest.fixture
def account(any_kind: str, request: pytest.FixtureRequest) -> Any:
    """An account over SSH, and one without."""
    if any_kind == "ssh":
        return request.getfixturevalue("ssh_account")
    cluster = LocalhostCluster(num_nodes=1)
    [node] = cluster.alloc(ClusterSpec.simple_linux(1))
    request.addfinalizer(lambda: cluster.free(node))
    return node.account


@pytest.fixture
def server(tmp_path: Path, ssh_nodes: dict[str, Any]) -> Iterator[Sshd]:
    """A server of the test's own, to be stopped in its middle."""
    directory = tmp_path / "own-sshd"
    directory.mkdir()
    made = Sshd(directory)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def own_account(server: Sshd) -> Iterator[LinuxRemoteAccount]:
    """An account on that server."""
    made = LinuxRemoteAccount(server.settings)
    yield made
    made.close()


def named(hosts: tuple[str, ...]) -> JsonCluster:
    return JsonCluster({"nodes": [{"ssh_config": {"host": host}} for host in hosts]})


def names(nodes: list[Any]) -> list[str]:
    return [node.name for node in nodes]


def measured(function: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.monotonic()
    result = function()
    return result, time.monotonic() - begin


# ---- nodes and clusters


def test_a_specification_is_spelled_as_json() -> None:
    assert str(ClusterSpec.simple_linux(5)) == '[{"num_nodes": 5, "os": "linux"}]'
    assert str(ClusterSpec.empty()) == "[]"


def test_typed_and_untyped_requests_share_a_pool() -> None:
    def typed(kind: str | None) -> ClusterNode:
        return ClusterNode(LinuxRemoteAccount(RemoteAccountSSHConfig(host=str(kind)), node_type=kind))

    def request(untyped: int) -> ClusterSpec:
        return ClusterSpec.from_nodes([NodeSpec()] * untyped + [NodeSpec(node_type="small")] * 2)

    pool = NodeContainer([typed("small"), typed("small"), typed("large")])
    assert pool.attempt_remove_spec(request(2)) == "linux nodes requested: 4. linux nodes available: 3. "
    assert not pool.can_remove_spec(request(2))
    assert pool.can_remove_spec(request(1))
    good, bad = pool.remove_spec(request(1))
    assert ([node.node_type for node in good], bad) == (["small", "small", "large"], [])


def test_freed_nodes_queue_behind_the_free_ones() -> None:
    cluster = named(("h0", "h1", "h2"))
    first = cluster.alloc(ClusterSpec.simple_linux(2))
    assert names(first) == ["h0", "h1"]
    cluster.free(first[0])
    assert names(cluster.alloc(ClusterSpec.simple_linux(2))) == ["h2", "h0"]


def test_too_few_healthy_nodes_leave_the_healthy_ones_free() -> None:
    class Ill(LinuxRemoteAccount):
        def available(self) -> bool:
            return "ill" not in self.hostname

    accounts = [Ill(RemoteAccountSSHConfig(host=host)) for host in ("a", "ill-1", "b", "ill-2")]
    pool = NodeContainer(accounts)
    with pytest.raises(InsufficientHealthyNodesError) as caught:
        pool.remove_spec(ClusterSpec.simple_linux(3))
    assert str(caught.value) == "linux nodes requested: 3. Healthy nodes available: 2. "
    assert [bad.hostname for bad in caught.value.bad_nodes] == ["ill-1", "ill-2"]
    assert sorted(one.hostname for one in pool) == ["a", "b"]


@pytest.mark.parametrize("kind", ["json", "localhost", "part"])
def test_size_and_peak_stay_while_nodes_come_and_go(kind: str) -> None:
    made: dict[str, Callable[[], Cluster]] = {
        "json": lambda: named(("a", "b", "c")),
        "localhost": lambda: LocalhostCluster(num_nodes=3),
        "part": lambda: FiniteSubcluster(named(("a", "b", "c")).alloc(ClusterSpec.simple_linux(3))),
    }
    cluster = made[kind]()
    nodes = cluster.alloc(ClusterSpec.simple_linux(2))
    assert (len(cluster), len(cluster.used()), cluster.max_used()) == (3, 2, 2)
    cluster.free(nodes)
    [again] = cluster.alloc(ClusterSpec.simple_linux(1))
    assert (len(cluster), len(cluster.used()), cluster.max_used()) == (3, 1, 2)
    cluster.free(again)
    with pytest.raises(NodeNotPresentError):
        cluster.free(again)
    assert (len(cluster), cluster.max_used()) == (3, 2)


def test_clusters_and_their_parts_are_picklable_before_and_after_use(ssh_nodes: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "cluster.json"
    file.write_text(json.dumps(ssh_nodes))
    for cluster in (
        JsonCluster(ssh_nodes),
        VagrantCluster(cluster_file=str(file)),
        LocalhostCluster(num_nodes=1),
    ):
        pickle.dumps(cluster)
        nodes = cluster.alloc(ClusterSpec.simple_linux(1))
        part = pickle.loads(pickle.dumps(FiniteSubcluster(nodes)))
        [node] = part.alloc(ClusterSpec.simple_linux(1))
        assert node.account.ssh_output("echo hello") == b"hello\n"
        part.free(node)
        node.account.close()
        assert names(pickle.loads(pickle.dumps(part)).alloc(ClusterSpec.simple_linux(1))) == [node.name]
        assert nodes[0].account.ssh_output("echo hello") == b"hello\n"
        cluster.free(nodes)
        assert len(pickle.loads(pickle.dumps(cluster)).available()) == 1


def test_machines_of_vagrant_are_read_written_and_preferred_from_the_file(
    ssh_nodes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Addressed(LinuxRemoteAccount):
        def fetch_externally_routable_ip(self, is_aws: Any = None) -> str:
            return self.ssh_output("echo 10.1.2.3").decode().strip()

    login = ssh_nodes["nodes"][0]["ssh_config"]
    machines = [RemoteAccountSSHConfig(**{**login, "host": host, "connecttimeout": None}) for host in WORKERS]
    standin = VagrantStandin(tmp_path)
    standin.answer(ssh_config(machines))
    monkeypatch.setenv("PATH", f"{standin.bin}{os.pathsep}{os.environ['PATH']}")
    file = tmp_path / "cluster.json"
    cluster = VagrantCluster(cluster_file=str(file), make_remote_account_func=Addressed)
    assert names(cluster.alloc(ClusterSpec.simple_linux(2))) == list(WORKERS)
    written = json.loads(file.read_text())
    assert [sorted(node) for node in written["nodes"]] == [["externally_routable_ip", "ssh_config"]] * 2
    assert [sorted(node["ssh_config"]) for node in written["nodes"]] == [
        ["connecttimeout", "host", "hostname", "identityfile", "password", "port", "user"]
    ] * 2
    assert [call.split()[-1] for call in standin.calls] == ["ssh-config"]
    again = VagrantCluster(cluster_file=str(file))
    assert [one.externally_routable_ip for one in again._available_accounts] == ["10.1.2.3"] * 2
    assert [call.split()[-1] for call in standin.calls] == ["ssh-config"]


# ---- commands


def test_status_output_and_merged_streams(account: Any) -> None:
    with pytest.raises(RemoteCommandError) as caught:
        account.ssh("exit 3")
    assert caught.value.exit_status == 3
    assert account.ssh("exit 3", allow_fail=True) == 3
    both = "echo out; echo err >&2"
    # Over SSH, the two streams are merged on their way, in the order of their arrival
    assert sorted(account.ssh_output(both).splitlines()) == [b"err", b"out"]
    assert account.ssh_output(both, combine_stderr=False) == b"out\n"
    swapped = f"({both}) 3>&1 1>&2 2>&3"
    assert sorted(account.ssh_output(swapped).splitlines()) == [b"err", b"out"]
    assert account.ssh_output(swapped, combine_stderr=False) == b"err\n"


def test_lines_can_be_waited_for_and_none_is_lost(account: Any, tmp_path: Path) -> None:
    lines = account.ssh_capture("for i in 1 2 3 4 5 6; do echo $i; done")
    for number in range(1, 7):
        assert lines.has_next()
        assert lines.next() == f"{number}\n"
    assert lines.has_next() is False
    answer, seconds = measured(lines.has_next)
    assert answer is False
    assert seconds < 0.01
    log = tmp_path / "log"
    log.write_text("first\n")
    follower = account.ssh_capture(f"echo $$; exec tail -F {log}")
    pid = int(follower.next())
    try:
        assert follower.next() == "first\n"
        answer, seconds = measured(lambda: follower.has_next(0.25))
        assert answer is False
        # Never too early; how late is up to the machine as well
        assert 0.25 <= seconds < 0.5
        with log.open("a") as file:
            file.write("half a li")
            file.flush()
            assert follower.has_next(1.5) is False
            file.write("ne\nlater\n")
        assert follower.has_next(10)
        assert [follower.next(), follower.next()] == ["half a line\n", "later\n"]
    finally:
        account.signal(pid, signal.SIGKILL, allow_fail=True)


@pytest.mark.parametrize(("out", "err"), [(0, 10), (50, 0), (50, 10)])
def test_much_output_on_either_stream_blocks_nothing(account: Any, out: int, err: int) -> None:
    command = (
        f"head -c {err << 20} /dev/zero | tr '\\0' '\\n' >&2 & "
        f"head -c {out << 20} /dev/zero | tr '\\0' 'x' | fold -w 1023; wait"
    )
    # Each full line has gained the end that makes it one
    expected = (out << 20) + max(((out << 20) - 1) // 1023, 0)
    assert account.ssh(command, timeout_sec=60) == 0
    assert len(account.ssh_output(command, combine_stderr=False, timeout_sec=60)) == expected
    lines = account.ssh_capture(command, combine_stderr=False, timeout_sec=60)
    assert sum(len(line) for line in lines) == expected


def test_threads_may_share_the_first_use_of_an_account(own_account: LinuxRemoteAccount) -> None:
    begin = threading.Barrier(8)

    def run(number: int) -> bytes:
        begin.wait(30)
        return own_account.ssh_output(f"echo {number}")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(run, range(8))) == [f"{number}\n".encode() for number in range(8)]


def test_a_restarted_server_is_found_again_and_a_cut_is_no_failed_command(
    own_account: LinuxRemoteAccount, server: Sshd, tmp_path: Path
) -> None:
    assert own_account.ssh_output("echo one") == b"one\n"
    server.stop()
    server.start()
    assert own_account.ssh_output("echo two") == b"two\n"
    started = tmp_path / "started"
    command = f"touch {started}; sleep 30"
    for verb in (own_account.ssh, own_account.ssh_output, lambda cmd: list(own_account.ssh_capture(cmd))):
        with ThreadPoolExecutor(1) as pool:
            running_command = pool.submit(verb, command)
            wait_until(started.exists, 20, 0.02, "the command does not start")
            server.cut_connections()
            error = running_command.exception(30)
        assert isinstance(error, (paramiko.SSHException, OSError, EOFError))
        assert not isinstance(error, RemoteCommandError)
        started.unlink()
    assert own_account.ssh("exit 3", allow_fail=True) == 3


# ---- files


def tree(directory: Path) -> dict[str, str]:
    """Content of the files below a directory by their path."""
    return {
        str(file.relative_to(directory)): file.read_text() for file in sorted(directory.rglob("*")) if file.is_file()
    }


def test_trees_are_copied_in_all_directions(account: Any, own_account: LinuxRemoteAccount, tmp_path: Path) -> None:
    expected = {"a/b/deep.txt": "deep\n", "top.txt": "top\n", "with blank.txt": ""}
    source = tmp_path / "source"
    for name, text in expected.items():
        running.write(source / name, text)
    there, back, other = (tmp_path / name for name in ("there", "back", "other"))
    for directory in (there, back, other):
        directory.mkdir()
    account.copy_to(str(source), str(there))
    account.copy_to(str(source), str(there / "renamed"))
    assert [tree(there / "source"), tree(there / "renamed")] == [expected, expected]
    account.copy_from(str(there / "source"), str(back))
    account.copy_from(str(there / "renamed"), str(back / "again"))
    assert [tree(back / "source"), tree(back / "again")] == [expected, expected]
    account.copy_between(str(there / "source"), str(other), ClusterNode(own_account))
    assert tree(other / "source") == expected
    for copy in (account.copy_to, account.copy_from):
        assert copy(str(tmp_path / "absent"), str(other)) is None
        (other / "top.txt").write_text("old and longer\n")
        copy(str(source / "top.txt"), str(other))
        assert (other / "top.txt").read_text() == "top\n"
    assert sorted(entry.name for entry in other.iterdir()) == ["source", "top.txt"]


def test_a_monitor_sees_what_is_written_after_its_beginning(account: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("started\n")
    with account.monitor_log(str(log)) as monitor:
        with pytest.raises(DucktapeTimeoutError, match=r"^nothing new$"):
            monitor.wait_until("started", timeout_sec=0.3, backoff_sec=0.05, err_msg="nothing new")
        with log.open("a") as file:
            file.write("it's started again\n")
        monitor.wait_until("it's started", timeout_sec=20, backoff_sec=0.05, err_msg="not seen")
    later = tmp_path / "later"
    with account.monitor_log(str(later)) as monitor:
        later.write_text("hello\n")
        monitor.wait_until("^hel*o$", timeout_sec=20, backoff_sec=0.05, err_msg="not seen")


def test_exactly_the_processes_of_a_quoted_pattern_are_killed(account: Any, tmp_path: Path) -> None:
    # A program that only looks like the one that users have in their suites
    program = tmp_path / "nc"
    program.write_text("#!/bin/sh\nwhile :; do sleep 0.05; done\n")
    program.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [["-l", "-p", f"{port}"], ["-l", "-p", f"{port}"], ["-l", "-u", f"{port}"]]
    # Without its directory: a listing may be cut at 80 columns
    processes = [subprocess.Popen(["sh", program.name, *words], cwd=tmp_path) for words in arguments]
    try:
        account.kill_process(f'"nc -l -p {port}"')
        assert [process.wait(20) for process in processes[:2]] == [-signal.SIGTERM] * 2
        assert processes[2].poll() is None
        assert account.alive(processes[2].pid)
        account.kill_process(f'"nc -l -p {port}"')
        account.kill_process(f'"nc -l -u {port}"', clean_shutdown=False)
        assert processes[2].wait(20) == -signal.SIGKILL
        assert not account.alive(processes[2].pid)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_what_a_check_of_ssh_raises_is_seen_instead_of_the_failure() -> None:
    seen: list[str] = []

    def quiet(error: Exception, account: Any) -> None:
        seen.append(f"{type(error).__name__} {account}")

    def explaining(error: Exception, account: Any) -> None:
        raise RuntimeError("the rack has no power")

    def never(error: Exception, account: Any) -> None:
        seen.append("never")

    nobody = RemoteAccountSSHConfig(host="worker1", hostname="127.0.0.1", port=1, user="me")
    verbs: dict[str, tuple[Any, ...]] = {
        "ssh": ("true",),
        "ssh_output": ("true",),
        "ssh_capture": ("true",),
        "exists": ("/",),
        "isdir": ("/",),
        "create_file": ("/tmp/x", ""),
        "copy_from": ("/x", "/tmp"),
    }
    for verb, arguments in verbs.items():
        made = LinuxRemoteAccount(nobody, ssh_exception_checks=[quiet, explaining, never])
        with pytest.raises(RuntimeError, match=r"^the rack has no power$"):
            getattr(made, verb)(*arguments)
    assert seen == ["NoValidConnectionsError me@worker1"] * len(verbs)
    with pytest.raises(paramiko.ssh_exception.NoValidConnectionsError):
        LinuxRemoteAccount(nobody, ssh_exception_checks=[quiet]).ssh("true")


# ---- services


class Counting(Service):
    """Remembers what is called."""

    def __init__(self, context: Any, num_nodes: int) -> None:
        super().__init__(context, num_nodes)
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def start_node(self, node: Any, **kwargs: Any) -> None:
        self.calls.append(("start", kwargs))

    def stop_node(self, node: Any, **kwargs: Any) -> None:
        self.calls.append(("stop", kwargs))

    def clean_node(self, node: Any, **kwargs: Any) -> None:
        self.calls.append(("clean", kwargs))


def test_a_start_stops_and_cleans_each_node_before(context: TestContext) -> None:
    service = Counting(context, 2)
    service.start()
    assert sorted(name for name, _ in service.calls) == ["clean", "clean", "start", "start", "stop", "stop"]
    assert service.calls[-1][0] == "start"
    service.calls.clear()
    service.start(clean=False)
    assert "clean" not in [name for name, _ in service.calls]
    assert [name for name, _ in service.calls].count("start") == 2
    service.calls.clear()
    service.stop(speed="fast")
    service.clean(depth=3)
    assert service.calls == [("stop", {"speed": "fast"})] * 2 + [("clean", {"depth": 3})] * 2
    service.calls.clear()
    service.start(clean=False, speed="slow")
    assert service.calls[-1][1]["speed"] == "slow"


class Workers(BackgroundThreadService):
    """Works until it is told to end, or fails at once."""

    def __init__(self, context: Any, *, failing: bool = False) -> None:
        super().__init__(context, 1)
        self.failing = failing
        self.end = threading.Event()

    def start_node(self, node: Any, **kwargs: Any) -> None:
        # The start of a service stops it first
        self.end.clear()
        super().start_node(node, **kwargs)

    def _worker(self, idx: int, node: Any) -> None:
        if self.failing:
            raise ValueError("the worker broke")
        self.end.wait(60)

    def stop_node(self, node: Any, **kwargs: Any) -> None:
        self.end.set()


# The thread ends with the failure, as it does for users, so that other tools see it as well
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_background_workers_are_waited_for_and_their_failures_raised(context: TestContext) -> None:
    endless = Workers(context)
    endless.wait()
    endless.start()
    begin = time.monotonic()
    with pytest.raises(DucktapeTimeoutError):
        endless.wait(2)
    assert 2 <= time.monotonic() - begin < 2.2
    endless.stop()
    broken = Workers(context, failing=True)
    broken.start()
    with pytest.raises(Exception, match="the worker broke"):
        broken.wait(20)
    with pytest.raises(Exception, match="the worker broke"):
        broken.stop()
    assert "the worker broke" in broken.errors


class Base(TemplateRenderer):
    """Has what templates use."""

    INHERITED = "from the base"
    CHANGED = "from the base"

    def __init__(self) -> None:
        self.own = "of the instance"
        self.CHANGED = "of the instance"


class Derived(Base):
    CONSTANT = "a constant"


def test_templates_see_constants_attributes_and_keywords() -> None:
    search = TemplateRenderer._package_search_path
    assert search("foo") == ("foo", "templates")
    assert search("foo.bar") == ("foo", "templates")
    assert search("foo.bar.baz") == ("foo", os.path.join("bar", "templates"))
    text = "{{ CONSTANT }}, {{ INHERITED }}, {{ CHANGED }}, {{ own }}, {{ given }}"
    renderer = Derived()
    assert renderer.render_template(text, given="a keyword") == (
        "a constant, from the base, of the instance, of the instance, a keyword"
    )
    assert renderer.render_template("{{ own }} {{ CONSTANT }}", own="other", CONSTANT=1) == "other 1"


def test_waiting_tells_what_was_wrong_last() -> None:
    with pytest.raises(DucktapeTimeoutError, match=r"^made late$"):
        wait_until(lambda: False, 0.05, 0.01, err_msg=lambda: "made late")
    outcomes = iter([OSError("first"), False] + [False] * 1000)

    def attempt() -> bool:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return bool(outcome)

    with pytest.raises(DucktapeTimeoutError) as caught:
        wait_until(attempt, 0.1, 0.01, err_msg="in vain", retry_on_exc=True)
    assert caught.value.__cause__ is None

    def broken() -> bool:
        raise OSError("the last one")

    with pytest.raises(DucktapeTimeoutError) as caught:
        wait_until(broken, 0.1, 0.01, err_msg="in vain", retry_on_exc=True)
    assert isinstance(caught.value.__cause__, OSError)
    outcomes = iter([OSError("first"), OSError("second"), True])
    wait_until(attempt, 20, 0.01, err_msg="in vain", retry_on_exc=True)


class Java(Service):
    """Shows what its commands see."""

    def start_node(self, node: Any, **kwargs: Any) -> None:
        node.account.ssh("true")


@pytest.mark.skipif(shutil.which("java") is None, reason="there is no java on this machine")
def test_java_processes_write_logs_until_the_service_is_cleaned(
    context: TestContext, account: Any, tmp_path: Path
) -> None:
    log_dir = tmp_path / "jvm"
    service: Any = Java(context, 1)
    JVMLogger(str(log_dir)).enable_for_service(service)
    [node] = service.nodes
    node.account = account
    before = {verb: getattr(account, verb) for verb in ("ssh", "ssh_capture", "ssh_output")}
    assert {"jvm_gc_log", "jvm_stdout_stderr", "jvm_heap_dump"} <= set(service.logs)
    assert str(log_dir) == service.JVM_LOG_DIR
    assert service.jvm_options(node).startswith("-Xlog:disable ")
    service.start()
    options = account.ssh_output('sh -c "echo \\"$JDK_JAVA_OPTIONS\\""').decode().strip()
    assert options == service.jvm_options(node)
    present = account.ssh_output(
        "export JDK_JAVA_OPTIONS=-Dmine=1; " + _prefixed(service, node, "echo $JDK_JAVA_OPTIONS")
    )
    assert present.decode().startswith("-Dmine=1 ")
    assert account.ssh("cd /tmp && java -version") == 0
    assert (log_dir / "gc.log").stat().st_size > 0
    for _ in range(2):
        service.clean()
        assert {verb: getattr(account, verb) for verb in before} == before
        assert not hasattr(account, "original_ssh")
        assert not log_dir.exists()
    # The directory cannot be made there
    (tmp_path / "file").write_text("")
    elsewhere: Any = Java(context, 1)
    JVMLogger(str(tmp_path / "file" / "below")).enable_for_service(elsewhere)
    elsewhere.nodes[0].account = account
    with pytest.raises(RemoteCommandError):
        elsewhere.start_node(elsewhere.nodes[0])
    # What stands there cannot be removed by anybody
    immovable: Any = Java(context, 1)
    JVMLogger(str(log_dir)).enable_for_service(immovable)
    immovable.nodes[0].account = account
    immovable.start()
    assert hasattr(account, "original_ssh")
    JVMLogger("/proc/version")._cleanup_on_node(immovable.nodes[0], immovable)
    assert {verb: getattr(account, verb) for verb in before} == before
    assert not hasattr(account, "original_ssh")
    assert account.ssh_output("echo $JDK_JAVA_OPTIONS") == b"\n"


def _prefixed(service: Any, node: Any, command: str) -> str:
    return f"""env JDK_JAVA_OPTIONS="${{JDK_JAVA_OPTIONS:-}} {service.jvm_options(node)}" sh -c '{command}'"""


def test_a_password_is_in_no_log_repr_report_or_error(
    server: Sshd, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    login = {**server.settings.to_json(), "host": "worker1", "password": PASSWORD}
    cluster = JsonCluster({"nodes": [{"ssh_config": login}, {"ssh_config": {**login, "host": "worker2", "port": 1}}]})
    good, unreachable = cluster.alloc(ClusterSpec.simple_linux(2))
    texts: list[str] = []
    with caplog.at_level(logging.DEBUG, "ducktape"):
        for node, verb, argument in (
            (good, "ssh", "exit 3"),
            (good, "open", "/does/not/exist"),
            (unreachable, "ssh", "true"),
        ):
            with pytest.raises(Exception) as caught:  # whatever it is
                getattr(node.account, verb)(argument)
            texts += [str(caught.value), repr(caught.value), repr(caught.value.args), str(caught.getrepr())]
            texts += [str(node.account), repr(node.account), str(node.account.ssh_config), repr(vars(node.account))]
    assert "ssh_config: {" in caplog.text
    assert [text for text in [caplog.text, *texts] if PASSWORD in text] == []
    cluster.free([good, unreachable])
    running.write(tmp_path / "suite" / "__init__.py", "")
    running.write(
        tmp_path / "suite" / "test_it.py",
        """
        from ducktape.mark.resource import cluster
        from ducktape.tests.test import Test

        class FailingTest(Test):
            @cluster(num_nodes=1)
            def test_failing(self):
                [node] = self.test_context.cluster.alloc(self.test_context.cluster.all())
                node.account.logger = self.logger
                self.logger.info(repr(node.account))
                node.account.ssh("exit 3")
        """,
    )
    (tmp_path / "cluster.json").write_text(json.dumps({"nodes": [{"ssh_config": login}]}))
    done = running.run(
        tmp_path, "suite", "--cluster=ducktape.cluster.json.JsonCluster", "--cluster-file=cluster.json", "--debug"
    )
    assert done.returncode == 1
    assert list(running.ids(running.report(tmp_path)).values()) == ["FAIL"]
    files = [file for file in (tmp_path / "results").rglob("*") if file.is_file()]
    assert {file.name for file in files} >= {"report.json", "report.html", "test_log.debug", "session_log.debug"}
    assert [file.name for file in files if PASSWORD.encode() in file.read_bytes()] == []
    assert PASSWORD not in done.stdout + done.stderr
