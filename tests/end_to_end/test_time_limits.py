# SPDX-License-Identifier: Apache-2.0
"""Tests that take too long end alone, with evidence, in every part of their lives, whatever they are doing."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import Program, finished, suite

SUITE = """
    import itertools, os, re, signal, threading, time
    from ducktape.mark import timeout
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    def deep_inside():
        threading.Event().wait(1000)

    class Talker(Service):
        def __init__(self, context):
            super().__init__(context, num_nodes=1)
            # All nodes are one machine
            self.path = f"{context.function_name}.log"
            self.logs = {"log": {"path": self.path, "collect_default": False}}

        def start_node(self, node):
            node.account.ssh(f"echo started >> {self.path}")

        def stop_node(self, node):
            node.account.ssh(f"echo stopped >> {self.path}")

        def clean_node(self, node):
            node.account.remove(self.path, allow_fail=True)

        def dump(self, node):
            node.account.ssh(f"echo dumped >> {self.path}")

    class HangingTest(Test):
        @cluster(num_nodes=1)
        @timeout(test=0.7)
        def test_hangs(self):
            Talker(self.test_context).start()
            threading.Thread(target=deep_inside, daemon=True).start()
            time.sleep(1000)

        @cluster(num_nodes=0)
        @timeout(test="700ms", teardown=1)
        def test_swallows_the_interrupt(self):
            while True:
                try:
                    time.sleep(1000)
                except KeyboardInterrupt:
                    self.logger.warning("swallowed")

        @cluster(num_nodes=0)
        @timeout(test=0.7)
        def test_ends_in_peace_after_the_interrupt(self):
            try:
                time.sleep(1000)
            except KeyboardInterrupt:
                return {"said": "all is well"}

        @cluster(num_nodes=0)
        @timeout(test=0.7)
        def test_loops_in_python(self):
            while True:
                pass

        @cluster(num_nodes=1)
        @timeout(test=0.7)
        def test_loops_in_c(self):
            Talker(self.test_context).start()
            sum(itertools.repeat(1))

        @cluster(num_nodes=0)
        @timeout(test=0.7)
        def test_matches_for_ever(self):
            re.match(r"(a+)+$", "a" * 60 + "b")

        @cluster(num_nodes=0)
        @timeout(test=0.7)
        def test_is_stopped(self):
            os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(1000)

        @cluster(num_nodes=0)
        @timeout(test=60)
        def test_is_fast(self):
            pass

        def teardown(self):
            self.logger.warning("torn down %s", self.test_context.function_name)

    class SlowSetupTest(Test):
        def setup(self):
            time.sleep(1000)

        @cluster(num_nodes=0)
        @timeout(setup=0.7)
        def test_of_a_slow_setup(self):
            pass

    class SlowConstructorTest(Test):
        def __init__(self, test_context):
            super().__init__(test_context)
            time.sleep(1000)

        @cluster(num_nodes=0)
        @timeout(setup=0.7)
        def test_of_a_slow_constructor(self):
            pass

    class SlowTeardownTest(Test):
        @cluster(num_nodes=1)
        @timeout(teardown=0.7)
        def test_of_a_slow_teardown(self):
            Talker(self.test_context).start()
            return 7

        def teardown(self):
            time.sleep(1000)

    class Immortal(Talker):
        up = False

        def start_node(self, node):
            super().start_node(node)
            self.up = True

        def stop_node(self, node):
            super().stop_node(node)
            if self.up:
                time.sleep(1000)

    class SlowStopTest(Test):
        @cluster(num_nodes=1)
        @timeout(teardown=0.7)
        def test_of_a_slow_stop(self):
            Immortal(self.test_context).start()

        def teardown(self):
            self.logger.warning("torn down before the stop")
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("limits")
    with finished(folder, suite(folder, SUITE), "--max-parallel", "13") as program:
        yield program


