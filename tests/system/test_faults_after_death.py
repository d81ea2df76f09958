# SPDX-License-Identifier: Apache-2.0
"""Whoever injected faults is killed or stands still: every fault is healed within its time to live all the same.

What the faults do is looked at from outside, from the namespaces of the nodes and from this machine. A node over SSH
outlives the run. Nodes of the sandbox end with its driver, and nothing of them may be left on this machine; but they
outlive a test whose process stands still.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.sandbox import cgroups
from ducktape.cluster.sandbox.network import HOST_LINK
from tests.support.program import Program, suite
from tests.system.own_addresses import Network, nodes_with_own_addresses

pytestmark = [
    pytest.mark.needs("nft", "tc", "nsenter", "bridges", "sshd"),
    pytest.mark.quiet,
]
on_sandbox = pytest.mark.needs("sandbox")

TTL = 3
# Undoing takes a moment itself, and so does looking, on a machine that has other things to do
_SLACK_SEC = 2.0
_LONGEST_SEC = 60.0
_FACTS = "DUCKTAPE_E2E_FACTS"
_KINDS = "DUCKTAPE_E2E_KINDS"
_TTL = "DUCKTAPE_E2E_TTL"
_NETWORK = ("slow", "drop", "partition", "isolate")
# What these need may be missing on a machine; if one of these files is there, it is not
_NEEDED = {
    "limit_cpu": "/sys/fs/cgroup/cpu/tasks",
    "limit_memory": "/sys/fs/cgroup/memory/tasks",
    "skew_clock": "/usr/lib/*/faketime/libfaketime.so.1",
}
_ALL = ("fill_disk", "corrupt", "truncate", *_NEEDED, *_NETWORK[:3], "pause", "isolate")

SUITE = f"""
    import json, os, time
    from pathlib import Path
    from ducktape import faults
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    FOLDER = Path(os.environ["{_FACTS}"])
    TTL = int(os.environ["{_TTL}"])

    class Waiting(Service):
        # What a test leaves is to be looked at from outside, so there is nothing to stop and to clean

        def start_node(self, node):
            try:
                deception = faults.clock_environment(node)
            except faults.FaultUnavailable:
                deception = ""
            node.account.ssh("rm -rf /mnt/x; mkdir -p /mnt/x/disk; mount -t tmpfs -o size=20m tmpfs /mnt/x/disk")
            node.account.ssh("cd /mnt/x; printf 0123456789 >a; printf 0123456789 >b")
            node.account.ssh(deception + "setsid sleep 4713 </dev/null >/dev/null 2>&1 & echo $! >/mnt/x/pid")

        def pids(self, node):
            return [int(node.account.ssh_output("cat /mnt/x/pid"))]

    class DyingTest(Test):
        @cluster(num_nodes=2)
        def test_it(self):
            service = Waiting(self.test_context, 2)
            service.start()
            one, two = service.nodes
            in_sandbox = hasattr(one, "power_off")
            makers = [
                lambda: faults.fill_disk(one, "/mnt/x/disk", ttl=TTL),
                lambda: faults.corrupt(one, "/mnt/x/a", bits=3, seed=1, ttl=TTL),
                lambda: faults.truncate(one, "/mnt/x/b", size=5, ttl=TTL),
                lambda: faults.limit_cpu(one if in_sandbox else service, 0.9, ttl=TTL),
                lambda: faults.limit_memory(one if in_sandbox else service, "900M", ttl=TTL),
                lambda: faults.skew_clock(one, 300, ttl=TTL),
                lambda: faults.slow(one, delay=0.005, loss=0.0001, rate="100mbit", ttl=TTL),
                lambda: faults.drop(one, to=two, port=9, ttl=TTL),
                lambda: faults.partition([one], [two], ttl=TTL),
                lambda: faults.pause(service, ttl=TTL),
                lambda: faults.isolate(two, ttl=TTL),
            ]
            injected = []
            for make in makers:
                fault = make()
                if fault.kind not in os.environ["{_KINDS}"].split():
                    continue
                try:
                    fault.inject()
                except faults.FaultUnavailable as reason:
                    self.logger.warning(str(reason))
                    continue
                injected.append(fault)
            content = {{
                "child": os.getpid(),
                "tokens": {{fault.kind: fault.token for fault in injected}},
                "keeper": one._supervisor.pid if in_sandbox else 0,
                "inits": [node.account.init_pid for node in service.nodes] if in_sandbox else [],
                "groups": one.cgroup if in_sandbox else {{}},
            }}
            (FOLDER / "new").write_text(json.dumps(content))
            (FOLDER / "new").rename(FOLDER / "facts")
            while not (FOLDER / "go on").exists():
                time.sleep(0.02)
            for fault in injected:
                fault.heal()
                fault.wait_healed()
            return {{fault.kind: fault.healed_by for fault in injected}}
