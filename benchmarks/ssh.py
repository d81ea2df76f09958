# SPDX-License-Identifier: Apache-2.0
"""The part of `make bench` that works over SSH: both programs in turn, and plain OpenSSH as the yardstick."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.measure import CommandFailed, Sample
from benchmarks.suites import write_logging
from benchmarks.table import Row, Target, columns, number, peak_mib, ratio, seconds
from tests.support.sshd import Sshd, missing_parts, running_sshd

_SCRIPT = Path(__file__).resolve().parent / "ssh_script.py"
_NODES = 5
_MEMORY_MIB = 64.0


@dataclasses.dataclass(frozen=True)
class Task:
    """One row.

    Attributes:
        key: for the script.
        name: as the table shows it.
        limit: of the peer's time.
        yardstick: the same by means of OpenSSH's own client.
    """

    key: str
    name: str
    limit: float
    yardstick: Callable[[Bench], None]


class Bench:
    """Servers on loopback ports, what is to be copied from them, and a control socket.

    Args:
        directory: a private directory.
        quick: only a smoke test: little of everything.
    """

    def __init__(self, directory: Path, nodes: Sequence[Sshd], *, quick: bool) -> None:
        self.directory = directory
        self.nodes = nodes
        self.count = 5 if quick else 50
        self.lines = 10_000 if quick else 1_000_000
        self.files = directory / "files"
        self.files.mkdir()
        for index in range(20 if quick else 1000):
            (self.files / f"{index:04}.log").write_bytes(b"x" * 1000)
        self.log = directory / "log"
        self.log.write_bytes(bytes(range(256)) * 4096 * (2 if quick else 200))
        self.small = directory / "small"
        self.small.write_bytes(b"x" * 100_000)

    def settings(self) -> dict[str, Any]:
        """What the script has to know."""
        return {
            "ssh_config": login(self.nodes[0], "bench"),
            "count": self.count,
            "lines": self.lines,
            "files": str(self.files),
            "log": str(self.log),
            "small": str(self.small),
        }

    def client(self, node: Sshd, *options: str) -> list[str]:
        """The start of a command line of OpenSSH's client."""
        settings = node.settings
        return [
            *(
                "ssh",
                "-F",
                "none",
                "-p",
                str(settings.port),
                "-i",
                str(settings.identityfile),
                "-l",
                str(settings.user),
            ),
            *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"),
            *("-o", f"ControlPath={self.directory}/c-%p", *options, settings.hostname),
        ]

    def shared(self, command: str, node: Sshd | None = None, **options: Any) -> None:
        """Run a command over the connection that is there already."""
        subprocess.run([*self.client(node or self.nodes[0]), command], check=True, **options)

    def fetch(self, path: Path, node: Sshd | None = None) -> None:
        """Copy a tree or a file as one stream."""
        with tempfile.TemporaryDirectory(dir=self.directory) as target:
            line = [*self.client(node or self.nodes[0]), f"tar -C {path.parent} -cf - {path.name}"]
            with subprocess.Popen(line, stdout=subprocess.PIPE) as sender:
                subprocess.run(["tar", "-C", target, "-xf", "-"], stdin=sender.stdout, check=True)
            if sender.returncode != 0:
                raise CommandFailed(f"{' '.join(line)} ended with {sender.returncode}")

    @contextlib.contextmanager
    def control_sockets(self) -> Iterator[None]:
        """Connections that the commands above share."""
        try:
            for node in self.nodes:
                subprocess.run(self.client(node, "-fNM"), check=True)
            yield
        finally:
            for node in self.nodes:
                subprocess.run(self.client(node, "-O", "exit"), check=False, capture_output=True)


def login(node: Sshd, name: str) -> dict[str, Any]:
    """Settings that both programs understand."""
    return {**node.settings.to_json(), "host": name}


