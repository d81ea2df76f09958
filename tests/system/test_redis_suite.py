# SPDX-License-Identifier: Apache-2.0
"""The suite of Redis with replicas and sentinels, run as a user runs it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.support.program import Program
from tests.system.results import collected_logs, left_behind, service_of, suite_run

pytestmark = pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="redis-server is not installed: apt-get install redis-server"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One run of the whole suite, two tests at a time."""
    with suite_run(tmp_path_factory.mktemp("redis"), "redis", "--max-parallel", "2") as program:
        yield program


def test_the_suite_passes_but_for_what_one_machine_cannot_do(run: Program) -> None:
    assert run.statuses == {
        "test_failover": "PASS",
        "test_killed_primary_comes_back_as_replica": "PASS",
        "test_killed_replica_comes_back": "PASS",
        "test_partition": "IGNORE",
        "test_replication.replicas=1": "PASS",
        "test_replication.replicas=2": "PASS",
    }, run.output
    assert run.process.returncode == 0


def test_the_failover_shows_in_the_collected_logs(run: Program) -> None:
    result = run.result("test_failover")
    servers = collected_logs(run, result, "RedisService", "redis-{}.log")
    sentinels = collected_logs(run, result, "RedisSentinelService", "sentinel-{}.log")
    assert (len(servers), len(sentinels)) == (3, 3)
    assert all("Ready to accept connections" in log for log in servers)
    assert ["MASTER MODE enabled" in log for log in servers].count(True) >= 1
    assert "MASTER MODE enabled" not in servers[0], "the first one was the primary, and is dead"
    assert all("+monitor master main 127.0.0.1" in log for log in sentinels)
    assert "+switch-master main 127.0.0.1" in sentinels[0]


def test_a_primary_that_comes_back_appends_to_its_log(run: Program) -> None:
    result = run.result("test_killed_primary_comes_back_as_replica")
    servers = collected_logs(run, result, "RedisService", "redis-{}.log")
    assert [log.count("Ready to accept connections") for log in servers] == [2, 1, 1]
    assert "MASTER <-> REPLICA sync: Finished" in servers[0]


def test_the_number_of_nodes_of_every_service_is_in_the_report(run: Program) -> None:
    result = run.result("test_failover")
    sizes = {"RedisService": 3, "RedisSentinelService": 3, "RedisLoad": 1}
    assert {name: len(service_of(result, name)["nodes"]) for name in sizes} == sizes
    assert (result["nodes_allocated"], result["nodes_used"]) == (7, 7)


def test_what_the_failover_measured_is_in_the_report(run: Program) -> None:
    data = run.result("test_failover")["data"]
    assert sorted(data) == ["confirmed_writes", "failover_seconds"]
    assert data["confirmed_writes"] >= 200
    assert 0.5 < data["failover_seconds"] < 30, "the sentinels wait before they act"


def test_nothing_is_left(run: Program) -> None:
    assert left_behind(run) == []
