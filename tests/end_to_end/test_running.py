# SPDX-License-Identifier: Apache-2.0
"""Real runs: what tests, services and clusters do, and what is left in the results tree."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import Program, environment, finished, started, suite, write


def tree(directory: Path) -> list[str]:
    """All files below a directory, the identity of services left out."""
    files = (str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())
    return sorted(re.sub(r"(Service-\d+)-\d+", r"\1", file) for file in files)


def latest(program: Program) -> Path:
    return program.folder / "results" / "latest"


def directory_of(program: Program, name: str) -> Path:
    return latest(program) / str(program.result(name)["relative_results_dir"])


def log_lines(program: Program, name: str, kind: str = "debug") -> list[str]:
    """What the log of a test says, without time and place."""
    text = (directory_of(program, name) / f"test_log.{kind}").read_text(encoding="utf-8")
    return [line.rpartition("]: RunnerClient: ")[2].partition(": ")[2] or line for line in text.splitlines()]


# --- the whole tree

WHOLE = """
    from ducktape.mark import ignore, matrix
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    class EchoService(Service):
        logs = {
            "kept": {"path": "kept.log", "collect_default": True},
            "spare": {"path": "spare.log", "collect_default": False},
        }

        def __init__(self, context):
            super().__init__(context, num_nodes=1)

        def start_node(self, node):
            node.account.ssh("echo started > kept.log; echo started > spare.log")

        def stop_node(self, node):
            node.account.ssh("if [ -e kept.log ]; then echo stopped >> kept.log; fi")

        def clean_node(self, node):
            node.account.remove("kept.log", allow_fail=True)
            node.account.remove("spare.log", allow_fail=True)

    class DemoTest(Test):
        @cluster(num_nodes=1)
        def test_service(self):
            EchoService(self.test_context).start()

        @cluster(num_nodes=1)
        def test_service_fails(self):
            EchoService(self.test_context).start()
            raise ValueError("seen in every report")

        @cluster(num_nodes=0)
        def test_data(self):
            return {"mb_per_sec": 3.5}

        @cluster(num_nodes=0)
        @matrix(size=[1, 2], mode=["a b"])
        def test_matrix(self, size, mode):
            pass

        @ignore
        @cluster(num_nodes=0)
        def test_skipped(self):
            raise ValueError("not run")
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("whole")
    with finished(folder, suite(folder, WHOLE)) as program:
        yield program


def test_the_tree_of_a_run_is_complete_and_nothing_else_is_there(whole: Program) -> None:
    of_a_test = ["report.json", "report.txt", "test_log.debug", "test_log.info"]
    expected = ["report.css", "report.html", "report.json", "report.md", "report.txt", "report.xml", "rerun-failed.yml"]
    expected += ["journal.jsonl", "outcomes.json"]
    expected += ["session_log.debug", "session_log.info"]
    for directory in (
        "test_service/1",
        "test_service_fails/2",
        "test_data/3",
        "test_matrix/size=1.mode=ab/4",
        "test_matrix/size=2.mode=ab/5",
        "test_skipped/6",
    ):
        expected += [f"DemoTest/{directory}/{name}" for name in of_a_test]
    expected += ["DemoTest/test_data/3/data.json"]
    expected += ["DemoTest/test_service/1/EchoService-0/localhost0/kept.log"]
    expected += [f"DemoTest/test_service_fails/2/EchoService-0/localhost1/{name}.log" for name in ("kept", "spare")]
    assert tree(latest(whole)) == sorted(expected)
    assert sorted(os.listdir(whole.folder)) == [".ducktape", "results", "suite"]
    assert tree(whole.folder / ".ducktape") == ["metadata/session_id"]


def test_statuses_and_counts_agree(whole: Program) -> None:
    assert whole.process.returncode == 1
    assert whole.statuses == {
        "test_service": "PASS",
        "test_service_fails": "FAIL",
        "test_data": "PASS",
        "test_matrix.size=1.mode=ab": "PASS",
        "test_matrix.size=2.mode=ab": "PASS",
        "test_skipped": "IGNORE",
    }
    report = whole.report
    assert [report[f"num_{kind}"] for kind in ("passed", "failed", "ignored")] == [4, 1, 1]
    assert "num_flaky" not in report
    assert report["cluster_num_nodes"] == 1000
    assert report["cluster_nodes_used"] == {"max": 1, "mean": pytest.approx(2 / 6), "min": 0}
    assert report["cluster_nodes_allocated"] == {"max": 1, "mean": pytest.approx(2 / 6), "min": 0}


