# SPDX-License-Identifier: Apache-2.0
"""Sandboxes on this machine: how far nodes are apart, what limits do, and that nothing is left of them."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.node_container import InsufficientResourcesError, NodeNotPresentError
from ducktape.cluster.node_spec import NodeSpec
from ducktape.cluster.remoteaccount import RemoteCommandError
from ducktape.cluster.sandbox import cgroups, client
from ducktape.cluster.sandbox.cleanup import remove_sandbox_leftovers, sandbox_leftovers
from ducktape.cluster.sandbox.cluster import SandboxCluster, SandboxError, SandboxNode
from ducktape.cluster.sandbox.network import HOST_LINK
from tests.support.program import CHECKOUT, Program, suite
from tests.support.sandbox import running_sandbox

# The one that the environment of the tests was made with: that may lie below /tmp, which nodes do not see
PYTHON = os.path.realpath(sys.executable)
pytestmark = pytest.mark.needs("sandbox")

# How often the driver is killed at a random moment; a nightly run may want more.
KILLS = int(os.environ.get("DUCKTAPE_SANDBOX_KILLS", "5"))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[SandboxCluster]:
    with running_sandbox(tmp_path) as made:
        yield made


def alloc(cluster: SandboxCluster, count: int, node_type: str | None = None) -> list[SandboxNode]:
    nodes = cluster.alloc(ClusterSpec([NodeSpec(node_type=node_type)] * count))
    return [node for node in nodes if isinstance(node, SandboxNode)]


def supervisor_of(cluster: SandboxCluster) -> int:
    assert cluster._supervisor is not None
    return cluster._supervisor.pid


def until(condition: Callable[[], object], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def traces(supervisor: int) -> list[str]:
    """What the machine shows of the sandbox of a supervisor."""
    found = [f"{top}/{cgroups.PREFIX}{supervisor}" for top in set(cgroups.parents().values())]
    links = [name for _, name in socket.if_nameindex() if name == f"{HOST_LINK}{supervisor}"]
    return [path for path in found if os.path.exists(path)] + links + processes_of(supervisor)


def processes_of(supervisor: int) -> list[str]:
    """The supervisor and the processes in its nodes: they have its mounts, or groups that bear its number."""
    mark = f"{cgroups.PREFIX}{supervisor}"
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdecimal() and (name == str(supervisor) or mark in Path(f"/proc/{name}/cgroup").read_text()):
                state = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[0]
                found += [] if state in "ZX" else [f"process {name}"]
    return found


# --- apart


def test_nodes_have_names_addresses_and_ports_of_their_own(cluster: SandboxCluster) -> None:
    first, second = alloc(cluster, 2)
    for node in (first, second):
        node.account.create_file("/tmp/index.html", node.name)
        node.account.ssh(
            f"cd /tmp; nohup {PYTHON} -m http.server 80 </dev/null >/dev/null 2>&1 & "
            "until bash -c ': </dev/tcp/localhost/80' 2>/dev/null; do sleep 0.02; done"
        )
    for node in (first, second):
        address = node.account.externally_routable_ip
        assert node.account.ssh_output("hostname").decode().strip() == node.name
        with urllib.request.urlopen(f"http://{address}/index.html", timeout=10) as page:
            assert page.read().decode() == node.name
    assert first.account.ssh_output("curl -s http://node2/index.html") == b"node2"
    assert first.account.ssh_output("getent hosts node30 | wc -l") == b"1\n"


def test_a_node_sees_its_own_processes_only(cluster: SandboxCluster) -> None:
    first, second = alloc(cluster, 2)
    first.account.ssh("nohup sleep 4711 </dev/null >/dev/null 2>&1 &")
    assert first.account.ssh("pgrep sleep") == 0
    assert second.account.ssh("pgrep sleep", allow_fail=True) == 1
    assert second.account.ssh("kill -9 $(seq 2 400)", allow_fail=True) != 0
    assert first.account.ssh("pgrep sleep") == 0


def test_what_a_node_writes_is_its_own(cluster: SandboxCluster) -> None:
    first, second = alloc(cluster, 2)
    for path in ("/etc", "/var/tmp", "/opt", "/root", "/home", "/tmp", "/run", "/mnt", "/dev/shm"):
        mark = f"{path}/sandbox-test-{os.getpid()}"
        first.account.create_file(mark, "mine")
        assert first.account.ssh_output(f"cat {mark}") == b"mine"
        assert (second.account.exists(mark), os.path.exists(mark)) == (False, False)
    first.account.ssh("echo 1.2.3.4 elsewhere > /etc/hosts; rm /etc/passwd")
    assert second.account.exists("/etc/passwd") and os.path.exists("/etc/passwd")


def test_a_node_cannot_change_the_machine(cluster: SandboxCluster) -> None:
    [node] = alloc(cluster, 1)
    for command in ("touch /usr/x", "rm /bin/sh", "date -s 2001-01-01", "echo 1 > /proc/sys/vm/drop_caches"):
        assert node.account.ssh(command, allow_fail=True) != 0, command
    assert node.account.ssh("mknod /tmp/disk b 7 0", allow_fail=True) != 0
    assert node.account.ssh("sysctl -qw net.ipv4.ip_default_ttl=61") == 0
    assert Path("/proc/sys/net/ipv4/ip_default_ttl").read_text() != "61\n"


def test_a_node_that_mounts_its_root_anew_cannot_write_to_the_machine(cluster: SandboxCluster) -> None:
    [node] = alloc(cluster, 1)
    # Only asked whether it could: should it come to that, the machine is no worse for it
    for options in ("remount,rw", "remount,rw,bind"):
        node.account.ssh(f"mount -o {options} /", allow_fail=True)
        for path in ("/usr", "/usr/bin", "/boot", "/srv"):
            assert node.account.ssh(f"test -w {path}", allow_fail=True) == 1, (options, path)


_HEAR = """
import socket
heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
heard.bind(("", 5007))
group = socket.inet_aton("239.1.2.3") + bytes(4)
heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
heard.settimeout(10)
print("listening", flush=True)
for _ in range(2):
    print(heard.recv(100).decode(), flush=True)