def log_of_the_service(program: Program, name: str) -> str:
    result = program.result(name)
    [service] = result["services"]
    directory = program.folder / "results" / "latest" / result["relative_results_dir"] / service["service_id"]
    [log] = directory.glob(f"*/{name}.log")
    return str(log.read_text())


def took(result: dict[str, Any]) -> float:
    return float(result["stop_time"] - result["start_time"])


def test_those_that_take_too_long_fail_alone(program: Program) -> None:
    assert program.statuses == {
        "test_hangs": "FAIL",
        "test_swallows_the_interrupt": "FAIL",
        "test_ends_in_peace_after_the_interrupt": "FAIL",
        "test_loops_in_python": "FAIL",
        "test_loops_in_c": "FAIL",
        "test_matches_for_ever": "FAIL",
        "test_is_stopped": "FAIL",
        "test_is_fast": "PASS",
        "test_of_a_slow_setup": "FAIL",
        "test_of_a_slow_constructor": "FAIL",
        "test_of_a_slow_teardown": "FAIL",
        "test_of_a_slow_stop": "FAIL",
    }
    reasons = {result.get("reason") for result in program.report["results"] if result["test_status"] == "FAIL"}
    assert reasons == {"timeout"}
    assert program.process.returncode == 1
    assert program.survivors() == []


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        ("test_hangs", "test"),
        ("test_swallows_the_interrupt", "test"),
        ("test_loops_in_c", "test"),
        ("test_of_a_slow_setup", "setup"),
        ("test_of_a_slow_constructor", "setup"),
        ("test_of_a_slow_teardown", "teardown"),
    ],
)
def test_each_says_which_limit_it_was(program: Program, name: str, phase: str) -> None:
    nodes = "localhost" if program.result(name)["nodes_allocated"] else "no nodes"
    assert re.match(
        rf"Test aborted: TimeoutError: its {phase} took longer than 0\.7 seconds \(@timeout\) \(on {nodes}\d*\)\n",
        program.result(name)["summary"],
    )


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("test_hangs", 4),
        ("test_loops_in_python", 4),
        ("test_is_stopped", 4),
        ("test_swallows_the_interrupt", 4),
        ("test_of_a_slow_teardown", 4),
        ("test_loops_in_c", 9),
        ("test_matches_for_ever", 9),
    ],
)
def test_it_ends_soon_after_its_limit(program: Program, name: str, seconds: float) -> None:
    assert 0.7 <= took(program.result(name)) < seconds


def test_the_stacks_of_all_threads_are_in_the_summary_and_in_a_file(program: Program) -> None:
    result = program.result("test_hangs")
    directory = program.folder / "results" / "latest" / result["relative_results_dir"]
    stacks = (directory / "stacks.txt").read_text()
    assert "in deep_inside" in stacks and "in test_hangs" in stacks
    assert "in deep_inside" in result["summary"] and "in test_hangs" in result["summary"]
    assert "in test_loops_in_c" in program.result("test_loops_in_c")["summary"]
    assert list((program.folder / "results" / "latest").glob("HangingTest/test_is_fast/*/stacks.txt")) == []


def test_the_services_of_a_test_that_could_be_interrupted_are_dumped_stopped_and_collected(program: Program) -> None:
    assert log_of_the_service(program, "test_hangs") == "started\ndumped\nstopped\n"
    assert "torn down test_hangs" in program.output


def test_the_services_of_a_test_that_had_to_be_killed_are_dumped_stopped_and_collected(program: Program) -> None:
    assert log_of_the_service(program, "test_loops_in_c") == "started\ndumped\nstopped\n"
    assert "torn down test_loops_in_c" not in program.output


def test_what_a_test_says_after_its_time_does_not_save_it(program: Program) -> None:
    result = program.result("test_ends_in_peace_after_the_interrupt")
    assert (result["test_status"], result["data"]) == ("FAIL", {"said": "all is well"})
    assert program.output.count("swallowed") >= 1


