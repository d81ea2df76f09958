# SPDX-License-Identifier: Apache-2.0
"""The reports that ``ducktape report`` makes, and its exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from pathlib import Path

import pytest

from ducktape.command_line.main import main
from ducktape.command_line.report import command as report
from ducktape.tests.recording.journal import Journal
from ducktape.tests.reporter import write_session_reports
from ducktape.utils.support.files import locked_directory
from tests.support import recorded

NAMES = ["report.txt", "report.css", "report.html", "report.json", "report.md", "report.xml", "rerun-failed.yml"]


class Report:
    """The program in this very process."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        self.out = ""
        self.err = ""

    def run(self, *arguments: str | Path) -> object:
        """Return the exit code."""
        self._monkeypatch.setattr(sys, "argv", ["ducktape", "report", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        self.out, self.err = self._capsys.readouterr()
        return ended.value.code


@pytest.fixture
def program(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Report]:
    monkeypatch.chdir(tmp_path)
    yield Report(tmp_path, capsys, monkeypatch)


def contents(directory: Path) -> dict[str, bytes]:
    others = ("journal.jsonl", "outcomes.json")
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name not in others}


def cut_off(directory: Path) -> Journal:
    journal = Journal(str(directory))
    recorded.begin(journal, session_id=directory.name)
    recorded.queue(journal, ["a", "b", "c"])
    recorded.run(journal, "a", 1)
    recorded.start(journal, "b", 2)
    journal.flush()
    return journal


def test_all_reports_are_those_that_the_run_wrote(program: Report) -> None:
    directory = recorded.session_of(program.folder)
    results = recorded.demo(directory)
    assert program.run(directory) == 0
    made = contents(directory)
    assert set(made) == set(NAMES)
    assert (directory / "outcomes.json").exists()  # for later sessions
    assert write_session_reports(results, 8, partial=False, silent=True) == []
    assert contents(directory) == made
    assert program.err == ""
    assert program.out.splitlines() == [
        "Session 2026-11-22--001: 2 passed, 1 flaky, 4 failed, 1 ignored, 1 not finished",
        *(f"    {directory}/{name}" for name in NAMES),
    ]


def test_reports_of_a_killed_run_say_what_did_not_run(program: Report) -> None:
    directory = recorded.session_of(program.folder)
    cut_off(directory).close()
    with open(directory / "journal.jsonl", "ab") as file:
        file.write(b'garbage\n{"event": "fin')
    assert program.run(directory) == 0
    assert program.out.splitlines()[0] == "Session 2026-11-22--001 was interrupted: 1 passed, 2 not finished"
    assert program.err == "Ignored 1 damaged line of the journal\n"
    content = json.loads((directory / "report.json").read_text())
    assert [(test["test_id"], test["why"]) for test in content["tests_not_run"]] == [
        ("b", "was running when the run was cut off"),
        ("c", "the run was cut off before it started"),
    ]
    assert not (directory / "rerun-failed.yml").exists()


def test_reports_can_be_made_while_the_run_goes_on(program: Report) -> None:
    journal = cut_off(recorded.session_of(program.folder))
    assert program.run("2026-11-22--001") == 0
    assert program.out.splitlines()[0] == "Session 2026-11-22--001 is still running: 1 passed, 2 not finished"
    assert not (program.folder / "2026-11-22--001" / "outcomes.json").exists()
    journal.close()


def test_of_a_results_root_the_newest_session_is_reported(program: Report) -> None:
    root = program.folder / "results"
    for name in ("2026-11-22--001", "2026-11-22--002"):
        cut_off(recorded.session_of(root, name)).close()
    (root / "latest").symlink_to("2026-11-22--001")
    for arguments in [(root,), ()]:
        assert program.run(*arguments) == 0
        assert program.out.startswith("Session 2026-11-22--002 was interrupted")
        assert (root / "2026-11-22--002" / "report.html").exists()
    assert contents(root / "2026-11-22--001") == {}
    assert program.run(root / "latest") == 0
    content = json.loads((root / "2026-11-22--001" / "report.json").read_text())
    assert content["session_context"]["results_dir"] == str(root / "2026-11-22--001")


def test_reports_can_be_written_elsewhere(program: Report) -> None:
    directory = recorded.session_of(program.folder)
    recorded.demo(directory)
    assert program.run("--output", "deep/down", directory) == 0
    assert os.listdir(directory) == ["journal.jsonl"]
    assert set(contents(program.folder / "deep" / "down")) == set(NAMES)
    assert f"    {program.folder}/deep/down/report.html" in program.out.splitlines()
    content = json.loads((program.folder / "deep" / "down" / "report.json").read_text())
    assert content["session_context"]["results_dir"] == str(directory)


def test_several_sessions_are_reported_side_by_side(program: Report) -> None:
    for place in ("one/2026-11-22--001", "one/2026-11-22--002", "two/2026-11-22--001"):
        cut_off(recorded.session_of(program.folder, place)).close()
    assert program.run("--output", "all", "one/2026-11-22--001", "one/2026-11-22--002") == 0
    assert sorted(path.name for path in (program.folder / "all").iterdir()) == ["2026-11-22--001", "2026-11-22--002"]
    assert program.run("--output", "both", "one/2026-11-22--001", "two") == 1
    directory = program.folder / "both" / "2026-11-22--001"
    assert program.err == f"There are reports of another session in {directory} already: call for each session\n"
    assert program.run("one/2026-11-22--001", "absent", "two") == 1
    assert program.err.startswith("There is no directory absent: name that of a session")
    assert (program.folder / "two" / "2026-11-22--001" / "report.json").exists()


def test_mistakes_are_told_in_one_line(program: Report) -> None:
    assert program.run() == 1
    assert program.err.startswith("There is no directory ./results: ")
    (program.folder / "empty").mkdir()
    assert program.run("empty") == 1
    assert program.err.startswith("empty has no journal.jsonl: it is not the directory of a session")
    (program.folder / "file").touch()
    assert program.run("file") == 1
    assert program.err.startswith("Cannot read file/journal.jsonl: Not a directory")
    cut_off(recorded.session_of(program.folder)).close()
    assert program.run("2026-11-22--001", "--output", "file") == 1
    assert (
        program.err
        == f"Cannot write {program.folder}/file: File exists. Use --output DIR to write the reports elsewhere\n"
    )
    assert program.out == ""


def test_a_place_that_cannot_be_written_is_told_once(program: Report) -> None:
    directory = recorded.session_of(program.folder)
    cut_off(directory).close()
    (directory / "report.txt").mkdir()
    assert program.run(directory) == 1
    assert (
        program.err
        == f"Cannot write {directory}/report.txt: Is a directory. Use --output DIR to write the reports elsewhere\n"
    )


def test_a_report_that_cannot_be_made_does_not_hold_back_the_others(
    program: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(results: object) -> None:
        raise ZeroDivisionError("no")

    monkeypatch.setattr("ducktape.tests.reports.json_report.pieces", fail)
    directory = recorded.session_of(program.folder)
    cut_off(directory).close()
    assert program.run(directory) == 1
    assert program.err == f"Could not write {directory}/report.json: ZeroDivisionError: no\n"
    assert set(contents(directory)) == {"report.txt", "report.css", "report.html", "report.md", "report.xml"}


def test_an_interrupt_ends_it_without_a_word(program: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(places: object, output: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "_report_all", interrupt)
    assert program.run() == 130
    assert (program.out, program.err) == ("", "")


def test_it_explains_itself(program: Report) -> None:
    assert program.run("--help") == 0
    assert "ducktape report [options] [RESULTS_DIR ...]" in program.out
    assert program.run("--no-such-option") == 2


# --- two writers


def test_what_is_written_is_what_the_journal_says_when_the_other_writer_is_done(program: Report) -> None:
    directory = recorded.session_of(program.folder)
    journal = cut_off(directory)
    with ThreadPoolExecutor() as pool:
        with locked_directory(str(directory)):
            made = pool.submit(program.run, directory)
            with pytest.raises(TimeoutError):
                made.result(timeout=0.3)
            recorded.run(journal, "b", 2)
            journal.flush()
        assert made.result() == 0
    journal.close()
    assert program.out.startswith("Session 2026-11-22--001 is still running: 2 passed, 1 not finished\n")


def test_a_writer_that_does_not_come_to_an_end_is_told_in_one_line(
    program: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ducktape.command_line.report.files._LONGEST_WAIT_SEC", 0.1)
    directory = recorded.session_of(program.folder)
    cut_off(directory).close()
    with locked_directory(str(directory)):
        assert program.run(directory) == 1
    assert program.err == f"Another program is writing reports to {directory}: try again when it is done\n"
    assert contents(directory) == {}
