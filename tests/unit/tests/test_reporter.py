# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import json
import os
import time
import tracemalloc
from pathlib import Path

import pytest
import yaml

from ducktape.tests import reporter
from ducktape.tests.reports import json_report, summary, text
from ducktape.tests.result import FAIL, TestResults
from ducktape.utils.support.files import locked_directory
from tests.unit.tests.reports.samples import PROJECT, Cluster, demo_results, eventful_results, result, session

FILES = ["report.css", "report.html", "report.json", "report.md", "report.txt", "report.xml"]


def test_a_single_result_is_reported_as_text() -> None:
    one = reporter.SingleResultReporter(result(status=FAIL, summary="oh"))
    assert one.result_string() == text.result_text(one.result)
    assert one.report_string() == f"{'=' * 100}\n{one.result_string()}"
    one.width = 3
    assert one.report_string().split("\n")[0] == "==="


def test_a_single_result_is_reported_in_its_directory(tmp_path: Path) -> None:
    one = result(of=session(tmp_path))
    os.makedirs(one.results_dir)
    reporter.SingleResultFileReporter(one).report()
    assert Path(one.results_dir, "report.txt").read_text() == text.result_report(one)


@pytest.mark.parametrize("kind", [reporter.SummaryReporter, reporter.SimpleSummaryReporter])
def test_a_reporter_that_does_not_say_where_to_report_is_told_so(kind: type[reporter.SummaryReporter]) -> None:
    with pytest.raises(NotImplementedError, match=f"{kind.__name__} does not say where to report"):
        kind(demo_results()).report()


def test_every_reporter_writes_its_file(tmp_path: Path) -> None:
    results = demo_results(tmp_path)
    reporter.SimpleFileSummaryReporter(results).report()
    written = (tmp_path / "report.txt").read_text(encoding="utf-8")
    assert written.startswith(reporter.SimpleSummaryReporter(results).header_string())
    reporter.JSONReporter(results).report()
    assert (tmp_path / "report.json").read_text() == json_report.render(results)
    reporter.MarkdownReporter(results, 9).report()
    assert (
        (tmp_path / "report.md").read_text().startswith("## 4 of 9 tests failed, 1 flaky, 1 ignored, 1 did not run\n")
    )
    reporter.JUnitReporter(results).report()
    assert (tmp_path / "report.xml").read_text() == reporter.JUnitReporter(results).report_string()
    reporter.HTMLSummaryReporter(results, 9).report()
    assert "<td>9</td><td>8</td>" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert ".pass { background-color: #6c6; }" in (tmp_path / "report.css").read_text()
    assert sorted(os.listdir(tmp_path)) == FILES


def test_the_expected_count_of_the_page_may_be_missing() -> None:
    assert "<td>8</td><td>8</td>" in reporter.HTMLSummaryReporter(demo_results()).report_string()


def test_the_console_summary_is_as_wide_as_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "33")
    reporter.SimpleStdoutSummaryReporter(demo_results()).report()
    lines = capsys.readouterr().out.split("\n")
    assert (lines[0], lines[1], lines[-2:]) == ("=" * 33, "SESSION REPORT (ALL TESTS)", ["-" * 33, ""])


def test_a_terminal_of_few_characters_gets_the_others_spelled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    reporter.SimpleStdoutSummaryReporter(demo_results()).report()
    assert rb"\x1b" not in raw.getvalue()
    assert rb"\U0001f986 \ufffd \u2028" in raw.getvalue()


def test_failed_tests_are_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = demo_results(tmp_path)
    failed = reporter.FailedTestSymbolReporter(results)
    failed.working_dir = Path(PROJECT)
    failed.report()
    printed = capsys.readouterr().out
    assert f"\nTest suite to rerun failed tests: {tmp_path}/rerun-failed.yml\n" in printed
    assert "\n'demo_tests/test_demo.py::DemoTest.test_fail' 'demo_tests/test_demo.py::DemoTest.test_matrix@{" in printed
    [entries] = yaml.safe_load((tmp_path / "rerun-failed.yml").read_text()).values()
    paths = [os.path.normpath(tmp_path / entry.partition("::")[0]) for entry in entries]
    assert paths == [f"{PROJECT}/demo_tests/test_demo.py"] * 3 + [f"{PROJECT}/demo_tests/test_broken.py"]


def test_symbols_start_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failed = reporter.FailedTestSymbolReporter(demo_results())
    assert failed.working_dir == tmp_path
    it = result("test_matrix", injected_args={"x": 1}, file=str(tmp_path / "a" / "test_b.py"))
    assert failed.to_symbol(it) == 'a/test_b.py::DemoTest.test_matrix@{"x":1}'


def test_without_failures_there_is_nothing_to_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = TestResults(session(tmp_path), Cluster())
    results.append(result())
    reporter.FailedTestSymbolReporter(results).report()
    assert capsys.readouterr().out == ""
    assert os.listdir(tmp_path) == []


def test_a_running_session_writes_its_files_in_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = demo_results(tmp_path)
    results.start_time, results.stop_time = time.time() - 5, -1
    assert reporter.write_session_reports(results, 9, partial=True) == []
    assert sorted(os.listdir(tmp_path)) == FILES
    assert capsys.readouterr().out == ""
    assert results.stop_time == -1
    written = json.loads((tmp_path / "report.json").read_text())
    assert 5 <= written["run_time_seconds"] < 60
    assert written["stop_time"] == written["start_time"] + written["run_time_seconds"]


