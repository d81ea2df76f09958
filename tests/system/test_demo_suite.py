# SPDX-License-Identifier: Apache-2.0
"""The suite of the key-value server, run as a user runs it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import CHECKOUT, Program
from tests.system.own_addresses import finished
from tests.system.results import collected_logs, left_behind, service_of, suite_run

# Elections and failovers have deadlines of their own
pytestmark = pytest.mark.quiet

TESTS = (
    "test_automatic_failover",
    "test_backup_comes_back.sig=SIGKILL",
    "test_backup_comes_back.sig=SIGTERM",
    "test_failover.backups=1",
    "test_failover.backups=2",
    "test_throughput.value_bytes=10",
    "test_throughput.value_bytes=10000",
)


def expected(**others: str) -> dict[str, str]:
    """All tests pass but those that are ignored, or named here by the name of the method."""
    others = {"test_automatic_failover": "IGNORE", **others}
    return {test: others.get(test.partition(".")[0], "PASS") for test in TESTS}


def result_of(program: Program, function_name: str, **injected_args: Any) -> dict[str, Any]:
    [found] = [
        result
        for result in program.report["results"]
        if result["function_name"] == function_name and result["injected_args"] == injected_args
    ]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One run of the whole suite, two tests at a time."""
    with suite_run(tmp_path_factory.mktemp("demo"), "demo", "--max-parallel", "2") as program:
        yield program


def test_the_suite_passes_but_for_what_it_ignores(run: Program) -> None:
    assert run.statuses == expected(), run.output
    assert run.process.returncode == 0
    assert (run.report["num_passed"], run.report["num_failed"], run.report["num_ignored"]) == (6, 0, 1)


def test_the_ids_of_the_tests_begin_with_their_package(run: Program) -> None:
    prefix = "systests.demo.test_replication.ReplicationTest."
    assert sorted(result["test_id"] for result in run.report["results"]) == [prefix + test for test in TESTS]


@pytest.mark.parametrize("backups", [1, 2])
def test_the_logs_of_all_servers_are_collected(run: Program, backups: int) -> None:
    result = result_of(run, "test_failover", backups=backups)
    primary, *others = collected_logs(run, result, "KvService", "kv-{}.log")
    names = service_of(result, "KvService")["nodes"]
    assert f"{names[0]} listening on 127.0.0.1:" in primary
    for name, log in zip(names[1:], others, strict=True):
        assert f"backup {name} is connected and has 0 of 0 entries" in primary
        assert f"{name} listening on 127.0.0.1:" in log
    assert "stopped" not in primary, "it was to be killed"
    assert ["promoted to primary" in log for log in others].count(True) == 1
    # A backup that is promoted, or told whom to follow, at once may not have noticed that its primary is gone
    assert all("stopped with" in log for log in others)


def test_the_services_of_a_test_are_in_its_result(run: Program) -> None:
    services = result_of(run, "test_failover", backups=2)["services"]
    assert [(service["cls_name"], len(service["nodes"])) for service in services] == [("KvService", 3), ("KvLoad", 2)]
    for service in services:
        lifecycle = service["lifecycle"]
        assert lifecycle["init_time"] <= lifecycle["start_time"] < lifecycle["stop_time"] <= lifecycle["clean_time"]


@pytest.mark.parametrize("value_bytes", [10, 10000])
def test_the_numbers_that_a_test_returns_are_in_the_report(run: Program, value_bytes: int) -> None:
    data = result_of(run, "test_throughput", value_bytes=value_bytes)["data"]
    assert sorted(data) == ["slowest_write_sec", "writes", "writes_per_sec"]
    assert data["writes"] == 600
    assert data["writes_per_sec"] > 0
    assert data["slowest_write_sec"] > 0


def test_nothing_is_left(run: Program) -> None:
    assert left_behind(run) == []


def test_servers_that_acknowledge_too_early_are_found_out(tmp_path: Path) -> None:
    with suite_run(tmp_path, "demo", "--max-parallel", "2", ack_early=True) as run:
        assert run.statuses == expected(test_failover="FAIL"), run.output
        assert run.process.returncode == 1
        for backups in (1, 2):
            result = result_of(run, "test_failover", backups=backups)
            assert "acknowledged writes are lost" in result["summary"]
            assert "listening on" in collected_logs(run, result, "KvService", "kv-{}.log")[0]
        assert left_behind(run) == []


def test_the_same_test_can_run_several_times_at_once(tmp_path: Path) -> None:
    path = "demo/test_replication.py::ReplicationTest.test_backup_comes_back"
    with suite_run(tmp_path, path, "--repeat", "3", "--max-parallel", "4") as run:
        assert run.process.returncode == 0, run.output
        assert (run.report["num_passed"], run.report["num_failed"], run.report["num_ignored"]) == (6, 0, 0)
        assert left_behind(run) == []


@pytest.mark.needs("sandbox")
def test_the_suite_runs_unchanged_on_nodes_with_addresses_of_their_own(tmp_path: Path) -> None:
    with finished(tmp_path, str(CHECKOUT / "systests/demo"), "--cluster", "sandbox", "--max-parallel", "2") as run:
        assert run.statuses == expected(), run.output
        result = result_of(run, "test_failover", backups=2)
        service = service_of(result, "KvService")
        directory = run.folder / "results" / "latest" / result["relative_results_dir"] / service["service_id"]
        found = [
            re.findall(r"(node\d+) listening on ([\d.]+):\d+ as (\w+)", path.read_text())
            for path in sorted(directory.rglob("kv-*.log"))
        ]
        assert sorted(role for [[_, _, role]] in found) == ["backup", "backup", "primary"]
        assert len({address for [[_, address, _]] in found} - {"127.0.0.1"}) == 3
        assert run.survivors() == []
