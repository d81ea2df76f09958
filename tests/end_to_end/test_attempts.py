# SPDX-License-Identifier: Apache-2.0
"""Tests that are run more than once, tests that do not apply, and tests that are expected to fail."""

from __future__ import annotations

import html
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import Program, finished, started, suite, write

# The number of its run is all that a test of these suites goes by
COUNTING = """
    import os, time
    from ducktape.errors import InfrastructureError, Skip
    from ducktape.mark import expected_failure, timeout
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    class Counting(Test):
        def run_number(self):
            with open(self.test_context.function_name, "a") as file:
                file.write("x")
            return os.path.getsize(self.test_context.function_name)

    class Idle(Service):
        logs = {"log": {"path": "idle.log", "collect_default": True}}

        def start_node(self, node):
            node.account.ssh("echo started >> idle.log")

        def stop_node(self, node):
            pass

        def clean_node(self, node):
            node.account.remove("idle.log", allow_fail=True)
"""


def test_directory(program: Program, name: str) -> Path:
    return program.folder / "results" / "latest" / str(program.result(name)["relative_results_dir"])


test_directory.__test__ = False  # type: ignore[attr-defined]


def courses(result: dict[str, Any]) -> list[tuple[int, str, str | None, str]]:
    """Number, status, reason and directory of every attempt."""
    return [(each["number"], each["status"], each["reason"], each["directory"]) for each in result["attempts"]]


# --- deflake

DEFLAKED = (
    COUNTING
    + """
    class DeflakeTest(Counting):
        @cluster(num_nodes=1)
        def test_dies_once(self):
            Idle(self.test_context, 1).start()
            number = self.run_number()
            self.logger.info("this is run %d", number)
            if number == 1:
                os.kill(os.getpid(), 9)
            return number

        @cluster(num_nodes=0)
        def test_always_dies(self):
            if self.run_number() == 2:
                raise ValueError("the second time")
            os._exit(7)

        @cluster(num_nodes=0)
        def test_fails_then_dies_then_passes(self):
            number = self.run_number()
            assert number != 1
            if number == 2:
                os.kill(os.getpid(), 9)

        @cluster(num_nodes=0)
        def test_passes(self):
            self.run_number()

        @cluster(num_nodes=0)
        def test_blames_the_infrastructure_for_ever(self):
            self.run_number()
            raise InfrastructureError("no disk")

        @cluster(num_nodes=0)
        @timeout(test=0.5, teardown=1)
        def test_takes_too_long_once(self):
            if self.run_number() == 1:
                time.sleep(1000)
"""
)


@pytest.fixture(scope="module")
def deflaked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("deflaked")
    with finished(folder, suite(folder, DEFLAKED), "--deflake", "3", "--max-parallel", "3") as program:
        yield program


def test_each_deflaked_test_has_the_status_of_its_last_run(deflaked: Program) -> None:
    assert deflaked.statuses == {
        "test_dies_once": "FLAKY",
        "test_always_dies": "FAIL",
        "test_fails_then_dies_then_passes": "FLAKY",
        "test_passes": "PASS",
        "test_blames_the_infrastructure_for_ever": "FAIL",
        "test_takes_too_long_once": "FLAKY",
    }
    assert deflaked.report["num_flaky"] == 3
    assert deflaked.process.returncode == 1


def test_a_test_that_dies_once_is_flaky_with_both_attempts(deflaked: Program) -> None:
    result = deflaked.result("test_dies_once")
    assert courses(result) == [(1, "fail", "crash", "attempt-1"), (2, "pass", None, "attempt-2")]
    assert (result["data"], result.get("reason")) == (2, None)
    lines = result["summary"].split("\n")
    assert lines[:2] == [
        "run 1 summary:",
        "Test process was killed by SIGKILL (signal 9) before reporting a result",
    ]
    assert lines[-1] == "run 2: PASSED"
    assert [each["nodes"] for each in result["attempts"]] == [["localhost0"], ["localhost1"]]
    times = [(each["start_time"], each["stop_time"]) for each in result["attempts"]]
    assert times[0][0] < times[0][1] <= times[1][0] < times[1][1]


def test_each_attempt_has_a_log_of_its_own(deflaked: Program) -> None:
    directory = test_directory(deflaked, "test_dies_once")
    logs = {number: (directory / f"attempt-{number}" / "test_log.info").read_text() for number in (1, 2)}
    assert "this is run 1" in logs[1] and "this is run 2" not in logs[1]
    assert "this is run 2" in logs[2] and "this is run 1" not in logs[2]
    both = (directory / "test_log.info").read_text()
    assert both.index("this is run 1") < both.index("this is run 2")
    assert (directory / "attempt-1" / "test_log.debug").is_file()


