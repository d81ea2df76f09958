# SPDX-License-Identifier: Apache-2.0
"""The suite of Redis with replicas and sentinels, run as users run it: on nodes that are all this machine, and on nodes
with an address each, which are those of the sandbox or SSH servers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from systests.redis.redis_service import PACKAGES
from tests.support.needs import lacking
from tests.support.program import CHECKOUT, LOCALHOST, Program
from tests.system.own_addresses import Network, nodes_with_own_addresses
from tests.system.results import Runs, collected_logs, left_behind, service_of, skip_without

# Elections and failovers have deadlines of their own
pytestmark = pytest.mark.quiet

SUITE = str(CHECKOUT / "systests" / "redis")
PARTITION = f"{SUITE}/test_redis.py::RedisTest.test_partition"
FAILOVER = f"{SUITE}/test_redis.py::RedisTest.test_failover"
TESTS = (
    "test_failover",
    "test_killed_primary_comes_back_as_replica",
    "test_killed_replica_comes_back",
    "test_partition",
    "test_replication.replicas=1",
    "test_replication.replicas=2",
)
own_addresses = pytest.mark.needs("bridges", "sshd")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Network] | None]:
    """Machines that are reached by SSH, where there can be such."""
    skip_without(PACKAGES)
    if lacking("bridges") or lacking("sshd"):
        yield None
        return
    with nodes_with_own_addresses(tmp_path_factory.mktemp("servers"), 13) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def runs(network: tuple[str, Network] | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Runs of the suite, of all of it or of some tests."""
    folder = tmp_path_factory.mktemp("redis")
    with Runs(folder) as runs:
        work_root = json.dumps({"work_root": str(folder / "localhost" / "work")})
        runs.start("localhost", SUITE, *LOCALHOST, "--max-parallel", "2", "--globals", work_root)
        if network is not None:
            two = ("--max-parallel", "2")
            runs.start("sandbox", SUITE, "--cluster", "sandbox", "--max-parallel", "3")
            runs.start("ssh", PARTITION, FAILOVER, "--cluster", "json", "--cluster-file", network[0], *two)
            runs.start("broken", PARTITION, "--cluster", "sandbox", "--globals", '{"broken": true}')
        yield runs


@pytest.fixture
def run(runs: Runs) -> Program:
    """The run on nodes that are all this machine."""
    return runs.finished("localhost")


def test_the_suite_passes_but_for_what_one_machine_cannot_do(run: Program) -> None:
    assert run.statuses == {**dict.fromkeys(TESTS, "PASS"), "test_partition": "IGNORE"}, run.output
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


@own_addresses
def test_the_suite_passes_on_the_sandbox(runs: Runs) -> None:
    run = runs.finished("sandbox")
    assert run.statuses == dict.fromkeys(TESTS, "PASS"), run.output
    assert run.process.returncode == 0
    assert run.survivors() == []
    sentinels = collected_logs(run, run.result("test_partition"), "RedisSentinelService", "sentinel-{}.log")
    assert ["+switch-master main 10." in log for log in sentinels] == [True] * 3


@own_addresses
def test_failing_over_works_on_machines_that_are_reached_by_ssh(
    runs: Runs, network: tuple[str, Network] | None
) -> None:
    run = runs.finished("ssh")
    assert run.statuses == {"test_failover": "PASS", "test_partition": "PASS"}, run.output
    assert run.survivors() == []
    sentinels = collected_logs(run, run.result("test_partition"), "RedisSentinelService", "sentinel-{}.log")
    assert ["+switch-master main 172." in log for log in sentinels] == [True] * 3
    assert network is not None
    _, machines = network
    assert (set(machines.processes()) - set(machines.servers), machines.files()) == (set(), [])


@own_addresses
def test_a_primary_that_takes_writes_for_nobody_is_found_out(runs: Runs) -> None:
    run = runs.finished("broken")
    [result] = run.report["results"]
    assert (result["test_status"], run.process.returncode) == ("FAIL", 1), run.output
    assert "still takes writes: OK" in result["summary"]
