# SPDX-License-Identifier: Apache-2.0
"""What a test that died has left on its nodes is stopped, collected and cleaned, or its nodes are not used again."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.program import Program, finished, suite

SERVICE = """
    import itertools, os, time
    from ducktape.mark import timeout
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    class Daemon(Service):
        \"\"\"Starts a program that nobody can tell from one that was there before.\"\"\"

        logs = {"log": {"path": "daemon.log", "collect_default": False}}

        def __init__(self, context):
            super().__init__(context, num_nodes=1)
            # All nodes are one machine
            self.stem = context.function_name
            self.logs = {"log": {"path": f"{self.stem}.log", "collect_default": False}}

        def start_node(self, node):
            node.account.ssh(f"echo started on {node.name} >> {self.stem}.log")
            unmarked = "env -u DUCKTAPE_TEST_PROCESS setsid nohup sleep 1000 > /dev/null 2>&1"
            node.account.ssh(f"{unmarked} & echo $! > {self.stem}.pid")
            node.account.ssh(f"cp {self.stem}.pid {self.stem}.seen")

        def stop_node(self, node):
            if node.account.exists(f"{self.stem}.pid"):
                node.account.ssh(f"kill -9 $(cat {self.stem}.pid); echo stopped >> {self.stem}.log")

        def clean_node(self, node):
            if node.account.exists(f"{self.stem}.pid"):
                node.account.ssh(f"rm {self.stem}.pid {self.stem}.log; echo cleaned >> {self.stem}.cleaned")

        def dump(self, node):
            node.account.ssh(f"echo dumped >> {self.stem}.log")
"""
SUITE = (
    SERVICE
    + """
    class DyingTest(Test):
        @cluster(num_nodes=1)
        def test_is_killed(self):
            Daemon(self.test_context).start()
            os.kill(os.getpid(), 9)

        @cluster(num_nodes=1)
        @timeout(test=0.7)
        def test_loops(self):
            Daemon(self.test_context).start()
            sum(itertools.repeat(1))

        @cluster(num_nodes=1)
        def test_dies_in_setup(self):
            pass

        def setup(self):
            if self.test_context.function_name == "test_dies_in_setup":
                Daemon(self.test_context).start()
                os._exit(5)

        @cluster(num_nodes=1)
        def test_dies_in_teardown(self):
            Daemon(self.test_context).start()

        def teardown(self):
            if self.test_context.function_name == "test_dies_in_teardown":
                os._exit(6)

        @cluster(num_nodes=1)
        def test_has_no_service(self):
            os._exit(7)

    class Sticky(Daemon):
        def clean_node(self, node):
            super().clean_node(node)
            raise RuntimeError("it does not come off")

    class StickyTest(Test):
        @cluster(num_nodes=1)
        def test_leaves_dirt(self):
            Sticky(self.test_context).start_node(self.cluster.nodes[0])
            os._exit(8)

        @cluster(num_nodes=1)
        def test_leaves_dirt_after_a_start(self):
            service = Sticky(self.test_context)
            service.clean_node = lambda node: None
            service.start()
            os._exit(9)

    class NextTest(Test):
        @cluster(num_nodes=0)
        def test_z_next(self):
            pass