def test_a_teardown_that_takes_too_long_does_not_keep_the_rest_from_being_done(program: Program) -> None:
    assert log_of_the_service(program, "test_of_a_slow_teardown") == "started\nstopped\n"
    result = program.result("test_of_a_slow_teardown")
    assert result["data"] == 7
    assert any(
        error.startswith("Error running teardown method: KeyboardInterrupt") for error in result["teardown_errors"]
    )


def test_a_stop_that_takes_too_long_is_told_with_the_test_and_its_logs_are_collected(program: Program) -> None:
    result = program.result("test_of_a_slow_stop")
    assert "its stop took longer than 0.7 seconds" in result["summary"]
    assert "stopped\n" in log_of_the_service(program, "test_of_a_slow_stop")
    assert "torn down before the stop" in program.output
    errors = [error for error in result["teardown_errors"] if "stopping service Immortal" in error]
    assert "it took too long" in errors[0]


# --- options

PLAIN = """
    import time
    from ducktape.mark import matrix, timeout
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class PlainTest(Test):
        @cluster(num_nodes=3)
        def test_limited_by_the_option(self):
            time.sleep(1000)

        @cluster(num_nodes=2)
        @timeout(test="1h")
        def test_limited_by_its_mark(self):
            time.sleep(2)

        @cluster(num_nodes=1)
        def test_waits(self):
            pass

        def teardown(self):
            self.logger.warning("torn down")
"""


def test_the_option_limits_every_test_without_a_mark(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, PLAIN), "--test-timeout", "1s", "--max-parallel", "3") as program:
        assert program.statuses == {
            "test_limited_by_the_option": "FAIL",
            "test_limited_by_its_mark": "PASS",
            "test_waits": "PASS",
        }
        assert program.result("test_limited_by_the_option")["summary"].startswith(
            "Test aborted: TimeoutError: its test took longer than 1 seconds (--test-timeout) (on localhost0, "
        )


def test_the_time_of_the_session_ends_what_runs_and_starts_nothing_else(tmp_path: Path) -> None:
    start = time.monotonic()
    with finished(tmp_path, suite(tmp_path, PLAIN), "--session-timeout", "1.5s") as program:
        assert program.process.returncode == 1
        assert time.monotonic() - start < 20
        assert program.statuses == {"test_limited_by_the_option": "FAIL"}
        result = program.result("test_limited_by_the_option")
        assert result["reason"] == "timeout"
        assert result["summary"].startswith(
            "Test aborted: the session took longer than 1.5 seconds (--session-timeout)"
        )
        assert program.output.count("torn down") == 1
        missed = {test["function_name"]: test["why"] for test in program.report["tests_not_run"]}
        why = "the session took longer than 1.5 seconds (--session-timeout)"
        assert missed == {"test_limited_by_its_mark": why, "test_waits": why}
        assert program.survivors() == []


def test_a_session_that_ends_in_time_does_not_notice_its_limit(tmp_path: Path) -> None:
    path = suite(tmp_path, PLAIN) + "/test_it.py::PlainTest.test_waits"
    with finished(tmp_path, path, "--session-timeout", "1h", "--test-timeout", "1h") as program:
        assert (program.process.returncode, program.statuses) == (0, {"test_waits": "PASS"})
        assert "tests_not_run" not in program.report


HANGING = """
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class HangingTest(Test):
        @cluster(num_nodes=1)
        def test_hangs(self):
            [node] = self.test_context.cluster.alloc(self.test_context.expected_cluster_spec)
            node.account.ssh("sleep 4322 & echo started")
"""


def test_a_remote_command_that_hangs_is_named_before_the_stacks(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, HANGING), "--test-timeout", "1s") as program:
        summary = program.result("test_hangs")["summary"]
    cause, commands, stacks = summary.split("\n\n")[:3]
    assert cause.startswith("Test aborted: TimeoutError: its test took longer than 1 seconds")
    assert re.fullmatch(
        r"Commands that had not ended:\n  \S+, for \d s: sleep 4322 & echo started\n"
        r"    \(a background command must redirect its output: command >log 2>&1 &\)",
        commands,
    )
    assert "most recent call first" in stacks
