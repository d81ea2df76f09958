# SPDX-License-Identifier: Apache-2.0
"""A full disk costs files at most: tests run to their end, and the reports come, where they belong or elsewhere."""

from __future__ import annotations

import contextlib
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import Program, finished, suite
from tests.support.tiny_disk import tiny_disk

# The larger ones run first. A limit on what the driver may write is like a full disk, and nobody has to be root for it.
SUITE = """
    import contextlib, os, resource, shutil
    from pathlib import Path
    from ducktape.mark import matrix
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test
    from tests.support.tiny_disk import fill, fill_with_files

    HOW, MAKES_ROOM = os.environ["DUCKTAPE_E2E_DISK"].split()

    def limit_the_driver(size):
        _, most = resource.prlimit(os.getppid(), resource.RLIMIT_FSIZE)
        resource.prlimit(os.getppid(), resource.RLIMIT_FSIZE, (most if size is None else size, most))

    class DiskTest(Test):
        @property
        def filler(self):
            return Path(self.test_context.session_context.results_dir) / "filler"

        @cluster(num_nodes=9)
        def test_before(self):
            return {"answer": 1}

        @cluster(num_nodes=8)
        def test_fills_the_disk(self):
            if HOW == "limit":
                limit_the_driver(0)
            else:
                with contextlib.suppress(OSError):
                    fill(self.filler) if HOW == "disk" else fill_with_files(self.filler)
            return {"answer": 2}

        @cluster(num_nodes=7)
        @matrix(n=[1, 2])
        def test_on_a_full_disk(self, n):
            for _ in range(200):
                self.logger.info("a line that finds no room: %s", "x" * 200)
            return {"answer": "long" * 2000}

        @cluster(num_nodes=6)
        def test_makes_room(self):
            if MAKES_ROOM == "room":
                if HOW == "limit":
                    limit_the_driver(None)
                elif HOW == "disk":
                    self.filler.unlink()
                else:
                    shutil.rmtree(self.filler)
            return {"answer": 3}

        @cluster(num_nodes=5)
        def test_after(self):
            return {"answer": 4}
"""
DATA = {
    "test_before": 1,
    "test_fills_the_disk": 2,
    "test_on_a_full_disk.n=1": "long" * 2000,
    "test_on_a_full_disk.n=2": "long" * 2000,
    "test_makes_room": 3,
    "test_after": 4,
}
PREFIX = "suite.test_it.DiskTest."
REPORTS = ("report.json", "report.xml", "report.html", "report.css", "report.txt", "journal.jsonl")
FULL = {"disk": "No space left on device", "files": "No space left on device", "limit": "File too large"}


@contextlib.contextmanager
def night(folder: Path, how: str, then: str) -> Iterator[Program]:
    """Run the suite on a disk that gets full, and has room again in the end or has not."""
    (folder / "elsewhere").mkdir()
    extra = {"DUCKTAPE_E2E_DISK": f"{how} {then}", "TMPDIR": str(folder / "elsewhere")}
    disk = tiny_disk(folder / "results") if how != "limit" else contextlib.nullcontext()
    with disk, finished(folder, suite(folder, SUITE), extra=extra) as program:
        yield program


def data_in(directory: Path) -> dict[str, Any]:
    """Return what each test returned, as ``report.json`` has it; checks that all have passed."""
    report = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    assert {result["test_status"] for result in report["results"]} == {"PASS"}
    assert len(report["results"]) == len(DATA)
    return {result["test_id"].removeprefix(PREFIX): result["data"]["answer"] for result in report["results"]}


def check_files(directory: Path) -> None:
    """See that every report is there and whole, and the journal too."""
    assert [name for name in REPORTS if not (directory / name).stat().st_size] == []
    assert len(list(ElementTree.parse(directory / "report.xml").getroot().iter("testcase"))) == len(DATA)
    events = [json.loads(line) for line in (directory / "journal.jsonl").read_text(encoding="utf-8").splitlines()]
    finished_ids = [event["test_id"].removeprefix(PREFIX) for event in events if event["event"] == "finished"]
    assert finished_ids == list(DATA)
    assert events[-1]["event"] == "session_end"


def check_told_once(program: Program, how: str, *, at_the_end: int) -> None:
    """See that the console says of the full disk in one line what is up, and how it ended, and shows no traceback."""
    told = [line for line in program.output.splitlines() if FULL[how] in line and "results/latest" not in line]
    assert len(told) == 1 + at_the_end, program.output
    assert "Traceback" not in program.output
    assert "Logging error" not in program.output


@pytest.mark.parametrize("how", ["disk", "files", "limit"])
def test_reports_are_complete_in_their_place_when_there_is_room_again(how: str, tmp_path: Path) -> None:
    with night(tmp_path, how, "room") as program:
        assert program.process.returncode == 0, program.output
        directory = tmp_path / "results" / "latest"
        assert data_in(directory) == DATA
        check_files(directory)
        check_told_once(program, how, at_the_end=0)
        assert list((tmp_path / "elsewhere").iterdir()) == []
        assert program.survivors() == []


@pytest.mark.parametrize("how", ["disk", "files"])
def test_reports_go_to_a_place_that_is_named_when_the_disk_stays_full(how: str, tmp_path: Path) -> None:
    with night(tmp_path, how, "full") as program:
        assert program.process.returncode == 1
        [directory] = (tmp_path / "elsewhere").iterdir()
        assert data_in(directory) == DATA
        check_files(directory)
        check_told_once(program, how, at_the_end=1)
        named = [line for line in program.output.splitlines() if "reports" in line and str(directory) in line]
        assert len(named) == 1, program.output
        assert program.survivors() == []


def test_results_stand_on_the_console_where_no_disk_takes_the_reports(tmp_path: Path) -> None:
    with night(tmp_path, "limit", "full") as program:
        assert program.process.returncode == 1
        check_told_once(program, "limit", at_the_end=1)
        assert [test for test in DATA if f"test_id:    {PREFIX}{test}" not in program.output] == []
        assert "passed:           6" in program.output
        assert "nor anywhere else" in program.output
        assert list(tmp_path.rglob("ducktape-*")) == []  # nor is anything left of the attempts
        assert program.survivors() == []


def test_a_session_on_a_disk_that_stayed_full_is_reported_from_its_fallback(tmp_path: Path) -> None:
    with night(tmp_path, "disk", "full"):
        [directory] = (tmp_path / "elsewhere").iterdir()
        (directory / "report.json").unlink()
        again = Program(tmp_path, "report", str(directory))
        assert again.wait() == 0, again.output
        assert data_in(directory) == DATA
        check_files(directory)


def test_reports_of_single_tests_are_made_up_for_when_there_is_room_again(tmp_path: Path) -> None:
    with night(tmp_path, "limit", "room") as program:
        assert len(program.report["results"]) == len(DATA)
        directory = tmp_path / "results" / "latest"
        for result in program.report["results"]:
            own = json.loads((directory / result["relative_results_dir"] / "report.json").read_text(encoding="utf-8"))
            assert own["data"] == result["data"]
