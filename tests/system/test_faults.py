# SPDX-License-Identifier: Apache-2.0
"""Faults on machines made of namespaces, reached directly and over SSH; their effects are looked at from outside."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import select
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ducktape import faults
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.local.transport import LocalTransport
from ducktape.cluster.sandbox.cluster import SandboxCluster
from ducktape.cluster.ssh.config import RemoteAccountSSHConfig
from ducktape.cluster.transport import CommandStream, Stdin, TransportWrapper
from ducktape.faults.engine.log import FaultLog
from ducktape.faults.errors import FaultError, FaultUnavailable
from ducktape.faults.fault import Fault
from tests.support.sandbox import running_sandbox
from tests.support.sshd import Sshd

pytestmark = [
    pytest.mark.needs("root", "unshare", "nsenter", "ip", "tc", "nft", "iptables", "namespaces", "sshd"),
    pytest.mark.quiet,
]

_ANSWERING = """
import pathlib, selectors, socket
tcp = socket.create_server(("", 7), backlog=100)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
udp.bind(("", 9))
ready = selectors.DefaultSelector()
for one in (tcp, udp):
    ready.register(one, selectors.EVENT_READ)
pathlib.Path("/tmp/answering").touch()
while True:
    for key, _ in ready.select():
        if key.fileobj is tcp:
            connection = tcp.accept()[0]
            ready.register(connection, selectors.EVENT_READ)
        elif key.fileobj is udp:
            with open("/tmp/heard", "ab") as file:
                file.write(udp.recv(2000) + b"\\n")
        elif not (data := key.fileobj.recv(1 << 16)):
            ready.unregister(key.fileobj)
            key.fileobj.close()
        elif data.endswith(b"!"):
            key.fileobj.sendall(b"done")
"""


_HIDE = """
import ctypes, os, sys
if ctypes.CDLL(None, use_errno=True).mount(b"/bin/false", os.fsencode(os.path.realpath(sys.argv[1])), None, 4096, None):
    sys.exit(os.strerror(ctypes.get_errno()))
