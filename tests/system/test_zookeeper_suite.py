# SPDX-License-Identifier: Apache-2.0
"""The suite of ZooKeeper, run as users run it: on the sandbox, and on SSH servers with an address each."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.errors import InfrastructureError, Skip
from systests.zookeeper.packages import need_packages
from systests.zookeeper.zookeeper_service import SERVER_PACKAGES
from tests.support.program import CHECKOUT, Program
from tests.system.own_addresses import finished, logs_of, nodes_with_own_addresses, why_not

SUITE = str(CHECKOUT / "systests" / "zookeeper")
TESTS = (
    "test_all_are_killed",
    "test_leader_is_killed",
    "test_partition.isolated=follower",
    "test_partition.isolated=leader",
)


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """ZooKeeper is on this machine, whose programs all nodes see."""
    if why_not():
        pytest.skip(why_not())
    [node] = LocalhostCluster().alloc(ClusterSpec.simple_linux(1))
    try:
        need_packages(node, SERVER_PACKAGES)
    except (Skip, InfrastructureError) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def sandbox_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One run of the whole suite on the sandbox, two tests at a time."""
    folder = tmp_path_factory.mktemp("zookeeper")
    with finished(folder, SUITE, "--cluster", "sandbox", "--max-parallel", "2") as program:
        yield program


def passed_everywhere(run: Program) -> None:
    assert run.statuses == dict.fromkeys(TESTS, "PASS"), run.output
    assert run.process.returncode == 0


def test_the_suite_passes_on_the_sandbox(sandbox_run: Program) -> None:
    passed_everywhere(sandbox_run)
    assert sandbox_run.survivors() == []


def test_the_elections_show_in_the_collected_logs(sandbox_run: Program) -> None:
    logs = logs_of(sandbox_run, "test_leader_is_killed", "ZookeeperService", "zookeeper-{}.log")
    assert len(logs) == 3
    assert [log.count("binding to port") > 0 for log in logs] == [True] * 3
    # A leader may lose an election that it has just won, so there can be more
    assert ["LEADING - LEADER ELECTION TOOK" in log for log in logs].count(True) >= 2


def test_what_was_measured_is_in_the_report(sandbox_run: Program) -> None:
    data = sandbox_run.result("test_leader_is_killed")["data"]
    assert sorted(data) == ["acknowledged_writes", "longest_wait_seconds"]
    assert data["acknowledged_writes"] >= 150
    assert 0 < data["longest_wait_seconds"] < 30


def test_the_suite_passes_on_machines_that_are_reached_by_ssh(tmp_path: Path) -> None:
    with nodes_with_own_addresses(tmp_path, 8) as (file, network):
        servers = network.processes()
        arguments = ("--cluster", "json", "--cluster-file", file, "--max-parallel", "2")
        with finished(tmp_path, SUITE, *arguments) as run:
            passed_everywhere(run)
            assert run.survivors() == []
        assert (network.processes(), network.files()) == (servers, [])


@pytest.mark.parametrize(
    ("broken", "test", "complaint"),
    [
        ("weights", 'test_partition@{"isolated": "leader"}', "takes writes although it is cut off from the majority"),
        ("volatile", "test_all_are_killed", "acknowledged writes"),
    ],
)
def test_a_bad_configuration_is_found_out(tmp_path: Path, broken: str, test: str, complaint: str) -> None:
    path = f"{SUITE}/test_zookeeper.py::ZookeeperTest.{test}"
    with finished(tmp_path, path, "--cluster", "sandbox", "--globals", json.dumps({"broken": broken})) as run:
        [result] = run.report["results"]
        assert (result["test_status"], run.process.returncode) == ("FAIL", 1), run.output
        assert complaint in result["summary"]


def test_nodes_that_share_an_address_are_not_cut_off_from_each_other(tmp_path: Path) -> None:
    path = f'{SUITE}/test_zookeeper.py::ZookeeperTest.test_partition@{{"isolated": "leader"}}'
    with finished(tmp_path, path, "--cluster", "localhost") as run:
        assert list(run.statuses.values()) == ["IGNORE"], run.output


PACKAGE_TOOL = """#!/bin/sh
echo "$@" >>{log}
touch {folder}/installed
exit {status}
"""


def lone_node(monkeypatch: pytest.MonkeyPatch, folder: Path, status: int = 0) -> object:
    """A node on which a stand-in for apt-get takes notes."""
    tool = folder / "apt-get"
    tool.write_text(PACKAGE_TOOL.format(log=folder / "log", folder=folder, status=status))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    [node] = LocalhostCluster().alloc(ClusterSpec.simple_linux(1))
    return node


def test_only_what_is_missing_is_installed_and_only_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = lone_node(monkeypatch, tmp_path)
    packages = {"present": "test -e /", "absent": f"test -e {tmp_path}/installed"}
    need_packages(node, packages)
    need_packages(node, packages)
    [call] = (tmp_path / "log").read_text().splitlines()
    assert call.startswith("install ")
    assert call.endswith(" absent")


def test_an_installation_that_fails_is_no_failure_of_the_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = lone_node(monkeypatch, tmp_path, status=3)
    with pytest.raises(InfrastructureError, match="cannot install absent on localhost0"):
        need_packages(node, {"absent": "test -e /does/not/exist"})
    assert [line.split()[0] for line in (tmp_path / "log").read_text().splitlines()] == ["install", "update"]


def test_a_package_that_does_not_bring_the_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = lone_node(monkeypatch, tmp_path)
    with pytest.raises(InfrastructureError, match="cannot install absent"):
        need_packages(node, {"absent": "test -e /does/not/exist"})


def test_a_user_who_may_not_install_skips_the_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = lone_node(monkeypatch, tmp_path)
    for name, text in {"id": "echo 1000", "sudo": "exit 1"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(Skip, match=r"absent is missing on localhost0, .*: apt-get install absent"):
        need_packages(node, {"absent": f"test -e {tmp_path}/installed"})
    assert not (tmp_path / "log").exists()
