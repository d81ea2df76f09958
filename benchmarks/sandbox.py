# SPDX-License-Identifier: Apache-2.0
"""The part of `make bench` that makes nodes: how long they take, what they weigh, and what tests pay for them."""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measure import run
from benchmarks.table import Target, columns
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.sandbox import SandboxCluster
from tests.support.sandbox import missing_for_sandbox

_NODES = 10
_COMMANDS = 50
_CLUSTER = "ducktape.cluster.sandbox.SandboxCluster"
_SUITE = """from ducktape.mark import matrix
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test


class NoOpTest(Test):
    @cluster(num_nodes=3)
    @matrix(number=list(range({count})))
    def test_it(self, number):
        for node in self.test_context.cluster.alloc(self.test_context.expected_cluster_spec):
            assert node.account.hostname
"""


@dataclasses.dataclass(frozen=True)
class Row:
    """One number.

    Attributes:
        name: what was measured.
        value: the median.
        limit: what it must not exceed.
        unit: of both.
    """

    name: str
    value: float
    limit: float
    unit: str


def why_not() -> str:
    """Why nothing can be measured here; empty if it can."""
    return missing_for_sandbox()


def measured(program: Path, *, quick: bool) -> list[Row]:
    """Make nodes and run tests on them; takes a minute, quick ones some seconds.

    Args:
        program: of this checkout, installed.
        quick: a smoke test: a few of everything.
    """
    rounds, tests = (2, 8) if quick else (7, 200)
    cluster = SandboxCluster()
    try:
        rows = _nodes(cluster, rounds)
    finally:
        cluster.close()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        rows.append(_tests(program, Path(name), tests))
    for row in rows:
        print(f"{row.name}: {row.value:.3f} {row.unit}", file=sys.stderr, flush=True)
    return rows


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _nodes(cluster: SandboxCluster, rounds: int) -> list[Row]:
    spec = ClusterSpec.simple_linux(_NODES)
    cluster.free(cluster.alloc(ClusterSpec.simple_linux(1)))  # the process that holds them is started once
    made, destroyed, commands, weights = [], [], [], []
    for _ in range(rounds):
        before = _resident_kib(cluster)
        start = time.perf_counter()
        nodes = cluster.alloc(spec)
        made.append(time.perf_counter() - start)
        weights.append((_resident_kib(cluster) - before) / _NODES / 1024)
        account = nodes[0].account
        commands += [_timed(lambda account=account: account.ssh("true")) for _ in range(_COMMANDS)]  # type: ignore[misc]
        start = time.perf_counter()
        cluster.free(nodes)
        destroyed.append(time.perf_counter() - start)
    return [
        Row(f"{_NODES} nodes made, ready for commands", statistics.median(made), 0.5, "s"),
        Row(f"{_NODES} nodes destroyed", statistics.median(destroyed), 0.5, "s"),
        Row('account.ssh("true")', 1000 * statistics.median(commands), 10, "ms"),
        Row("memory of an idle node", statistics.median(weights), 5, "MiB"),
    ]


def _resident_kib(cluster: SandboxCluster) -> float:
    """What the process that holds the nodes, and the nodes, take of the memory, shared pages in equal parts."""
    assert cluster._keeper is not None
    keeper = cluster._keeper.pid
    children = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
    total = 0.0
    for pid in (str(keeper), *children):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            total += float(line.split()[1]) if line.startswith("Pss:") else 0
    return total


def _tests(program: Path, directory: Path, count: int) -> Row:
    """Time of the framework, nodes included, for each of many tests that do nothing with three nodes."""
    file = directory / "test_no_op.py"
    file.write_text(_SUITE.format(count=count))
    command = [str(program), str(file), "--cluster", _CLUSTER, "--max-parallel", "4"]
    seconds = run(command, directory).seconds
    passed = json.loads((directory / "results" / "latest" / "report.json").read_text())["num_passed"]
    if passed != count:
        raise RuntimeError(f"{passed} of {count} tests passed")
    return Row(f"{count} tests of 3 nodes, 4 at a time, each", seconds / count, 0.25, "s")


def targets(rows: Sequence[Row]) -> list[Target]:
    """Judge what was measured, as parts of the limits."""
    return [Target(f"{row.name}: of {row.limit:g} {row.unit}", 1.0, row.value / row.limit) for row in rows]


def render(rows: Sequence[Row]) -> str:
    """Return the table."""
    lines = [[row.name, f"{row.value:.3g} {row.unit}", f"{row.limit:g} {row.unit}"] for row in rows]
    return "\n".join(columns([["sandbox", "median", "limit"], *lines]))