"""


class InNamespaces(TransportWrapper):
    """Runs commands as processes of a machine that is made of namespaces."""

    def __init__(self, pid: int) -> None:
        super().__init__(LocalTransport())
        self._pid = pid

    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> CommandStream:
        inside = f"nsenter -t {self._pid} -n -m -p -u sh -c {shlex.quote(command)}"
        return self.inner.stream(inside, stdin=stdin, merge_stderr=merge_stderr, timeout=timeout)


class Machines:
    """A switch and some machines on it; all of them end with their first processes."""

    def __init__(self) -> None:
        self.net = f"10.213.{os.getpid() % 250}"
        self.link = f"dtf{os.getpid()}"
        self._holders: list[subprocess.Popen[bytes]] = []
        self._switch = self._hold("--net")
        self._in(self._switch, "ip link add br0 type bridge && ip link set br0 up")
        self._sh(f"ip link add {self.link} type veth peer name up0 netns {self._switch}")
        self._in(self._switch, "ip link set up0 master br0 up")
        self._sh(f"ip addr add {self.net}.254/24 dev {self.link} && ip link set {self.link} up")

    def _hold(self, *spaces: str) -> int:
        command = ["unshare", *spaces, "--fork", "--kill-child", "sh", "-c", "echo $$; exec sleep 1000"]
        holder = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        self._holders.append(holder)
        assert holder.stdout is not None
        holder.stdout.readline()
        children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()
        return int(children[0])

    def machine(self, number: int) -> Any:
        """A node at the address of that number."""
        pid = self._hold("--net", "--mount", "--pid", "--uts", "--mount-proc")
        self._in(self._switch, f"ip link add v{number} type veth peer name eth0 netns {pid}")
        self._in(self._switch, f"ip link set v{number} master br0 up")
        address = f"{self.net}.{number}"
        account = LinuxRemoteAccount(RemoteAccountSSHConfig(host=f"machine{number}"), externally_routable_ip=address)
        account.transport = InNamespaces(pid)
        account.ssh(
            f"ip link set lo up; ip addr add {address}/24 dev eth0; ip link set eth0 up; "
            f"mount -t tmpfs -o size=40m tmpfs /tmp; mkdir -p /tmp/disk; mount -t tmpfs -o size=20m tmpfs /tmp/disk; "
            f"(setsid python3 -c {shlex.quote(_ANSWERING)} >/tmp/problems 2>&1 </dev/null &)"
        )
        _until(lambda: account.ssh("test -e /tmp/answering", allow_fail=True) == 0)
        return SimpleNamespace(account=account, pid=pid)

    def over_ssh(self, node: Any, directory: Path) -> Any:
        """The same machine, reached over SSH."""
        server = Sshd(directory)
        configuration = (directory / "sshd_config").read_text().replace("127.0.0.1", "0.0.0.0")
        (directory / "in_machine").write_text(configuration)
        # Its start-up files are those of the user of this machine
        command = ["nsenter", "-t", str(node.pid), "-n", "-m", "-p", "/usr/sbin/sshd", "-D", "-f"]
        self._holders.append(subprocess.Popen([*command, str(directory / "in_machine")], stderr=subprocess.DEVNULL))
        settings = server.settings
        settings.hostname = node.account.externally_routable_ip
        account = LinuxRemoteAccount(settings, externally_routable_ip=settings.hostname)

        def answers() -> bool:
            with contextlib.suppress(Exception):
                return account.ssh("true") == 0
            return False

        _until(answers)
        return SimpleNamespace(account=account, pid=node.pid)

    def end(self) -> None:
        for holder in reversed(self._holders):
            holder.kill()
            holder.wait()
        _until(lambda: not os.path.exists(f"/sys/class/net/{self.link}"))

    def _in(self, pid: int, script: str) -> None:
        self._sh(f"nsenter -t {pid} -n sh -c {shlex.quote(script)}")

    def _sh(self, command: str) -> None:
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def _until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def _groups() -> set[str]:
    return {name for name in os.listdir("/sys/fs/cgroup/cpu") if name.startswith("dt-")}


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    made = Machines()
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def trio(machines: Machines) -> list[Any]:
    return [machines.machine(number) for number in (1, 2, 3)]


@pytest.fixture(scope="module")
def with_few_tools(machines: Machines) -> Any:
    node = machines.machine(4)
    for tool in ("/usr/sbin/nft", "/usr/bin/mount"):
        node.account.ssh(f"python3 -c {shlex.quote(_HIDE)} {tool}")
    return node


@pytest.fixture(scope="module")
def over_ssh(machines: Machines, trio: list[Any]) -> Iterator[Any]:
    # Machines have a /tmp of their own
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        node = machines.over_ssh(trio[0], Path(directory))
        yield node
        node.account.close()


@pytest.fixture
def pair(trio: list[Any]) -> tuple[Any, Any]:
    return trio[0], trio[1]


def out(node: Any, command: str) -> str:
    return str(node.account.ssh_output(command, allow_fail=True).decode().strip())


def address(node: Any) -> str:
    return str(node.account.externally_routable_ip)


def reaches(node: Any, other: Any) -> bool:
    command = f"timeout 0.3 bash -c ': </dev/tcp/{address(other)}/7'"
    return bool(node.account.ssh(command, allow_fail=True) == 0)


def hears(node: Any, other: Any, word: str) -> bool:
    """Whether a packet that one sends arrives at the other."""
    other.account.ssh(f"bash -c 'echo -n {word} >/dev/udp/{address(node)}/9'", allow_fail=True)
    time.sleep(0.1)
    return word in out(node, "cat /tmp/heard")


def leftovers(node: Any) -> str:
    """What faults have left on a machine; their scripts end by themselves within a second."""
    _until(lambda: "dt-fault" not in out(node, "ps -e -o args="), seconds=3)
    files = out(node, "ls -d /tmp/dt-* /tmp/disk/.dt* 2>/dev/null")
    rules = out(node, "iptables -S | grep DT_; iptables -t mangle -S | grep DT_; nft list tables | grep dt_")
    rules += out(node, "tc qdisc show dev eth0 | grep -v noqueue")
    return "\n".join(filter(None, (files, rules)))


def is_clean(node: Any) -> bool:
    return leftovers(node) == ""


# ---- network


def test_a_partition_lets_nothing_pass_between_its_groups_and_everything_within(trio: list[Any]) -> None:
    one, two, three = trio
    with faults.partition([one, two], [three]) as fault:
        assert [reaches(one, two), reaches(one, three), reaches(three, two), reaches(two, three)] == [
            True,
            False,
            False,
            False,
        ]
        assert fault.active
    assert [reaches(one, three), reaches(three, two), reaches(two, three)] == [True, True, True]
    assert [leftovers(node) for node in trio] == ["", "", ""]


def test_a_one_way_partition_stops_only_what_the_first_group_sends(pair: tuple[Any, Any]) -> None:
    one, two = pair
    with faults.partition([one], [two], one_way=True):
        assert not hears(two, one, "lost")
        assert hears(one, two, "found")
    assert hears(two, one, "again")


def test_a_partition_works_with_iptables_where_there_is_no_nft(with_few_tools: Any, trio: list[Any]) -> None:
    one, four = trio[0], with_few_tools
    with faults.partition(one, four):
        assert not hears(four, one, "lost")
        assert not hears(one, four, "missing")
    assert reaches(four, one)
    assert leftovers(four) == ""


@pytest.mark.parametrize("firewall", ["nft", "iptables"])
def test_an_isolated_node_reaches_nobody_but_itself(firewall: str, with_few_tools: Any, trio: list[Any]) -> None:
    one = trio[0] if firewall == "nft" else with_few_tools
    with faults.isolate(one):
        assert [reaches(one, trio[1]), reaches(trio[1], one), reaches(one, one)] == [False, False, True]
    assert [reaches(one, trio[1]), reaches(trio[1], one)] == [True, True]
    assert leftovers(one) == ""


def test_an_isolated_node_is_still_commanded_over_ssh(over_ssh: Any, trio: list[Any]) -> None:
    with faults.isolate(over_ssh):
        over_ssh.account.close()  # a new connection gets through as well
        assert out(over_ssh, "echo alive") == "alive"
        assert not reaches(over_ssh, trio[1])
    assert reaches(over_ssh, trio[1])


@pytest.mark.parametrize("firewall", ["nft", "iptables"])
def test_dropped_packets_are_those_to_the_port_in_the_share_that_was_asked_for(
    firewall: str, with_few_tools: Any, trio: list[Any]
) -> None:
    one, two = trio[0] if firewall == "nft" else with_few_tools, trio[1]
    with faults.drop(one, to=two, port=9, probability=0.5):
        assert reaches(one, two)
        assert 120 < _arrived(one, two, 400) < 280
    with faults.drop(one, to=address(two), port=7):
        assert not reaches(one, two)
        assert reaches(two, one)
    assert reaches(one, two)


def _seconds_to_send(node: Any, other: Any, size: int) -> float:
    program = (
        f"import socket, time; s = socket.create_connection(('{address(other)}', 7)); t = time.monotonic()\n"
        f"s.sendall(b'x' * {size - 1} + b'!'); s.recv(4); print(time.monotonic() - t)\n"
    )
    return float(node.account.ssh_output("python3 -", stdin=program))


def test_a_limited_rate_is_the_rate(pair: tuple[Any, Any]) -> None:
    one, two = pair
    with faults.slow(one, rate="2mbit"):
        assert 0.6 < _seconds_to_send(one, two, 250_000) < 2.0
    assert _seconds_to_send(one, two, 250_000) < 0.3
    assert leftovers(one) == ""


def _arrived(one: Any, two: Any, packets: int) -> int:
    """How many of some packets arrive that one sends to two."""
    two.account.ssh("rm -f /tmp/heard")
    send = f"import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nfor n in range({packets}):\n"
    send += f"    try: s.sendto(b'x', ('{address(two)}', 9))\n    except PermissionError: pass\n"
    one.account.ssh("python3 -", stdin=send)
    time.sleep(0.2)
    return int(out(two, "cat /tmp/heard 2>/dev/null | wc -l"))


def test_a_lossy_link_loses_about_as_much_as_asked_for_and_then_nothing(pair: tuple[Any, Any]) -> None:
    one, two = pair
    with faults.slow(one, loss=0.5):
        assert 120 < _arrived(one, two, 400) < 280
        assert _arrived(two, one, 100) == 100
    assert _arrived(one, two, 100) == 100
    assert leftovers(one) == ""


def test_a_delay_is_at_least_as_long_as_asked_for_and_nothing_is_lost(pair: tuple[Any, Any]) -> None:
    one, two = pair
    with faults.slow(one, delay=0.1, jitter=0.02):
        taken = [_seconds_to_send(one, two, 100) for _ in range(2)]
        assert all(0.08 <= seconds < 0.5 for seconds in taken), taken
        assert _seconds_to_send(one, two, 200_000) < 5
    assert _seconds_to_send(one, two, 100) < 0.08
    assert "mangle" not in out(one, "nft list tables")
    _until(lambda: is_clean(one))


def test_what_is_shaped_already_is_not_shaped_again(pair: tuple[Any, Any]) -> None:
    with faults.slow(pair[0], rate="10mbit"):
        with pytest.raises(FaultUnavailable, match="machine1: eth0 is shaped already: qdisc tbf"):
            faults.slow(pair[0], rate="1mbit").inject()
        assert "10Mbit" in out(pair[0], "tc qdisc show dev eth0")


def test_a_network_device_that_is_not_there_is_said_to_be_missing(pair: tuple[Any, Any]) -> None:
    with pytest.raises(FaultUnavailable, match=r"^machine1 has no network device nope0$"):
        faults.slow(pair[0], loss=0.5, device="nope0").inject()
    assert leftovers(pair[0]) == ""


def test_two_accounts_of_one_machine_cannot_be_parted(over_ssh: Any, trio: list[Any]) -> None:
    with pytest.raises(FaultUnavailable, match="share one network"):
        faults.partition(over_ssh, trio[0]).inject()


# ---- processes


class Sleeper:
    """A service whose processes wait."""

    def __init__(self, *nodes: Any) -> None:
        self.nodes = list(nodes)

    def start_node(self, node: Any) -> None:
        node.account.ssh("setsid sleep 987 >/dev/null 2>&1 </dev/null & echo $! >/tmp/sleeper")

    def pids(self, node: Any) -> list[int]:
        return [int(pid) for pid in out(node, "pgrep -x -f 'sleep 987'").split()]

    def states(self) -> list[str]:
        return [out(node, "ps -o s= -p $(pgrep -x -f 'sleep 987' | head -n 1) 2>/dev/null") for node in self.nodes]


@pytest.fixture
def sleeper(pair: tuple[Any, Any]) -> Iterator[Sleeper]:
    service = Sleeper(*pair)
    for node in pair:
        service.start_node(node)
    _until(lambda: all(service.pids(node) for node in pair))
    yield service
    for node in pair:
        node.account.ssh("pkill -KILL -x -f 'sleep 987'", allow_fail=True)


def test_paused_processes_stand_still_and_go_on(sleeper: Sleeper) -> None:
    with faults.pause(sleeper):
        assert sleeper.states() == ["T", "T"]
    assert sleeper.states() == ["S", "S"]


def test_resume_wakes_what_somebody_else_has_stopped(sleeper: Sleeper) -> None:
    faults.kill(sleeper, "STOP").inject()
    _until(lambda: sleeper.states() == ["T", "T"])
    faults.resume(sleeper)
    _until(lambda: sleeper.states() == ["S", "S"])


def test_killed_processes_stay_dead(sleeper: Sleeper) -> None:
    with faults.kill(sleeper.nodes[0], process="sleep 98[7]"):
        assert sleeper.pids(sleeper.nodes[0]) == []
    assert sleeper.pids(sleeper.nodes[0]) == []
    assert sleeper.states()[1] == "S"


def test_a_restarted_service_is_away_in_between(sleeper: Sleeper) -> None:
    before = sleeper.pids(sleeper.nodes[1])
    with faults.restart(sleeper, sleeper.nodes[1]):
        assert [sleeper.pids(node) == [] for node in sleeper.nodes] == [False, True]
    _until(lambda: len(sleeper.pids(sleeper.nodes[1])) == 1)
    assert sleeper.pids(sleeper.nodes[1]) != before


def test_there_is_no_power_switch_outside_the_sandbox(pair: tuple[Any, Any]) -> None:
    with pytest.raises(FaultUnavailable, match="machine1 has no power switch"):
        faults.power_off(pair[0]).inject()


# ---- resources


@pytest.mark.parametrize("way", ["made smaller", "taken up"])
def test_a_full_disk_refuses_what_is_written(way: str, trio: list[Any], with_few_tools: Any) -> None:
    one = trio[0] if way == "made smaller" else with_few_tools
    write = "dd if=/dev/zero of=/tmp/disk/file bs=1M count=5 2>&1; rm -f /tmp/disk/file"
    with faults.fill_disk(one, "/tmp/disk", free="2M"):
        assert (out(one, "ls -A /tmp/disk") == "") is (way == "made smaller")
        assert "No space left" in out(one, write)
        assert "No space left" not in out(one, write.replace("count=5", "count=1"))
    assert "No space left" not in out(one, write)
    assert out(one, "df --output=size -BM /tmp/disk | tail -n 1") == "20M"
    assert leftovers(one) == ""


def _used_processor(node: Any, seconds: float) -> float:
    """Seconds of processor time that the busy process takes in some seconds."""
    look = "cut -d ' ' -f 14 /proc/$(pgrep -x -f 'sh -c while :; do :; done')/stat"
    before = int(out(node, look))
    time.sleep(seconds)
    return (int(out(node, look)) - before) / os.sysconf("SC_CLK_TCK")


def _needs_group(controller: str) -> None:
    if not os.path.isdir(f"/sys/fs/cgroup/{controller}") and not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        pytest.skip(f"there is no control group for {controller} on this machine")


def test_a_limited_processor_is_the_limit(pair: tuple[Any, Any]) -> None:
    _needs_group("cpu")
    one = pair[0]
    one.account.ssh("setsid sh -c 'while :; do :; done' >/dev/null 2>&1 </dev/null &")
    try:
        with faults.limit_cpu(one, 0.2, process="while :; do :; do[n]e"):
            time.sleep(0.1)
            assert _used_processor(one, 1) < 0.35
        _until(lambda: _used_processor(one, 0.3) > 0.1)
    finally:
        one.account.ssh("pkill -KILL -x -f 'sh -c while :; do :; done'", allow_fail=True)


def test_who_takes_more_than_the_limited_memory_is_killed(pair: tuple[Any, Any]) -> None:
    _needs_group("memory")
    one = pair[0]
    program = "import os, time; os.mkfifo('/tmp/go'); open('/tmp/go').read(); x = b'x' * (200 << 20); time.sleep(60)"

    def start() -> None:
        one.account.ssh(f'setsid python3 -c "{program}" >/dev/null 2>&1 </dev/null &')
        _until(lambda: one.account.ssh("test -p /tmp/go", allow_fail=True) == 0)

    start()
    with faults.limit_memory(one, "30M", process="mkfif[o]"):
        one.account.ssh("echo go >/tmp/go; rm /tmp/go")
        _until(lambda: out(one, "pgrep -f mkfif[o]") == "")
    start()
    with faults.limit_memory(one, "30M", process="mkfif[o]"):
        pass
    try:
        one.account.ssh("echo go >/tmp/go; rm /tmp/go")
        _until(lambda: int(out(one, "ps -o rss= -p $(pgrep -f mkfif[o])")) > 200 << 10)
    finally:
        one.account.ssh("pkill -KILL -f mkfif[o]", allow_fail=True)


@pytest.fixture
def on_disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        yield Path(directory)


def test_a_slow_disk_is_slow_until_it_is_healed(trio: list[Any], on_disk: Path) -> None:
    _needs_group("blkio")
    one = trio[0]
    script = f"cd {on_disk}; for n in 1 2; do until [ -e go$n ]; do sleep 0.05; done; "
    script += "dd if=/dev/zero of=file bs=64k count=16 oflag=direct 2>said$n; done"
    one.account.ssh(f"setsid sh -c {shlex.quote(script)} >/dev/null 2>&1 </dev/null &")

    def seconds(number: int) -> float:
        (on_disk / f"go{number}").touch()
        said = on_disk / f"said{number}"
        _until(lambda: said.exists() and "copied" in said.read_text())
        taken = re.search(r"([0-9.]+) s,", said.read_text())
        assert taken is not None
        return float(taken[1])

    try:
        with faults.slow_disk(one, str(on_disk), "1M", process=f"{on_disk.name}; fo[r]"):
            assert seconds(1) > 0.6
        assert seconds(2) < 0.6
    except FaultUnavailable as reason:
        pytest.skip(str(reason))
    finally:
        for number in (1, 2):
            (on_disk / f"go{number}").touch()


def test_a_deceived_program_sees_another_time(pair: tuple[Any, Any]) -> None:
    one = pair[0]
    try:
        deception = faults.clock_environment(one)
    except FaultUnavailable as reason:
        pytest.skip(str(reason))
    with pytest.raises(FaultUnavailable, match="its clock is that of the driver's machine"):
        faults.skew_clock(one, 300).inject()
    one.account.ssh(f"{deception} setsid sleep 986 >/dev/null 2>&1 </dev/null &")
    try:
        with faults.skew_clock(one, 300):
            assert int(out(one, f"{deception} date +%s")) - time.time() == pytest.approx(300, abs=3)
            assert int(out(one, "date +%s")) == pytest.approx(time.time(), abs=3)
        assert int(out(one, f"{deception} date +%s")) == pytest.approx(time.time(), abs=3)
    finally:
        one.account.ssh("pkill -x -f 'sleep 986'", allow_fail=True)
    assert out(one, "ls /tmp/dt-clock 2>/dev/null") == ""


# ---- files


def test_a_corrupt_file_differs_in_just_those_bits_that_the_seed_chooses(pair: tuple[Any, Any]) -> None:
    one = pair[0]
    content = bytes(range(256)) * 8
    one.account.ssh("cat >/tmp/data", stdin=content)

    def flipped() -> list[int]:
        now = one.account.ssh_output("cat /tmp/data")
        return [8 * at + bit for at in range(len(now)) for bit in range(8) if (now[at] ^ content[at]) >> bit & 1]

    with faults.corrupt(one, "/tmp/data", bits=5, seed=1):
        first = flipped()
        assert len(first) == 5
    assert flipped() == []
    with faults.corrupt(one, "/tmp/data", bits=5, seed=1):
        assert flipped() == first
    with faults.corrupt(one, "/tmp/data", bits=3, seed=2):
        one.account.ssh("printf new >/tmp/data.new; mv /tmp/data.new /tmp/data")
    assert out(one, "cat /tmp/data") == "new"


def test_a_truncated_file_gets_its_end_back_unless_it_was_written_to(pair: tuple[Any, Any]) -> None:
    one = pair[0]
    one.account.ssh("printf 0123456789 >/tmp/text")
    with faults.truncate(one, "/tmp/text", by=4):
        assert out(one, "cat /tmp/text") == "012345"
    assert out(one, "cat /tmp/text") == "0123456789"
    with faults.truncate(one, "/tmp/text", size=2):
        one.account.ssh("printf x >>/tmp/text")
    assert out(one, "cat /tmp/text") == "01x"


@pytest.mark.parametrize("damage", [faults.corrupt, faults.truncate])
def test_what_cannot_be_damaged_is_said_with_the_reason(damage: Callable[..., Fault], pair: tuple[Any, Any]) -> None:
    one = pair[0]
    one.account.ssh("mkdir /tmp/fixed && mount -t tmpfs none /tmp/fixed && echo x >/tmp/fixed/file")
    one.account.ssh("mount -o remount,ro /tmp/fixed")
    try:
        with pytest.raises(FaultError, match=r"machine1: looking at the file failed .*: /tmp is a directory$"):
            damage(one, "/tmp").inject()
        with pytest.raises(FaultUnavailable, match=r"^machine1: /tmp/fixed/file cannot be written to: Read-only"):
            damage(one, "/tmp/fixed/file").inject()
    finally:
        one.account.ssh("umount /tmp/fixed; rmdir /tmp/fixed")
    assert leftovers(one) == ""


# ---- whatever happens


def test_a_file_that_is_not_there_is_an_error_and_leaves_nothing(pair: tuple[Any, Any]) -> None:
    with pytest.raises(FaultError, match=r"machine1: looking at the file failed .*there is no file"):
        faults.corrupt(pair[0], "/tmp/nothing").inject()
    with pytest.raises(FaultError, match=r"machine2: bringing about the fault failed .*no directory /tmp/none"):
        pair[0].account.ssh("mkdir /tmp/none")
        faults.fill_disk(list(pair), "/tmp/none").inject()
    pair[0].account.ssh("rmdir /tmp/none")
    assert [leftovers(node) for node in pair] == ["", ""]


def test_times_and_nodes_stand_in_the_log_and_in_the_file_of_the_test(
    pair: tuple[Any, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = FaultLog(str(tmp_path))
    began = time.time()
    pair[0].account.fault_log = log
    try:
        with caplog.at_level(logging.INFO), faults.partition(*pair):
            [now] = json.loads((tmp_path / "events.json").read_text())["faults"]
            assert (now["fault"], now["nodes"], now["healed"]) == ("partition", ["machine1", "machine2"], None)
    finally:
        del pair[0].account.fault_log
    [entry] = json.loads((tmp_path / "events.json").read_text())["faults"]
    assert began <= entry["injected"] <= entry["effective"] <= entry["healed"] <= time.time()
    assert entry["healed_by"] == "test"
    assert entry["details"] == {"groups": [["machine1"], ["machine2"]]}
    assert [entry] == log.to_json()
    words = [record.getMessage().rpartition(": ")[2] for record in caplog.records if "Fault: " in record.getMessage()]
    assert words == ["injected", "in effect", "healed by the test"]


def test_what_a_test_forgot_is_healed_by_its_log(pair: tuple[Any, Any]) -> None:
    log = FaultLog()
    pair[0].account.fault_log = log
    try:
        faults.isolate(pair[0]).inject()
    finally:
        del pair[0].account.fault_log
    assert log.heal_all() == []
    assert reaches(pair[0], pair[1])


def test_random_faults_repeat_with_their_seed(trio: list[Any]) -> None:
    plan: list[Callable[..., Fault]] = [
        lambda rng: faults.isolate(rng.choice(trio)),
        lambda rng: faults.drop(rng.choice(trio), port=7),
        lambda: faults.power_off(trio[0]),
    ]

    def history(seed: int) -> list[str]:
        with faults.random(plan, seed=seed, interval=0.1, pause=0.05) as storm:
            _until(lambda: len(storm.history) >= 4)
        assert not any(fault.active for fault in storm.history)
        return [f"{fault.kind} {fault.nodes[0].account.hostname}" for fault in storm.history][:4]

    first = history(3)
    assert history(3) == first
    assert [leftovers(node) for node in trio] == ["", "", ""]


def _kill_who_injects(inject: Callable[[], object]) -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            inject()
            os.write(writer, b"injected")
            time.sleep(60)
        except BaseException as error:
            os.write(writer, repr(error).encode())
        finally:
            os._exit(1)
    os.close(writer)
    assert select.select([reader], [], [], 20)[0]
    said = os.read(reader, 100)
    os.close(reader)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert said == b"injected"


@pytest.mark.parametrize("way", ["directly", "over SSH"])
def test_every_fault_is_healed_in_time_after_kill_9_of_who_injected_it(
    way: str, trio: list[Any], over_ssh: Any, sleeper: Sleeper
) -> None:
    node = trio[0] if way == "directly" else over_ssh
    node.account.ssh("printf 0123456789 >/tmp/a; printf 0123456789 >/tmp/b; umask 0")
    node.account.close()

    def inject() -> None:
        over = LinuxRemoteAccount(node.account.ssh_config, externally_routable_ip=address(node))
        over.transport = node.account.transport if way == "directly" else over.transport
        mine = SimpleNamespace(account=over)
        for fault in (
            faults.fill_disk(mine, "/tmp/disk", free="1M", ttl=3),
            faults.corrupt(mine, "/tmp/a", bits=3, ttl=3),
            faults.truncate(mine, "/tmp/b", size=5, ttl=3),
            faults.pause(mine, process="sleep 98[7]", ttl=3),
            faults.limit_cpu(mine, 0.5, process="sleep 98[7]", ttl=3),
            faults.slow(mine, delay=0.01, rate="100mbit", ttl=3),
            faults.drop(mine, to=trio[2], ttl=3),
            faults.isolate(mine, ttl=3),
        ):
            fault.inject()

    groups_before = _groups()
    _kill_who_injects(inject)
    inside = trio[0]
    assert sleeper.states()[0] == "T"
    assert not reaches(inside, trio[1])
    assert "012345678" not in out(inside, "cat /tmp/b")
    assert "No space left" in out(inside, "dd if=/dev/zero of=/tmp/disk/file bs=1M count=5 2>&1; rm -f /tmp/disk/file")
    _until(lambda: out(inside, "ls -d /tmp/dt-* 2>/dev/null") == "", seconds=8)
    assert leftovers(inside) == ""
    assert sleeper.states()[0] == "S"
    assert reaches(inside, trio[1])
    assert [out(inside, "cat /tmp/a"), out(inside, "cat /tmp/b")] == ["0123456789", "0123456789"]
    # Tests that run beside this one have groups of their own, for a while
    _until(lambda: _groups() <= groups_before, seconds=30)


# ---- sandbox


@pytest.fixture(scope="module")
def boxes() -> Iterator[list[Any]]:
    cluster = SandboxCluster()
    nodes = list(cluster.alloc(ClusterSpec.simple_linux(3)))
    try:
        for node in nodes:
            node.account.ssh(f"setsid python3 -c {shlex.quote(_ANSWERING)} >/dev/null 2>&1 </dev/null &")
        _until(lambda: all(node.account.ssh("test -e /tmp/answering", allow_fail=True) == 0 for node in nodes))
        yield nodes
    finally:
        cluster.free(nodes)
        cluster.close()


def test_the_network_of_a_sandbox_breaks_and_heals(boxes: list[Any]) -> None:
    one, two, three = boxes
    with faults.partition([one, two], [three]):
        assert [reaches(one, two), reaches(one, three), reaches(three, two)] == [True, False, False]
    with faults.slow(one, delay=0.1):
        assert 0.1 <= _seconds_to_send(one, two, 100) < 0.5
    with faults.slow(one, rate="2mbit"):
        assert 0.6 < _seconds_to_send(one, two, 250_000) < 2
    assert [reaches(one, three), reaches(three, two)] == [True, True]
    assert _seconds_to_send(one, two, 250_000) < 0.3
    assert [leftovers(node) for node in boxes] == ["", "", ""]


def test_an_isolated_box_is_not_reached_from_the_machine_of_the_driver(boxes: list[Any]) -> None:
    def connects() -> bool:
        with contextlib.suppress(OSError), socket.create_connection((address(boxes[0]), 7), timeout=0.3):
            return True
        return False

    assert connects()
    with faults.isolate(boxes[0]):
        assert not connects()
    assert connects()


@pytest.mark.parametrize("path", ["/mnt", "/var/lib"])
def test_the_disk_of_a_box_is_full_without_taking_memory(path: str, boxes: list[Any]) -> None:
    write = f"dd if=/dev/zero of={path}/file bs=1M count=5 2>&1; rm -f {path}/file"
    before = out(boxes[0], f"df --output=size {path} | tail -n 1")
    with faults.fill_disk(boxes[0], path):
        assert "No space left" in out(boxes[0], write)
        assert "No space left" not in out(boxes[1], write)
    assert "No space left" not in out(boxes[0], write)
    assert out(boxes[0], f"df --output=size {path} | tail -n 1") == before


def test_the_disks_of_a_box_that_are_full_one_in_the_other_get_their_size_back_in_any_order(boxes: list[Any]) -> None:
    size = "df --output=size /mnt | tail -n 1"
    before = out(boxes[0], size)
    for order in ((0, 1), (1, 0)):
        both = [faults.fill_disk(boxes[0], "/mnt", free=free).inject() for free in ("100M", "10M")]
        assert out(boxes[0], size) != before
        for number in order:
            both[number].heal()
        assert out(boxes[0], size) == before


def test_a_file_system_of_this_machine_is_not_filled_from_a_box(boxes: list[Any]) -> None:
    # Of those that are there read-only this one alone belongs to the sandbox: nothing is lost if it should be filled
    before = out(boxes[0], "df --output=size,avail /")
    with pytest.raises(FaultUnavailable, match=r"^node1: / is read-only there$"):
        faults.fill_disk(boxes[0], "/").inject()
    assert out(boxes[0], "df --output=size,avail /") == before


def test_a_whole_box_is_limited_or_stands_still(boxes: list[Any]) -> None:
    one = boxes[0]
    one.account.ssh("setsid sh -c 'while :; do :; done' >/dev/null 2>&1 </dev/null &")
    try:
        with faults.pause(one):
            assert _used_processor(one, 0.3) == 0
            assert not hears(one, boxes[1], "early")
        assert hears(one, boxes[1], "late")
        if "cpu" in one.cgroup:
            with faults.limit_cpu(one, 0.2):
                assert _used_processor(one, 1) < 0.35
        _until(lambda: _used_processor(one, 0.3) > 0.1)
    finally:
        with faults.kill(one, process="do :; do[n]e"):
            pass


def test_a_box_takes_no_more_memory_than_the_limit(boxes: list[Any]) -> None:
    if "memory" not in boxes[0].cgroup:
        pytest.skip("there is no control group for memory on this machine")
    take = "python3 -c \"x = b'x' * (300 << 20); print('had it')\""
    with faults.limit_memory(boxes[0], "100M"):
        assert out(boxes[0], take) == ""
        assert out(boxes[1], take) == "had it"
    assert out(boxes[0], take) == "had it"


def test_a_box_heals_itself_after_kill_9_of_who_broke_it(boxes: list[Any]) -> None:
    one = boxes[0]
    before = out(one, "df --output=size /mnt | tail -n 1")

    def inject() -> None:
        faults.isolate(one, ttl=3).inject()
        faults.slow(one, rate="10mbit", ttl=3).inject()
        faults.fill_disk(one, "/mnt", ttl=3).inject()
        if "cpu" in one.cgroup:
            faults.limit_cpu(one, 0.9, ttl=3).inject()

    def limit() -> str:
        path = Path(one.cgroup.get("cpu", "/none"))
        return "".join(file.read_text() for file in (path / "cpu.cfs_quota_us", path / "cpu.max") if file.exists())

    limit_before = limit()
    _kill_who_injects(inject)
    assert not reaches(boxes[2], one)
    assert out(one, "df --output=size /mnt | tail -n 1") != before
    _until(lambda: out(one, "ls -d /tmp/dt-* 2>/dev/null") == "" and limit() == limit_before, seconds=10)
    assert leftovers(one) == ""
    assert out(one, "df --output=size /mnt | tail -n 1") == before
    assert reaches(one, boxes[0])


def test_a_fault_stays_as_long_as_its_test_lives(boxes: list[Any]) -> None:
    one, two = boxes[:2]
    # The scripts lie on the full disk themselves
    with faults.partition(one, two, ttl=2) as fault, faults.fill_disk(one, "/tmp", ttl=2) as full:
        time.sleep(3.5)
        assert not hears(two, one, "word")
        assert "No space left" in out(one, "dd if=/dev/zero of=/tmp/file bs=1M count=5 2>&1; rm -f /tmp/file")
    assert hears(two, one, "again")
    assert [fault.healed_by, full.healed_by] == ["test", "test"]


def test_a_box_without_power_has_no_processes_and_keeps_its_files(boxes: list[Any]) -> None:
    two = boxes[1]
    two.account.ssh("echo kept >/mnt/file")
    with faults.power_off(two):
        assert not reaches(boxes[0], two)
    assert out(two, "cat /mnt/file; pgrep -c python3 -x") == "kept\n0"


def test_killing_a_box_kills_everything_in_it(boxes: list[Any]) -> None:
    three = boxes[2]
    with faults.kill(three):
        assert not reaches(boxes[0], three)
    assert out(three, "echo still there") == "still there"


def test_a_box_that_loses_its_power_loses_what_was_not_synced(tmp_path: Path) -> None:
    if not os.path.exists("/dev/loop-control"):
        pytest.skip("this machine has no loop devices")
    with running_sandbox(tmp_path, crash_disk=True, disk="64m") as cluster:
        [node] = cluster.alloc(ClusterSpec.simple_linux(1))
        node.account.ssh("echo safe >/mnt/safe; sync /mnt/safe; sync -f /mnt; echo unsafe >/mnt/unsafe")
        with faults.power_off(node, lose_unsynced=True), pytest.raises(ConnectionError):
            node.account.ssh("true")
        assert out(node, "cd /mnt; cat safe unsafe 2>/dev/null") == "safe"


def test_the_clock_of_a_box_is_wrong_for_programs_that_were_started_for_it(boxes: list[Any]) -> None:
    one, two = boxes[:2]
    try:
        deception = faults.clock_environment(one)
    except FaultUnavailable as reason:
        pytest.skip(str(reason))
    one.account.ssh(f"{deception} setsid sleep 985 >/dev/null 2>&1 </dev/null &")
    with faults.skew_clock(one, -300):
        assert int(out(one, f"{deception} date +%s")) - time.time() == pytest.approx(-300, abs=3)
        assert int(out(two, f"{deception} date +%s")) == pytest.approx(time.time(), abs=3)
    assert int(out(one, f"{deception} date +%s")) == pytest.approx(time.time(), abs=3)


def test_a_partition_outlasts_the_power_of_a_box(boxes: list[Any]) -> None:
    one, two = boxes[:2]
    rules = "nft list tables | grep dt_; iptables -S | grep DT_"
    with faults.partition(one, two), faults.slow(two, rate="10mbit"), faults.fill_disk(two, "/mnt") as full:
        two.power_off()
        two.power_on()
        assert out(two, rules) != ""
        assert "10Mbit" in out(two, "tc qdisc show dev eth0")
        assert not reaches(two, one)
        assert "No space left" in out(two, "dd if=/dev/zero of=/mnt/file bs=1M count=5 2>&1; rm -f /mnt/file")
    assert full.healed_by == "test"
    assert leftovers(two) == ""
    assert reaches(two, one)


def test_an_isolation_ends_while_the_box_is_off(boxes: list[Any]) -> None:
    two = boxes[1]
    with faults.isolate(two) as fault:
        two.power_off()
    assert [fault.active, fault.healed_by] == [False, "node"]
    two.power_on()
    assert leftovers(two) == ""
