# SPDX-License-Identifier: Apache-2.0
"""A driver that is killed in the middle of a night: nothing stays alive, nothing is lost, nothing runs twice."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import signal
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.program import LOCALHOST, Program, started, suite

TESTS = 50
SLOTS = 4
MOMENTS = 20 if os.environ.get("DUCKTAPE_THOROUGH") else 5
SEED = int(os.environ.get("DUCKTAPE_E2E_SEED") or time.time_ns() % 1_000_000)
MARKERS = "DUCKTAPE_E2E_MARKERS"
_SECONDS_TO_DIE = 5
_LONGEST_SEC = 60
# Even the last kill comes before the end of the run
_MOST_BEFORE_KILL = 40
_LONGEST_DELAY_SEC = 0.1

SUITE = """
    import os, time
    from pathlib import Path
    from ducktape.mark import matrix
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class NightTest(Test):
        def mark(self, n, what):
            (Path(os.environ["DUCKTAPE_E2E_MARKERS"]) / f"{n}.{os.getpid()}.{what}").touch()

        @cluster(num_nodes=1)
        @matrix(n=list(range(50)))
        def test_it(self, n):
            self.mark(n, "start")
            time.sleep(0.05 + n * 37 % 101 / 1000)
            self.mark(n, "end")
            assert n % 10 != 3
            return {"n": n}