def test_the_services_of_each_attempt_are_told_apart_even_if_it_died(deflaked: Program) -> None:
    result = deflaked.result("test_dies_once")
    ids = [service["service_id"] for service in result["services"]]
    assert [name.split("-")[:3] for name in ids] == [["1", "Idle", "0"], ["2", "Idle", "0"]]
    directory = test_directory(deflaked, "test_dies_once")
    for number, service_id in enumerate(ids):
        assert (directory / service_id / f"localhost{number}" / "idle.log").read_text() == "started\n"


def test_a_test_that_dies_to_the_last_fails_with_all_attempts(deflaked: Program) -> None:
    result = deflaked.result("test_always_dies")
    assert courses(result) == [
        (1, "fail", "crash", "attempt-1"),
        (2, "fail", "error", "attempt-2"),
        (3, "fail", "crash", "attempt-3"),
    ]
    assert result["reason"] == "crash"
    assert result["summary"].startswith("runs 1, 3 summary:\nTest process exited with code 7")
    assert "run 2 summary:\nValueError('the second time')" in result["summary"]


def test_a_run_after_a_death_goes_on_counting(deflaked: Program) -> None:
    result = deflaked.result("test_fails_then_dies_then_passes")
    assert [(number, reason) for number, _, reason, _ in courses(result)] == [(1, "assertion"), (2, "crash"), (3, None)]
    assert result["summary"].endswith("\nrun 3: PASSED")


def test_a_test_that_took_too_long_once_is_flaky(deflaked: Program) -> None:
    result = deflaked.result("test_takes_too_long_once")
    assert [(number, reason) for number, _, reason, _ in courses(result)] == [(1, "timeout"), (2, None)]


def test_a_passing_test_runs_once_and_lists_no_attempts(deflaked: Program) -> None:
    assert (deflaked.folder / "test_passes").read_text() == "x"
    assert "attempts" not in deflaked.result("test_passes")
    assert os.listdir(test_directory(deflaked, "test_passes") / "attempt-1") != []


def test_a_failure_of_the_infrastructure_is_deflaked_like_any_other(deflaked: Program) -> None:
    assert (deflaked.folder / "test_blames_the_infrastructure_for_ever").read_text() == "xxx"
    result = deflaked.result("test_blames_the_infrastructure_for_ever")
    assert (result["reason"], len(result["attempts"])) == ("infrastructure", 3)


def test_a_result_with_attempts_is_the_same_in_the_file_of_its_test(deflaked: Program) -> None:
    for name in ("test_dies_once", "test_always_dies", "test_takes_too_long_once"):
        own = json.loads((test_directory(deflaked, name) / "report.json").read_text())
        assert own == deflaked.result(name)


def test_nothing_is_left_of_attempts_that_died(deflaked: Program) -> None:
    assert deflaked.survivors() == []
    statuses = {key: value["status"] for key, value in deflaked.report["client_status"].items()}
    assert len(statuses) == 6


# --- detect flakes

DETECTED = (
    COUNTING
    + """
    class DetectTest(Counting):
        @cluster(num_nodes=0)
        def test_good(self):
            self.run_number()

        @cluster(num_nodes=0)
        def test_sometimes(self):
            assert self.run_number() % 2

        @cluster(num_nodes=0)
        def test_dies_second(self):
            if self.run_number() == 2:
                os.kill(os.getpid(), 9)

        @cluster(num_nodes=0)
        def test_never(self):
            self.run_number()
            raise ValueError("never")

        @cluster(num_nodes=0)
        def test_skipped(self):
            self.run_number()
            raise Skip("not here")
"""
)


def test_every_test_runs_so_many_times_and_has_its_rate(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, DETECTED), "--detect-flakes", "4", "--max-parallel", "2") as program:
        assert program.statuses == {
            "test_good": "PASS",
            "test_sometimes": "FLAKY",
            "test_dies_second": "FLAKY",
            "test_never": "FAIL",
            "test_skipped": "IGNORE",
        }
        rates = {name: program.result(name).get("runs") for name in ("test_good", "test_sometimes", "test_dies_second")}
        assert rates == {
            "test_good": {"passed": 4, "failed": 0},
            "test_sometimes": {"passed": 2, "failed": 2},
            "test_dies_second": {"passed": 3, "failed": 1},
        }
        assert program.result("test_never")["runs"] == {"passed": 0, "failed": 4}
        assert {name: (tmp_path / name).read_text() for name in ("test_good", "test_dies_second", "test_skipped")} == {
            "test_good": "xxxx",
            "test_dies_second": "xxxx",
            "test_skipped": "x",
        }
        assert program.result("test_sometimes")["summary"].startswith("passed 2 of 4 runs\n\nruns 2, 4 summary:\n")
        assert [each["status"] for each in program.result("test_good")["attempts"]] == ["pass"] * 4
        assert "test_good: FLAKY" not in program.output


