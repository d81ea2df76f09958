# SPDX-License-Identifier: Apache-2.0
"""Whatever a test does to itself, and in whatever part of its life: it costs that test and no other one."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import culprits
from tests.support.program import LOCALHOST, Program, finished, suite
from tests.support.tiny_disk import tiny_disk

_SECONDS_AFTER_LAST_DEADLINE = 10
_SOON_SEC = 1.0
_LATE_SEC = 20.0
_PIPE_SIZE = 1 << 20


@dataclasses.dataclass(frozen=True)
class Expected:
    """What is to be said of a culprit: why it failed, and texts of its summary."""

    reason: str
    texts: tuple[str, ...]
    limit_sec: float = _LATE_SEC


def _timeout(*texts: str) -> Expected:
    return Expected("timeout", ("TimeoutError: its {phase} took longer than 1 seconds (@timeout)", *texts), _SOON_SEC)


EXPECTED = {
    "sigkill": Expected("crash", ("killed by SIGKILL (signal 9)",)),
    "exit": Expected("crash", ("exited with code 3",)),
    "sigstop": _timeout("in stop_itself", "in misbehave_in"),
    "python-loop": _timeout("in loop_in_python", "in misbehave_in"),
    "c-loop": _timeout("in loop_in_c", "in misbehave_in"),
    "no-stack": Expected("crash", ("killed by SIGSEGV (signal 11)", "in go_deeper")),
    "no-memory": Expected("error", ("MemoryError", "in allocate_too_much")),
    "full-disk": Expected("error", ("No space left on device", "in fill_the_disk")),
    "unpicklable": Expected("error", ("Unpicklable(<unlocked _thread.lock", "in carry_the_unpicklable")),
    "endless-thread": _timeout("in never_end", "in wait_for_a_thread", "in misbehave_in"),
    "gigabyte": Expected("assertion", ("AssertionError('1 GB is printed')", "in print_a_gigabyte"), 3 * _LATE_SEC),
}
# Where the moment makes a difference
EXPECTED_IN = {
    ("unpicklable", "test"): Expected("error", ("data['lock'] is a _thread.lock, which JSON cannot express",)),
    # The test itself has passed, whatever its ending says of itself
    ("gigabyte", "teardown"): dataclasses.replace(EXPECTED["gigabyte"], reason="error"),
}


class _Drained(Program):
    """A run whose output nobody keeps."""

    def _read(self) -> None:
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        with open(os.devnull, "wb") as nowhere:
            while os.splice(descriptor, nowhere.fileno(), _PIPE_SIZE):
                pass


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What a run with a culprit in every phase has left.

    Attributes:
        culprit: what it was.
        exit_code: of the driver.
        ended_at: Unix seconds.
        survivors: processes that outlived the driver.
        directories: all that hold reports, those of the whole session in the last one.
        report: the parsed ``report.json``.
        journal: the parsed ``journal.jsonl``.
    """

    culprit: str
    exit_code: int
    ended_at: float
    survivors: list[str]
    directories: list[Path]
    report: dict[str, Any]
    journal: list[dict[str, Any]]

    def result(self, function_name: str) -> dict[str, Any]:
        [found] = [result for result in self.report["results"] if result["function_name"] == function_name]
        assert isinstance(found, dict)
        return found

    def event(self, kind: str, function_name: str) -> dict[str, Any]:
        test_id = self.result(function_name)["test_id"]
        [found] = [event for event in self.journal if event["event"] == kind and event["test_id"] == test_id]
        return found

    def phase_since(self, function_name: str, phase: str) -> float:
        index = self.event("started", function_name)["test_index"]
        phases = [event for event in self.journal if event["event"] == "phase" and event["test_index"] == index]
        [since] = [event["since"] for event in phases if event["phase"] == phase]
        return float(since)


