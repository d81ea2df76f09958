# SPDX-License-Identifier: Apache-2.0
"""Debuggers in tests: ``breakpoint()`` and ``--pdb`` on a terminal, and what happens without one."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.support.editor import Editor
from tests.support.program import LOCALHOST, Program, finished, started, suite
from tests.support.terminal import TerminalProgram, on_terminal

SANDBOX = ("--cluster", "sandbox")
CLUSTERS = pytest.mark.parametrize(
    "cluster", [LOCALHOST, pytest.param(SANDBOX, marks=pytest.mark.needs("sandbox"))], ids=["localhost", "sandbox"]
)

STOPPING = """
    import os, pdb
    from ducktape.mark import timeout
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    class Stopping(Service):
        def start_node(self, node):
            self.answer = node.account.ssh_output("echo 1")

    class StopTest(Test):
        @cluster(num_nodes=1)
        @timeout(test=1.5)
        def test_a_stops(self):
            service = Stopping(self.test_context, num_nodes=1)
            service.start()
            value = 20
            breakpoint()
            self.logger.info("the value is %d", value)
            return {"value": value, "pid": os.getpid()}

        @cluster(num_nodes=0)
        def test_b_goes_on(self):
            pass

    class OldStyleTest(Test):
        @cluster(num_nodes=0)
        def test_stops(self):
            pdb.set_trace()
            self.after = True

    class LateTest(Test):
        @cluster(num_nodes=0)
        @timeout(test=1)
        def test_is_late(self):
            breakpoint()
            import time
            time.sleep(100)
"""

FAILING = """
    from ducktape.mark import timeout
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    class Echo(Service):
        def start_node(self, node):
            pass

    class FailTest(Test):
        @cluster(num_nodes=1)
        @timeout(test=1.5)
        def test_a_fails(self):
            service = Echo(self.test_context, num_nodes=1)
            service.start()
            self.check(7)

        def check(self, value):
            assert value == 8, "not eight"

        @cluster(num_nodes=0)
        def test_b_goes_on(self):
            pass
