# SPDX-License-Identifier: Apache-2.0
"""Sessions: their numbers, their directories, and the link to the latest."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from tests.support.program import finished, started, suite, write

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
