# SPDX-License-Identifier: Apache-2.0
"""The suite of ZooKeeper, run as users run it: on the sandbox, and on SSH servers with an address each."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from systests.zookeeper.zookeeper_service import SERVER_PACKAGES
from tests.support.needs import require
from tests.support.program import CHECKOUT, LOCALHOST, Program
from tests.system.own_addresses import Network, nodes_with_own_addresses
from tests.system.results import Runs, collected_logs, skip_without

# Elections and failovers have deadlines of their own
pytestmark = pytest.mark.quiet

SUITE = str(CHECKOUT / "systests" / "zookeeper")
LEADER_IS_CUT_OFF = f'{SUITE}/test_zookeeper.py::ZookeeperTest.test_partition@{{"isolated": "leader"}}'
ALL_ARE_KILLED = f"{SUITE}/test_zookeeper.py::ZookeeperTest.test_all_are_killed"
TESTS = (
    "test_all_are_killed",
    "test_leader_is_killed",
    "test_partition.isolated=follower",
    "test_partition.isolated=leader",
)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Network]]:
    """Machines that are reached by SSH."""
    require("bridges", "sshd")
    skip_without(SERVER_PACKAGES)
    with nodes_with_own_addresses(tmp_path_factory.mktemp("servers"), 8) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def runs(network: tuple[str, Network], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Runs of the suite, of all of it or of one test."""
    with Runs(tmp_path_factory.mktemp("zookeeper")) as runs:
        runs.start("sandbox", SUITE, "--cluster", "sandbox", "--max-parallel", "2")
        runs.start("ssh", SUITE, "--cluster", "json", "--cluster-file", network[0], "--max-parallel", "2")
        for broken, test in {"weights": LEADER_IS_CUT_OFF, "volatile": ALL_ARE_KILLED}.items():
            runs.start(broken, test, "--cluster", "sandbox", "--globals", json.dumps({"broken": broken}))
        runs.start("localhost", LEADER_IS_CUT_OFF, *LOCALHOST)
        yield runs


def passed_everywhere(run: Program) -> None:
    assert run.statuses == dict.fromkeys(TESTS, "PASS"), run.output
    assert run.process.returncode == 0
    assert run.survivors() == []


def test_the_suite_passes_on_the_sandbox(runs: Runs) -> None:
    passed_everywhere(runs.finished("sandbox"))


def test_the_elections_show_in_the_collected_logs(runs: Runs) -> None:
    run = runs.finished("sandbox")
    logs = collected_logs(run, run.result("test_leader_is_killed"), "ZookeeperService", "zookeeper-{}.log")
    assert [log.count("binding to port") > 0 for log in logs] == [True] * 3
    # A leader may lose an election that it has just won, so there can be more
    assert ["LEADING - LEADER ELECTION TOOK" in log for log in logs].count(True) >= 2


def test_what_was_measured_is_in_the_report(runs: Runs) -> None:
    data = runs.finished("sandbox").result("test_leader_is_killed")["data"]
    assert sorted(data) == ["acknowledged_writes", "longest_wait_seconds"]
    assert data["acknowledged_writes"] >= 150
    assert 0 < data["longest_wait_seconds"] < 30


def test_the_suite_passes_on_machines_that_are_reached_by_ssh(runs: Runs, network: tuple[str, Network]) -> None:
    run = runs.finished("ssh")
    passed_everywhere(run)
    logs = collected_logs(run, run.result("test_leader_is_killed"), "ZookeeperService", "zookeeper-{}.log")
    assert [log.count("binding to port") > 0 for log in logs] == [True] * 3
    _, machines = network
    assert (set(machines.processes()) - set(machines.servers), machines.files()) == (set(), [])


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        ("weights", "takes writes although it is cut off from the majority"),
        ("volatile", "acknowledged writes"),
    ],
)
def test_a_bad_configuration_is_found_out(runs: Runs, broken: str, complaint: str) -> None:
    run = runs.finished(broken)
    [result] = run.report["results"]
    assert (result["test_status"], run.process.returncode) == ("FAIL", 1), run.output
    assert complaint in result["summary"]


def test_nodes_that_share_an_address_are_not_cut_off_from_each_other(runs: Runs) -> None:
    run = runs.finished("localhost")
    assert list(run.statuses.values()) == ["IGNORE"], run.output