"""


@CLUSTERS
def test_a_breakpoint_stops_the_test_and_its_time(tmp_path: Path, cluster: tuple[str, ...]) -> None:
    with on_terminal(tmp_path, f"{suite(tmp_path, STOPPING)}/test_it.py::StopTest", cluster=cluster) as program:
        program.answer("p value + 1", prompts=1)
        program.answer("import time; time.sleep(2)", prompts=2)  # longer than the limit of the test
        program.answer("p 'on ' + service.nodes[0].account.ssh_output('echo node').decode()", prompts=3)
        program.answer("value = 42", prompts=4)
        program.answer("n", prompts=5)
        program.answer("c", prompts=6)
        assert program.wait() == 0
        assert "\r\n21\r\n" in program.output
        assert "on node" in program.output
        assert program.statuses == {"test_a_stops": "PASS", "test_b_goes_on": "PASS"}
        assert program.result("test_a_stops")["data"]["value"] == 42
        assert program.is_restored


def test_an_interrupt_in_the_debugger_does_not_end_the_run(tmp_path: Path) -> None:
    with on_terminal(tmp_path, f"{suite(tmp_path, STOPPING)}/test_it.py::StopTest") as program:
        program.wait_for("(Pdb) ")
        program.interrupt_until("--KeyboardInterrupt--")
        program.answer("print('begun', flush=True); import time; time.sleep(1000)", prompts=2)
        program.wait_for("\nbegun")
        program.interrupt_until("*** KeyboardInterrupt")
        program.answer("c", prompts=3)
        assert program.wait() == 0
        assert program.statuses == {"test_a_stops": "PASS", "test_b_goes_on": "PASS"}


def test_stepping_ends_with_the_test(tmp_path: Path) -> None:
    with on_terminal(tmp_path, f"{suite(tmp_path, STOPPING)}/test_it.py::StopTest") as program:
        prompts = 0
        while "--Return--" not in program.output:
            prompts += 1
            program.answer("n", prompts=prompts)
            program.wait_for("(Pdb) ", times=prompts + 1)
        program.type("n")
        assert program.wait() == 0
        assert program.output.count("(Pdb) ") == prompts + 1
        assert program.statuses == {"test_a_stops": "PASS", "test_b_goes_on": "PASS"}


def test_who_quits_the_debugger_ends_the_test_alone(tmp_path: Path) -> None:
    with on_terminal(tmp_path, f"{suite(tmp_path, STOPPING)}/test_it.py::StopTest") as program:
        program.answer("q", prompts=1)
        assert program.wait() == 1
        assert program.statuses == {"test_a_stops": "FAIL", "test_b_goes_on": "PASS"}
        assert "the debugger was left at test_it.py:" in program.result("test_a_stops")["summary"]


def test_the_function_of_the_library_opens_the_same_debugger(tmp_path: Path) -> None:
    with on_terminal(tmp_path, f"{suite(tmp_path, STOPPING)}/test_it.py::OldStyleTest") as program:
        program.answer("c", prompts=1)
        assert program.wait() == 0
        assert program.statuses == {"test_stops": "PASS"}


def test_the_time_goes_on_after_the_debugger(tmp_path: Path) -> None:
    with on_terminal(tmp_path, f"{suite(tmp_path, STOPPING)}/test_it.py::LateTest") as program:
        program.answer("c", prompts=1)
        assert program.wait() == 1
        assert "test took longer than 1 seconds" in program.result("test_is_late")["summary"]


def test_a_request_to_end_leaves_the_prompt(tmp_path: Path) -> None:
    with on_terminal(tmp_path, f"{suite(tmp_path, STOPPING)}/test_it.py::StopTest") as program:
        program.wait_for("(Pdb) ")
        program.signal(signal.SIGTERM)
        assert program.wait() == 1
        assert program.statuses == {"test_a_stops": "FAIL", "test_b_goes_on": "FAIL"}
        assert program.is_restored
        assert program.survivors() == []


def test_the_terminal_is_restored_when_the_process_dies_at_the_prompt(tmp_path: Path) -> None:
    with on_terminal(tmp_path, f"{suite(tmp_path, STOPPING)}/test_it.py::StopTest") as program:
        program.wait_for("(Pdb) ")
        assert not program.is_restored
        os.kill(_worker_of(program), signal.SIGKILL)
        assert program.wait() == 1
        assert program.statuses == {"test_a_stops": "FAIL", "test_b_goes_on": "PASS"}
        assert program.is_restored


def test_nothing_stays_when_the_driver_dies_at_the_prompt(tmp_path: Path) -> None:
    with on_terminal(tmp_path, f"{suite(tmp_path, STOPPING)}/test_it.py::StopTest") as program:
        program.wait_for("(Pdb) ")
        program.signal(signal.SIGKILL)
        program.wait()
        deadline = time.monotonic() + 30
        while program.survivors() and time.monotonic() < deadline:
            time.sleep(0.1)
        # The settings of the terminal are restored only if the test ends by itself, and not by the watchdog
        assert program.survivors() == []


def _worker_of(program: TerminalProgram) -> int:
    [worker] = [child.pid for child in psutil.Process(program.process.pid).children() if child.name() != "dt-watchdog"]
    return worker


@CLUSTERS
def test_the_debugger_opens_where_a_test_fails(tmp_path: Path, cluster: tuple[str, ...]) -> None:
    with on_terminal(tmp_path, suite(tmp_path, FAILING), "--pdb", cluster=cluster) as program:
        program.answer("p value * 100", prompts=1)
        program.answer("up", prompts=2)
        program.answer("p 'on ' + service.nodes[0].account.ssh_output('echo node').decode()", prompts=3)
        program.answer("import time; time.sleep(2)", prompts=4)  # longer than the limit of the test
        program.answer("q", prompts=5)
        assert program.wait() == 1
        assert "AssertionError: not eight" in program.output
        assert "\r\n700\r\n" in program.output
        assert "on node" in program.output
        assert program.statuses == {"test_a_fails": "FAIL", "test_b_goes_on": "PASS"}
        assert "not eight" in program.result("test_a_fails")["summary"]
        assert "TimeoutError" not in program.result("test_a_fails")["summary"]
        assert program.is_restored


def test_an_interrupt_leaves_no_failure_alone(tmp_path: Path) -> None:
    with on_terminal(tmp_path, suite(tmp_path, FAILING), "--pdb") as program:
        program.wait_for("(Pdb) ")
        program.interrupt_until("--KeyboardInterrupt--")
        program.answer("c", prompts=2)
        assert program.wait() == 1
        assert program.statuses == {"test_a_fails": "FAIL", "test_b_goes_on": "PASS"}


def test_without_a_terminal_a_breakpoint_says_what_to_do(tmp_path: Path) -> None:
    with finished(tmp_path, f"{suite(tmp_path, STOPPING)}/test_it.py::StopTest") as program:
        assert program.statuses == {"test_a_stops": "FAIL", "test_b_goes_on": "PASS"}
        advice = (
            "breakpoint() at test_it.py:18 cannot open a debugger, because the run has no terminal: "
            "run the test in a terminal, with --max-parallel 1"
        )
        assert program.result("test_a_stops")["summary"].splitlines()[0] == f"DebuggerError({advice!r})"


def test_with_several_tests_at_a_time_a_breakpoint_says_what_to_do(tmp_path: Path) -> None:
    with on_terminal(tmp_path, f"{suite(tmp_path, STOPPING)}/test_it.py::StopTest", "--max-parallel", "2") as program:
        assert program.wait() == 1
        assert program.statuses == {"test_a_stops": "FAIL", "test_b_goes_on": "PASS"}
        first = program.result("test_a_stops")["summary"].splitlines()[0]
        assert "because the run may have several tests at the same time: run the test in a terminal" in first


def test_without_a_terminal_the_option_is_an_error(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, FAILING), "--pdb") as program:
        assert program.process.returncode == 2
        expected = "ducktape: error: --pdb: the run has no terminal: run it in a terminal, with --max-parallel 1\n"
        assert program.output == expected


def test_with_several_tests_at_a_time_the_option_is_an_error(tmp_path: Path) -> None:
    with on_terminal(tmp_path, suite(tmp_path, FAILING), "--pdb", "--max-parallel", "2") as program:
        assert program.wait() == 2
        program.wait_for("ducktape: error: --pdb: the run may have several tests at the same time")


ATTACHED = """
    import psutil
    from ducktape.mark import timeout
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class AttachTest(Test):
        def __init__(self, test_context):
            super().__init__(test_context)
            self.constructed = 1

        @cluster(num_nodes=0)
        @timeout(test=0.5)
        def test_a_is_attached(self):
            value = 20
            breakpoint()
            self.logger.info("the value is %d", value)
            return {"value": value}

        @cluster(num_nodes=0)
        def test_b_is_attached_to(self):
            pass