# --- infrastructure

INFRASTRUCTURE = (
    COUNTING
    + """
    class InfrastructureTest(Counting):
        def setup(self):
            self.nodes = [node.name for node in self.cluster.nodes]
            if "localhost0" in self.nodes:
                raise InfrastructureError("localhost0 has no disk")

        @cluster(num_nodes=1)
        def test_on_a_node(self):
            self.logger.warning("ran on %s", self.nodes)
"""
)
CLUSTERS = """
    from ducktape.cluster.localhost import LocalhostCluster
    from ducktape.cluster.node_container import NodeContainer

    class Front(LocalhostCluster):
        \"\"\"Lends the node that came back last first, as if it were the only one that anybody thinks of.\"\"\"

        def free_single(self, node):
            super().free_single(node)
            *others, last = self._available_nodes
            self._available_nodes = NodeContainer([last, *others])

    class Two(Front):
        def __init__(self, **kwargs):
            super().__init__(num_nodes=2)

    class One(Front):
        def __init__(self, **kwargs):
            super().__init__(num_nodes=1)
"""


def run_on(folder: Path, cluster: str, text: str, *arguments: str) -> Program:
    write(folder / "suite" / "clusters.py", CLUSTERS)
    program = Program(folder, suite(folder, text), *arguments, "--cluster", f"suite.clusters.{cluster}")
    try:
        program.wait()
    finally:
        program.kill_everything()
    return program


def test_a_test_that_its_nodes_failed_passes_on_others(tmp_path: Path) -> None:
    program = run_on(tmp_path, "Two", INFRASTRUCTURE, "--retry-infrastructure", "1")
    assert program.process.returncode == 0
    result = program.result("test_on_a_node")
    assert (result["test_status"], result["summary"], result.get("reason")) == ("PASS", "Test Passed", None)
    assert courses(result) == [(1, "fail", "infrastructure", "attempt-1"), (2, "pass", None, "attempt-2")]
    assert [each["nodes"] for each in result["attempts"]] == [["localhost0"], ["localhost1"]]
    assert "InfrastructureError('localhost0 has no disk')" in result["attempts"][0]["summary"]
    assert "ran on ['localhost1']" in program.output
    assert "on run 1/1" in program.output and "on run 2/2" in program.output
    assert "test_on_a_node: PASS\n" in program.output


def test_with_one_node_it_gets_the_same_again_until_it_has_been_tried_enough(tmp_path: Path) -> None:
    program = run_on(tmp_path, "One", INFRASTRUCTURE, "--retry-infrastructure", "2")
    assert program.process.returncode == 1
    result = program.result("test_on_a_node")
    assert (result["test_status"], result["reason"]) == ("FAIL", "infrastructure")
    assert [each["nodes"] for each in result["attempts"]] == [["localhost0"]] * 3
    assert [each["number"] for each in result["attempts"]] == [1, 2, 3]


def test_without_the_option_the_infrastructure_fails_a_test_at_once(tmp_path: Path) -> None:
    program = run_on(tmp_path, "Two", INFRASTRUCTURE)
    result = program.result("test_on_a_node")
    assert (result["test_status"], result["reason"]) == ("FAIL", "infrastructure")
    assert "attempts" not in result


def test_a_failure_that_is_followed_by_another_attempt_does_not_end_the_run(tmp_path: Path) -> None:
    text = (
        INFRASTRUCTURE
        + """
    class LaterTest(Counting):
        @cluster(num_nodes=0)
        def test_z_later(self):
            pass
"""
    )
    program = run_on(tmp_path, "Two", text, "--retry-infrastructure", "1", "--exit-first")
    assert program.process.returncode == 0
    assert program.statuses == {"test_on_a_node": "PASS", "test_z_later": "PASS"}
    assert "tests_not_run" not in program.report


WAITING = (
    COUNTING
    + """
    class WaitingTest(Counting):
        @cluster(num_nodes=2)
        def test_a_is_to_run_again(self):
            if self.run_number() == 1:
                time.sleep(0.3)
                raise InfrastructureError("not the first time")

        @cluster(num_nodes=1)
        def test_b_keeps_the_nodes(self):
            self.logger.warning("the nodes are taken")
            time.sleep(1000)
"""
)