"""
_SAY = """
import socket
said = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
said.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for address in ("239.1.2.3", "255.255.255.255"):
    said.sendto(("to " + address).encode(), (address, 5007))
"""


def test_what_a_node_says_to_all_reaches_the_others(cluster: SandboxCluster) -> None:
    first, second = alloc(cluster, 2)
    listener = second.account.ssh_capture(f"{PYTHON} -c {shlex.quote(_HEAR)}")
    assert next(listener) == "listening\n"
    first.account.ssh(f"{PYTHON} -c {shlex.quote(_SAY)}")
    assert sorted(listener) == ["to 239.1.2.3\n", "to 255.255.255.255\n"]


def test_a_directory_that_is_opened_is_named(cluster: SandboxCluster) -> None:
    [node] = alloc(cluster, 1)
    with pytest.raises(IsADirectoryError) as caught:
        node.account.open("/etc", "r")
    assert caught.value.filename == "/etc"


def test_nodes_are_pristine_and_bounded(tmp_path: Path) -> None:
    types = [{"name": "large", "count": 1}, {"count": 2}]
    with running_sandbox(tmp_path, max_nodes=3, types=types) as cluster:
        assert cluster.all().nodes.grouped_by_os_and_type() == {("linux", "large"): 1, ("linux", None): 2}
        [node] = alloc(cluster, 1, "large")
        node.account.create_file("/mnt/dirt", "")
        assert (node.name, node.node_type, len(cluster)) == ("node1", "large", 3)
        with pytest.raises(InsufficientResourcesError, match="large"):
            alloc(cluster, 1, "large")
        cluster.free([node])
        with pytest.raises(NodeNotPresentError):
            cluster.free(node)
        [again] = alloc(cluster, 1, "large")
        assert (again.name, again.account.exists("/mnt/dirt")) == ("node1", False)


def test_mounts_and_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", "from outside")
    for name in ("kept", "shared"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    mounts = [
        {"source": str(tmp_path / "kept"), "target": "/opt/kept"},
        {"source": str(tmp_path / "shared"), "target": "/mnt/shared", "mode": "rw"},
    ]
    with running_sandbox(tmp_path, mounts=mounts, environment={"GIVEN": None, "OWN": "a b"}) as cluster:
        [node] = alloc(cluster, 1)
        assert node.account.ssh_output("cat /opt/kept/file /mnt/shared/file") == b"keptshared"
        assert node.account.ssh("touch /opt/kept/new", allow_fail=True) != 0
        node.account.ssh("echo $GIVEN, $OWN > /mnt/shared/new")
    assert (tmp_path / "shared" / "new").read_text() == "from outside, a b\n"


def test_a_mount_directly_below_the_root_and_one_that_has_no_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("there")
    targets = ("/given-by-test", "/given/by/test")
    mounts = [{"source": str(tmp_path), "target": target} for target in targets]
    with running_sandbox(tmp_path, mounts=mounts) as cluster:
        [node] = alloc(cluster, 1)
        for target in targets:
            assert node.account.ssh_output(f"cat {target}/file") == b"there"
            assert not os.path.lexists(f"/{target.split('/')[1]}")
    with running_sandbox(tmp_path, mounts=[{"source": str(tmp_path), "target": "/usr/no/place"}]) as cluster:
        with pytest.raises(SandboxError) as caught:
            alloc(cluster, 1)
        assert str(caught.value) == (
            "node1 cannot be made: the mount at /usr/no/place has no place: Read-only file system; what does not exist "
            "can be made only below /etc, /var, /opt, /root, /home, /mnt, /tmp, /run, /dev/shm, or directly below /"
        )


def test_nodes_outlive_the_thread_that_asked_for_them(cluster: SandboxCluster) -> None:
    made: list[SandboxNode] = []
    thread = threading.Thread(target=lambda: made.extend(alloc(cluster, 1)))
    thread.start()
    thread.join()
    supervisor = cluster._supervisor
    assert supervisor is not None
    # What a thread's end would bring about comes at once
    time.sleep(0.2)
    assert (supervisor.is_dead(), made[0].account.ssh("true")) == (False, 0)


def test_a_command_outlives_the_process_that_asked_for_it(cluster: SandboxCluster) -> None:
    [node] = alloc(cluster, 1)
    pid = os.fork()
    if not pid:
        node.account.ssh_capture("sleep 0.3; echo done > /mnt/mark")
        os._exit(0)
    os.waitpid(pid, 0)
    until(lambda: node.account.exists("/mnt/mark"), "the command ended with whoever asked for it")


# --- limits


def limited(tmp_path: Path) -> contextlib.AbstractContextManager[SandboxCluster]:
    return running_sandbox(tmp_path, memory="64m", pids=40, cpu=0.5, disk="16m")


def _needs(cluster: SandboxCluster, *controllers: str) -> None:
    assert cluster._supervisor is not None
    missing = set(controllers) - set(cluster._supervisor.controllers)
    if missing:
        pytest.skip(f"this machine has no control groups for {', '.join(sorted(missing))}")


def test_a_greedy_node_leaves_the_others_alone(tmp_path: Path) -> None:
    with limited(tmp_path) as cluster:
        greedy, other = alloc(cluster, 2)
        _needs(cluster, "memory", "pids")
        bomb = greedy.account.ssh_capture(
            ":() { : | : & }; for i in $(seq 200); do sleep 60 & done; wait", allow_fail=True
        )
        until(lambda: len(_pids(greedy)) >= 40, "the node has not got that many processes")
        assert len(_pids(greedy)) <= 40
        assert other.account.ssh("true") == 0
        assert other.account.ssh(f"{PYTHON} -c 'bytearray(2 << 30)'", allow_fail=True) != 0
        assert other.account.ssh("echo still there") == 0
        with pytest.raises(RemoteCommandError):
            other.account.ssh("head -c 32m /dev/zero > /mnt/large")
        assert other.account.ssh("rm /mnt/large; echo room > /mnt/small") == 0
        del bomb


def _pids(node: SandboxNode) -> list[str]:
    return Path(node.cgroup["pids"], "cgroup.procs").read_text().split()


# --- nothing is left


def test_nothing_is_left_of_a_released_node(cluster: SandboxCluster) -> None:
    nodes = alloc(cluster, 3)
    for node in nodes:
        node.account.ssh("nohup sleep 1000 </dev/null >/dev/null 2>&1 &")
    groups = {path for node in nodes for path in node.cgroup.values()}
    inits = [node.account.init_pid for node in nodes]
    supervisor = supervisor_of(cluster)
    mounts = f"/proc/{supervisor}/mountinfo"
    assert "disks/node1 " in Path(mounts).read_text()
    cluster.free(nodes)
    assert [path for path in groups if os.path.exists(path)] == []
    assert [pid for pid in inits if os.path.exists(f"/proc/{pid}")] == []
    assert "disks/" not in Path(mounts).read_text()
    assert "to-" not in Path(f"/proc/{supervisor}/net/dev").read_text()
    assert os.listdir(f"/proc/{supervisor}/root{cluster._supervisor.base}/disks") == []  # type: ignore[union-attr]
    cluster.close()
    assert traces(supervisor) == []


def test_a_frozen_node_is_destroyed_all_the_same(cluster: SandboxCluster) -> None:
    [node] = alloc(cluster, 1)
    if "freezer" in node.cgroup:
        Path(node.cgroup["freezer"], "freezer.state").write_text("FROZEN")
    elif node.cgroup:
        Path(next(iter(node.cgroup.values())), "cgroup.freeze").write_text("1")
    else:
        pytest.skip("this machine has no control groups")
    with pytest.raises(TimeoutError):
        node.account.ssh("true", timeout_sec=0.3)
    cluster.free(node)
    assert [path for path in node.cgroup.values() if os.path.exists(path)] == []


def test_a_program_that_ends_takes_its_nodes_along() -> None:
    program = subprocess.run([sys.executable, "-c", _DRIVER, "end"], cwd=CHECKOUT, capture_output=True, text=True)
    assert (program.stderr, traces(int(program.stdout.split()[0]))) == ("", [])


_DRIVER = """
import os, sys, time
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.sandbox.cluster import SandboxCluster
cluster = SandboxCluster()
first = cluster.alloc(ClusterSpec.simple_linux(1))
print(cluster._supervisor.pid, flush=True)
child = 0
while sys.argv[1] != "end":
    nodes = cluster.alloc(ClusterSpec.simple_linux(2))
    child = os.fork()
    if not child:
        for node in nodes:
            node.account.ssh("nohup sleep 1000 </dev/null >/dev/null 2>&1 &")
        time.sleep(0.05)
        os._exit(0)
    os.waitpid(child, 0)
    cluster.free(nodes)
