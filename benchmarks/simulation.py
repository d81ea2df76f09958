# SPDX-License-Identifier: Apache-2.0
"""The scheduler on made-up suites and a clock that is only counted: how near the optimum, and how fast, it decides."""

from __future__ import annotations

import dataclasses
import heapq
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.table import Target, columns
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.tests.scheduler import TestScheduler
from ducktape.tests.scheduling.ordering import Job, lower_bound
from ducktape.tests.session import SessionContext
from ducktape.tests.test_context import TestContext

_LARGEST = 14
_TYPICAL_SECONDS = 120.0
_NOISE = 0.2


@dataclasses.dataclass(frozen=True)
class Workload:
    """Tests as large suites have them.

    Attributes:
        tests: how many.
        nodes: of the cluster.
        skew: a test of k nodes, 1 to 14, is as likely as ``k ** -skew``: 0 makes all sizes equally likely, 1 makes a
            test of one node 14 times as likely as one of 14.
        spread: sigma of the durations, which are lognormal with a median of two minutes. 1 means that one test in
            forty takes more than seven times as long as that.
        seeds: how many suites are drawn, with the seeds 0, 1, 2, ….
    """

    tests: int
    nodes: int
    skew: float
    spread: float
    seeds: int

    @property
    def name(self) -> str:
        """As the table shows it."""
        sizes = f"1/k^{self.skew:g}" if self.skew else "even"
        return f"{self.tests:,} tests, {self.nodes:,} nodes; sizes {sizes}, spread {self.spread:g}"

    def draw(self, seed: int) -> list[Job]:
        """Return one suite."""
        rng = random.Random(seed)
        sizes = range(1, _LARGEST + 1)
        drawn = rng.choices(sizes, [size**-self.skew for size in sizes], k=self.tests)
        return [Job(size, rng.lognormvariate(math.log(_TYPICAL_SECONDS), self.spread)) for size in drawn]


BATCH = Workload(tests=60, nodes=30, skew=1, spread=1, seeds=200)
CROWD = Workload(tests=10_000, nodes=1000, skew=1, spread=1, seeds=3)


