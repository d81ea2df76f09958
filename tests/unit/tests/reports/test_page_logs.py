# SPDX-License-Identifier: Apache-2.0
"""The merged logs of ``report.html``: in the page, in files beside it, or left out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ducktape.tests import reporter
from ducktape.tests.reports import page_logs
from ducktape.tests.result import FAIL, FLAKY, PASS, TestResults
from tests.unit.tests.reports.samples import HOSTILE, START, result, session

TESTS = {1: ("test_pass", PASS), 2: ("test_fail", FAIL), 3: ("test_flaky", FLAKY), 4: ("test_data", PASS)}


def results_in(directory: Path, text: str = "hello") -> TestResults:
    """Results of tests whose directories have a log each, with a line of some text."""
    of = session(directory)
    results = TestResults(of)
    results.start_time, results.stop_time = START, START + 10
    for index, (method, status) in TESTS.items():
        results.append(result(method, index, status, "oh", seconds=5, of=of))
        folder = directory / "DemoTest" / method / str(index) / "Web-0" / "node1"
        folder.mkdir(parents=True)
        (folder / "web.log").write_text(f"{START + 1} INFO {text}\n", "utf-8", "backslashreplace")
    return results


def write(results: TestResults) -> str:
    """Write the page; returns its text."""
    reporter.HTMLSummaryReporter(results).report()
    return (Path(results.session_context.results_dir) / "report.html").read_text("utf-8")


def in_page(content: str) -> dict[str, Any]:
    found = re.findall('<script type="application/json" id="log-(.*?)">(.*?)</script>', content)
    return {anchor: json.loads(data) for anchor, data in found}


def folds(content: str) -> dict[str, str]:
    """The tests that have a merged log, each with the file that has it."""
    return dict(re.findall('<details class="merged_log" data-log="(.*?)"(?: data-file="(.*?)")? hidden>', content))


def files(directory: Path) -> dict[str, Any]:
    """The logs in files beside the page."""
    found = {}
    for path in (directory / "report-details").glob("*"):
        call = re.fullmatch(r'showMergedLog\("(.*?)", (.*)\);\n', path.read_text("utf-8"))
        assert call is not None
        found[path.name] = (call[1], json.loads(call[2]))
    return found


def test_the_logs_of_tests_are_in_the_page_behind_the_list(tmp_path: Path) -> None:
    content = write(results_in(tmp_path, f"{HOSTILE} </script><script>alert(1)</script>".replace("\0", "")))
    # Failed tests first: where there is no room for all, they have it
    assert list(in_page(content)) == ["t2", "t3", "t1", "t4"]
    assert folds(content) == dict.fromkeys(("t1", "t2", "t3", "t4"), "")
    assert content.index("</main>") < content.index('id="log-t2"') < content.index("const HEADING")
    log = in_page(content)["t2"]
    assert (log["start"], log["sources"]) == (START, [["node1", "Web-0/node1/web.log"]])
    [line, failure] = log["entries"]
    assert line[:3] == [1000, 0, "info"]
    assert "</script><script>alert(1)</script>" in line[3]
    assert failure == [5000, -1, "failure", "failed: oh"]
    assert content.count("</script>") == len(TESTS) + 1
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u2028\ud800-\udfff]", "".join(re.findall("<script.*", content)))
    assert not (tmp_path / "report-details").exists()


def test_what_the_page_has_no_room_for_is_in_files_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = results_in(tmp_path)
    room = len(re.findall('id="log-t2">(.*?)</script>', write(results))[0])
    logs = in_page(write(results))
    monkeypatch.setattr(page_logs, "_ROOM", room)
    content = write(results)
    assert folds(content) == {"t2": "", "t3": "report-details/t3.js"}
    assert (in_page(content), files(tmp_path)) == ({"t2": logs["t2"]}, {"t3.js": ("t3", logs["t3"])})
    # A later page replaces them, and leaves alone what is not its own
    (tmp_path / "report-details" / "notes.txt").write_text("mine")
    (tmp_path / "report-details" / "t99.js").write_text("old")
    monkeypatch.undo()
    assert in_page(write(results)) == logs
    assert [path.name for path in (tmp_path / "report-details").iterdir()] == ["notes.txt"]
    (tmp_path / "report-details" / "notes.txt").unlink()
    write(results)
    assert not (tmp_path / "report-details").exists()


def test_a_page_without_a_place_for_files_has_what_it_has_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = results_in(tmp_path)
    monkeypatch.setattr(page_logs, "_ROOM", 0)
    assert folds(reporter.HTMLSummaryReporter(results).report_string()) == {}


def test_logs_of_tests_that_passed_do_not_fill_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = results_in(tmp_path)
    monkeypatch.setattr(page_logs, "_ROOM_FOR_PASSED", 0)
    assert folds(write(results)) == {"t2": "", "t3": ""}


def test_no_more_is_read_than_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = results_in(tmp_path)
    monkeypatch.setattr(page_logs, "_MOST_READ", 1)
    assert folds(write(results)) == {}


def test_reports_in_the_middle_of_a_session_read_no_logs(tmp_path: Path) -> None:
    results = results_in(tmp_path)
    assert reporter.write_session_reports(results, 9, partial=True) == []
    assert folds((tmp_path / "report.html").read_text("utf-8")) == {}
    assert reporter.write_session_reports(results, 9, partial=False, silent=True) == []
    assert list(folds((tmp_path / "report.html").read_text("utf-8"))) == ["t2", "t3", "t1", "t4"]