"""


@pytest.mark.parametrize("attempt", range(KILLS))
def test_nothing_is_left_of_a_killed_driver(attempt: int) -> None:
    command = [sys.executable, "-c", _DRIVER, "go on"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, start_new_session=True) as driver:
        assert driver.stdout is not None
        supervisor = int(driver.stdout.readline())
        time.sleep(random.Random(attempt).uniform(0, 0.3))
        # Every other time together with the child that uses the nodes
        if attempt % 2:
            os.killpg(driver.pid, signal.SIGKILL)
        else:
            driver.kill()
    until(lambda: not traces(supervisor), f"left: {traces(supervisor)}")


def test_a_killed_keeper_takes_its_nodes_along_and_the_next_run_removes_the_rest(cluster: SandboxCluster) -> None:
    nodes = alloc(cluster, 2)
    inits = [node.account.init_pid for node in nodes]
    supervisor = supervisor_of(cluster)
    os.kill(supervisor, signal.SIGKILL)
    os.waitid(os.P_PID, supervisor, os.WEXITED | os.WNOWAIT)
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in inits), "nodes outlive their supervisor")
    with pytest.raises(ConnectionError, match="off"):
        nodes[0].account.ssh("true")
    cluster.free(nodes)
    [node] = alloc(cluster, 1)
    assert (node.name, node.account.ssh("true")) == ("node1", 0)
    until(lambda: not traces(supervisor), f"left: {traces(supervisor)}")


def test_the_end_of_a_session_removes_what_a_killed_keeper_has_left(cluster: SandboxCluster) -> None:
    nodes = alloc(cluster, 2)
    supervisor = supervisor_of(cluster)
    os.kill(supervisor, signal.SIGKILL)
    os.waitid(os.P_PID, supervisor, os.WEXITED | os.WNOWAIT)
    cluster.free(nodes)
    cluster.close()
    assert [trace for trace in traces(supervisor) if "/" in trace] == []
    until(lambda: not traces(supervisor), f"left: {traces(supervisor)}")


@pytest.mark.parametrize("asked_before", [True, False])
def test_a_stopped_supervisor_is_waited_for_once(
    asked_before: bool, cluster: SandboxCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_SECONDS_STOPPED", 0.3)
    [node] = alloc(cluster, 1)
    supervisor = supervisor_of(cluster)
    os.kill(supervisor, signal.SIGSTOP)
    began = time.monotonic()
    if asked_before:
        assert cluster._supervisor is not None
        with pytest.raises(SandboxError, match=f"the sandbox, {supervisor}, gives no answer: it is stopped"):
            cluster._supervisor.request("describe", name=node.name)
    cluster.close()
    assert time.monotonic() - began < 4
    until(lambda: not traces(supervisor), f"left: {traces(supervisor)}")


def test_a_silent_supervisor_costs_the_whole_limit_once_whatever_holds_it(
    cluster: SandboxCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A freezer does not show in the state of its processes
    monkeypatch.setattr(client, "read_stat", lambda pid: None)
    monkeypatch.setattr(client, "_SECONDS_STOPPED", 0.3)
    [node] = alloc(cluster, 1)
    assert cluster._supervisor is not None
    os.kill(supervisor_of(cluster), signal.SIGSTOP)
    with pytest.raises(SandboxError, match="gives no answer for 1 seconds"):
        cluster._supervisor.request("describe", name=node.name, seconds=1)
    with pytest.raises(SandboxError, match=r"gives no answer for 0\.3 seconds"):
        cluster._supervisor.request("describe", name=node.name)


def test_a_stopped_supervisor_costs_its_own_test_only(
    cluster: SandboxCluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(client, "_SECONDS_STOPPED", 0.3)
    nodes = alloc(cluster, 2)
    supervisor = supervisor_of(cluster)
    os.kill(supervisor, signal.SIGSTOP)
    with pytest.raises(SandboxError, match="gives no answer"):
        cluster.free(nodes)
    assert [node.account.ssh("true") for node in alloc(cluster, 1)] == [0]
    assert f"The supervisor of the sandbox, {supervisor}, did not answer and is ended" in caplog.text
    until(lambda: not traces(supervisor), f"left: {traces(supervisor)}")


def test_a_supervisor_that_was_stopped_for_a_moment_answers(cluster: SandboxCluster) -> None:
    [node] = alloc(cluster, 1)
    supervisor = supervisor_of(cluster)
    os.kill(supervisor, signal.SIGSTOP)
    timer = threading.Timer(0.7, os.kill, (supervisor, signal.SIGCONT))
    timer.start()
    assert node.account.init_pid > 0
    timer.join()


@pytest.mark.alone
def test_leftovers_are_found_and_removed() -> None:
    parents = sorted(set(cgroups.parents().values()))
    if not parents:
        pytest.skip("this machine has no control groups")
    left = f"{parents[0]}/{cgroups.PREFIX}{2**22}"
    os.makedirs(f"{left}/node1")
    assert f"control group {left}" in sandbox_leftovers()
    assert f"control group {left}" not in remove_sandbox_leftovers()
    assert not os.path.exists(left)


@pytest.mark.alone
def test_the_groups_of_a_sandbox_in_another_container_are_left_alone() -> None:
    if not cgroups.parents():
        pytest.skip("this machine has no control groups")
    # The number of its supervisor means nothing here, or another process
    mark = str(2**22 + os.getpid())
    first, second = cgroups.Groups(mark), cgroups.Groups(mark)
    try:
        mine = first.add("node1", cpu=None, memory=None, pids=None)
        assert [line for line in remove_sandbox_leftovers() if mark in line] == []
        cgroups.remove_leftovers()
        assert os.path.isdir(mine["pids"])
        theirs = second.add("node1", cpu=None, memory=None, pids=None)
        assert theirs["pids"] != mine["pids"]
    finally:
        first.close()
        second.close()
    assert not os.path.exists(os.path.dirname(mine["pids"]))
    assert not os.path.exists(os.path.dirname(theirs["pids"]))


# --- power


def test_files_outlive_the_power_of_a_node(cluster: SandboxCluster) -> None:
    node, other = alloc(cluster, 2)
    running = node.account.ssh_capture("echo up; sleep 1000", allow_fail=True)
    assert next(running) == "up\n"
    node.account.ssh("echo a > /mnt/a; echo b > /etc/b; echo c > /run/c")
    before = node.account.init_pid
    node.power_off()
    assert list(running) == []
    assert node.account.init_pid == 0
    with pytest.raises(ConnectionError, match="node1 is off"):
        node.account.ssh("true")
    assert other.account.ssh("! ping -c 1 -W 1 node1 2>/dev/null") == 0
    node.power_on()
    assert node.account.ssh_output("cat /mnt/a /etc/b; ls /run/c 2>/dev/null || echo gone") == b"a\nb\ngone\n"
    assert node.account.init_pid not in (0, before)
    with pytest.raises(SandboxError, match="crash_disk"):
        node.power_off(lose_unsynced=True)
    assert node.account.ssh("true") == 0


def test_a_power_cut_loses_what_is_not_synced(tmp_path: Path) -> None:
    if not os.path.exists("/dev/loop-control"):
        pytest.skip("this machine has no loop devices")
    with running_sandbox(tmp_path, crash_disk=True, disk="64m") as cluster:
        [node] = alloc(cluster, 1)
        node.account.ssh("echo safe > /mnt/safe; sync /mnt/safe; sync -f /mnt; echo unsafe > /mnt/unsafe; rm /mnt/safe")
        node.power_off(lose_unsynced=True)
        node.power_on()
        assert node.account.ssh_output("cd /mnt; cat safe; cat unsafe 2>/dev/null || true") == b"safe\n"


# --- other ways in


def test_nodes_with_a_server_are_entered_by_ssh(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, sshd=True, environment={"OWN": 'a "b"'}) as cluster:
        try:
            first, second = alloc(cluster, 2)
        except SandboxError as error:
            pytest.skip(str(error))
        assert first.account.ssh_output("echo $OWN; hostname") == b'a "b"\nnode1\n'
        transport = first.account.ssh_client.get_transport()
        assert transport is not None and transport.is_active()
        assert "mnt" in second.account.sftp_client.listdir("/")
        second.account.create_file("/mnt/file", "x")
        second.account.copy_between("/mnt/file", "/mnt", first)
        assert first.account.ssh_output("cat /mnt/file") == b"x"


_ORDINARY = """
import os, sys
from ducktape.cluster.sandbox.userns import gain_rights
problem = gain_rights()
if problem:
    sys.exit(problem)
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.sandbox.cluster import SandboxCluster
cluster = SandboxCluster()
first, second = cluster.alloc(ClusterSpec.simple_linux(2))
first.account.ssh("echo x > /etc/x; echo y > /var/log/y; cd; touch here")
assert not os.path.exists("/etc/x")
first.power_off()
first.power_on()
assert first.account.ssh_output("cat /etc/x /var/log/y; getent hosts node2 | wc -l") == b"x\\ny\\n1\\n"
assert second.account.ssh("ls /etc/x", allow_fail=True) != 0
cluster.free([first, second])
print("fine")
"""


def _as_nobody(code: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    interpreter = "/usr/bin/python3"
    paths = [str(CHECKOUT), *(path for path in sys.path if path.endswith("site-packages"))]
    return subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", interpreter, "-c", code],
        cwd="/",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(paths), "HOME": "/"},
        capture_output=True,
        text=True,
    )


def test_an_ordinary_user_has_a_sandbox_in_a_user_namespace(tmp_path: Path) -> None:
    version = _as_nobody("import sys, ducktape; print(*sys.version_info[:2])", tmp_path)
    if version.stdout != "{} {}\n".format(*sys.version_info[:2]):
        pytest.skip("an ordinary user has no interpreter of this version, or may not read this folder")
    done = _as_nobody(_ORDINARY, tmp_path)
    if "cannot be made" in done.stderr:
        pytest.skip(done.stderr)
    assert (done.stdout, done.stderr) == ("fine\n", "")


def test_an_ordinary_user_learns_why_there_is_none(tmp_path: Path) -> None:
    code = """