"""
)


@pytest.fixture(scope="module", params=["fork", "spawn"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp(request.param)
    extra = {"DUCKTAPE_START_METHOD": request.param}
    with finished(folder, suite(folder, SUITE), "--max-parallel", "4", extra=extra) as program:
        try:
            yield program
        finally:
            for file in folder.glob("*.seen"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(file.read_text()), signal.SIGKILL)


def collected(program: Program, result: dict[str, Any]) -> str:
    [service] = result["services"]
    directory = program.folder / "results" / "latest" / result["relative_results_dir"] / service["service_id"]
    [log] = directory.glob(f"*/{result['function_name']}.log")
    return str(log.read_text())


def is_running(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def daemon_of(program: Program, name: str) -> int:
    return int((program.folder / f"{name}.seen").read_text())


def test_only_those_that_die_fail(program: Program) -> None:
    assert program.statuses == {
        "test_is_killed": "FAIL",
        "test_loops": "FAIL",
        "test_dies_in_setup": "FAIL",
        "test_dies_in_teardown": "FAIL",
        "test_has_no_service": "FAIL",
        "test_leaves_dirt": "FAIL",
        "test_leaves_dirt_after_a_start": "FAIL",
        "test_z_next": "PASS",
    }
    reasons = {result["function_name"]: result.get("reason") for result in program.report["results"]}
    assert reasons == dict.fromkeys(program.statuses, "crash") | {"test_loops": "timeout", "test_z_next": None}


@pytest.mark.parametrize(
    ("name", "dumped"),
    [
        ("test_is_killed", False),
        ("test_dies_in_setup", False),
        ("test_dies_in_teardown", False),
        ("test_loops", True),
    ],
)
def test_a_service_of_a_dead_test_is_stopped_collected_and_cleaned(program: Program, name: str, dumped: bool) -> None:
    result = program.result(name)
    assert not is_running(daemon_of(program, name))
    [service] = result["services"]
    [node] = service["nodes"]
    assert collected(program, result) == f"started on {node}\n" + "dumped\n" * dumped + "stopped\n"
    assert (program.folder / f"{name}.cleaned").read_text() == "cleaned\n"
    assert not (program.folder / f"{name}.log").exists()
    assert "teardown_errors" not in result
    assert service["service_id"].startswith("Daemon-0-")
    assert "Logs that are missing" not in result["summary"]


def test_the_driver_says_that_it_cleans_up_and_only_where_there_is_something(program: Program) -> None:
    assert "test_is_killed: cleaning up after its process" in program.output
    assert "test_has_no_service: cleaning up after its process" not in program.output
    assert program.result("test_has_no_service")["services"] == []


def test_a_node_that_cannot_be_cleaned_is_put_aside_and_told(program: Program) -> None:
    result = program.result("test_leaves_dirt_after_a_start")
    [error] = {error for error in result["teardown_errors"] if "it does not come off" in error}
    assert error.startswith("Error cleaning service Sticky-0-")
    [node] = [node for node in program.report["unhealthy_nodes"] if node["name"] in result["services"][0]["nodes"]]
    assert "could not be cleaned after its test was over" in node["reason"]
    assert "it does not come off" in node["reason"]
    assert program.report["cluster_num_nodes"] == 1000 - len(program.report["unhealthy_nodes"])
    for name in ("report.txt", "report.html", "report.xml"):
        text = (program.folder / "results" / "latest" / name).read_text()
        assert "it does not come off" in text, name
    assert f"Node {node['name']} is put aside: " in program.output


def test_an_error_of_cleaning_up_is_told_once(program: Program) -> None:
    errors = program.result("test_leaves_dirt_after_a_start")["teardown_errors"]
    assert len(errors) == len(set(errors))


def test_nothing_is_left(program: Program) -> None:
    assert program.survivors() == []
    assert list(program.folder.glob("results/latest/**/clean-up-stacks.txt")) == []


BROKEN_MODULE = """
    import os
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    with open("imports", "a") as file:
        file.write("x")
    if os.path.getsize("imports") > 2:
        raise ZeroDivisionError("not a third time")

    class Idle(Service):
        def start_node(self, node):
            pass

        def stop_node(self, node):
            pass

        def clean_node(self, node):
            pass

    class BrokenTest(Test):
        @cluster(num_nodes=1)
        def test_broken(self):
            Idle(self.test_context, 1).start()
            os._exit(3)
"""


def test_a_clean_up_that_cannot_even_begin_loses_no_result(tmp_path: Path) -> None:
    extra = {"DUCKTAPE_START_METHOD": "spawn"}
    with finished(tmp_path, suite(tmp_path, BROKEN_MODULE), extra=extra) as program:
        assert program.process.returncode == 1
        result = program.result("test_broken")
        assert (result["test_status"], result["reason"]) == ("FAIL", "crash")
        assert "ZeroDivisionError('not a third time')" in result["teardown_errors"][0]
        assert [node["name"] for node in program.report["unhealthy_nodes"]] == ["localhost0"]


SLOW_CLEAN_UP = (
    SERVICE
    + """
    class Slow(Daemon):
        def clean_node(self, node):
            super().clean_node(node)
            if node.account.exists("the_test_is_dead"):
                print("cleaning takes long", flush=True)
                time.sleep(1000)

    class SlowTest(Test):
        @cluster(num_nodes=2)
        @timeout(teardown=0.7)
        def test_slow(self):
            Slow(self.test_context).start()
            open("the_test_is_dead", "w").close()
            os._exit(3)

        @cluster(num_nodes=1)
        def test_z_later(self):
            pass
"""
)


def test_a_clean_up_that_hangs_has_the_limits_of_a_teardown(tmp_path: Path) -> None:
    start = time.monotonic()
    with finished(tmp_path, suite(tmp_path, SLOW_CLEAN_UP)) as program:
        assert time.monotonic() - start < 20
        assert program.statuses == {"test_slow": "FAIL", "test_z_later": "PASS"}
        result = program.result("test_slow")
        assert result["reason"] == "crash"
        assert [node["name"] for node in program.report["unhealthy_nodes"]] == result["services"][0]["nodes"]
        assert collected(program, result) == "started on localhost0\nstopped\n"
        assert program.survivors() == []
        assert "took too long" in "".join(result["teardown_errors"])


def test_without_teardown_a_dead_test_is_left_as_it_is(tmp_path: Path) -> None:
    path = suite(tmp_path, SUITE) + "/test_it.py::DyingTest.test_is_killed"
    with finished(tmp_path, path, "--no-teardown") as program:
        pid = int((tmp_path / "test_is_killed.seen").read_text())
        try:
            assert is_running(pid)
            assert program.result("test_is_killed")["reason"] == "crash"
            assert not (tmp_path / "test_is_killed.cleaned").exists()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