def workloads(*, quick: bool) -> list[Workload]:
    """Return what is simulated; ``quick`` takes a second."""
    if quick:
        return [dataclasses.replace(BATCH, seeds=10)]
    others = [dataclasses.replace(BATCH, skew=skew, spread=spread) for skew, spread in ((0, 0.5), (0, 1), (1, 0.5))]
    suites = [Workload(tests=1700, nodes=nodes, skew=1, spread=1, seeds=5) for nodes in (14, 30, 60)]
    return [BATCH, *others, *suites, CROWD]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of one simulated session.

    Attributes:
        ratio: the time that it took, over the lower bound: node-seconds over nodes, or the longest test.
        decisions_per_second: tests started for each second of processor time that the scheduler and the cluster took.
    """

    ratio: float
    decisions_per_second: float


def simulate(jobs: Sequence[Job], nodes: int, durations: Mapping[str, float] | None) -> Outcome:
    """Run a suite on a clock that jumps from one end of a test to the next.

    Args:
        jobs: the tests; the id of each is its position.
        nodes: of the cluster.
        durations: what the scheduler knows about earlier runs.
    """
    cluster = LocalhostCluster(num_nodes=nodes)
    contexts = [_context(str(position), job.nodes) for position, job in enumerate(jobs)]
    seconds = {context.test_id: job.seconds for context, job in zip(contexts, jobs, strict=True)}
    begin = time.process_time()
    scheduler = TestScheduler(contexts, cluster, durations=durations)
    running: list[tuple[float, int, TestContext, list[Any]]] = []
    now, started = 0.0, 0
    while len(scheduler) or running:
        while (context := scheduler.peek(now)) is not None:
            given = cluster.alloc(context.expected_cluster_spec)  # type: ignore[arg-type]  # they all say what they need
            scheduler.remove(context)
            scheduler.started(context, now, given)
            started += 1
            heapq.heappush(running, (now + seconds[context.test_id], started, context, given))
        now, _, context, given = heapq.heappop(running)
        cluster.free(given)
        scheduler.finished(context, now)
    elapsed = time.process_time() - begin
    return Outcome(ratio=now / lower_bound(jobs, nodes), decisions_per_second=started / elapsed)


_SESSION = SessionContext(session_id="simulation", results_dir="/nowhere")


def _context(name: str, nodes: int) -> TestContext:
    return TestContext(session_context=_SESSION, module=name, cluster_use_metadata={"num_nodes": nodes})


def _nothing(jobs: Sequence[Job], seed: int) -> None:
    return None


def _exactly(jobs: Sequence[Job], seed: int) -> dict[str, float]:
    return {str(position): job.seconds for position, job in enumerate(jobs)}


def _roughly(jobs: Sequence[Job], seed: int) -> dict[str, float]:
    rng = random.Random(-1 - seed)
    return {test_id: value * rng.uniform(1 - _NOISE, 1 + _NOISE) for test_id, value in _exactly(jobs, seed).items()}


KNOWLEDGE: dict[str, Callable[[Sequence[Job], int], Mapping[str, float] | None]] = {
    "none": _nothing,
    "exact": _exactly,
    "within 20 %": _roughly,
}


@dataclasses.dataclass(frozen=True)
class Row:
    """A workload, what the scheduler knew of the durations, and what came of each suite."""

    workload: Workload
    history: str
    outcomes: Sequence[Outcome]

    @property
    def median(self) -> float:
        """The middle ratio."""
        return statistics.median(outcome.ratio for outcome in self.outcomes)

    @property
    def percentile_95(self) -> float:
        """The ratio that 95 of 100 suites do not exceed."""
        ratios = sorted(outcome.ratio for outcome in self.outcomes)
        return ratios[math.ceil(0.95 * len(ratios)) - 1]

    @property
    def worst(self) -> float:
        """The greatest ratio."""
        return max(outcome.ratio for outcome in self.outcomes)

    @property
    def decisions_per_second(self) -> float:
        """The middle speed."""
        return statistics.median(outcome.decisions_per_second for outcome in self.outcomes)


def measured(*, quick: bool) -> list[Row]:
    """Simulate everything; says on standard error how far it is."""
    rows = []
    for workload in workloads(quick=quick):
        for history in KNOWLEDGE:
            rows.append(row(workload, history))
            print(f"{workload.name}; history {history}: {rows[-1].median:.3f}", file=sys.stderr, flush=True)
    return rows


def row(workload: Workload, history: str) -> Row:
    """Simulate one workload with one kind of :data:`KNOWLEDGE`."""
    outcomes = []
    for seed in range(workload.seeds):
        jobs = workload.draw(seed)
        outcomes.append(simulate(jobs, workload.nodes, KNOWLEDGE[history](jobs, seed)))
    return Row(workload, history, outcomes)


def targets(rows: Sequence[Row]) -> list[Target]:
    """Judge what was simulated."""
    by_key = {(row.workload, row.history): row for row in rows}
    batch, crowd = by_key.get((BATCH, "exact")), by_key.get((CROWD, "exact"))
    if batch is None or crowd is None:
        return []
    return [
        Target("60 tests on 30 nodes with history, of the bound, median", 1.05, batch.median),
        Target("60 tests on 30 nodes with history, of the bound, 95 %", 1.10, batch.percentile_95),
        Target("ms per decision, 10,000 tests on 1,000 nodes", 0.5, 1000 / crowd.decisions_per_second),
    ]


def render(rows: Sequence[Row]) -> str:
    """Return the table, which is reStructuredText."""
    head = ("workload (seeds)", "history", "median", "95 %", "worst", "decisions/s")
    cells = [head, *(_cells(row) for row in rows)]
    lines = columns(cells)
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    ruler = "  ".join("=" * width for width in widths)
    return "\n".join([ruler, lines[0], ruler, *lines[1:], ruler])


def _cells(row: Row) -> tuple[str, ...]:
    return (
        f"{row.workload.name} ({row.workload.seeds})",
        row.history,
        f"{row.median:.3f}",
        f"{row.percentile_95:.3f}",
        f"{row.worst:.3f}",
        f"{row.decisions_per_second:,.0f}",
    )