import os
from ducktape.cluster.sandbox import userns
userns.unshare = lambda flags: (_ for _ in ()).throw(PermissionError(1, "no"))
userns._SWITCHES = ()
print(userns.gain_rights())
"""
    done = _as_nobody(code, tmp_path)
    if done.returncode:
        pytest.skip("an ordinary user may not read this folder")
    assert done.stdout == (
        "the sandbox cannot be made as an ordinary user on this machine: the kernel refuses new namespaces: "
        "Operation not permitted; run it as root with all capabilities, or use --cluster localhost\n"
    )


# --- whole runs

_SUITE = """
    import os
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    class Sleeper(Service):
        logs = {"log": {"path": "/mnt/log", "collect_default": True}}

        def start_node(self, node):
            node.account.create_file("/mnt/log", node.name)
            node.account.ssh("nohup sleep 4711 </dev/null >/dev/null 2>&1 &")

        def stop_node(self, node):
            node.account.ssh("pkill sleep")

        def clean_node(self, node):
            node.account.ssh("rm /mnt/log")

    class SandboxTest(Test):
        @cluster(num_nodes=3)
        def test_power(self):
            service = Sleeper(self.test_context, 3)
            service.start()
            node = service.nodes[0]
            node.power_off()
            node.power_on()
            assert node.account.ssh_output("cat /mnt/log").decode() == node.name
            node.account.ssh("nohup sleep 4711 </dev/null >/dev/null 2>&1 &")

        @cluster(num_nodes=2)
        def test_death(self):
            Sleeper(self.test_context, 2).start()
            os.kill(os.getpid(), 9)

        @cluster(num_nodes=1)
        def test_after(self):
            Sleeper(self.test_context, 1).start()