def test_results_stand_in_order_of_completion_largest_first(whole: Program) -> None:
    assert [int(result["relative_results_dir"].split("/")[-2]) for result in whole.report["results"]] == [*range(1, 7)]


def test_each_test_has_the_same_result_in_its_own_file(whole: Program) -> None:
    for result in whole.report["results"]:
        own = json.loads((latest(whole) / result["relative_results_dir"] / "report.json").read_text())
        assert own == result


def test_collected_logs_are_from_after_the_stop_and_before_the_cleaning(whole: Program) -> None:
    result = whole.result("test_service")
    [service] = result["services"]
    directory = directory_of(whole, "test_service") / service["service_id"] / "localhost0"
    assert (directory / "kept.log").read_text() == "started\nstopped\n"
    assert service["nodes"] == ["localhost0"]
    assert (result["nodes_allocated"], result["nodes_used"]) == (1, 1)
    times = service["lifecycle"]
    assert 0 < times["init_time"] <= times["start_time"] <= times["stop_time"] <= times["clean_time"]


def test_every_phase_of_a_test_is_in_its_log_in_order(whole: Program) -> None:
    lines = log_lines(whole, "test_service_fails")
    phases = [
        "on run 1/1",
        "Setting up...",
        "Running...",
        "Tearing down...",
        "Copying logs from services...",
        "Cleaning up services...",
        "Freeing nodes...",
        "FAIL: ValueError('seen in every report')",
        "Data: None",
    ]
    assert [line for line in lines if line in phases] == phases
    assert any(
        line.startswith("Threads after suite.test_it.DemoTest.test_service_fails finished")
        for line in (directory_of(whole, "test_service_fails") / "test_log.debug")
        .read_text()
        .replace("RunnerClient: suite.test_it.DemoTest.test_service_fails: ", "\n")
        .splitlines()
    )


def test_an_ignored_test_says_nothing_but_that_it_was_loaded(whole: Program) -> None:
    log = (directory_of(whole, "test_skipped") / "test_log.debug").read_text()
    [line] = log.splitlines()
    assert "RunnerClient: Loading test {'directory': " in line
    result = whole.result("test_skipped")
    assert (result["summary"], result["services"], result["data"]) == ("", [], None)


# --- what goes wrong around a test

WRONG = """
    import os
    from ducktape.mark import matrix
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    class EchoService(Service):
        logs = {"log": {"path": "echo.log", "collect_default": False}}

        def __init__(self, context, fails=()):
            self.fails = fails
            super().__init__(context, num_nodes=1)

        def start_node(self, node):
            node.account.ssh("echo started > echo.log")

        def _maybe(self, phase):
            if phase in self.fails:
                raise RuntimeError(f"cannot {phase}")

        def stop_node(self, node):
            node.account.ssh("echo stopped >> echo.log")
            self._maybe("stop")

        def clean_node(self, node):
            node.account.remove("echo.log", allow_fail=True)
            self.logger.warning("cleaned %s", self.service_id)
            self._maybe("clean")

    class UnmadeTest(Test):
        def __init__(self, test_context):
            super().__init__(test_context)
            EchoService(test_context).start()
            raise ValueError("cannot be made")

        @cluster(num_nodes=1)
        def test_unmade(self):
            pass

    class UnsetTest(Test):
        def setUp(self):
            raise ValueError("cannot be set up")

        @cluster(num_nodes=0)
        def test_unset(self):
            self.logger.warning("ran")

        def tearDown(self):
            self.logger.warning("torn down %s", self.test_context.function_name)

    class LateTest(Test):
        @cluster(num_nodes=2)
        def test_late(self):
            EchoService(self.test_context, ["stop"]).start()
            EchoService(self.test_context, ["clean"]).start()

        def teardown(self):
            raise ValueError("cannot tear down")

    class Unshowable(Exception):
        def __repr__(self):
            raise ValueError("no repr")

        __str__ = __repr__

    class OddTest(Test):
        @cluster(num_nodes=0)
        def test_unshowable(self):
            raise Unshowable

        @cluster(num_nodes=1)
        def test_noticed(self):
            EchoService(self.test_context).error = "something was noticed"

        @cluster(num_nodes=0)
        def test_typed_nonsense(self):
            for fd in range(3, 64):
                try:
                    os.write(fd, b'{"kind": "log", "level": "high", "message": "x"}\\n')
                except OSError:
                    pass

        @cluster(num_nodes=0)
        def test_z_last(self):
            pass
"""


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("wrong")
    fine = WRONG.replace("def test_typed_nonsense", "def typed_nonsense")
    with finished(folder, suite(folder, fine), "--deflake", "2") as program:
        yield program