"""


def test_an_editor_attaches_before_the_test_is_constructed(tmp_path: Path) -> None:
    path = suite(tmp_path, ATTACHED)
    constructor = (tmp_path / path / "test_it.py").read_text().splitlines().index("        self.constructed = 1") + 1
    with started(tmp_path, path, "--debugger", "debugpy") as program:
        program.wait_for("waits for an editor to attach")
        [worker] = [each for each in _children(program) if "dt-watchdog" not in each.name()]
        listening = [each.laddr for each in worker.net_connections() if each.status == psutil.CONN_LISTEN]
        assert {address.ip for address in listening} == {"127.0.0.1"}
        with Editor(_port(program, 1)) as editor:
            editor.attach({str(tmp_path / path / "test_it.py"): [constructor]})
            assert editor.stopped() == constructor
            editor.request("continue", threadId=editor.thread)
            assert editor.stopped() in (constructor + 7, constructor + 6)
            time.sleep(1)  # longer than the limit of the test
            editor.set_variable("value", "42")
            editor.request("continue", threadId=editor.thread)
            program.wait_for("waits for an editor to attach", times=2)
        with Editor(_port(program, 2)) as editor:
            editor.attach({})
            assert program.wait() == 0
        assert program.statuses == {"test_a_is_attached": "PASS", "test_b_is_attached_to": "PASS"}
        assert program.result("test_a_is_attached")["data"] == {"value": 42}
        assert program.survivors() == []


def _children(program: Program) -> list[psutil.Process]:
    return psutil.Process(program.process.pid).children()


def _port(program: Program, number: int) -> int:
    found = re.findall(r"debugpy listens on 127\.0\.0\.1:(\d+) and waits", program.output)
    return int(found[number - 1])
