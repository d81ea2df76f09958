# SPDX-License-Identifier: Apache-2.0
"""Ends that nobody planned: a driver that is killed, requests that follow each other, a test without descriptors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ducktape.tests.event import Heartbeat, Message
from ducktape.tests.runner_client import RunnerClient
from ducktape.tests.session import SessionContext
from ducktape.tests.test_context import TestContext
from ducktape.tests.worker.request import RunSettings
from tests.support.program import environment, finished, started, suite, write

LOUD_END = """
    import time
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class LoudTest(Test):
        @cluster(num_nodes=0)
        def test_loud(self):
            try:
                self.logger.warning("now it runs")
                time.sleep(1000)
            finally:
                raise AssertionError("z" * 300_000)
"""

SLOW_TEARDOWN = """
    import time
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class SlowTest(Test):
        @cluster(num_nodes=0)
        def test_slow(self):
            self.logger.warning("now it runs")
            time.sleep(1000)

        def teardown(self):
            self.logger.warning("teardown begins")
            time.sleep(1.5)
            self.logger.warning("teardown ends")
"""

BROKEN_LOG = """
    import logging
    from pathlib import Path
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    class Broken(logging.Handler):
        def emit(self, record):
            logging.getLogger().removeHandler(self)
            raise ConnectionError("the log server is gone")

    class Worker(Service):
        def stop_node(self, node):
            Path("stopped").write_text("yes")

        def clean_node(self, node):
            Path("cleaned").write_text("yes")

    class LoggingTest(Test):
        @cluster(num_nodes=1)
        def test_logging(self):
            Worker(self.test_context, 1)
            logging.getLogger().addHandler(Broken())

        def teardown(self):
            Path("torn_down").write_text("yes")
"""

WITHOUT_DESCRIPTORS = """
    import os
    from pathlib import Path
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class ClosingTest(Test):
        @cluster(num_nodes=0)
        def test_closing(self):
            os.closerange(3, 4096)

        def teardown(self):
            Path("torn_down").write_text("yes")
"""


def test_a_test_with_much_to_say_ends_although_its_driver_was_killed(tmp_path: Path) -> None:
    with started(tmp_path, suite(tmp_path, LOUD_END)) as program:
        program.wait_for("now it runs")
        [child] = [each for each in psutil.Process(program.process.pid).children() if each.name() != "dt-watchdog"]
        program.signal(signal.SIGKILL)

        psutil.wait_procs([child], timeout=15)

        assert program.survivors() == []
    [log] = tmp_path.glob("results/*/LoudTest/test_loud/1/test_log.debug")
    assert "Data: None" in log.read_text().splitlines()[-1]  # the last line of a test that came to its end


def test_a_sigterm_after_a_ctrl_c_does_not_break_into_the_teardown(tmp_path: Path) -> None:
    with started(tmp_path, suite(tmp_path, SLOW_TEARDOWN)) as program:
        program.wait_for("now it runs")
        program.signal(signal.SIGINT)
        program.wait_for("teardown begins")
        program.signal(signal.SIGTERM)
        program.wait(timeout=30)

        assert "teardown ends" in program.output


def test_a_request_to_end_is_answered_even_right_after_a_sign_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an answer the driver kills the test after the short time that is meant for those that do not react."""
    messages: list[Message] = []
    context = TestContext(session_context=SessionContext(session_id="s", results_dir=str(tmp_path)))
    client = RunnerClient(context, RunSettings(1), messages.append)
    client.logger.info("busy")
    said_before = list(messages)
    monkeypatch.setattr(os, "killpg", lambda *_: None)

    client.on_sigterm()

    context.close()
    assert said_before == [Heartbeat("busy")]
    assert len(messages) > len(said_before)


def test_a_test_that_closes_every_descriptor_is_torn_down_all_the_same(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, WITHOUT_DESCRIPTORS)):
        assert (tmp_path / "torn_down").exists()


def test_a_log_handler_that_fails_once_keeps_no_step_of_clearing_up_from_being_tried(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, BROKEN_LOG)):
        done = {name for name in ("torn_down", "stopped", "cleaned") if (tmp_path / name).exists()}

    assert done == {"torn_down", "stopped", "cleaned"}


HELPERS = """
    import subprocess
    from ducktape.cluster.localhost import LocalhostCluster

    class HelpfulCluster(LocalhostCluster):
        def do_alloc(self, cluster_spec):
            if not hasattr(self, "checker"):
                self.checker = subprocess.Popen(["sh", "-c", "exit 7"], start_new_session=True)
                self.tunnel = subprocess.Popen(["sleep", "1000"], start_new_session=True)
                print("tunnel", self.tunnel.pid)
            return super().do_alloc(cluster_spec)

        def free_single(self, node):
            print("status of the checker:", self.checker.wait())
            super().free_single(node)
"""

WAITS_A_WHILE = """
    import time
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class WaitingTest(Test):
        @cluster(num_nodes=1)
        def test_waiting(self):
            time.sleep(1.5)
"""


def test_processes_that_the_cluster_itself_started_are_not_taken_for_those_of_tests(tmp_path: Path) -> None:
    write(tmp_path / "helpful.py", HELPERS)
    folder = suite(tmp_path, WAITS_A_WHILE)
    # Not a pipe: the tunnel would keep it open
    with (tmp_path / "output").open("w") as console:
        done = subprocess.run(
            [sys.executable, "-m", "ducktape", folder, "--cluster", "helpful.HelpfulCluster"],
            cwd=tmp_path,
            env=environment(tmp_path, {"PYTHONPATH": f"{environment(tmp_path)['PYTHONPATH']}:{tmp_path}"}),
            stdout=console,
            stderr=subprocess.STDOUT,
            timeout=60,
        )
    output = (tmp_path / "output").read_text()
    tunnel = int(output.partition("tunnel ")[2].split()[0])
    try:
        assert (done.returncode, "status of the checker: 7" in output) == (0, True), output
        assert psutil.pid_exists(tunnel), output
    finally:
        if psutil.pid_exists(tunnel):
            psutil.Process(tunnel).kill()