def test_only_what_decides_the_status_decides_it(wrong: Program) -> None:
    assert wrong.process.returncode == 1
    assert wrong.statuses == {
        "test_unmade": "FAIL",
        "test_unset": "FAIL",
        "test_late": "PASS",
        "test_unshowable": "FAIL",
        "test_noticed": "PASS",
        "test_z_last": "PASS",
    }


def test_a_failing_constructor_is_tried_again_and_its_services_are_stopped_and_cleaned(wrong: Program) -> None:
    result = wrong.result("test_unmade")
    assert result["summary"].startswith("runs 1, 2 summary:\nValueError('cannot be made')\nTraceback")
    assert [service["service_id"].split("-")[:3] for service in result["services"]] == [
        ["1", "EchoService", "0"],
        ["2", "EchoService", "0"],
    ]
    directory = directory_of(wrong, "test_unmade")
    for service in result["services"]:
        [node] = service["nodes"]
        assert (directory / service["service_id"] / node / "echo.log").read_text() == "started\nstopped\n"
        assert wrong.output.count(f"cleaned {service['service_id']}") == 1
    assert "suite.test_it.UnmadeTest.test_unmade failed to instantiate" in wrong.output
    lines = log_lines(wrong, "test_unmade", "info")
    assert [line for line in lines if line.startswith("on run")] == ["on run 1/2", "on run 2/2"]
    assert lines[-1] == "Data: None"


def test_a_failing_setup_is_torn_down_and_the_test_not_run(wrong: Program) -> None:
    assert wrong.output.count("torn down test_unset") == 2
    assert "]: ran" not in wrong.output
    assert "ValueError('cannot be set up')" in wrong.result("test_unset")["summary"]


def test_late_errors_are_warnings(wrong: Program) -> None:
    log = (directory_of(wrong, "test_late") / "test_log.info").read_text()
    assert "Error running teardown method: ValueError('cannot tear down')\nTraceback" in log
    assert re.search(r"WARNING .*Error stopping service .*cannot stop", log)
    assert re.search(r"WARNING .*Error cleaning service .*cannot clean", log)
    result = wrong.result("test_late")
    assert (result["summary"], len(result["services"])) == ("Test Passed", 2)


def test_an_exception_without_text_is_named(wrong: Program) -> None:
    assert "Unshowable" in wrong.result("test_unshowable")["summary"]


def test_errors_of_services_are_in_the_summary_of_a_passing_test(wrong: Program) -> None:
    result = wrong.result("test_noticed")
    assert result["summary"].endswith(f"{result['services'][0]['service_id']}: something was noticed")


def test_values_of_the_wrong_type_on_the_pipe_cost_their_own_test_alone(tmp_path: Path) -> None:
    path = suite(tmp_path, WRONG) + "/test_it.py::OddTest"
    with finished(tmp_path, f"{path}.test_typed_nonsense", f"{path}.test_z_last") as program:
        assert program.process.returncode == 1
        assert program.statuses == {"test_typed_nonsense": "FAIL", "test_z_last": "PASS"}


# --- flaky tests

