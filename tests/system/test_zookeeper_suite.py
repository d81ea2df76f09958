# SPDX-License-Identifier: Apache-2.0
"""The suite of ZooKeeper, run as users run it: on the sandbox, and on SSH servers with an address each."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator

import pytest

from systests.zookeeper.zookeeper_service import SERVER_PACKAGES
from tests.support.needs import require
from tests.support.program import CHECKOUT, LOCALHOST, Program
from tests.system.own_addresses import Network, nodes_with_own_addresses
from tests.system.results import Runs, collected_logs, skip_without

# Elections and failovers have deadlines of their own
pytestmark = pytest.mark.quiet

SUITE = str(CHECKOUT / "systests" / "zookeeper" / "test_zookeeper.py")
LEADER_IS_CUT_OFF = f'{SUITE}::ZookeeperTest.test_partition@{{"isolated": "leader"}}'
ALL_ARE_KILLED = f"{SUITE}::ZookeeperTest.test_all_are_killed"
WRONG_CLOCK = SUITE.replace("test_zookeeper.py", "test_clocks.py")
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
        runs.start("clock", WRONG_CLOCK, "--cluster", "sandbox")
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


def test_the_merged_log_of_a_failover_is_in_order_although_a_clock_is_wrong(runs: Runs) -> None:
    run = runs.finished("clock")
    [result] = run.report["results"]
    if result["test_status"] == "IGNORE":
        pytest.skip(result["summary"])
    assert result["test_status"] == "PASS", run.output
    killed, elected, misled = (result["data"][name] for name in ("killed", "elected", "misled"))
    page = (run.folder / "results" / "latest" / "report.html").read_text("utf-8")
    [data] = re.findall('<script type="application/json" id="log-.*?">(.*)</script>', page)
    log = json.loads(data)
    assert log["notes"] == [f"{misled}: -30 s while its clock was skewed"]

    found = []
    for milliseconds, source, kind, text, *correction in log["entries"]:
        node = log["sources"][source][0]
        if kind == "fault":
            found.append(re.sub(r" \(.*\)", "", text))
        elif match := re.search("QuorumPeer - (LOOKING|LEADING|FOLLOWING)$", text):
            found.append(f"{node} {match[1]}")
            written = datetime.datetime.fromisoformat(f"{text[:23].replace(',', '.')}+00:00").timestamp()
            offset = written - log["start"] - milliseconds / 1000
            # Zones differ by whole quarters of an hour
            assert (offset + 5) % 900 - 5 == pytest.approx(30 if correction else 0, abs=0.01), text
    beginning, end = (f"skew_clock on {misled}: {event}" for event in ("in effect", "healed by the test"))
    kill, *election = found[found.index(beginning) + 1 : found.index(end)]
    # The leader is killed, the others miss it, and one of them leads the other, perhaps in several rounds
    assert kill == f"kill on {killed}: injected", found
    assert set(election[:2]) == {f"{elected} LOOKING", f"{misled} LOOKING"}, found
    assert set(election[-2:]) == {f"{elected} LEADING", f"{misled} FOLLOWING"}, found
    assert not any(each.startswith(killed) for each in election), found
    back = found[found.index(end) :]
    assert back.index(f"{killed} LOOKING") < back.index(f"{killed} FOLLOWING")
