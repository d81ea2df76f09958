# SPDX-License-Identifier: Apache-2.0
"""Signals to the driver: an orderly end, reports in any case."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.program import Program, started, suite

SUITE = """
    import time
    from ducktape.mark import matrix
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    class Writer(Service):
        logs = {"log": {"path": "writer.log", "collect_default": False}}

        def start_node(self, node):
            node.account.ssh("echo started > writer.log")

        def stop_node(self, node):
            node.account.ssh("echo stopped >> writer.log")

        def clean_node(self, node):
            node.account.remove("writer.log", allow_fail=True)

    class LongTest(Test):
        @cluster(num_nodes=1)
        @matrix(x=[1, 2, 3])
        def test_long(self, x):
            self.service = Writer(self.test_context, num_nodes=1)
            self.service.start()
            self.logger.warning("now it runs")
            time.sleep(1000)

        def teardown(self):
            self.logger.warning("torn down")
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Program]:
    """A run whose first test is in the middle."""
    with started(tmp_path, suite(tmp_path, SUITE)) as program:
        program.wait_for("now it runs")
        yield program


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_tears_the_running_test_down_and_reports_everything(running: Program, sig: signal.Signals) -> None:
    running.signal(sig)
    assert running.wait(timeout=30) == 1
    assert running.output.count("torn down") == 1
    assert running.statuses == {"test_long.x=1": "FAIL", "test_long.x=2": "FAIL", "test_long.x=3": "FAIL"}
    summaries = {result["test_id"][-1]: result["summary"] for result in running.report["results"]}
    assert summaries["1"].startswith(f"Test aborted: the run received {sig.name}")
    assert summaries["2"] == f"Test not run: the run received {sig.name}"
    assert {result["reason"] for result in running.report["results"]} == {"interrupted"}


def test_sigterm_still_collects_the_logs(running: Program) -> None:
    running.signal(signal.SIGTERM)
    running.wait(timeout=30)
    [result] = [result for result in running.report["results"] if result["services"]]
    directory = running.folder / "results" / "latest" / result["relative_results_dir"]
    collected = directory / result["services"][0]["service_id"] / "localhost0" / "writer.log"
    assert collected.read_text() == "started\nstopped\n"


def test_ctrl_c_ends_the_running_test_and_starts_no_other(running: Program) -> None:
    running.signal(signal.SIGINT)
    assert running.wait(timeout=30) == 1
    assert "Received KeyboardInterrupt. Now waiting for currently running tests to finish..." in running.output
    assert running.output.count("torn down") == 1
    assert running.statuses == {"test_long.x=1": "FAIL"}
    assert running.result("test_long")["summary"].startswith("KeyboardInterrupt()\nTraceback")
    assert "All tests were NOT run. Expected 3 tests, only 1 were run." in running.output


def test_a_second_ctrl_c_ends_at_once_with_reports(tmp_path: Path) -> None:
    slow_teardown = SUITE.replace('warning("torn down")', 'warning("tearing down"); time.sleep(1000)')
    with started(tmp_path, suite(tmp_path, slow_teardown)) as running:
        running.wait_for("now it runs")
        running.signal(signal.SIGINT)
        running.wait_for("tearing down")
        start = time.monotonic()
        running.signal(signal.SIGINT)
        assert running.wait(timeout=30) == 1
        assert time.monotonic() - start < 20
        assert running.statuses == {"test_long.x=1": "FAIL"}
        assert running.result("test_long")["summary"] == "Test aborted: KeyboardInterrupt"
        assert running.survivors() == []


def test_an_interrupted_test_is_not_run_again(tmp_path: Path) -> None:
    with started(tmp_path, suite(tmp_path, SUITE), "--deflake", "3") as running:
        running.wait_for("now it runs")
        running.signal(signal.SIGINT)
        assert running.wait(timeout=30) == 1
        assert "on run 1/3" in running.output
        assert "on run 2/3" not in running.output
        assert running.statuses == {"test_long.x=1": "FAIL"}


def test_a_signal_to_one_test_costs_that_test_alone(running: Program) -> None:
    # The one beside the tests is the watchdog, which ends them should the driver be killed
    [child] = [each for each in psutil.Process(running.process.pid).children() if each.name() != "dt-watchdog"]
    child.send_signal(signal.SIGTERM)
    running.wait_for("Triggering test 2 of")
    assert running.output.count("torn down") == 1
    running.signal(signal.SIGTERM)
    assert running.wait(timeout=30) == 1
    summaries = {result["test_id"][-1]: result["summary"] for result in running.report["results"]}
    assert summaries["1"].startswith("KeyboardInterrupt()\nTraceback")


def test_no_process_outlives_a_killed_driver(running: Program) -> None:
    running.signal(signal.SIGKILL)
    running.process.wait()
    deadline = time.monotonic() + 10
    while running._descendants() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running.survivors() == []