FLAKY = """
    import os
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    class IdleService(Service):
        logs = {"log": {"path": "idle.log", "collect_default": True}}

        def start_node(self, node):
            node.account.ssh("echo started > idle.log")

        def stop_node(self, node):
            pass

        def clean_node(self, node):
            node.account.remove("idle.log", allow_fail=True)

    class FlakyTest(Test):
        @cluster(num_nodes=1)
        def test_third(self):
            IdleService(self.test_context, 1).start()
            with open("attempts", "a") as file:
                file.write("x")
            attempts = os.path.getsize("attempts")
            assert attempts != 1, "first"
            assert attempts != 2, "second"
            return attempts
"""


def test_a_flaky_test_succeeds_and_lists_all_attempts(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, FLAKY), "--deflake", "4") as program:
        assert program.process.returncode == 0
        result = program.result("test_third")
        assert (result["test_status"], result["data"], program.report["num_flaky"]) == ("FLAKY", 3, 1)
        where = r"Traceback \(most recent call last\):\n(?:  .*\n)+"
        values = r"Values in the assertion:\n(?:    .* = .*\n)+"
        assert re.fullmatch(
            rf"run 1 summary:\nAssertionError\('first'\)\n{where}AssertionError: first\n\n{values}\n~+\n"
            rf"run 2 summary:\nAssertionError\('second'\)\n{where}AssertionError: second\n\n{values}\n~+\n"
            "run 3: PASSED",
            result["summary"],
        )
        lines = result["summary"].split("\n")
        for number, line in enumerate(lines):
            if line.startswith("~"):
                assert len(line) == max(len(before) for before in lines[:number])
        names = [service["service_id"] for service in result["services"]]
        assert [name.split("-")[:3] for name in names] == [[str(n), "IdleService", "0"] for n in (1, 2, 3)]
        directory = directory_of(program, "test_third")
        assert sorted(name for name in os.listdir(directory) if "Service" in name) == sorted(names)
        assert "RunnerClient: suite.test_it.FlakyTest.test_third: FLAKY" in program.output
        assert "flaky:            1" in program.output
        assert "run 3: PASSED" not in (latest(program) / "report.txt").read_text()
        assert "run 3: PASSED" in (latest(program) / "report.html").read_text()


# --- options of the run


def test_without_teardown_services_go_on_and_logs_are_collected(tmp_path: Path) -> None:
    quiet = WHOLE.replace("EchoService(self.test_context).start()\n\n", "EchoService(self.test_context).start()\n\n", 1)
    path = suite(tmp_path, quiet) + "/test_it.py::DemoTest.test_service"
    with finished(tmp_path, path, "--no-teardown") as program:
        assert program.process.returncode == 0
        [service] = program.result("test_service")["services"]
        directory = directory_of(program, "test_service") / service["service_id"] / "localhost0"
        assert (directory / "kept.log").read_text() == "started\n"
        lifecycle = service["lifecycle"]
        assert lifecycle["start_time"] > 0
        assert (lifecycle["stop_time"], lifecycle["clean_time"]) == (-1, -1)
        lines = log_lines(program, "test_service")
        assert "Tearing down..." in lines
        assert "Cleaning up services..." not in lines
        assert "Freeing nodes..." in lines


SIZES = """
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class SizeTest(Test):
        @cluster(num_nodes=2)
        def test_idle(self):
            pass

        @cluster(num_nodes=2, node_type="large")
        def test_typed(self):
            pass

        @cluster(num_nodes=2000)
        def test_huge(self):
            pass

        def test_undeclared(self):
            pass

        @cluster(num_nodes=0)
        def test_none(self):
            pass
"""


