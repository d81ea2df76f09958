# SPDX-License-Identifier: Apache-2.0
"""Several runs on one cluster file: no node is ever in two of them, and none outlives its holder's death."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.program import Program, suite

JSON_CLUSTER = ("--cluster", "ducktape.cluster.json.JsonCluster")

# A node is in a test as long as its marker is there; a second test that comes upon the marker fails.
SUITE = """
    import os, time
    from ducktape.mark import matrix
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    HELD = os.environ["HELD"]

    class UsingTest(Test):
        def use(self, seconds):
            names = [node.account.hostname for node in self.test_context.cluster.nodes]
            for name in names:
                os.close(os.open(os.path.join(HELD, name), os.O_CREAT | os.O_EXCL))
            time.sleep(seconds)
            for name in names:
                os.unlink(os.path.join(HELD, name))
            with open(os.path.join(HELD, "..", "used"), "a") as file:
                file.write("".join(f"{os.getppid()} {name}\\n" for name in names))

        @cluster(num_nodes=1)
        @matrix(x=list(range(12)))
        def test_one(self, x):
            self.use(0.05)

        @cluster(num_nodes=3)
        @matrix(x=list(range(6)))
        def test_three(self, x):
            self.use(0.05)

        @cluster(num_nodes=5)
        @matrix(x=list(range(2)))
        def test_five(self, x):
            self.use(0.05)
"""

HOLDING = """
    import time
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class HoldingTest(Test):
        @cluster(num_nodes=4)
        def test_holding(self):
            self.logger.warning("holding four nodes")
            time.sleep(1000)
"""

WAITING = """
    from ducktape.mark import matrix
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class WaitingTest(Test):
        @cluster(num_nodes=5)
        def test_all(self):
            self.logger.warning("has all nodes")

        @cluster(num_nodes=1)
        @matrix(x=[1, 2])
        def test_small(self, x):
            pass
