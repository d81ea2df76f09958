# SPDX-License-Identifier: Apache-2.0
"""The limit on silence holds for each test alone, and its expiry leaves evidence."""

from __future__ import annotations

from pathlib import Path

from tests.support.program import finished, suite

SUITE = """
    import ctypes, os, signal, threading, time
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    def deep_inside():
        threading.Event().wait(1000)

    class SilentTest(Test):
        @cluster(num_nodes=1)
        def test_a_hangs(self):
            deep_inside()

        @cluster(num_nodes=1)
        def test_b_talks(self):
            for _ in range(30):
                self.logger.debug("still here")
                time.sleep(0.1)

        @cluster(num_nodes=1)
        def test_c_is_stopped(self):
            os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(1000)

        @cluster(num_nodes=1)
        def test_d_fine(self):
            pass

        def teardown(self):
            self.logger.warning("torn down %s", self.test_context.function_name)
"""


def test_a_silent_test_is_ended_alone_with_its_stacks(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, SUITE), "--test-runner-timeout", "2000", "--max-parallel", "2") as program:
        assert program.process.returncode == 1
        assert program.statuses == {
            "test_a_hangs": "FAIL",
            "test_b_talks": "PASS",
            "test_c_is_stopped": "FAIL",
            "test_d_fine": "PASS",
        }
        for name in ("test_a_hangs", "test_c_is_stopped"):
            result = program.result(name)
            assert result["reason"] == "timeout"
            assert result["summary"].startswith("Test aborted: TimeoutError: nothing was heard of the test for 2 sec")
            assert f"torn down {name}" in program.output
        assert "in deep_inside" in program.result("test_a_hangs")["summary"]
        assert program.survivors() == []