def test_what_cannot_fit_fails_at_once_and_the_rest_runs(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, SIZES), "--fail-greedy-tests", "--fail-bad-cluster-utilization") as program:
        assert program.process.returncode == 1
        assert program.statuses == {
            "test_huge": "FAIL",
            "test_typed": "FAIL",
            "test_undeclared": "FAIL",
            "test_idle": "FAIL",
            "test_none": "PASS",
        }
        results = {result["function_name"]: result for result in program.report["results"]}
        details = {
            "test_huge": "linux nodes requested: 2000. linux nodes available: 1000. ",
            "test_typed": "linux/large nodes requested: 2. linux/large nodes available: 0. ",
            "test_undeclared": "Invalid or missing cluster spec",
        }
        for name, detail in details.items():
            result = results[name]
            text = (
                f"Test suite.test_it.SizeTest.{name} requires more resources than are available in the whole cluster. "
            )
            assert result["summary"] == text + detail
            assert re.search(rf"\[ERROR:[^]]*\]: {re.escape(text + detail)}\n", program.output)
            assert (result["nodes_used"], result["services"]) == (0, [])
            assert sorted(os.listdir(directory_of(program, name))) == ["report.json", "report.txt"]
        assert [results[name]["nodes_allocated"] for name in details] == [2000, 2, 0]
        assert "]: There are 3 tests which cannot be run due to insufficient cluster resources\n" in program.output
        assert program.output.index("There are 3 tests") < program.output.index("starting test run with session id")
        assert "]: running 2 tests...\n" in program.output
        assert "]: Triggering test 4 of 5...\n" in program.output
        assert [int(each["relative_results_dir"].split("/")[-2]) for each in program.report["results"]] == [
            1,
            2,
            3,
            4,
            5,
        ]
        idle = results["test_idle"]
        assert idle["summary"] == "Test requested 2 nodes, used only 0"
        assert (idle["nodes_allocated"], idle["nodes_used"]) == (2, 0)
        assert "SizeTest.test_idle: FAIL: Test requested 2 nodes, used only 0\n" in program.output
        xml = (latest(program) / "report.xml").read_text()
        assert 'message="Test requested 2 nodes, used only 0"' in xml


def test_who_takes_the_whole_cluster_while_others_could_run_is_told(tmp_path: Path) -> None:
    path = suite(tmp_path, SIZES) + "/test_it.py::SizeTest"
    with finished(tmp_path, f"{path}.test_undeclared", f"{path}.test_none", "--max-parallel", "2") as program:
        assert program.process.returncode == 0
        assert (
            program.output.count(
                "Test suite.test_it.SizeTest.test_undeclared is using entire cluster. "
                "It's possible this test has no associated cluster metadata."
            )
            == 1
        )
        assert program.output.count("is using entire cluster") == 1
        assert program.result("test_undeclared")["nodes_allocated"] == 1000


# --- names

LONG = """
    from ducktape.mark import matrix
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class LongTest(Test):
        @cluster(num_nodes=0)
        @matrix(a=["x" * 300 + "1", "x" * 300 + "2"], b=["/etc/x y"])
        def test_long(self, a, b):
            pass

        @cluster(num_nodes=0)
        @matrix(**{f"argument_{n:02d}": ["y" * 250] for n in range(20)})
        def test_deep(self, **arguments):
            pass

        @cluster(num_nodes=0)
        def test_z_last(self):
            pass
"""


@pytest.mark.parametrize("nested", [False, True])
def test_long_arguments_get_directories_of_their_own(tmp_path: Path, nested: bool) -> None:
    with finished(tmp_path, suite(tmp_path, LONG), *(["--nested-result-dirs"] if nested else [])) as program:
        by_name: dict[str, list[dict[str, Any]]] = {}
        for result in program.report["results"]:
            by_name.setdefault(result["function_name"], []).append(result)
        # Twenty levels of 255 bytes are more than any path may have: that test fails, and that test alone
        assert [result["test_status"] for result in by_name["test_deep"]] == ["FAIL" if nested else "PASS"]
        assert [result["test_status"] for result in by_name["test_long"]] == ["PASS", "PASS"]
        assert [result["test_status"] for result in by_name["test_z_last"]] == ["PASS"]
        directories = {result["relative_results_dir"] for result in by_name["test_long"]}
        assert len(directories) == 2
        for directory in directories:
            assert (latest(program) / directory / "test_log.info").is_file()
            assert directory.count("/") == (5 if nested else 4)
            assert ("/b=.etc.xy/" in directory) is nested


# --- clusters