"""


def test_a_run_of_the_program(tmp_path: Path) -> None:
    path = suite(tmp_path, _SUITE)
    program = Program(tmp_path, path, "--cluster", "sandbox", "--max-parallel", "3")
    try:
        program.wait()
    finally:
        program.kill_everything()
    assert [program.result(name)["test_status"] for name in ("test_power", "test_death", "test_after")] == [
        "PASS",
        "FAIL",
        "PASS",
    ], program.output
    assert "Error giving nodes back" not in program.output
    assert "outlived its test" not in program.output
    logs = sorted(log.read_text() for log in tmp_path.glob("results/latest/SandboxTest/test_death/*/*/*/log"))
    assert len(logs) == 2, sorted(tmp_path.glob("results/latest/SandboxTest/test_death/**/*"))


def test_an_ordinary_user_runs_the_program(tmp_path: Path) -> None:
    path = suite(tmp_path, _SUITE)
    for each in (tmp_path, *tmp_path.parents):
        if each.name.startswith(("pytest-", "popen-")):
            each.chmod(0o755)
    tmp_path.chmod(0o777)
    code = f"""
import sys
from ducktape.command_line.main import main
import os
os.chdir({str(tmp_path)!r})
sys.argv = ["ducktape", {path!r}, "--cluster", "sandbox"]
main()
"""
    done = _as_nobody(code, tmp_path)
    if "No module named" in done.stderr or "Permission denied" in done.stderr or "cannot be made" in done.stderr:
        pytest.skip("an ordinary user cannot run this checkout here")
    report = json.loads((tmp_path / "results" / "latest" / "report.json").read_text())
    statuses = {result["function_name"]: result["test_status"] for result in report["results"]}
    assert statuses == {"test_power": "PASS", "test_death": "FAIL", "test_after": "PASS"}, done.stdout + done.stderr