"""

# One line for whatever faults change, in the order of the suite; the rest is for all of them
_LOOK = """
PATH=$PATH:/usr/sbin:/sbin
cd /mnt/x
dd if=/dev/zero of=disk/file bs=1M count=5 2>&1 | grep -o 'No space'; rm -f disk/file
grep -q 0123456789 a || echo corrupt
grep -q 0123456789 b || echo truncated
[ ! -e /tmp/dt-clock ] || echo skewed
tc qdisc show dev eth0 | grep -q ' tbf ' && echo slow
case $(sed 's/.*) //' "/proc/$(cat pid)/stat" | cut -c 1) in S) ;; *) echo paused ;; esac
nft list tables | grep -o ' dt_[0-9a-f]*' | sort
{ iptables -S; iptables -t mangle -S; } 2>/dev/null | grep -o 'N DT_.*' | sort
ls -d /tmp/dt-fault-* 2>/dev/null
true
"""


# Where the limits of the suite stand, of the nodes of a sandbox
_LIMITS = {
    "cpu.cfs_quota_us": "90000",
    "cpu.max": "90000 ",
    "memory.limit_in_bytes": str(900 << 20),
    "memory.max": str(900 << 20),
}


def until(condition: Callable[[], object], what: Callable[[], object], deadline: float) -> None:
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


class Node:
    """A node as it is seen from outside.

    Args:
        pid: a process in its namespaces, as this machine numbers it.
        own_processes: whether it numbers its processes itself.
    """

    def __init__(self, pid: int, *, own_processes: bool) -> None:
        self._enter = ["nsenter", "-t", str(pid), "-n", "-m", *(["-p"] if own_processes else [])]

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        command = [*self._enter, "sh", "-c", script]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)

    def changes(self) -> list[str]:
        """What is not as it should be; nothing on a healthy node."""
        done = self.run(_LOOK)
        assert done.returncode == 0, done.stderr
        return done.stdout.split("\n")[:-1]

    def reaches(self, address: str) -> bool:
        # Who refuses a connection has been reached
        return self.run(f"timeout 0.5 bash -c ': </dev/tcp/{address}/4713'").returncode != 124


class Run:
    """A run of the program in whose test all faults are in force.

    Attributes:
        program: the run.
        facts: what the test says of itself.
        nodes: both, from outside.
    """

    def __init__(self, folder: Path, arguments: tuple[str, ...], kinds: tuple[str, ...], ttl: int) -> None:
        self.folder = folder
        self.kinds = kinds
        self.nodes: list[Node] = []
        extra = {_FACTS: str(folder), _KINDS: " ".join(kinds), _TTL: str(ttl)}
        self.program = Program(folder, suite(folder, SUITE), *arguments, extra=extra)

    def wait_for_faults(self) -> None:
        def injected() -> bool:
            assert self.program.process.poll() is None, self.program.output
            return (self.folder / "facts").exists()

        until(injected, lambda: self.program.output, time.monotonic() + _LONGEST_SEC)
        self.facts: dict[str, Any] = json.loads((self.folder / "facts").read_text())

    @property
    def child(self) -> int:
        return int(self.facts["child"])

    def kill_driver(self) -> float:
        """End the driver alone; returns when."""
        self.program.signal(signal.SIGKILL)
        return time.monotonic()

    def kill_driver_and_test(self) -> float:
        """End the driver and all processes of the test, with no time to do anything about it; returns when."""
        os.killpg(self.child, signal.SIGSTOP)
        self.program.signal(signal.SIGKILL)
        os.killpg(self.child, signal.SIGKILL)
        return time.monotonic()

    def kill_test(self) -> None:
        """End the test, not the driver."""
        os.killpg(self.child, signal.SIGKILL)

    def stop_test(self) -> float:
        """Let the test stand still; returns when."""
        os.killpg(self.child, signal.SIGSTOP)
        return time.monotonic()

    def events(self) -> list[dict[str, Any]]:
        """What the test has recorded of its faults."""
        [file] = self.folder.glob("results/2*/**/events.json")
        faults: list[dict[str, Any]] = json.loads(file.read_text())["faults"]
        return faults

    def on_this_machine(self) -> list[str]:
        """What there is on this machine that bears the names of the faults or of the sandbox."""
        tokens, keeper = list(self.facts["tokens"].values()), self.facts["keeper"]
        marks = [*tokens, *([f"{cgroups.PREFIX}{keeper}"] if keeper else [])]
        listings = {
            "tables": _output("nft", "list", "tables"),
            "chains": _output("iptables", "-S") + _output("iptables", "-t", "mangle", "-S"),
            "links": _output("ip", "-o", "link").replace(f" {HOST_LINK}{keeper}", f" {marks[-1]}"),
            "files": "\n".join(os.listdir("/tmp")),
            "groups": "\n".join(str(path) for top in _tops() for path in top.glob("dt-*")),
            "mounts": Path("/proc/self/mountinfo").read_text(),
            "processes": "\n".join(_processes(f"{cgroups.PREFIX}{keeper}" if keeper else "")),
        }
        return [
            f"{kind}: {line}"
            for kind, text in listings.items()
            for line in text.splitlines()
            if any(mark in line for mark in marks)
        ]

    def changes(self) -> list[str]:
        """What is not as it should be on the nodes, and of limits, which are on this machine."""
        groups = [line for line in self.on_this_machine() if line.startswith("groups: ")]
        made = [line for line in groups if any(token in line for token in self.facts["tokens"].values())]
        return [*(line for node in self.nodes for line in node.changes()), *made, *self.limits_of_node()]

    def limits_of_node(self) -> list[str]:
        """The files with limits of the suite, of the first node of a sandbox."""
        files = [Path(path, name) for path in set(self.facts["groups"].values()) for name in _LIMITS]
        return [file.name for file in files if file.exists() and file.read_text().startswith(_LIMITS[file.name])]


def _output(*command: str) -> str:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    program = shutil.which(command[0], path=path)
    return subprocess.run([program, *command[1:]], capture_output=True, text=True).stdout if program else ""


def _tops() -> list[Path]:
    top = Path("/sys/fs/cgroup")
    return [top, *(path for path in top.iterdir() if path.is_dir())]


def _processes(group: str) -> Iterator[str]:
    """A line for each process: what was called, and whether it is in a group of the sandbox."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if folder.joinpath("stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                of_node = group if group and group in folder.joinpath("cgroup").read_text() else ""
                words = folder.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                yield f"{folder.name} {of_node} {words}"


