# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.recording.statistics import Totals
from ducktape.tests.status import FAIL, FLAKY, IGNORE, PASS


def test_nothing_adds_up_to_nothing() -> None:
    nothing = {"max": None, "mean": None, "min": None}
    assert Totals().to_json(5, 10) == {
        "run_time_statistics": nothing,
        "cluster_nodes_used": nothing,
        "cluster_nodes_allocated": nothing,
        "cluster_num_nodes": 5,
        "cluster_utilization": 0,
        "parallelism": 0,
    }


def test_results_are_counted_by_status() -> None:
    totals = Totals()
    for status in (PASS, FAIL, FAIL, IGNORE):
        totals.add(status, 0, 0, 0)
    assert [totals.count(status) for status in (PASS, FAIL, IGNORE, FLAKY)] == [1, 2, 1, 0]


def test_times_and_nodes_are_measured() -> None:
    totals = Totals()
    totals.add(PASS, 1, 2, 4)
    totals.add(PASS, 5, 1, 2)
    assert totals.to_json(5, 10) == {
        "run_time_statistics": {"max": 5.0, "mean": 3.0, "min": 1.0},
        "cluster_nodes_used": {"max": 2, "mean": 1.5, "min": 1},
        "cluster_nodes_allocated": {"max": 4, "mean": 3.0, "min": 2},
        "cluster_num_nodes": 5,
        "cluster_utilization": (2 * 1 + 1 * 5) / (5 * 10),
        "parallelism": 0.6,
    }


def test_a_session_that_never_started_used_nothing() -> None:
    totals = Totals()
    totals.add(PASS, -1, 1, 1)
    assert (totals.to_json(5, -1)["cluster_utilization"], totals.to_json(5, -1)["parallelism"]) == (0, 0)
