# SPDX-License-Identifier: Apache-2.0
"""Sessions: their numbers, their directories, and the link to the latest."""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.program import LOCALHOST, environment, finished, started, suite, write

SUITE = """
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class QuickTest(Test):
        @cluster(num_nodes=0)
        def test_quick(self):
            pass
"""


def sessions(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder / "results") if name != "latest")


def today(number: int) -> str:
    return f"{datetime.date.today().isoformat()}--{number:03d}"


def test_two_sessions_started_at_once_get_two_numbers_and_two_trees(tmp_path: Path) -> None:
    path = suite(tmp_path, SUITE)
    with started(tmp_path, path) as first, started(tmp_path, path) as second:
        assert (first.wait(), second.wait()) == (0, 0)
    assert sessions(tmp_path) == [today(1), today(2)]
    for session in sessions(tmp_path):
        assert (tmp_path / "results" / session / "report.html").is_file()


def test_a_garbled_session_id_is_started_afresh(tmp_path: Path) -> None:
    write(tmp_path / ".ducktape/metadata/session_id", "what is this?")
    with finished(tmp_path, suite(tmp_path, SUITE)) as program:
        assert program.process.returncode == 0
    assert sessions(tmp_path) == [today(1)]


def test_a_number_whose_directory_exists_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "results" / today(1)).mkdir(parents=True)
    with finished(tmp_path, suite(tmp_path, SUITE)) as program:
        assert program.process.returncode == 0
    assert sorted(os.listdir(tmp_path / "results" / today(1))) == []
    assert (tmp_path / "results" / today(2) / "report.json").is_file()


def test_latest_is_a_relative_link(tmp_path: Path) -> None:
    with finished(tmp_path, suite(tmp_path, SUITE)):
        assert os.readlink(tmp_path / "results" / "latest") == today(1)


def test_a_real_directory_called_latest_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "results" / "latest").mkdir(parents=True)
    with finished(tmp_path, suite(tmp_path, SUITE)) as program:
        assert program.process.returncode == 0
        assert "latest is not a symbolic link" in program.output
    assert (tmp_path / "results" / today(1) / "report.json").is_file()


def test_old_sessions_are_removed_at_the_end_of_a_run_if_that_is_wanted(tmp_path: Path) -> None:
    path = suite(tmp_path, SUITE)
    for arguments in ([path], ["history", "--html"], [path], [path, "--keep-sessions", "2"]):
        command = [sys.executable, "-m", "ducktape", *arguments, *(LOCALHOST if path in arguments else ())]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=True
        )
    assert done.stdout.count(f"Removed 1 old session: {today(1)}\n") == 1
    assert sessions(tmp_path) == [today(2), today(3), "index.html"]
    page = (tmp_path / "results" / "index.html").read_text("utf-8")
    assert re.findall('href="(.*?)/report.html"', page) == [today(3), today(2)]


def test_drivers_that_ran_parts_of_the_tests_get_one_report(tmp_path: Path) -> None:
    path = suite(tmp_path, SUITE + SUITE.replace("QuickTest", "OtherTest"))
    for part in ("0", "1"):
        arguments = ("--subsets", "2", "--subset", part, "--results-root", f"driver-{part}")
        with finished(tmp_path, path, *arguments) as program:
            assert program.process.returncode == 0
    command = [sys.executable, "-m", "ducktape", "report", "driver-0", "driver-1", "--merge", "all"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "Merged 2 sessions: 2 passed"
    report = json.loads((tmp_path / "all" / "report.json").read_text("utf-8"))
    assert all((Path(result["results_dir"]) / "test_log.info").is_file() for result in report["results"])
    assert "All 2 tests passed" in (tmp_path / "all" / "report.html").read_text("utf-8")


# --- places that cannot be written


def test_a_session_number_that_cannot_be_kept_here_is_kept_below_the_results_root(tmp_path: Path) -> None:
    write(tmp_path / ".ducktape", "a file, so that no directory can be made")
    for number in ("001", "002"):
        with finished(tmp_path, suite(tmp_path, SUITE), "--results-root", "other") as program:
            assert program.process.returncode == 0, program.output
            assert program.output.count("The session number is kept in") == 1
        assert (tmp_path / "other" / "latest").resolve().name == f"{datetime.date.today()}--{number}"
        assert (tmp_path / "other" / ".session_id").read_text("utf-8") == f"{datetime.date.today()}--{number}"


def test_tests_can_be_listed_where_nothing_can_be_written(tmp_path: Path) -> None:
    place = str(tmp_path / suite(tmp_path, SUITE))
    done = in_directory("/proc", tmp_path, place, "--collect-only")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Collected 1 tests:" in done.stdout


def test_a_run_where_nothing_can_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    done = in_directory("/proc", tmp_path, str(tmp_path / suite(tmp_path, SUITE)))
    assert done.returncode == 1
    assert re.fullmatch(r"Cannot create the results directory /proc/results: [^\n]+\n", done.stderr)


@pytest.mark.parametrize("arguments", [["suite"], ["--resume"], ["report"]])
def test_a_current_directory_that_was_removed_is_told_in_one_line(tmp_path: Path, arguments: list[str]) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = in_directory(str(gone), tmp_path, *arguments, before=f"rmdir '{gone}';")
    assert (done.returncode, done.stderr) == (
        1,
        "The current directory cannot be used: No such file or directory. Change to another one\n",
    )


def in_directory(directory: str, home: Path, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    words = " ".join(f"'{word}'" for word in (sys.executable, "-m", "ducktape", *arguments, *LOCALHOST))
    if arguments == ("report",):
        words = words.partition(" '--cluster'")[0]
    return subprocess.run(
        ["bash", "-c", f"{before} {words}"],
        cwd=directory,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