@contextlib.contextmanager
def broken(folder: Path, *arguments: str, kinds: tuple[str, ...] = _ALL, ttl: int = TTL) -> Iterator[Run]:
    """A run in whose test faults of some kinds are in force; nothing of it outlives the block."""
    run = Run(folder, arguments, kinds, ttl)
    try:
        run.wait_for_faults()
        yield run
    finally:
        run.program.kill_everything()


@pytest.fixture(scope="module")
def over_ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Network]]:
    with nodes_with_own_addresses(tmp_path_factory.mktemp("nodes"), 2) as made:
        yield made


@pytest.fixture
def ssh_nodes(over_ssh: tuple[str, Network]) -> list[Node]:
    names = over_ssh[1].addresses
    pids = [_output("ip", "netns", "pids", name).split()[0] for name in names]
    nodes = [Node(int(pid), own_processes=False) for pid in pids]
    for node in nodes:
        # Nodes of the sandbox have an empty one as well
        node.run("mountpoint -q /mnt/x/disk && umount /mnt/x/disk; mountpoint -q /mnt || mount -t tmpfs tmpfs /mnt")
    return nodes


# What the nodes show of faults besides rules of the firewall
_SEEN = {
    "fill_disk": "No space",
    "corrupt": "corrupt",
    "truncate": "truncated",
    "skew_clock": "skewed",
    "slow": "slow",
    "pause": "paused",
}


def check_in_force(run: Run, address: str) -> None:
    """See the faults from outside, all of them that this machine can do."""
    tokens = run.facts["tokens"]
    possible = [kind for kind in run.kinds if kind not in _NEEDED or glob.glob(_NEEDED[kind])]
    assert [kind for kind in possible if kind not in tokens] == [], run.program.output
    first, second = (node.changes() for node in run.nodes)
    assert [word for kind, word in _SEEN.items() if word in first] == [
        word for kind, word in _SEEN.items() if kind in tokens
    ]
    assert ("paused" in second) is ("pause" in tokens)
    tables = {line.removeprefix(" dt_") for line in first + second if line.startswith(" dt_")}
    assert tables == {tokens[kind] for kind in _NETWORK if kind in tokens}
    assert not run.nodes[1].reaches(address)


