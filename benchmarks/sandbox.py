# SPDX-License-Identifier: Apache-2.0
"""The part of `make bench` that makes nodes: how long they take, what they weigh, and what tests pay for them.

Where Podman can be used its containers do the same, in turn.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.measure import CommandFailed, run
from benchmarks.podman import Podman, PodmanFailed, beside, say
from benchmarks.suites import write_with_nodes
from benchmarks.table import Target, columns, number, ratio
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.sandbox.cluster import SandboxCluster
from tests.support.sandbox import missing_for_sandbox

_NODES = 10
_COMMANDS = 50
_MADE = f"{_NODES} nodes made, ready for commands"
_DESTROYED = f"{_NODES} nodes destroyed"
_COMMAND = 'account.ssh("true"), podman exec'
_WEIGHT = "memory of an idle node"
# Fewer than of the sandbox, as each takes long; how long does not depend on how many there are.
_CONTAINER_COMMANDS = 10
_CONTAINER_TESTS = 20


@dataclasses.dataclass(frozen=True)
class Row:
    """One number.

    Attributes:
        name: what was measured.
        value: the median.
        limit: what it must not exceed.
        unit: of both.
        podman: the median of the same with containers of Podman; ``None`` where it was not measured.
    """

    name: str
    value: float
    limit: float
    unit: str
    podman: float | None = None

    @property
    def times(self) -> float | None:
        """How many times as much it is with Podman."""
        return ratio(self.podman, self.value)


class Samples:
    """What was measured so far.

    Args:
        podman: measured in turn with the sandbox, until it fails; ``None`` for the sandbox alone.
    """

    def __init__(self, podman: Podman | None) -> None:
        self._podman = podman
        self._ours: dict[str, list[float]] = {}
        self._theirs: dict[str, list[float]] = {}

    def add(self, samples: Mapping[str, Sequence[float]]) -> None:
        """Add samples of the sandbox, by name."""
        _extend(self._ours, samples)

    def add_of_podman(self, work: Callable[[Podman], Mapping[str, Sequence[float]]]) -> None:
        """Add what Podman's share of the work returns, by name; without a Podman that works there is none."""
        if self._podman is None:
            return
        try:
            _extend(self._theirs, work(self._podman))
        except PodmanFailed as error:
            say(str(error))
            self._podman = None
            self._theirs.clear()

    def row(self, name: str, limit: float, unit: str) -> Row:
        """Return the medians of what has this name."""
        theirs = self._theirs.get(name)
        return Row(
            name, statistics.median(self._ours[name]), limit, unit, statistics.median(theirs) if theirs else None
        )


def _extend(known: dict[str, list[float]], samples: Mapping[str, Sequence[float]]) -> None:
    for name, values in samples.items():
        known.setdefault(name, []).extend(values)


def why_not() -> str:
    """Why nothing can be measured here; empty if it can."""
    return missing_for_sandbox()


def measured(program: Path, *, quick: bool) -> list[Row]:
    """Make nodes and run tests on them; takes a minute, with Podman beside three, quick ones some seconds.

    Args:
        program: of this checkout, installed.
        quick: a smoke test: a few of everything.
    """
    rounds, suites, tests, container_tests = (2, 1, 8, 4) if quick else (7, 3, 200, _CONTAINER_TESTS)
    of_tests = f"{tests} tests of 3 nodes, 4 at a time, each"
    with beside() as podman:
        samples = Samples(podman)
        with contextlib.closing(SandboxCluster()) as cluster:
            # The process that holds the nodes is started once.
            cluster.free(cluster.alloc(ClusterSpec.simple_linux(1)))
            for _ in range(rounds):
                samples.add(_nodes(cluster))
                samples.add_of_podman(_containers)
        for _ in range(suites):
            samples.add({of_tests: [_seconds_per_test(program, tests)]})
            samples.add_of_podman(lambda podman: {of_tests: [podman.tests(program, container_tests)]})
    rows = [
        samples.row(_MADE, 0.5, "s"),
        samples.row(_DESTROYED, 0.5, "s"),
        samples.row(_COMMAND, 10, "ms"),
        samples.row(_WEIGHT, 5, "MiB"),
        samples.row(of_tests, 0.25, "s"),
    ]
    for row in rows:
        print(f"{row.name}: {row.value:.3f} {row.unit}", file=sys.stderr, flush=True)
    return rows


def _nodes(cluster: SandboxCluster) -> dict[str, list[float]]:
    before = _resident_kib(cluster)
    start = time.perf_counter()
    nodes = cluster.alloc(ClusterSpec.simple_linux(_NODES))
    made = time.perf_counter() - start
    weight = (_resident_kib(cluster) - before) / _NODES
    commands = []
    for _ in range(_COMMANDS):
        start = time.perf_counter()
        nodes[0].account.ssh("true")
        commands.append(time.perf_counter() - start)
    start = time.perf_counter()
    cluster.free(nodes)
    return _by_name(made, time.perf_counter() - start, commands, weight)


def _containers(podman: Podman) -> dict[str, list[float]]:
    answer = podman.nodes(_NODES, _CONTAINER_COMMANDS)
    return _by_name(answer["made"], answer["destroyed"], answer["commands"], answer["weight"])


def _by_name(made: float, destroyed: float, commands: Sequence[float], weight: float) -> dict[str, list[float]]:
    """Name samples, given in seconds and KiB, and bring them into the units of the table."""
    in_milliseconds = [1000 * seconds for seconds in commands]
    return {_MADE: [made], _DESTROYED: [destroyed], _COMMAND: in_milliseconds, _WEIGHT: [weight / 1024]}


def _resident_kib(cluster: SandboxCluster) -> float:
    """What the process that holds the nodes, and the nodes, take of the memory, shared pages in equal parts."""
    assert cluster._supervisor is not None
    keeper = cluster._supervisor.pid
    children = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
    total = 0.0
    for pid in (str(keeper), *children):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            total += float(line.split()[1]) if line.startswith("Pss:") else 0
    return total


def _seconds_per_test(program: Path, count: int) -> float:
    """Time of the framework, nodes included, for each of many tests that do nothing in three nodes."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        file = write_with_nodes(directory, count)
        seconds = run([str(program), str(file), "--cluster", "sandbox", "--max-parallel", "4"], directory).seconds
        passed = json.loads((directory / "results" / "latest" / "report.json").read_text())["num_passed"]
    if passed != count:
        raise CommandFailed(f"{passed} of {count} tests passed")
    return seconds / count


def targets(rows: Sequence[Row]) -> list[Target]:
    """Judge what was measured, as parts of the limits."""
    return [Target(f"{row.name}: of {row.limit:g} {row.unit}", 1.0, row.value / row.limit) for row in rows]


def render(rows: Sequence[Row]) -> str:
    """Return the table; that of Podman has two columns of its own if it was measured."""
    lines = [["sandbox", "median", "limit"], *(_cells(row) for row in rows)]
    if any(row.podman is not None for row in rows):
        lines[0] += ["Podman", "Podman / sandbox"]
        for line, row in zip(lines[1:], rows, strict=True):
            line += [_quantity(row.podman, row.unit), number(row.times, digits=1)]
    return "\n".join(columns(lines))


def _cells(row: Row) -> list[str]:
    return [row.name, _quantity(row.value, row.unit), f"{row.limit:g} {row.unit}"]


def _quantity(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.3g} {unit}"