"""


@pytest.fixture
def cluster_file(tmp_path: Path) -> Path:
    """Five nodes, which no test here connects to."""
    nodes = [{"ssh_config": {"host": f"worker{n}", "hostname": f"10.0.0.{n}"}} for n in range(1, 6)]
    file = tmp_path / "cluster.json"
    file.write_text(json.dumps({"nodes": nodes}))
    (tmp_path / "held").mkdir()
    return file


@contextlib.contextmanager
def _started(folder: Path, text: str, cluster_file: Path, *arguments: str) -> Iterator[Program]:
    folder.mkdir(exist_ok=True)
    program = Program(
        folder,
        suite(folder, text),
        *JSON_CLUSTER,
        "--cluster-file",
        str(cluster_file),
        *arguments,
        extra={"HELD": str(cluster_file.parent / "held")},
    )
    try:
        yield program
    finally:
        program.kill_everything()


def test_two_runs_started_together_never_share_a_node_and_both_pass(tmp_path: Path, cluster_file: Path) -> None:
    options = ("--lease", str(tmp_path / "leases"), "--max-parallel", "5")
    with (
        _started(tmp_path / "a", SUITE, cluster_file, *options) as one,
        _started(tmp_path / "b", SUITE, cluster_file, *options) as other,
    ):
        assert (one.wait(), other.wait()) == (0, 0), one.output + other.output
        assert (one.report["num_passed"], other.report["num_passed"]) == (20, 20)
        assert (one.report["cluster_num_nodes"], other.report["cluster_num_nodes"]) == (5, 5)
        spans = [(run.report["start_time"], run.report["stop_time"]) for run in (one, other)]
        assert max(start for start, _ in spans) < min(stop for _, stop in spans)
        used = [line.split() for line in (tmp_path / "used").read_text().splitlines()]
        assert {pid for pid, _ in used} == {str(one.process.pid), str(other.process.pid)}
        assert {name for _, name in used} == {f"worker{n}" for n in range(1, 6)}
        assert len(used) == 2 * (12 * 1 + 6 * 3 + 2 * 5)


def test_without_leases_the_markers_meet(tmp_path: Path, cluster_file: Path) -> None:
    using = SUITE.replace(
        "            time.sleep(seconds)", "            self.logger.warning('in use'); time.sleep(1000)"
    )
    with _started(tmp_path / "a", using, cluster_file) as one:
        one.wait_for("in use")
        with _started(tmp_path / "b", SUITE, cluster_file, "--sample", "1") as other:
            assert other.wait() == 1
            assert "FileExistsError" in other.report["results"][0]["summary"]


def test_a_run_that_waits_says_once_for_whom_and_runs_what_fits_meanwhile(tmp_path: Path, cluster_file: Path) -> None:
    options = ("--lease", str(tmp_path / "leases"))
    with _started(tmp_path / "a", HOLDING, cluster_file, *options) as holder:
        holder.wait_for("holding four nodes")
        with _started(tmp_path / "b", WAITING, cluster_file, *options) as waiting:
            waiting.wait_for("Triggering test 2 of 3...")
            told = re.findall(r"\[INFO:[^]]*\]: (\S+) waits for nodes of other runs: (.*)", waiting.output)
            session = (tmp_path / "a" / ".ducktape" / "metadata" / "session_id").read_text()
            by = f"(held by pid {holder.process.pid}, session {session})"
            names = "; ".join(f"worker{n} {by}" for n in range(1, 5))
            assert told == [("suite.test_it.WaitingTest.test_all", f"Nodes are leased by other runs: {names}")]
            assert "has all nodes" not in waiting.output
            holder.signal(signal.SIGTERM)
            assert waiting.wait() == 0
            assert waiting.output.count("waits for nodes of other runs") == 1
            assert "Couldn't schedule" not in waiting.output
            assert waiting.report["num_passed"] == 3


def test_the_nodes_of_a_killed_run_go_to_the_other_within_a_second(tmp_path: Path, cluster_file: Path) -> None:
    options = ("--lease", str(tmp_path / "leases"))
    # Its process lives on for a while, and with it whatever it got from the driver
    slow = HOLDING + "\n        def teardown(self):\n            time.sleep(1000)\n"
    with _started(tmp_path / "a", slow, cluster_file, *options) as holder:
        holder.wait_for("holding four nodes")
        only_all = WAITING.replace("[1, 2]", "[]")
        with _started(tmp_path / "b", only_all, cluster_file, *options) as waiting:
            waiting.wait_for("waits for nodes of other runs")
            holder.signal(signal.SIGKILL)
            killed = time.monotonic()
            waiting.wait_for("Triggering test 1")
            assert time.monotonic() - killed < 1
            assert holder.survivors() != []
            assert waiting.wait() == 0
            assert waiting.statuses["test_all"] == "PASS"


def test_the_cluster_file_may_name_the_folder(tmp_path: Path, cluster_file: Path) -> None:
    description = json.loads(cluster_file.read_text())
    cluster_file.write_text(json.dumps({**description, "lease_dir": "leases"}))
    with _started(tmp_path / "a", HOLDING, cluster_file) as holder:
        holder.wait_for("holding four nodes")
        with _started(tmp_path / "b", WAITING, cluster_file) as waiting:
            waiting.wait_for("waits for nodes of other runs")
            waiting.signal(signal.SIGTERM)
            assert waiting.wait() == 1
    assert len(list((tmp_path / "leases").glob("*.lease"))) == 5


def test_more_nodes_than_there_are_is_not_waited_for(tmp_path: Path, cluster_file: Path) -> None:
    options = ("--lease", str(tmp_path / "leases"))
    with _started(tmp_path / "a", HOLDING, cluster_file, *options) as holder:
        holder.wait_for("holding four nodes")
        greedy = WAITING.replace("num_nodes=5", "num_nodes=6")
        with _started(tmp_path / "b", greedy, cluster_file, *options) as other:
            assert other.wait() == 1
            assert other.result("test_all")["reason"] == "unschedulable"
            assert other.report["num_passed"] == 2


def test_a_cluster_without_leases_says_that_the_option_has_no_effect(tmp_path: Path) -> None:
    program = Program(
        tmp_path,
        suite(tmp_path, WAITING),
        "--lease",
        "leases",
        "--check-nodes",
        "--cluster",
        "ducktape.cluster.localhost.LocalhostCluster",
    )
    try:
        assert program.wait() == 0
        effect = "has no effect on a LocalhostCluster"
        assert re.findall(rf"\[WARNING:[^]]*\]: (\S+) {effect}", program.output) == ["--lease", "--check-nodes"]
    finally:
        program.kill_everything()
