# SPDX-License-Identifier: Apache-2.0
"""Running everything until something fails, and going on with a session from another place."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.program import environment, finished, started, suite

COUNTING = """
    import os
    from ducktape.mark import ignore
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class CountingTest(Test):
        @cluster(num_nodes=1)
        def test_fails_in_the_third_round(self):
            with open(os.environ["COUNT_FILE"], "a") as file:
                file.write("x")
            assert os.path.getsize(os.environ["COUNT_FILE"]) < 3

        @cluster(num_nodes=1)
        def test_fine(self):
            pass
"""

IGNORED = """
    from ducktape.mark import ignore
    from ducktape.tests.test import Test

    class IgnoredTest(Test):
        @ignore
        def test_it(self):
            pass
"""

SLOW = """
    import time
    from ducktape.mark import matrix
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class SlowTest(Test):
        @cluster(num_nodes=1)
        @matrix(x=[1, 2, 3, 4, 5, 6])
        def test_it(self, x):
            self.logger.warning("running %d", x)
            time.sleep(0.3)
"""


def test_rounds_go_on_until_a_test_fails(tmp_path: Path) -> None:
    extra = {"COUNT_FILE": str(tmp_path / "count")}
    with finished(tmp_path, "--until-failure", suite(tmp_path, COUNTING), extra=extra) as program:
        assert program.process.returncode == 1
        assert (tmp_path / "count").read_text() == "xxx"
        statuses = [(each["function_name"], each["test_status"]) for each in program.report["results"]]
        assert statuses.count(("test_fails_in_the_third_round", "PASS")) == 2
        assert statuses.count(("test_fails_in_the_third_round", "FAIL")) == 1
        assert statuses.count(("test_fine", "PASS")) == 3


def test_the_number_of_rounds_can_be_bounded(tmp_path: Path) -> None:
    extra = {"COUNT_FILE": str(tmp_path / "count")}
    with finished(tmp_path, "--until-failure", "2", suite(tmp_path, COUNTING), extra=extra) as program:
        assert program.process.returncode == 0
        assert (tmp_path / "count").read_text() == "xx"


def test_rounds_in_which_nothing_runs_are_not_repeated(tmp_path: Path) -> None:
    with finished(tmp_path, "--until-failure", suite(tmp_path, IGNORED)) as program:
        assert program.process.returncode == 0
        assert [each["test_status"] for each in program.report["results"]] == ["IGNORE"]


def test_a_file_that_cannot_be_imported_is_a_failure_of_the_first_round(tmp_path: Path) -> None:
    folder = suite(tmp_path, SLOW)
    (tmp_path / folder / "test_broken.py").write_text("import there_is_no_such_module\n")
    with finished(tmp_path, "--until-failure", folder) as program:
        assert program.process.returncode == 1
        assert program.report["num_passed"] == 6


def test_a_session_goes_on_from_another_directory_with_the_same_names(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    with started(inner, suite(inner, SLOW)) as program:
        program.wait_for("running 3")
        program.signal(signal.SIGKILL)
        program.process.wait(10)
    command = [sys.executable, "-m", "ducktape", "--resume", "latest", "--results-root", str(inner / "results")]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = inner / "results" / "latest" / "report.json"
    content = json.loads(report.read_text())
    assert content["num_passed"] == 6
    assert len({each["test_id"] for each in content["results"]}) == 6
    assert "tests_not_run" not in content