"""
IDS = {f"suite.test_it.NightTest.test_it.n={n}": n for n in range(TESTS)}


def status_of(test_id: str) -> str:
    """Return what becomes of a test that runs to its end."""
    return "FAIL" if IDS[test_id] % 10 == 3 else "PASS"


@dataclasses.dataclass
class Night:
    """A session that is killed and goes on.

    Attributes:
        folder: where the program is started.
        markers: gets a file when a test begins, and when it ends.
    """

    folder: Path
    markers: Path

    @contextlib.contextmanager
    def started(self, *arguments: str) -> Iterator[Program]:
        """Start the program; nothing of it outlives the block."""
        program = Program(self.folder, *arguments, extra={MARKERS: str(self.markers)})
        try:
            yield program
        finally:
            program.kill_everything()

    def output_of(self, *arguments: str, exit_code: int) -> str:
        """Run the program to its end."""
        with self.started(*arguments) as program:
            assert program.wait() == exit_code, program.output
            return program.output

    def count(self, what: str) -> Counter[str]:
        """Return how often each test began, or ended."""
        numbers = Counter(int(path.name.split(".")[0]) for path in self.markers.glob(f"*.{what}"))
        return Counter({test_id: numbers[n] for test_id, n in IDS.items() if n in numbers})

    @property
    def session(self) -> Path:
        """The directory of the only session."""
        [directory] = [path for path in (self.folder / "results").iterdir() if not path.is_symlink()]
        return directory

    def report(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.session / "report.json").read_text(encoding="utf-8"))
        return content


@pytest.fixture
def night(tmp_path: Path) -> Night:
    markers = tmp_path / "markers"
    markers.mkdir()
    return Night(tmp_path, markers)


def wait_until(condition: Callable[[], object], seconds: float, program: Program) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, program.output
        time.sleep(0.01)


def are_dead(program: Program) -> bool:
    """Return whether a run has left no process."""
    try:
        return program.survivors() == []
    except psutil.NoSuchProcess:
        return False  # one died while it was looked at


def kill(program: Program, night: Night, tests_done: int, delay: float) -> None:
    """Kill the driver a moment after so many tests have ended, and see everything else die."""
    wait_until(lambda: night.count("start") and night.count("end").total() >= tests_done, _LONGEST_SEC, program)
    time.sleep(delay)
    assert program.process.poll() is None, "the run was over before it could be killed"
    program.signal(signal.SIGKILL)
    wait_until(lambda: are_dead(program), _SECONDS_TO_DIE, program)


def check_reports(night: Night) -> set[str]:
    """Let reports be made of the journal, check them, and return the ids of the tests that have a result."""
    output = night.output_of("report", str(night.session), exit_code=0)
    assert "was interrupted" in output
    report = night.report()
    results = {result["test_id"]: result for result in report["results"]}
    missing = {test["test_id"] for test in report["tests_not_run"]}
    assert len(results) == len(report["results"])
    assert results.keys() | missing == IDS.keys()
    assert results.keys() & missing == set()
    assert {key: result["test_status"] for key, result in results.items()} == {key: status_of(key) for key in results}
    ended = night.count("end").keys()
    assert results.keys() <= ended
    assert len(ended - results.keys()) <= SLOTS  # nobody had yet heard of their end
    check_xml(night, results.keys())
    text = (night.session / "report.txt").read_text(encoding="utf-8")
    assert [test_id for test_id in IDS if test_id not in text] == []
    assert (night.session / "report.html").stat().st_size > 0
    return set(results)


def check_xml(night: Night, with_result: Any) -> None:
    cases = list(ElementTree.parse(night.session / "report.xml").getroot().iter("testcase"))
    assert len(cases) == TESTS
    assert sum(case.find("failure") is not None for case in cases) == sum(
        status_of(key) == "FAIL" for key in with_result
    )
    assert sum(case.find("skipped") is not None for case in cases) == TESTS - len(with_result)


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_night_whose_driver_is_killed_is_resumed_without_loss(night: Night, moment: int) -> None:
    sys.stdout.write(f"DUCKTAPE_E2E_SEED={SEED}\n")
    chance = random.Random(f"{SEED}.{moment}")
    kills = sorted(chance.randrange(_MOST_BEFORE_KILL) for _ in range(1 + moment % 2))
    resume = ("--resume", "latest", "--results-root", "results")
    runs_so_far: dict[str, int] = {}
    for number, tests_done in enumerate(kills):
        arguments = resume if number else (suite(night.folder, SUITE), "--max-parallel", str(SLOTS), *LOCALHOST)
        with night.started(*arguments) as program:
            kill(program, night, tests_done, chance.uniform(0, _LONGEST_DELAY_SEC))
        runs = night.count("start")
        assert {key: runs[key] for key in runs_so_far} == runs_so_far
        runs_so_far = {key: runs[key] for key in check_reports(night)}

    night.output_of(*resume, exit_code=1)  # some tests do fail
    report = night.report()
    statuses = sorted((result["test_id"], result["test_status"]) for result in report["results"])
    assert statuses == sorted((test_id, status_of(test_id)) for test_id in IDS)
    assert "tests_not_run" not in report
    runs = night.count("start")
    assert {key: runs[key] for key in runs_so_far} == runs_so_far  # what had a result did not run again
    assert sorted(runs) == sorted(IDS)
    assert (night.folder / "results" / "latest").resolve() == night.session
    check_xml(night, IDS.keys())


DEAF_SUITE = """
    import os, signal, subprocess, time
    from pathlib import Path
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test
    from tests.support import culprits

    class DeafTest(Test):
        def setup(self):
            (Path(os.environ["DUCKTAPE_E2E_MARKERS"]) / f"{self.test_context.function_name}.end").touch()

        @cluster(num_nodes=1)
        def test_loops_in_c(self):
            culprits.loop_in_c()

        @cluster(num_nodes=1)
        def test_is_stopped(self):
            culprits.stop_itself()

        @cluster(num_nodes=1)
        def test_ignores_signals(self):
            for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(sig, signal.SIG_IGN)
            time.sleep(1000)

        @cluster(num_nodes=1)
        def test_has_a_daemon(self):
            subprocess.Popen(["sleep", "1000"], start_new_session=True)
            time.sleep(1000)
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_tests_that_hear_nothing_die_with_their_driver(method: str, tmp_path: Path) -> None:
    extra = {MARKERS: str(tmp_path), "DUCKTAPE_START_METHOD": method}
    with started(tmp_path, suite(tmp_path, DEAF_SUITE), "--max-parallel", "4", extra=extra) as program:
        wait_until(lambda: len(list(tmp_path.glob("*.end"))) == 4, _LONGEST_SEC, program)
        program.signal(signal.SIGKILL)
        wait_until(lambda: are_dead(program), _SECONDS_TO_DIE, program)