CLUSTERS = """
    from __future__ import annotations

    from typing import Any

    from ducktape.cluster.cluster_node import ClusterNode
    from ducktape.cluster.cluster_spec import ClusterSpec
    from ducktape.cluster.localhost import LocalhostCluster
    from ducktape.cluster.node_container import InsufficientResourcesError

    class Small(LocalhostCluster):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(num_nodes=3)
            self.allocations = 0

    class Never(Small):
        def do_alloc(self, cluster_spec: ClusterSpec) -> list[ClusterNode]:
            raise InsufficientResourcesError("promised and not given")

    class Broken(Small):
        def do_alloc(self, cluster_spec: ClusterSpec) -> list[ClusterNode]:
            self.allocations += 1
            if self.allocations == 1:
                raise ZeroDivisionError("the cluster is broken")
            return super().do_alloc(cluster_spec)

    class Shrinking(Small):
        def do_alloc(self, cluster_spec: ClusterSpec) -> list[ClusterNode]:
            self.allocations += 1
            if self.allocations == 1:
                self._available_nodes.remove_node(list(self._available_nodes)[-1])
                raise InsufficientResourcesError("one is unhealthy")
            return super().do_alloc(cluster_spec)

    class Keeping(Small):
        def free_single(self, node: ClusterNode) -> None:
            raise ZeroDivisionError("nothing is taken back")
"""
ON_CLUSTERS = """
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class ATest(Test):
        @cluster(num_nodes=3)
        def test_all(self):
            pass

        @cluster(num_nodes=1)
        def test_one(self):
            pass

        @cluster(num_nodes=0)
        def test_none(self):
            pass
"""


def on_cluster(folder: Path, cluster: str, *names: str) -> list[str]:
    write(folder / "suite" / "clusters.py", CLUSTERS)
    path = suite(folder, ON_CLUSTERS) + "/test_it.py::ATest."
    return [*(path + name for name in names), "--cluster", f"suite.clusters.{cluster}"]


def run_on(folder: Path, *arguments: str) -> Program:
    """Run to the end with the cluster of the arguments, which the helper's own one must not replace."""
    program = Program(folder, *arguments)
    try:
        program.wait()
    finally:
        program.kill_everything()
    return program


def test_a_cluster_that_never_gives_what_it_promises_fails_the_test(tmp_path: Path) -> None:
    program = run_on(tmp_path, *on_cluster(tmp_path, "Never", "test_one"))
    assert program.process.returncode == 1
    result = program.result("test_one")
    assert (result["test_status"], result["reason"]) == ("FAIL", "infrastructure")
    assert "promised and not given" in result["summary"]
    assert "Couldn't schedule test context <module=suite.test_it, cls=ATest, function=test_one" in program.output
    assert "but we'll keep trying" in program.output
    # A spinning loop would write thousands of lines
    assert program.output.count("but we'll keep trying") < 20


def test_a_cluster_that_raises_costs_one_test(tmp_path: Path) -> None:
    program = run_on(tmp_path, *on_cluster(tmp_path, "Broken", "test_all", "test_one", "test_none"))
    assert program.process.returncode == 1
    assert program.statuses == {"test_all": "FAIL", "test_one": "PASS", "test_none": "PASS"}
    assert "ZeroDivisionError('the cluster is broken')" in program.result("test_all")["summary"]
    assert program.result("test_all")["reason"] == "infrastructure"


def test_a_cluster_that_shrinks_fails_what_does_not_fit_any_more(tmp_path: Path) -> None:
    program = run_on(tmp_path, *on_cluster(tmp_path, "Shrinking", "test_all", "test_one", "test_none"))
    assert program.process.returncode == 1
    assert program.statuses == {"test_all": "FAIL", "test_one": "PASS", "test_none": "PASS"}
    assert program.result("test_all")["summary"] == (
        "Test suite.test_it.ATest.test_all requires more resources than are available in the whole cluster. "
        "linux nodes requested: 3. linux nodes available: 2. "
    )
    assert "There are 1 tests which cannot be run due to insufficient cluster resources" in program.output
    assert program.report["cluster_num_nodes"] == 2


