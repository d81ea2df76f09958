# SPDX-License-Identifier: Apache-2.0
"""The suite of Redis on nodes with an address each: on the sandbox, and on SSH servers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.program import CHECKOUT
from tests.system.own_addresses import finished, logs_of, nodes_with_own_addresses, why_not

pytestmark = [
    pytest.mark.skipif(
        shutil.which("redis-server") is None, reason="redis-server is not installed: apt-get install redis-server"
    ),
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "there can be nodes with addresses"),
]

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


def test_the_suite_passes_on_the_sandbox(tmp_path: Path) -> None:
    with finished(tmp_path, SUITE, "--cluster", "sandbox", "--max-parallel", "3") as run:
        assert run.statuses == dict.fromkeys(TESTS, "PASS"), run.output
        assert run.process.returncode == 0
        assert run.survivors() == []
        sentinels = logs_of(run, "test_partition", "RedisSentinelService", "sentinel-{}.log")
        assert ["+switch-master main 10." in log for log in sentinels] == [True] * 3


def test_failing_over_works_on_machines_that_are_reached_by_ssh(tmp_path: Path) -> None:
    with nodes_with_own_addresses(tmp_path, 13) as (file, network):
        servers = network.processes()
        arguments = ("--cluster", "json", "--cluster-file", file, "--max-parallel", "2")
        with finished(tmp_path, PARTITION, FAILOVER, *arguments) as run:
            assert run.statuses == {"test_failover": "PASS", "test_partition": "PASS"}, run.output
            assert run.survivors() == []
        assert (network.processes(), network.files()) == (servers, [])


def test_a_primary_that_takes_writes_for_nobody_is_found_out(tmp_path: Path) -> None:
    with finished(tmp_path, PARTITION, "--cluster", "sandbox", "--globals", '{"broken": true}') as run:
        [result] = run.report["results"]
        assert (result["test_status"], run.process.returncode) == ("FAIL", 1), run.output
        assert "is cut off and still takes writes: OK" in result["summary"]
