# SPDX-License-Identifier: Apache-2.0
"""The end of a session: a driver that dies in it is made up for, and the reports never become older."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import LOCALHOST, Program, environment, started, suite

MOMENTS = 30 if os.environ.get("DUCKTAPE_THOROUGH") else 5
RUNS = 10 if os.environ.get("DUCKTAPE_THOROUGH") else 2
SEED = int(os.environ.get("DUCKTAPE_E2E_SEED") or time.time_ns() % 1_000_000)
_LONGEST_DELAY_SEC = 0.06
REPORTS = ("report.html", "report.json", "report.md", "report.txt", "report.xml", "rerun-failed.yml")

SUITE = """
    from ducktape.mark import matrix
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class LastTest(Test):
        @cluster(num_nodes=0)
        @matrix(n=[1, 2, 3])
        def test_it(self, n):
            assert n != 2
"""
STATUSES = {"n=1": "PASS", "n=2": "FAIL", "n=3": "PASS"}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ducktape", *arguments],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )


def report_of(directory: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((directory / "report.json").read_text("utf-8"))
    return content


def statuses_in(directory: Path) -> dict[str, str]:
    return {each["test_id"].rpartition(".")[2]: each["test_status"] for each in report_of(directory)["results"]}


def session_of(folder: Path) -> Path:
    [directory] = (path for path in (folder / "results").iterdir() if not path.is_symlink())
    return directory


def wait_for_last_result(folder: Path, program: Program) -> None:
    deadline = time.monotonic() + 60
    while sum(path.read_bytes().count(b'{"event": "finished"') for path in folder.glob("results/2*/journal.jsonl")) < 3:
        assert time.monotonic() < deadline, program.output


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_driver_that_dies_after_the_last_result_is_made_up_for_by_resume(tmp_path: Path, moment: int) -> None:
    sys.stdout.write(f"DUCKTAPE_E2E_SEED={SEED}\n")
    delay = random.Random(f"{SEED}.{moment}").uniform(0, _LONGEST_DELAY_SEC)
    with started(tmp_path, suite(tmp_path, SUITE)) as program:
        wait_for_last_result(tmp_path, program)
        time.sleep(delay)
        program.signal(signal.SIGKILL)

    done = run(tmp_path, "--resume", "latest")

    session = session_of(tmp_path)
    assert done.returncode == 1, done.stdout
    assert "Triggering" not in done.stdout  # nothing ran twice
    assert (tmp_path / "results" / "latest").resolve() == session
    assert statuses_in(session) == STATUSES
    assert "tests_not_run" not in report_of(session)
    assert [name for name in REPORTS if not (session / name).exists()] == []
    assert run(tmp_path, "report").stdout.startswith(f"Session {session.name}: 2 passed, 1 failed\n")


def test_a_session_that_is_complete_can_be_resumed_for_its_reports_and_its_exit_code(tmp_path: Path) -> None:
    assert run(tmp_path, suite(tmp_path, SUITE), *LOCALHOST).returncode == 1
    session = session_of(tmp_path)
    before = {name: (session / name).read_bytes() for name in REPORTS}
    for name in REPORTS:
        (session / name).unlink()
    (tmp_path / "results" / "latest").unlink()

    assert run(tmp_path, "--resume").returncode == 1

    assert {name: (session / name).read_bytes() for name in REPORTS} == before
    assert (tmp_path / "results" / "latest").resolve() == session


def test_an_old_session_that_is_complete_does_not_become_the_latest(tmp_path: Path) -> None:
    for _ in range(2):
        run(tmp_path, suite(tmp_path, SUITE) + '/test_it.py::LastTest.test_it@{"n":1}', *LOCALHOST)
    older, newer = sorted(path for path in (tmp_path / "results").iterdir() if not path.is_symlink())

    assert run(tmp_path, "--resume", older.name).returncode == 0

    assert (tmp_path / "results" / "latest").resolve() == newer


def test_a_file_that_could_not_be_imported_is_not_forgotten_by_a_death_before_it_was_told(tmp_path: Path) -> None:
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "test_broken.py").write_text("raise ValueError('as it is')\n", encoding="utf-8")
    assert run(tmp_path, suite(tmp_path, SUITE), *LOCALHOST).returncode == 1
    journal = session_of(tmp_path) / "journal.jsonl"
    kept = [line for line in journal.read_text("utf-8").splitlines(keepends=True) if "<import>" not in line]
    journal.write_text("".join(line for line in kept if '"session_end"' not in line), encoding="utf-8")

    assert run(tmp_path, "--resume").returncode == 1

    failed = [each["test_id"] for each in report_of(session_of(tmp_path))["results"] if each["test_status"] == "FAIL"]
    assert failed == ["suite.test_it.LastTest.test_it.n=2", "suite.test_broken.<import>"]


@pytest.mark.parametrize("number", range(RUNS))
def test_reports_that_are_made_while_the_session_ends_never_replace_newer_ones(tmp_path: Path, number: int) -> None:
    most = 0
    with started(tmp_path, suite(tmp_path, SUITE)) as program:
        while program.process.poll() is None:
            run(tmp_path, "report")
            for path in tmp_path.glob("results/2*/report.json"):
                results = len(json.loads(path.read_text("utf-8"))["results"])
                assert results >= most
                most = results
    session = session_of(tmp_path)
    assert statuses_in(session) == STATUSES
    assert "tests_not_run" not in report_of(session)


@pytest.mark.parametrize("arguments", [["report", "results/2026-11-22--001"], ["--resume", "2026-11-22--001"]])
def test_a_pipe_in_the_place_of_a_journal_holds_nobody_up(tmp_path: Path, arguments: list[str]) -> None:
    session = tmp_path / "results" / "2026-11-22--001"
    session.mkdir(parents=True)
    os.mkfifo(session / "journal.jsonl")
    done = run(tmp_path, *arguments)
    assert done.returncode == 1
    assert done.stdout.replace("./results", "results") == (
        "Cannot read results/2026-11-22--001/journal.jsonl: It is a named pipe or a device, not a file\n"
    )


@pytest.mark.parametrize(
    ("directory", "arguments", "code"),
    [
        (".", ["suite"], 0),
        (".", ["./suite/../suite/"], 0),
        ("suite", ["."], 0),
        (".", ["suite/test_it.py"], 2),
        (".", ["suite", "--exclude", "suite/test_it.py"], 2),
        (".", ["suite", "--repeat", "2"], 2),
    ],
)
def test_the_paths_with_which_a_session_began_may_be_said_again(
    tmp_path: Path, directory: str, arguments: list[str], code: int
) -> None:
    passing = SUITE.replace("assert n != 2", "pass")
    assert run(tmp_path, suite(tmp_path, passing), *LOCALHOST).returncode == 0
    done = run(tmp_path / directory, *arguments, "--results-root", str(tmp_path / "results"), "--resume")
    assert done.returncode == code
    assert (code == 2) is done.stdout.startswith("ducktape: error: --resume continues with the tests of session ")


def test_a_wildcard_and_what_a_shell_makes_of_it_are_the_same_paths(tmp_path: Path) -> None:
    suite(tmp_path, SUITE.replace("assert n != 2", "pass"))
    results = ("--results-root", str(tmp_path / "results"))
    assert run(tmp_path, "suite/test_*.py", *LOCALHOST).returncode == 0
    assert run(tmp_path, "suite/test_it.py", *results, "--resume").returncode == 0


@pytest.mark.parametrize("arguments", [["suite", "-k", "("], ["suite", "--tags", "and"], ["suite", "--sample", "0"]])
def test_a_wrong_option_leaves_nothing_behind(tmp_path: Path, arguments: list[str]) -> None:
    suite(tmp_path, SUITE)
    assert run(tmp_path, *arguments).returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["suite"]