def test_a_cluster_that_shrinks_gives_all_it_has_to_those_who_want_all(tmp_path: Path) -> None:
    arguments = on_cluster(tmp_path, "Shrinking", "test_all")
    write(tmp_path / "suite" / "test_it.py", ON_CLUSTERS.replace("@cluster(num_nodes=3)", ""))
    program = run_on(tmp_path, *arguments)
    assert program.statuses == {"test_all": "PASS"}
    assert program.result("test_all")["nodes_allocated"] == 2


def test_a_cluster_that_takes_nothing_back_changes_no_status(tmp_path: Path) -> None:
    program = run_on(tmp_path, *on_cluster(tmp_path, "Keeping", "test_one", "test_none"))
    assert program.process.returncode == 0
    assert program.statuses == {"test_one": "PASS", "test_none": "PASS"}
    assert "ZeroDivisionError('nothing is taken back')" in program.output


def test_what_never_gets_its_nodes_is_missing_from_the_report(tmp_path: Path) -> None:
    program = run_on(tmp_path, *on_cluster(tmp_path, "Keeping", "test_all", "test_one"))
    assert program.process.returncode == 1
    assert program.statuses == {"test_all": "PASS"}
    assert "All tests were NOT run. Expected 2 tests, only 1 were run." in program.output


# --- the runner as a library

LIBRARY = """
    import json, logging, sys
    from ducktape.cluster.localhost import LocalhostCluster
    from ducktape.json_serializable import DucktapeJSONEncoder
    from ducktape.tests.loader import TestLoader
    from ducktape.tests.runner import TestRunner
    from ducktape.tests.session import SessionContext, SessionLoggerMaker

    if __name__ == "__main__":
        session = SessionContext(session_id="mine", results_dir=sys.argv[1])
        logger = SessionLoggerMaker(session).logger
        cluster = LocalhostCluster(num_nodes=2)
        tests = TestLoader(session, logger, cluster=cluster).load([sys.argv[2]])
        runner = TestRunner(cluster, session, logger, tests, 1, 5556, 5656, finish_join_timeout=1)
        results = runner.run_all_tests()
        found = {
            "ids": [result.test_id.rpartition(".")[2] for result in results],
            "success": results.get_aggregate_success(),
            "log": [list(key) for key in runner.test_schedule_log],
            "counters": [runner.test_counter, runner.total_tests, len(runner.scheduler), len(runner.active_tests)],
            "free": cluster.num_available_nodes(),
            "clients": {str(key): report for key, report in runner.client_report.items()},
            "timeouts": [runner.finish_join_timeout, runner.timeout_exception_join_timeout],
        }
        with open("found.json", "w") as file:
            json.dump(found, file, cls=DucktapeJSONEncoder)
"""
THREADS = """
    import threading, time
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class ThreadTest(Test):
        @cluster(num_nodes=2)
        def test_leaves_a_thread(self):
            threading.Thread(target=time.sleep, args=(1000,), name="left behind").start()

        @cluster(num_nodes=1)
        def test_next(self):
            pass
"""