def test_an_interrupt_while_another_attempt_waits_loses_no_result(tmp_path: Path) -> None:
    write(tmp_path / "suite" / "clusters.py", CLUSTERS)
    # The second attempt would need both nodes, and one of them is taken meanwhile
    text = WAITING.replace("num_nodes=1)\n        def test_b", "num_nodes=0)\n        def test_b").replace(
        "time.sleep(0.3)",
        "time.sleep(0.3); import threading; threading.Thread(target=time.sleep, args=(1000,)).start()",
    )
    program = Program(
        tmp_path,
        suite(tmp_path, text),
        *("--retry-infrastructure", "1", "--max-parallel", "2", "--cluster", "suite.clusters.Two"),
    )
    try:
        program.wait_for("the nodes are taken")
        program.wait_for("running it once more after infrastructure")
        program.signal(signal.SIGINT)
        assert program.wait(timeout=40) == 1
        results = {result["function_name"]: result for result in program.report["results"]}
        assert {name: result["test_status"] for name, result in results.items()} == {
            "test_a_is_to_run_again": "FAIL",
            "test_b_keeps_the_nodes": "FAIL",
        }
        assert results["test_a_is_to_run_again"]["reason"] == "infrastructure"
        assert results["test_b_keeps_the_nodes"]["reason"] == "interrupted"
        assert program.survivors() == []
    finally:
        program.kill_everything()


# --- skip, expected failures, errors of the ending

SAYING = (
    COUNTING
    + """
    class Stubborn(Idle):
        def clean_node(self, node):
            super().clean_node(node)
            raise RuntimeError("it does not come off")

    class SayingTest(Counting):
        @cluster(num_nodes=0)
        def test_skips(self):
            raise Skip("needs a\\nnewer kernel")

        @cluster(num_nodes=0)
        @expected_failure("bug 7")
        def test_fails_as_expected(self):
            raise ValueError("of course")

        @cluster(num_nodes=0)
        @expected_failure("bug 8")
        def test_dies_as_expected(self):
            os._exit(3)

        @cluster(num_nodes=0)
        @expected_failure("bug 9")
        def test_passes_unexpectedly(self):
            pass

        @cluster(num_nodes=0)
        @expected_failure("bug 10")
        def test_has_no_machine(self):
            raise InfrastructureError("no machine")

        @cluster(num_nodes=1)
        def test_ends_badly(self):
            Stubborn(self.test_context, 1).start()

    class SkipInSetupTest(Test):
        def setup(self):
            raise Skip("not on Sundays")

        @cluster(num_nodes=0)
        def test_skips_in_setup(self):
            raise ValueError("not reached")

        def teardown(self):
            self.logger.warning("torn down after the skip")

    class TearingTest(Test):
        @cluster(num_nodes=0)
        def test_tears_badly(self):
            return 1

        def teardown(self):
            raise ValueError("cannot tear down")
"""
)


@pytest.fixture(scope="module", params=[False, True], ids=["lenient", "strict"])
def saying(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("saying")
    strict = ["--fail-on-teardown-error"] if request.param else []
    with finished(folder, suite(folder, SAYING), "--max-parallel", "2", *strict) as program:
        program.start_method = "strict" if strict else ""
        yield program


def test_what_tests_say_of_themselves_is_their_status(saying: Program) -> None:
    late = "FAIL" if saying.start_method == "strict" else "PASS"
    assert saying.statuses == {
        "test_skips": "IGNORE",
        "test_fails_as_expected": "IGNORE",
        "test_dies_as_expected": "IGNORE",
        "test_passes_unexpectedly": "FAIL",
        "test_has_no_machine": "FAIL",
        "test_skips_in_setup": "IGNORE",
        "test_ends_badly": late,
        "test_tears_badly": late,
    }


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("test_skips", "Skipped: needs a\nnewer kernel"),
        ("test_skips_in_setup", "Skipped: not on Sundays"),
        ("test_fails_as_expected", "Expected failure: bug 7\n\nValueError('of course')\nTraceback"),
        ("test_dies_as_expected", "Expected failure: bug 8\n\nTest process exited with code 3"),
        ("test_passes_unexpectedly", "The test passed, and is marked as one that is expected to fail: bug 9"),
        ("test_has_no_machine", "InfrastructureError('no machine')"),
    ],
)
def test_the_reason_is_in_every_report(saying: Program, name: str, beginning: str) -> None:
    assert saying.result(name)["summary"].startswith(beginning)
    reports = saying.folder / "results" / "latest"
    first = beginning.split("\n")[0]
    assert first in (reports / "report.txt").read_text()
    assert first in html.unescape((reports / "report.html").read_text().replace("\\u0027", "'"))
    # In this format it is the element that says "skipped"
    assert first.removeprefix("Skipped: ") in html.unescape((reports / "report.xml").read_text())
    own = json.loads((test_directory(saying, name) / "report.json").read_text())
    assert own == saying.result(name)