@pytest.fixture(scope="module", params=["fork", "spawn"])
def start_method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=list(culprits.CULPRITS))
def culprit(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def evidence(culprit: str, start_method: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    folder: Path = tmp_path_factory.mktemp(f"{culprit}-{start_method}")
    disk = tiny_disk(folder / "results") if culprit == "full-disk" else contextlib.nullcontext()
    with disk:
        yield _run(culprit, start_method, folder)


def _run(culprit: str, start_method: str, folder: Path) -> Evidence:
    for name in ("pids", "elsewhere"):
        (folder / name).mkdir()
    extra = {
        "DUCKTAPE_START_METHOD": start_method,
        culprits.CULPRIT: culprit,
        culprits.LIMIT_SEC: str(EXPECTED[culprit].limit_sec),
        culprits.FOLDER: str(folder / "pids"),
        "TMPDIR": str(folder / "elsewhere"),
    }
    arguments = (suite(folder, culprits.SUITE), "--max-parallel", "5", "--fail-on-teardown-error", *LOCALHOST)
    program = _Drained(folder, *arguments, extra=extra)
    try:
        exit_code = program.wait()
        ended_at = time.time()
        survivors = program.survivors()
    finally:
        program.kill_everything()
    # Where the disk is full, the whole story is elsewhere
    directories = [folder / "results" / "latest", *sorted((folder / "elsewhere").glob("ducktape-*"))]
    report = json.loads((directories[-1] / "report.json").read_text(encoding="utf-8"))
    lines = (directories[-1] / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    return Evidence(culprit, exit_code, ended_at, survivors, directories, report, [json.loads(line) for line in lines])


@pytest.mark.parametrize("phase", culprits.PHASES)
def test_the_culprit_fails_for_the_true_reason(evidence: Evidence, phase: str) -> None:
    expected = EXPECTED_IN.get((evidence.culprit, phase), EXPECTED[evidence.culprit])
    result = evidence.result(f"test_{phase}")
    assert result["test_status"] == "FAIL"
    assert result["reason"] == expected.reason
    for text in expected.texts:
        assert text.format(phase=_limited(phase)) in result["summary"]


def test_every_other_test_passes(evidence: Evidence) -> None:
    innocent = [result for result in evidence.report["results"] if result["cls_name"] == "InnocentTest"]
    assert sorted((each["function_name"], each["test_status"], each["data"]["answer"]) for each in innocent) == [
        ("test_before", "PASS", 42),
        ("test_beside", "PASS", 42),
        ("test_last", "PASS", 42),
    ]


def test_the_innocent_ran_before_beside_and_after_the_culprits(evidence: Evidence) -> None:
    crimes = [f"test_{phase}" for phase in culprits.PHASES]
    first_crime = min(evidence.event("started", crime)["time"] for crime in crimes)
    assert evidence.event("finished", "test_before")["time"] <= first_crime
    assert evidence.event("started", "test_beside")["time"] <= first_crime  # and it waits for the end of all of them
    first_end = min(evidence.event("finished", crime)["time"] for crime in crimes)
    assert evidence.event("started", "test_last")["time"] >= first_end


def test_the_run_ends_soon_after_the_last_deadline(evidence: Evidence) -> None:
    limit = EXPECTED[evidence.culprit].limit_sec
    deadlines = [evidence.phase_since(f"test_{phase}", _limited(phase)) + limit for phase in culprits.PHASES]
    assert evidence.ended_at - max(deadlines) < _SECONDS_AFTER_LAST_DEADLINE


def _limited(phase: str) -> str:
    """Return which limit a part of a test's life comes under."""
    return "setup" if phase == "constructor" else phase


def test_the_exit_code_is_1(evidence: Evidence) -> None:
    assert evidence.exit_code == 1


def test_no_process_is_left(evidence: Evidence) -> None:
    assert evidence.survivors == []


def test_all_report_files_are_whole(evidence: Evidence) -> None:
    for name in ("report.json", "report.xml", "report.html", "report.txt", "report.css", "rerun-failed.yml"):
        assert (evidence.directories[-1] / name).stat().st_size > 0
    for directory in evidence.directories:
        for path in directory.rglob("*.json"):
            json.loads(path.read_text(encoding="utf-8"))
        for path in directory.rglob("*.xml"):
            ElementTree.parse(path)
    cases = ElementTree.parse(evidence.directories[-1] / "report.xml").getroot().iter("testcase")
    failed = sorted(case.get("name", "") for case in cases if case.find("failure") is not None)
    assert failed == sorted(f"test_{phase}" for phase in culprits.PHASES)


THREAD_SUITE = """
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test
    from tests.support import culprits

    class ThreadTest(Test):
        @cluster(num_nodes=1)
        def test_leaves_a_thread(self):
            culprits.leave_a_thread()
            return {"answer": 42}
"""


def test_a_thread_that_nobody_waits_for_is_cut_off_and_told(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, THREAD_SUITE)) as program:
        ended_at = time.time()
        assert program.statuses == {"test_leaves_a_thread": "PASS"}
        assert program.process.returncode == 0
        assert "threads that outlived the test are cut off: the-endless-one" in program.output
        assert ended_at - program.result("test_leaves_a_thread")["stop_time"] < _SECONDS_AFTER_LAST_DEADLINE
        assert program.survivors() == []