class Library:
    """What a program that uses the runner itself found, and what it printed."""

    def __init__(self, folder: Path, text: str) -> None:
        (folder / "out").mkdir()
        script = write(folder / "mine.py", LIBRARY)
        self.folder = folder
        completed = subprocess.run(
            [sys.executable, str(script), "out", suite(folder, text)],
            cwd=folder,
            env=environment(folder),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.code, self.output, self.errors = completed.returncode, completed.stdout, completed.stderr
        self.found: dict[str, Any] = json.loads((folder / "found.json").read_text())


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return Library(tmp_path_factory.mktemp("library"), THREADS)


def test_the_runner_is_usable_as_a_library(library: Library) -> None:
    assert (library.code, library.errors) == (0, "")
    found = library.found
    assert found["ids"] == ["test_leaves_a_thread", "test_next"]
    assert found["success"] is True
    prefix = "suite.test_it.ThreadTest"
    assert found["log"] == [[f"{prefix}.test_leaves_a_thread", 1], [f"{prefix}.test_next", 2]]
    assert found["counters"] == [2, 2, 0, 0]
    assert found["free"] == 2
    assert found["timeouts"] == [1, 300]
    assert (library.folder / "out" / "ThreadTest" / "test_next" / "2" / "report.json").is_file()


def test_a_test_that_leaves_a_thread_passes_and_its_process_is_killed(library: Library) -> None:
    [client, _] = library.found["clients"].values()
    assert (client["status"], client["name"], client["exitcode"]) == ("FINISHED", "Process-1", -signal.SIGKILL)
    text = "after waiting 1s, process Process-1 failed to complete.  Terminating..."
    assert re.search(rf"\[ERROR:[^]]*\]: {re.escape(text)}\n", library.output)
    log = (library.folder / "out" / "ThreadTest" / "test_leaves_a_thread" / "1" / "test_log.debug").read_text()
    assert "left behind" in log[log.index("Threads after suite.test_it.ThreadTest.test_leaves_a_thread finished: ") :]


def test_a_process_that_is_killed_is_told_in_the_documented_second_line(library: Library) -> None:
    text = "Process Process-1 did not respond to SIGTERM, escalating to SIGKILL"
    assert re.search(rf"\[WARNING:[^]]*\]: {re.escape(text)}\n", library.output)


def test_the_next_test_does_not_wait_for_a_process_that_does_not_end(library: Library) -> None:
    assert library.output.index("Triggering test 2 of 2...") < library.output.index("after waiting 1s")


# --- reports before the end

PAUSING = """
    import os, time
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class PausingTest(Test):
        @cluster(num_nodes=2)
        def test_first(self):
            pass

        @cluster(num_nodes=1)
        def test_second(self):
            self.logger.warning("second runs")
            time.sleep(1000)
"""


def test_a_killed_driver_leaves_reports_of_what_had_finished(tmp_path: Path) -> None:
    with started(tmp_path, suite(tmp_path, PAUSING)) as program:
        program.wait_for("second runs")
        [session] = (name for name in os.listdir(tmp_path / "results") if name != "latest")
        directory = tmp_path / "results" / session
        deadline = time.monotonic() + 30
        while not (directory / "report.xml").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        program.signal(signal.SIGKILL)
        program.wait()
        assert [name for name in os.listdir(directory) if name.startswith("report")] != []
        report = json.loads((directory / "report.json").read_text())
        assert [result["function_name"] for result in report["results"]] == ["test_first"]
        assert report["num_passed"] == 1
        assert report["stop_time"] >= report["start_time"] > 0
        assert "test_first" in (directory / "report.txt").read_text()
        assert "test_first" in (directory / "report.html").read_text()
        assert 'tests="1"' in (directory / "report.xml").read_text()
        assert "SESSION REPORT" not in program.output


def test_a_process_that_waits_for_a_thread_does_not_outlive_a_killed_driver(tmp_path: Path) -> None:
    with started(tmp_path, suite(tmp_path, THREADS.replace("pass", "time.sleep(1000)"))) as program:
        # The first test has reported, and its process waits for the thread
        program.wait_for("test_next: Running...")
        program.signal(signal.SIGKILL)
        program.process.wait()
        deadline = time.monotonic() + 10
        while program._descendants() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert program.survivors() == []


# --- files that only some processes can import


def test_a_test_that_its_process_cannot_import_fails_alone(tmp_path: Path) -> None:
    choosy = """
        import os
        from ducktape.mark.resource import cluster
        from ducktape.tests.test import Test

        if os.environ.get("LOADED"):
            raise ZeroDivisionError("only once")
        os.environ["LOADED"] = "1"

        class ChoosyTest(Test):
            @cluster(num_nodes=1)
            def test_choosy(self):
                pass
    """
    with finished(tmp_path, suite(tmp_path, choosy), extra={"DUCKTAPE_START_METHOD": "spawn"}) as program:
        assert program.process.returncode == 1
        result = program.result("test_choosy")
        assert (result["test_status"], result["reason"]) == ("FAIL", "error")
        assert "ZeroDivisionError('only once')" in result["summary"]
        directory = directory_of(program, "test_choosy")
        assert {"report.json", "report.txt"} <= set(os.listdir(directory) if directory.exists() else [])