def test_a_skipped_test_is_torn_down(saying: Program) -> None:
    assert saying.output.count("torn down after the skip") == 1


def test_errors_of_the_ending_stand_in_the_result(saying: Program) -> None:
    [error] = saying.result("test_tears_badly")["teardown_errors"]
    assert error.startswith("Error running teardown method: ValueError('cannot tear down')\nTraceback")
    [error] = saying.result("test_ends_badly")["teardown_errors"]
    assert error.startswith("Error cleaning service Stubborn-0-")
    assert error.endswith("RuntimeError: it does not come off")
    assert "teardown_errors" not in saying.result("test_skips")


def test_errors_of_the_ending_fail_a_test_if_that_is_wanted(saying: Program) -> None:
    for name, data in (("test_tears_badly", 1), ("test_ends_badly", None)):
        result = saying.result(name)
        if saying.start_method != "strict":
            assert (result["summary"], result.get("reason"), result["data"]) == ("Test Passed", None, data)
            continue
        assert result["reason"] == "error"
        assert result["summary"].startswith("The test itself did not fail, but its ending did:\nError ")


def test_the_exit_code_is_that_of_a_run_with_failures(saying: Program) -> None:
    assert saying.process.returncode == 1


# --- what did not run

LONG = (
    COUNTING
    + """
    class LongTest(Counting):
        @cluster(num_nodes=3)
        def test_a_runs(self):
            self.logger.warning("it runs")
            time.sleep(1000)

        @cluster(num_nodes=2)
        def test_b_waits(self):
            pass

        @cluster(num_nodes=1)
        def test_c_waits_too(self):
            pass
"""
)


def test_tests_that_did_not_run_because_of_an_interrupt_are_listed(tmp_path: Path) -> None:
    with started(tmp_path, suite(tmp_path, LONG)) as program:
        program.wait_for("it runs")
        program.signal(signal.SIGINT)
        assert program.wait(timeout=30) == 1
        assert program.statuses == {"test_a_runs": "FAIL"}
        missed = program.report["tests_not_run"]
        assert [test["function_name"] for test in missed] == ["test_b_waits", "test_c_waits_too"]
        assert {test["why"] for test in missed} == {"the run was interrupted"}
        reports = tmp_path / "results" / "latest"
        for name in ("report.txt", "report.html", "report.xml"):
            assert "test_c_waits_too" in (reports / name).read_text(), name


def test_the_first_failure_leaves_the_others_unrun_and_listed(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, LONG.replace("time.sleep(1000)", "assert 0")), "--exit-first") as program:
        assert program.process.returncode == 1
        assert program.statuses == {"test_a_runs": "FAIL"}
        why = f"{program.result('test_a_runs')['test_id']} failed before, and --exit-first was given"
        assert [(test["function_name"], test["why"]) for test in program.report["tests_not_run"]] == [
            ("test_b_waits", why),
            ("test_c_waits_too", why),
        ]


def test_a_flaky_test_is_no_reason_to_stop_at_the_first_failure(tmp_path: Path) -> None:
    flaky = LONG.replace("time.sleep(1000)", "assert self.run_number() > 1")
    with finished(tmp_path, suite(tmp_path, flaky), "--exit-first", "--deflake", "2") as program:
        assert program.process.returncode == 0
        assert program.statuses == {"test_a_runs": "FLAKY", "test_b_waits": "PASS", "test_c_waits_too": "PASS"}


def test_a_crash_that_is_followed_by_another_attempt_does_not_stop_at_the_first_failure(tmp_path: Path) -> None:
    flaky = LONG.replace("time.sleep(1000)", "self.run_number() > 1 or os._exit(9)")
    start = time.monotonic()
    with finished(tmp_path, suite(tmp_path, flaky), "--exit-first", "--deflake", "2") as program:
        assert program.statuses == {"test_a_runs": "FLAKY", "test_b_waits": "PASS", "test_c_waits_too": "PASS"}
        assert "tests_not_run" not in program.report
    assert time.monotonic() - start < 30