def _lines(bench: Bench) -> None:
    with subprocess.Popen([*bench.client(bench.nodes[0]), f"seq {bench.lines}"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        got = sum(1 for _ in process.stdout)
    if got != bench.lines:
        raise CommandFailed(f"the yardstick brought {got} lines")


def _connect(bench: Bench) -> None:
    subprocess.run([*bench.client(bench.nodes[0], "-S", "none"), "true"], check=True)


TASKS = (
    Task("true", 'ssh("true")', 0.15, lambda bench: bench.shared("true")),
    Task("exists", "exists()", 0.05, lambda bench: bench.shared("test -e /etc")),
    Task("lines", "ssh_capture, all lines", 0.2, _lines),
    Task("connect", "first connection", 1.0, _connect),
    Task("files", "a directory of small files", 0.1, lambda bench: bench.fetch(bench.files)),
    Task("log", "one large log", 0.4, lambda bench: bench.fetch(bench.log)),
)


def _script(program: Path, task: Task, bench: Bench) -> Sample:
    command = [str(program.parent / "python"), str(_SCRIPT), task.key, json.dumps(bench.settings())]
    done = subprocess.run(
        command, cwd=bench.directory, env=measure.environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise CommandFailed(f"{task.name} ({program}) ended with {done.returncode}:\n{done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return Sample(seconds=found["seconds"], peak_mib=found["mib"])


def _timed(call: Callable[[Bench], None], bench: Bench, times: int) -> Sample:
    best = []
    for _ in range(times):
        begin = time.perf_counter()
        call(bench)
        best.append(time.perf_counter() - begin)
    return Sample(seconds=sorted(best)[len(best) // 2], peak_mib=0.0)


def _collection(program: Path, bench: Bench, files: int) -> Sample:
    """The time that a test's logs take from all nodes, as its own hook sees it."""
    with tempfile.TemporaryDirectory(dir=bench.directory) as name:
        directory = Path(name)
        nodes = [
            {"externally_routable_ip": "127.0.0.1", "ssh_config": login(node, f"worker{index}")}
            for index, node in enumerate(bench.nodes)
        ]
        (directory / "cluster.json").write_text(json.dumps({"nodes": nodes}), encoding="utf-8")
        suite = write_logging(directory, nodes=len(nodes), files=files)
        cluster = ["--cluster", "ducktape.cluster.json.JsonCluster", "--cluster-file", str(directory / "cluster.json")]
        measure.run([str(program), str(suite), *cluster], directory)
        return Sample(seconds=float((directory / "seconds").read_text(encoding="utf-8")), peak_mib=0.0)


@contextlib.contextmanager
def _bench(*, quick: bool) -> Iterator[Bench]:
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-ssh-")))
        nodes = []
        for index in range(2 if quick else _NODES):
            place = directory / f"node{index}"
            place.mkdir(mode=0o700)
            nodes.append(stack.enter_context(running_sshd(place)))
        bench = Bench(directory, nodes, quick=quick)
        stack.enter_context(bench.control_sockets())
        yield bench


def measured(programs: dict[str, Path], rounds: int, *, quick: bool) -> tuple[list[Row], dict[str, list[Sample]]]:
    """Measure all rows; the second value holds what the yardstick took.

    Raises:
        CommandFailed: something did not end as it should have.
    """
    rows: list[Row] = []
    plain: dict[str, list[Sample]] = {}
    with _bench(quick=quick) as bench:
        for task in TASKS:
            samples: dict[str, list[Sample]] = {"ours": [], "peer": []}
            plain[task.name] = []
            # The peer takes minutes for this one.
            turns = 1 if task.key == "files" else rounds
            for turn in range(turns):
                for who, program in programs.items():
                    samples[who].append(_script(program, task, bench))
                    _say(task.name, who, turn, turns, samples[who][-1])
                once = task.key in ("lines", "files", "log")
                plain[task.name].append(_timed(task.yardstick, bench, 1 if once else 5))
            rows.append(Row(task.name, samples["ours"], samples["peer"]))
        files = 5 if quick else 50
        name = collection_name(len(bench.nodes))
        samples = {"ours": [], "peer": []}
        plain[name] = []
        for turn in range(rounds):
            for who, program in programs.items():
                samples[who].append(_collection(program, bench, files))
                _say(name, who, turn, rounds, samples[who][-1])
        rows.append(Row(name, samples["ours"], samples["peer"]))
    return rows, plain


def collection_name(nodes: int) -> str:
    """The name of the row of a test's logs."""
    return f"logs of a test on {nodes} nodes"


def _say(name: str, who: str, turn: int, rounds: int, sample: Sample) -> None:
    print(f"{name} ({who}, {turn + 1}/{rounds}): {sample.seconds:.4f} s", file=sys.stderr, flush=True)


def targets(rows: Sequence[Row]) -> list[Target]:
    """Judge what was measured."""
    by_name = {row.name: row for row in rows}
    limits = [*((task.name, task.limit) for task in TASKS), (collection_name(_NODES), 0.1)]
    judged = []
    for name, limit in limits:
        row = by_name.get(name)
        value = ratio(seconds(row.ours), seconds(row.peer)) if row else None
        judged.append(Target(f"{name}, of the peer's time", limit, value))
    log = by_name.get("one large log")
    mib = peak_mib(log.ours) if log else None
    judged.append(Target("one large log, MiB above idle", _MEMORY_MIB, mib))
    return judged


def render(rows: Sequence[Row], plain: dict[str, list[Sample]]) -> str:
    """Return the table as text."""
    head = ("over SSH", "ours ms", "peer ms", "ratio", "OpenSSH ms", "ours MiB")
    body = []
    for row in rows:
        ours, peer, yardstick = (seconds(samples) for samples in (row.ours, row.peer, plain.get(row.name, [])))
        cells = [number(None if value is None else value * 1000, digits=1) for value in (ours, peer)]
        last = number(None if yardstick is None else yardstick * 1000, digits=1)
        body.append((row.name, *cells, number(ratio(ours, peer)), last, number(peak_mib(row.ours), digits=1)))
    return "\n".join(columns([head, *body]))


def why_not() -> str:
    """Why nothing can be measured over SSH here, in words; empty when it can."""
    return missing_parts()