@pytest.mark.parametrize("whom", ["the driver", "the driver and the test"])
def test_faults_on_nodes_over_ssh_are_healed_in_time_after_kill_9(
    whom: str, over_ssh: tuple[str, Network], ssh_nodes: list[Node], tmp_path: Path
) -> None:
    file, network = over_ssh
    first = next(iter(network.addresses.values()))
    with broken(tmp_path, "--cluster", "json", "--cluster-file", file) as run:
        run.nodes = ssh_nodes
        check_in_force(run, first)
        # The limits of processes are groups of their own, one for each node
        groups = {line for line in run.changes() if line.startswith("groups: ")}
        assert len(groups) == 2 * len([kind for kind in run.facts["tokens"] if kind.startswith("limit_")])
        killed = run.kill_driver() if whom == "the driver" else run.kill_driver_and_test()
        if whom != "the driver":
            # Nobody is left who would heal them before their time is over
            assert "paused" in ssh_nodes[0].changes()
        until(lambda: run.changes() == [], run.changes, killed + TTL + _SLACK_SEC)
        assert ssh_nodes[1].reaches(first)
        until(lambda: run.on_this_machine() == [], run.on_this_machine, killed + TTL + _SLACK_SEC)
        if whom == "the driver":
            # The test has noticed, and cleared up
            assert {fault["healed_by"] for fault in run.events()} == {"test"}


def test_faults_of_a_dead_test_are_healed_before_its_nodes_are_given_to_the_next(
    over_ssh: tuple[str, Network], ssh_nodes: list[Node], tmp_path: Path
) -> None:
    file, network = over_ssh
    kinds = ("fill_disk", "corrupt", "slow", "partition", "pause")
    with broken(tmp_path, "--cluster", "json", "--cluster-file", file, kinds=kinds, ttl=600) as run:
        run.nodes = ssh_nodes
        check_in_force(run, next(iter(network.addresses.values())))
        run.kill_test()
        assert run.program.wait() == 1, run.program.output
        assert run.changes() == []
        assert run.on_this_machine() == []
        assert {fault["healed_by"] for fault in run.events()} == {"clean-up"}
        result = run.program.result("test_it")
        assert [fault["fault"] for fault in result["faults"]] == list(kinds)
        assert all(fault["healed"] > fault["injected"] and "undo" not in fault for fault in result["faults"])
        assert "SIGKILL" in result["summary"]
        assert "process had died" in (tmp_path / "results" / "latest" / "report.html").read_text()


@on_sandbox
@pytest.mark.parametrize("whom", ["the driver", "the driver and the test"])
def test_nothing_of_a_sandbox_and_its_faults_is_left_on_this_machine_after_kill_9(whom: str, tmp_path: Path) -> None:
    kinds = ("fill_disk", "limit_cpu", "limit_memory", "slow", "partition")
    with broken(tmp_path, "--cluster", "sandbox", kinds=kinds) as run:
        run.nodes = [Node(pid, own_processes=True) for pid in run.facts["inits"]]
        check_in_force(run, "node1")
        before = run.on_this_machine()
        # What a fault does in a node is none of this machine's business, but for limits, whose groups are here
        limits = {run.facts["tokens"][kind] for kind in run.facts["tokens"] if kind.startswith("limit_")}
        scripts = {line for line in before if line.startswith("files: ")}
        assert scripts == {f"files: dt-fault-{token}n0" for token in limits}
        assert [line for line in before if line.startswith(("tables", "chains", "mounts"))] == []
        assert any(line.startswith("links") for line in before)
        killed = run.kill_driver() if whom == "the driver" else run.kill_driver_and_test()
        until(lambda: run.on_this_machine() == [], run.on_this_machine, killed + TTL + _SLACK_SEC)
        assert [pid for pid in run.facts["inits"] if os.path.exists(f"/proc/{pid}")] == []


@on_sandbox
def test_faults_of_a_test_that_stands_still_are_healed_in_time_and_it_learns_of_that(tmp_path: Path) -> None:
    with broken(tmp_path, "--cluster", "sandbox") as run:
        run.nodes = [Node(pid, own_processes=True) for pid in run.facts["inits"]]
        check_in_force(run, "node1")
        limits = [kind for kind in run.facts["tokens"] if kind.startswith("limit_")]
        assert len(run.limits_of_node()) == len(limits)
        stopped = run.stop_test()
        until(lambda: run.changes() == [], run.changes, stopped + TTL + _SLACK_SEC)
        assert run.nodes[1].reaches("node1")
        (tmp_path / "go on").touch()
        os.killpg(run.child, signal.SIGCONT)
        assert run.program.wait() == 0, run.program.output
        assert run.program.result("test_it")["data"] == dict.fromkeys(run.facts["tokens"], "node")
        assert {fault["healed_by"] for fault in run.program.result("test_it")["faults"]} == {"node"}
        assert "since nobody renewed it" in (tmp_path / "results" / "latest" / "report.html").read_text()
