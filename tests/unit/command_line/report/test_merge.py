# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ducktape.command_line.main import main
from ducktape.tests.recording.journal import Journal
from ducktape.tests.recording.outcomes import PastOutcome, SessionOutcomes
from tests.support import recorded
from tests.unit.tests.reports.samples import START

NAMES = ("report.txt", "report.css", "report.html", "report.json", "report.md", "report.xml", "rerun-failed.yml")


class Merge:
    """The command, in a directory."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def part(self, driver: int, statuses: Mapping[str, str], *, of: int = 3, resumed: bool = False) -> Path:
        """Make the session of one of several drivers, each with a results root of its own."""
        directory = recorded.session_of(self.folder / f"driver-{driver}")
        journal = Journal(str(directory))
        options = {"subsets": of, "subset": driver, "shuffle": 7}
        recorded.begin(journal, configuration=options, expected=len(statuses), time=START + driver)
        if resumed:
            recorded.begin(journal, event="resumed", configuration={"subsets": 1, "subset": 0}, expected=len(statuses))
        recorded.queue(journal, statuses)
        for index, (test_id, status) in enumerate(statuses.items(), start=1):
            recorded.run(journal, test_id, index, status)
            (directory / test_id / str(index)).mkdir(parents=True)
            (directory / test_id / str(index) / "test_log.info").write_text(f"log of {test_id}")
        recorded.end(journal, start_time=START + driver, stop_time=START + driver + 10)
        journal.close()
        return directory

    def run(self, *arguments: object) -> tuple[object, list[str], str]:
        """Return the exit code, the lines of the output, and the errors."""
        self._monkeypatch.setattr(sys, "argv", ["ducktape", "report", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        return ended.value.code, out.splitlines(), err

    def report(self) -> Any:
        return json.loads((self.folder / "all" / "report.json").read_text())


@pytest.fixture
def merge(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Merge:
    monkeypatch.chdir(tmp_path)
    return Merge(tmp_path, capsys, monkeypatch)


def test_the_parts_of_a_run_get_one_report(merge: Merge) -> None:
    parts = [merge.part(0, {"a": "PASS", "b": "FAIL"}), merge.part(1, {"c": "PASS"}, resumed=True), merge.part(2, {})]

    code, lines, err = merge.run(*parts, "--merge", "all")

    target = merge.folder / "all"
    assert (code, err) == (0, "")
    assert lines == ["Merged 3 sessions: 2 passed, 1 failed", *(f"    {target}/{name}" for name in NAMES)]
    report = merge.report()
    assert [result["test_id"] for result in report["results"]] == ["a", "b", "c"]
    assert [Path(result["results_dir"], "test_log.info").read_text() for result in report["results"]] == [
        f"log of {name}" for name in "abc"
    ]
    assert (report["start_time"], report["stop_time"]) == (START, START + 12)
    assert (report["cluster_num_nodes"], report["session_context"]["session_id"]) == (15, "all")
    page = (target / "report.html").read_text()
    assert "1 of 3 tests failed</p>" in page
    assert re.findall('<tr class="[a-z]+" id="(.*?)">', page) == ["t2", "t1", "t3"]
    # Three nodes, although the drivers gave theirs the same name
    assert re.findall('<div class="lanes"><div>(.*?)</div><div>(.*?)</div></div>', page) == [("1: n1", "2: n1")]
    links = [link for link in re.findall('href="([^#"]*)"', page) if not os.path.exists(target / link)]
    assert set(links) == {
        f"../driver-{n}/2026-11-22--001/session_log.{kind}" for n in range(3) for kind in ("info", "debug")
    }


def test_the_merged_logs_of_tests_go_along_wherever_the_report_is(merge: Merge) -> None:
    parts = [merge.part(0, {"a": "PASS", "b": "FAIL"}, of=2), merge.part(1, {"c": "FAIL"}, of=2)]
    for part, name in zip(parts, "bc", strict=True):
        [log] = part.glob(f"{name}/*/test_log.info")
        log.write_text(f"{START} INFO log of {name}")
    assert merge.run(*parts, "--merge", "all")[0] == merge.run(parts[1], "--output", "elsewhere")[0] == 0
    for place, names in {"all": "bc", "elsewhere": "c"}.items():
        page = (merge.folder / place / "report.html").read_text()
        logs = [json.loads(log) for log in re.findall('id="log-.*?">(.*)</script>', page)]
        assert [log["sources"] for log in logs] == [[["", "test_log.info"]]] * len(names)
        assert [log["entries"][-2:] for log in logs] == [
            [[0, 0, "info", f"{START} INFO log of {name}"], [1000, -1, "failure", f"failed: FAIL of {name}"]]
            for name in names
        ]


def test_missing_parts_and_tests_that_ran_twice_are_named(merge: Merge) -> None:
    parts = [merge.part(0, {"a": "PASS", "b": "PASS"}), merge.part(2, {"b": "FAIL"})]
    code, _, err = merge.run(*parts, "--merge", "all")
    assert (code, len(merge.report()["results"])) == (1, 3)
    assert err.splitlines() == [
        "Parts are missing, of --subsets 3: --subset 1",
        f"1 test was run by several sessions: b ({parts[0]}, {parts[1]})",
    ]


def test_parts_of_different_divisions_are_named(merge: Merge) -> None:
    parts = [merge.part(0, {"a": "PASS"}), merge.part(1, {"b": "PASS"}, of=2)]
    code, _, err = merge.run(*parts, "--merge", "all")
    assert (code, err) == (
        1,
        f"These are not parts of the same division: {parts[0]} has --subsets 3, {parts[1]} has --subsets 2\n",
    )


def test_a_part_that_is_running_is_named(merge: Merge) -> None:
    parts = [merge.part(0, {"a": "PASS"}, of=2), recorded.session_of(merge.folder / "driver-1")]
    journal = Journal(str(parts[1]))
    recorded.begin(journal, configuration={"subsets": 2, "subset": 1}, expected=1)
    recorded.queue(journal, ["b"])
    journal.flush()
    code, lines, err = merge.run(*parts, "--merge", "2026-11-22--001")
    journal.close()
    assert (code, lines[0]) == (1, "Merged 2 sessions: 1 passed, 1 not finished")
    assert err == f"{parts[1]} is still running: call again when it has ended\n"
    assert not (merge.folder / "2026-11-22--001" / "outcomes.json").exists()


def test_merged_nights_are_compared_like_sessions(merge: Merge) -> None:
    nights = merge.folder / "nights"
    for day in range(10, 20):
        tests = {"b": PastOutcome("PASS", 60.0)}
        night_before = SessionOutcomes(f"2026-11-{day}--001", START, 1.0, 1, {"PASS": 1}, tests)
        night_before.write(str(recorded.session_of(nights, night_before.session_id)))
    for night, status in ((1, "PASS"), (2, "FAIL")):
        part = merge.part(0, {"a": status, "b": "PASS"}, of=1)
        assert merge.run(part, "--merge", f"nights/2026-11-2{night}--001")[0] == 0
        os.rename(merge.folder / "driver-0", merge.folder / f"old-{night}")
    page = (nights / "2026-11-22--001" / "report.html").read_text()
    assert "1 of 2 tests failed, new since 2026-11-21--001</p>" in page
    assert "duration 1:00 min → 1.0 s (-98 %, usual 57 s to 1:03 min)" in page


def test_what_cannot_be_merged_is_told_in_one_line(merge: Merge) -> None:
    part = merge.part(0, {"a": "PASS"})
    assert merge.run(part, part, "--merge", "all")[::2] == (1, f"{part} is named twice\n")
    assert merge.run(part, "--merge", part)[::2] == (
        1,
        f"{part} is the directory of a session: name another one for --merge\n",
    )
    code, _, err = merge.run(part, "absent", "--merge", "all")
    assert (code, "There is no directory absent" in err) == (1, True)
    assert merge.run(part, "--merge", "all", "--output", "x")[0] == 2