def test_a_finished_session_writes_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert reporter.write_session_reports(demo_results(tmp_path), 9, partial=False) == []
    assert sorted(os.listdir(tmp_path)) == sorted([*FILES, "rerun-failed.yml"])
    printed = capsys.readouterr().out
    assert 0 < printed.index("SESSION REPORT (ALL TESTS)") < printed.index("FAILED TEST SYMBOLS")


def test_a_session_without_any_test_has_all_its_reports(tmp_path: Path) -> None:
    assert reporter.write_session_reports(TestResults(session(tmp_path), None), 0, partial=False) == []
    assert sorted(os.listdir(tmp_path)) == FILES


def test_a_report_that_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()
    (tmp_path / "report.css").mkdir()
    failures = reporter.write_session_reports(demo_results(tmp_path), 9, partial=False)
    assert [(name, type(error)) for name, error in failures] == [
        ("HTMLSummaryReporter", IsADirectoryError),
        ("JSONReporter", IsADirectoryError),
    ]
    assert {"report.txt", "report.xml", "rerun-failed.yml"} < set(os.listdir(tmp_path))


def test_the_names_of_the_older_releases_are_here() -> None:
    assert reporter.DEFAULT_SEPARATOR_WIDTH == 100
    assert reporter.format_time(61.5) == "1 minute 1.500 seconds"


def test_the_files_of_a_finished_session_can_be_written_in_silence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reporter.write_session_reports(demo_results(tmp_path), 9, partial=False, silent=True) == []
    assert sorted(os.listdir(tmp_path)) == sorted([*FILES, "rerun-failed.yml"])
    assert capsys.readouterr().out == ""


def test_symbols_are_printed_where_they_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rerun-failed.yml").mkdir()
    failures = reporter.write_session_reports(demo_results(tmp_path), 9, partial=False)
    assert [(name, type(error)) for name, error in failures] == [("FailedTestSymbolReporter", IsADirectoryError)]
    assert "::DemoTest.test_fail'" in capsys.readouterr().out.split("FAILED TEST SYMBOLS")[1]


def test_the_console_shows_everything_of_an_eventful_session(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    results = eventful_results(tmp_path)
    assert reporter.write_session_reports(results, 12, partial=False) == []
    printed = capsys.readouterr().out
    assert printed.startswith(summary.session_report(results) + "\n" + "=" * 100 + "\nFAILED TESTS\n")
    assert printed.startswith((tmp_path / "report.txt").read_text(encoding="utf-8"))


def test_a_text_of_fifty_megabytes_costs_little_more_than_itself(tmp_path: Path) -> None:
    of = session(tmp_path)
    results = TestResults(of, Cluster())
    size = 50_000_000
    summary = "first\n" + "some line\n" * (size // 10) + "last"
    results.append(result("test_fail", status=FAIL, summary=summary, of=of))
    reporter.HTMLSummaryReporter(TestResults(of)).report()  # loads the template
    tracemalloc.start()
    assert reporter.write_session_reports(results, 1, partial=True) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Some 50 MB, as bytes; the rest is for other versions of Python
    assert peak < 3 * size
    sizes = {name: (tmp_path / name).stat().st_size for name in ("report.txt", "report.json", "report.html")}
    assert (sizes["report.txt"] > size, sizes["report.json"] > size, sizes["report.html"] < 6_000_000) == (True,) * 3
    [written] = json.loads((tmp_path / "report.json").read_text())["results"]
    assert (len(written["summary"]), written["summary"][-5:]) == (len(summary), "\nlast")


def test_reports_of_a_running_session_give_way_to_another_writer_and_the_last_ones_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporter, "_LONGEST_WAIT_SEC", 0.1)
    results = demo_results(tmp_path)
    with locked_directory(str(tmp_path)):
        assert reporter.write_session_reports(results, 8, partial=True) == []
        assert list(tmp_path.glob("report.*")) == []
        assert reporter.write_session_reports(results, 8, partial=False, silent=True) == []
    assert sorted(path.suffix for path in tmp_path.glob("report.*")) == [
        ".css",
        ".html",
        ".json",
        ".md",
        ".txt",
        ".xml",
    ]


def test_a_ci_server_is_told_before_the_symbols_of_failed_tests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results").mkdir()
    results = demo_results(tmp_path / "results")
    summary_of_job = tmp_path / "summary.md"
    summary_of_job.write_text("before\n")
    for name, value in (
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_WORKSPACE", PROJECT),
        ("GITHUB_STEP_SUMMARY", str(summary_of_job)),
        ("TEAMCITY_VERSION", "2025.1"),
    ):
        monkeypatch.setenv(name, value)
    assert reporter.write_session_reports(results, 8, partial=False) == []
    lines = capsys.readouterr().out.splitlines()
    told = [number for number, line in enumerate(lines) if line.startswith(("::error file=demo_tests/", "##teamcity["))]
    assert len(told) == 5
    assert lines.index("FAILED TESTS") > told[-1]
    report = (tmp_path / "results" / "report.md").read_text()
    assert summary_of_job.read_text() == f"before\n{report}"

    for partial in (True, False):
        assert reporter.write_session_reports(results, 8, partial=partial, silent=True) == []
    assert capsys.readouterr().out == ""
    assert summary_of_job.read_text() == f"before\n{report}"

    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    assert reporter.write_session_reports(results, 8, partial=False) == []
    assert "::warning title=ducktape::Could not write the job summary: " in capsys.readouterr().out
    monkeypatch.setenv("GITHUB_ACTIONS", "")
    monkeypatch.setenv("TEAMCITY_VERSION", "")
    assert reporter.write_session_reports(results, 8, partial=False) == []
    assert not [line for line in capsys.readouterr().out.splitlines() if line.startswith(("::", "##"))]
