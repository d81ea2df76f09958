# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from benchmarks import run, simulation
from benchmarks.simulation import BATCH, CROWD, KNOWLEDGE, Outcome, Row, Workload, render, row, simulate, targets
from ducktape.tests.scheduling.ordering import Job

SMALL_BATCH = dataclasses.replace(BATCH, seeds=40)
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def ratios() -> dict[str, Row]:
    """The same forty suites with each kind of knowledge; nothing of this depends on the machine."""
    return {history: row(SMALL_BATCH, history) for history in KNOWLEDGE}


def test_with_history_a_batch_takes_little_more_than_the_bound(ratios: dict[str, Row]) -> None:
    assert ratios["exact"].median <= 1.05
    assert ratios["exact"].percentile_95 <= 1.10
    assert ratios["within 20 %"].median <= 1.05
    assert ratios["within 20 %"].percentile_95 <= 1.10


def test_history_is_never_worse_in_the_middle_and_much_better_at_the_end(ratios: dict[str, Row]) -> None:
    assert ratios["exact"].median <= ratios["within 20 %"].median <= ratios["none"].median
    assert ratios["within 20 %"].worst < ratios["none"].percentile_95
    assert min(outcome.ratio for history in ratios.values() for outcome in history.outcomes) >= 1.0


@pytest.mark.parametrize(("skew", "spread"), [(0, 0.5), (0, 1), (1, 0.5), (1.5, 1)])
def test_other_mixtures_of_tests_come_as_close(skew: float, spread: float) -> None:
    outcome = row(dataclasses.replace(SMALL_BATCH, skew=skew, spread=spread, seeds=20), "exact")
    assert (outcome.median <= 1.05, outcome.percentile_95 <= 1.10) == (True, True)


@pytest.mark.parametrize("nodes", [14, 30, 60])
def test_a_large_suite_is_packed_as_well_with_history_as_without(nodes: int) -> None:
    suite = Workload(tests=600, nodes=nodes, skew=1, spread=1, seeds=1)
    assert row(suite, "exact").median <= row(suite, "none").median + 0.01


def test_the_workload_is_what_it_says() -> None:
    jobs = CROWD.draw(0)
    assert jobs == CROWD.draw(0) != CROWD.draw(1)
    assert {job.nodes for job in jobs} == set(range(1, 15))
    ones, fourteens = (sum(job.nodes == nodes for job in jobs) for nodes in (1, 14))
    assert 10 < ones / fourteens < 20
    seconds = sorted(job.seconds for job in jobs)
    assert 110 < seconds[5000] < 130
    assert 0.015 < sum(each > 7 * 120 for each in seconds) / 10_000 < 0.035


def test_a_simulation_runs_every_test_on_its_clock() -> None:
    jobs = [Job(2, 10.0), Job(2, 10.0), Job(1, 10.0)]
    assert simulate(jobs, 3, None).ratio == pytest.approx(20 / (50 / 3))
    assert simulate(jobs, 5, None).ratio == 1.0


def test_the_targets_are_judged_where_they_were_simulated() -> None:
    rows = [
        Row(BATCH, "exact", [Outcome(1.04, 1.0), Outcome(1.12, 1.0), Outcome(1.01, 1.0)]),
        Row(CROWD, "exact", [Outcome(1.0, 2500.0)]),
    ]
    assert [(target.ratio, target.met) for target in targets(rows)] == [(1.04, True), (1.12, False), (0.4, True)]
    assert targets(rows[:1]) == []


def test_the_table_is_restructured_text() -> None:
    rows = [Row(CROWD, "none", [Outcome(1.0, 2500.0), Outcome(1.5, 3500.0), Outcome(1.25, 9.0)])]
    assert render(rows).splitlines() == [
        "====================================================  =======  ======  =====  =====  ===========",
        "workload (seeds)                                      history  median   95 %  worst  decisions/s",
        "====================================================  =======  ======  =====  =====  ===========",
        "10,000 tests, 1,000 nodes; sizes 1/k^1, spread 1 (3)     none   1.250  1.500  1.500        2,500",
        "====================================================  =======  ======  =====  =====  ===========",
    ]


def test_the_simulation_can_be_run_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.json"
    assert run.main(["--part", "simulation", "--quick", "--json", str(output)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split(" (10)")[0] for line in shown[3:6]] == [BATCH.name] * 3
    written = json.loads(output.read_text())
    assert [each["history"] for each in written["simulations"]] == ["none", "exact", "within 20 %"]
    assert [len(each["outcomes"]) for each in written["simulations"]] == [10, 10, 10]


def test_the_documentation_shows_every_workload() -> None:
    text = (ROOT / "docs" / "scheduling.rst").read_text()
    missing = [each.name for each in simulation.workloads(quick=False) if f"{each.name} ({each.seeds})" not in text]
    assert missing == []
