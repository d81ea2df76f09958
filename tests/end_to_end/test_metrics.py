# SPDX-License-Identifier: Apache-2.0
"""What tests, services and workloads measure is in the directory of the test and in the reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.program import LOCALHOST, Program, suite

SUITE = """
    import os
    import signal
    import time

    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.services.workload import Workload
    from ducktape.tests.test import Test
    from ducktape.utils.util import wait_until


    class Store(Service):
        def start_node(self, node):
            self.metrics.record("start_sec", 0.25, unit="s", better="lower")

        def clean_node(self, node):
            pass


    class Writes(Workload):
        def work(self, idx, node):
            latencies = self.metrics.histogram("write_ms", unit="ms", better="lower")
            while not self.stopping.wait(0.001):
                latencies.add(3)
                self.count("writes")

        def clean_node(self, node):
            pass


    class MeasuringTest(Test):
        @cluster(num_nodes=2)
        def test_everything(self):
            Store(self.test_context, 1).start()
            writes = Writes(self.test_context, 1)
            writes.start()
            writes.wait_for("writes", 5)
            self.metrics.series("lag").add(7, time_sec=12.5)
            self.metrics.record("start_sec", 0.5, unit="s", better="lower")

        @cluster(num_nodes=0)
        def test_attempts(self):
            second = os.path.exists("second")
            open("second", "w").close()
            self.metrics.record("attempt", 2 if second else 1)
            assert second

        @cluster(num_nodes=0)
        def test_nan(self):
            self.metrics.record("share", float("nan"))

        @cluster(num_nodes=0)
        def test_killed(self):
            self.metrics.record("last", 5)
            directory = self.test_context.attempt_dir
            wait_until(lambda: os.path.exists(os.path.join(directory, "metrics.jsonl")), timeout_sec=30)
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_metrics_are_in_the_files_and_the_reports(tmp_path: Path) -> None:
    program = Program(tmp_path, suite(tmp_path, SUITE), *LOCALHOST, "--deflake", "2", "--max-parallel", "2")
    assert program.wait() == 1
    session = tmp_path / "results" / "latest"
    report = json.loads((session / "report.json").read_text())
    results: dict[str, Any] = {result["function_name"]: result for result in report["results"]}

    def points(name: str, attempt: int) -> list[tuple[str, float]]:
        file = session / results[name]["relative_results_dir"] / f"attempt-{attempt}" / "metrics.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        return [(line["name"], line["value"]) for line in lines if "value" in line]

    everything = results["test_everything"]
    metrics = everything["metrics"]
    assert sorted(metrics) == ["Writes.writes", "lag", "start_sec", "write_ms"]
    assert metrics["start_sec"]["values"] == [0.25, 0.5]
    counted = next(each["counters"]["writes"] for each in everything["services"] if "counters" in each)
    assert metrics["Writes.writes"] == {"kind": "counter", "total": counted}
    assert (metrics["write_ms"]["count"], metrics["write_ms"]["p99"]) == (counted, 3)
    assert points("test_everything", 1) == [("start_sec", 0.25), ("lag", 7), ("start_sec", 0.5)]
    own = json.loads((session / everything["relative_results_dir"] / "report.json").read_text())
    assert own["metrics"] == metrics

    attempts = results["test_attempts"]
    assert attempts["metrics"]["attempt"]["values"] == [2]
    assert [each["metrics"]["attempt"]["values"] for each in attempts["attempts"]] == [[1], [2]]
    assert [points("test_attempts", number) for number in (1, 2)] == [[("attempt", 1)], [("attempt", 2)]]

    assert "MetricError" in results["test_nan"]["summary"]
    assert "The metric 'share' takes finite numbers, not nan (float)" in results["test_nan"]["summary"]
    assert points("test_killed", 2) == [("last", 5)]
    assert "metrics" not in results["test_killed"]
