# SPDX-License-Identifier: Apache-2.0
"""Real runs that name their cluster in short, or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ducktape.command_line.options.clusters import sandbox_works
from tests.support.program import CHECKOUT, Program, suite, write

SUITE = """
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class SmallTest(Test):
        @cluster(num_nodes=1)
        def test_small(self):
            context = self.test_context
            return {"node": context.cluster.nodes[0].name}
"""


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with a suite; programs of this machine are found, but no Vagrant."""
    suite(tmp_path, SUITE)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "bash", "env", "unshare", "nsenter", "ip", "true"):
        if (found := shutil.which(name)) is not None:
            (programs / name).symlink_to(found)
    return tmp_path


def _run(folder: Path, *arguments: str) -> Program:
    program = Program(
        folder,
        *arguments,
        extra={"PATH": str(folder / "bin"), "PYTHONPATH": f"{CHECKOUT}:{folder / 'site'}", "PYTHONWARNINGS": "ignore"},
    )
    try:
        program.wait()
    finally:
        program.kill_everything()
    return program


def test_a_short_name_is_kept_in_the_records_as_it_was_typed(bare: Path) -> None:
    program = _run(bare, "suite", "--cluster", "localhost")
    assert program.statuses == {"test_small": "PASS"}
    assert "Configuration: cluster=localhost\n" in (bare / "results" / "latest" / "session_log.debug").read_text()


def test_a_short_name_may_stand_in_a_configuration_file(bare: Path) -> None:
    write(bare / ".ducktape" / "config", "--cluster json --cluster-file nodes.json")
    write(
        bare / "nodes.json", json.dumps({"nodes": [{"ssh_config": {"host": "worker1"}, "externally_routable_ip": "x"}]})
    )
    program = _run(bare, "suite")
    assert program.result("test_small")["data"] == {"node": "worker1"}


def test_the_cluster_of_another_distribution_is_used(bare: Path) -> None:
    write(bare / "site" / "clouds-1.0.dist-info" / "METADATA", "Metadata-Version: 2.1\nName: clouds\nVersion: 1.0\n")
    write(bare / "site" / "clouds-1.0.dist-info" / "entry_points.txt", "[ducktape.clusters]\ntiny = clouds:Tiny\n")
    write(
        bare / "site" / "clouds.py",
        """
        from ducktape.cluster.localhost import LocalhostCluster

        class Tiny(LocalhostCluster):
            def __init__(self, **kwargs):
                super().__init__(num_nodes=1, **kwargs)
        """,
    )
    program = _run(bare, "suite", "--cluster", "tiny", "--max-parallel", "auto")
    assert program.statuses == {"test_small": "PASS"}
    examined = json.loads(_run(bare, "doctor", "--cluster", "tiny", "--json").output)
    assert (examined["cluster"], [node["name"] for node in examined["nodes"]]) == ("tiny", ["localhost0"])


@pytest.mark.parametrize("what", ["suite", "doctor"])
def test_without_vagrant_and_without_a_cluster_the_way_out_is_told(bare: Path, what: str) -> None:
    program = _run(bare, what)
    assert program.process.returncode == 1
    told = program.output.splitlines()
    first = told.index(next(line for line in told if line.startswith("Failed to load cluster:")))
    assert told[first] == (
        "Failed to load cluster:  <class 'ducktape.cluster.account.errors.RemoteAccountError'> "
        "The cluster ducktape.cluster.vagrant.VagrantCluster, the default, needs Vagrant, and there is no program "
        "vagrant here. What works right now:"
    )
    offered = [line.split("   ")[0].strip() for line in told[first + 1 :]]
    works = ["sandbox", "localhost"] if sandbox_works() else ["localhost"]
    assert offered == [f"ducktape {what} --cluster {name}" for name in works]


def test_the_command_that_was_told_runs_the_tests(bare: Path) -> None:
    told = _run(bare, "suite").output.splitlines()[-1].split("   ")[0].split()
    assert told[0] == "ducktape"
    assert _run(bare, *told[1:]).statuses == {"test_small": "PASS"}


@pytest.mark.parametrize("arguments", [["suite"], ["doctor"]])
def test_an_unknown_name_is_told_in_one_line(bare: Path, arguments: list[str]) -> None:
    program = _run(bare, *arguments, "--cluster", "sanbox")
    assert program.process.returncode == 1
    assert program.output.splitlines()[-1] == (
        "Failed to load cluster:  <class 'ValueError'> There is no cluster with the name sanbox (did you mean "
        "sandbox?): known are docker, json, localhost, podman, sandbox, vagrant; any other is named by its class with "
        "its module, as in ducktape.cluster.json.JsonCluster"
    )
