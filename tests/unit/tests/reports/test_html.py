# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from ducktape import __version__
from ducktape.tests.recording.history import Changes
from ducktape.tests.recording.outcomes import SessionOutcomes
from ducktape.tests.reports import html, junit, summary, text
from ducktape.tests.reports.session_details import Allocation, Phase, SessionDetails
from ducktape.tests.result import FAIL, PASS, TestResult, TestResults
from tests.unit.tests.reports.samples import (
    HOSTILE,
    START,
    check_golden,
    demo_results,
    eventful_results,
    fault,
    not_run,
    result,
    session,
)


class Page(HTMLParser):
    """Every element with its attributes, and the text between the tags."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.scripts: list[str] = []
        self._inside: str | None = None
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("td", "th"):
            self.cells.append("")
        if tag == "script":
            self.scripts.append("")
        if tag in ("td", "th", "script"):
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside is not None:
            self.cells[-1] += data

    def attributes(self, name: str) -> list[str]:
        return [attributes[name] or "" for _, attributes in self.elements if name in attributes]

    def constants(self) -> dict[str, Any]:
        [script] = self.scripts
        return {name: json.loads(value) for name, value in re.findall(r"^const (\w+) = (.*);$", script, re.MULTILINE)}


def tables(content: str, caption: str) -> list[str]:
    """The tables with names and values below a caption."""
    return re.findall(f'<table class="values"><caption>{caption}</caption>.*?</table>', content)


def without_style_and_script(content: str) -> str:
    """The page without what is the same in every one."""
    return content.replace(html.style_sheet(), "@STYLE@").replace(html.scripts(), "@SCRIPT@")


def test_the_page_of_a_session_is_as_agreed() -> None:
    check_golden("report.html", without_style_and_script(html.render(demo_results(), 9)))


def test_the_panels_come_in_their_order_with_their_names() -> None:
    page = Page(html.render(demo_results()))
    assert page.attributes("id") == [
        "heading",
        "verdict",
        "summary_panel",
        "summary_report_table",
        "summary_header_row",
        "session_facts",
        "color_key_panel",
        "color_key_table",
        "overview_panel",
        "reasons",
        "overview_table",
        "metrics_panel",
        "filter_panel",
        "filter_text",
        "sort_by",
        *("group_by", "filter_module", "filter_tag"),
        "filter_count",
        "failed_test_panel",
        *("t3", "t4", "t5", "t8"),
        "ignored_test_panel",
        "t7",
        "flaky_test_panel",
        "t6",
        "passed_test_panel",
        *("t1", "t2"),
    ]
    rows = [attributes.get("class") for tag, attributes in page.elements if tag == "tr"]
    assert [row for row in rows if row not in (None, "header_row")] == [
        *["fail"] * 4,
        "ignore",
        "flaky",
        "pass",
        "pass",
    ]


def test_the_summary_counts_what_was_expected_and_what_ran() -> None:
    assert Page(html.render(demo_results(), 9)).cells[7:14] == ["9", "8", "2", "1", "4", "1", "1 minute 1.500 seconds"]
    assert Page(html.render(demo_results())).cells[7:9] == ["8", "8"]


def test_everything_is_there_without_scripts() -> None:
    content = html.render(demo_results())
    cells = Page(content).cells
    failure = "\nAssertionError('a <b>')\nTraceback (most recent call last):\n  ...\nAssertionError: a <b>"
    assert any(failure in cell for cell in cells)
    assert "DemoTest.test_matrix x=2.s=c.d" in cells
    values = [re.findall('<th scope="row">(.*?)</th><td>(.*?)</td>', table) for table in tables(content, "Data")]
    assert values == [[("mb_per_sec", "3.5"), ("unit", "&lt;MB&gt;")]]
    values = [re.findall('<th scope="row">(.*?)</th><td>(.*?)</td>', table) for table in tables(content, "Arguments")]
    assert [("x", "2"), ("s", "c/d")] in values


def test_the_constants_hold_the_same_as_the_tables() -> None:
    constants = Page(html.render(demo_results(), 9)).constants()
    assert list(constants) == [
        "HEADING",
        "SUMMARY",
        "COLOR_KEYS",
        "FAILED_TESTS",
        "IGNORED_TESTS",
        "FLAKY_TESTS",
        "PASSED_TESTS",
    ]
    assert constants["HEADING"] == {"session": "2026-11-22--001", "version": __version__}
    assert constants["COLOR_KEYS"] == ["pass", "fail", "ignore", "flaky"]
    assert constants["FAILED_TESTS"][2]["summary"] == HOSTILE.replace("\udc80", "\ufffd")
    assert constants["PASSED_TESTS"][1] == {
        "test_name": "Module:      demo_tests.test_demo\nClass:       DemoTest\nMethod:      test_data\n"
        "Nodes (used/allocated): 0/0",
        "test_result": "pass",
        "reason": "",
        "description": "Returns data.",
        "run_time": "1.250 seconds",
        "data": '{\n  "mb_per_sec": 3.5,\n  "unit": "<MB>"\n}',
        "summary": "Test Passed",
        "test_log": "DemoTest/test_data/2",
    }


def test_no_text_of_a_test_can_act_as_markup_or_script() -> None:
    content = html.render(demo_results())
    page = Page(content)
    assert content.count("</script>") == 1
    assert content.count("<!--") == 0
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u2028\ud800-\udfff]", "".join(page.scripts))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", content)
    assert {tag for tag, _ in page.elements} & {"img", "iframe"} == set()
    assert "a <b>" not in content


def test_the_page_asks_nobody_for_anything_but_its_style_sheet_and_details() -> None:
    page = Page(html.render(demo_results()))
    assert page.attributes("src") == []
    assert page.attributes("href") == [
        *("report.css", "report.json", "report.xml", "report.txt", "session_log.info", "session_log.debug"),
        *("#t3", "#t4", "#t5", "#t8"),
        *("#t4", "#t5"),
        "DemoTest/test_fail/3",
        "DemoTest/test_matrix/x=2.s=c.d/4",
        "DemoTest/test_matrix/x=3.s=it.s.script/5",
        "DemoTest/test_flaky/6",
        "DemoTest/test_pass/1",
        "DemoTest/test_data/2",
    ]
    assert "://" not in html.render(demo_results()) + html.style_sheet()


def test_an_empty_session_has_a_page() -> None:
    page = Page(html.render(TestResults(session()), 0))
    assert page.cells[7:14] == ["0", "0", "0", "0", "0", "0", "0.000 seconds"]


def test_two_thousand_results_are_rendered_at_once() -> None:
    of = session()
    results = TestResults(of)
    for index in range(2000):
        results.append(result("test_matrix", index, FAIL, "line\n" * 20, {"x": index}, data={"n": index}, of=of))
    html.render(TestResults(of))  # loads the template
    started = time.process_time()
    html.render(results)
    # Some 0.1 s; the margin is for slow and busy machines
    assert time.process_time() - started < 2


def test_the_template_engine_waits_for_the_first_page() -> None:
    probe = "import sys, ducktape.tests.reporter; sys.exit('jinja2' in sys.modules or 'yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0


def of_many(failed: int, passed: int, missing: int = 0) -> TestResults:
    of = session()
    results = TestResults(of)
    for index in range(failed + passed):
        status = FAIL if index < failed else PASS
        results.append(result("test_matrix", index, status, f"oh {index}", {"x": index}, of=of))
    results.not_run += [not_run("test_pass", "no time", {"x": index}) for index in range(missing)]
    return results


def test_the_page_of_an_eventful_session_is_as_agreed() -> None:
    check_golden("report-eventful.html", without_style_and_script(html.render(eventful_results(), 12)))


def test_a_test_that_was_left_out_for_a_reason_shows_it() -> None:
    page = Page(html.render(eventful_results()))
    assert any("Skipped: needs <3> disks" in cell for cell in page.cells)
    tests = page.constants()["IGNORED_TESTS"]
    assert [test["summary"].split("\n")[0] for test in tests] == [
        "Skipped: needs <3> disks",
        "Expected failure: ISSUE-1",
        "",
    ]
    assert [test["test_log"] for test in tests] == ["DemoTest/test_skipped/4", "DemoTest/test_fail/5", ""]


def test_attempts_link_to_their_own_logs() -> None:
    page = Page(html.render(eventful_results()))
    failed = page.constants()["FAILED_TESTS"][2]
    assert failed["attempts"] == [
        {
            "number": "1",
            "status": "fail",
            "reason": "infrastructure",
            "run_time": "1.000 seconds",
            "nodes": "worker1",
            "summary": "SSHException('no route to worker1')",
            "test_log": "DemoTest/test_fail/3/attempt-1",
        },
        {
            "number": "2",
            "status": "fail",
            "reason": "infrastructure",
            "run_time": "2.000 seconds",
            "nodes": "worker2, worker<3>",
            "summary": "SSHException('no route to worker2')",
            "test_log": "DemoTest/test_fail/3",
        },
    ]
    assert {"DemoTest/test_fail/3/attempt-1", "DemoTest/test_flaky/7/attempt-2"} < set(page.attributes("href"))


def test_errors_of_the_teardown_and_rates_are_shown() -> None:
    page = Page(html.render(eventful_results()))
    [cell] = [cell for cell in page.cells if "Error stopping services" in cell and "oh" not in cell]
    assert cell.split("\n")[1:4] == [
        "Errors while tearing down",
        "",
        r"Error running teardown method: OSError('</script> \x1b[0m')",
    ]
    assert page.constants()["FLAKY_TESTS"][0]["runs"] == "passed 3 of 5 runs"
    assert next(cell for cell in page.cells if "passed 3 of 5 runs" in cell).count("passed 3 of 5 runs") == 1


def test_tests_that_did_not_run_have_a_panel_of_their_own() -> None:
    page = Page(html.render(eventful_results(), 12))
    assert page.cells[:16:8] == ["Tests Expected", "12"]
    assert page.cells[7:16:8] == ["Not Run", "3"]
    panels = [name for name in page.attributes("id") if name.endswith("_test_panel")]
    assert panels[:2] == ["failed_test_panel", "not_run_test_panel"]
    assert page.constants()["NOT_RUN_TESTS"][0] == {
        "test_name": "Module:      demo_tests.test_demo\nClass:       DemoTest\nMethod:      test_matrix\n"
        'Arguments:\n{\n  "x": 5\n}',
        "test_result": "notrun",
        "why": "the run was interrupted",
    }
    assert page.constants()["SUMMARY"]["not_run"] == 3
    assert page.cells.count("the run was interrupted") == 2
    assert "3 tests did not run</a>: the run was interrupted (2), its end &lt;was&gt; not seen (1)" in html.render(
        eventful_results()
    )


def test_a_session_in_which_everything_ran_says_nothing_of_tests_that_did_not() -> None:
    content = html.render(demo_results())
    assert ("Not Run" in content, "const NOT_RUN_TESTS" in content, "not_run_test_panel" in content) == (False,) * 3


def test_the_page_begins_with_what_to_look_at() -> None:
    content = html.render(eventful_results())
    assert content.index("overview_panel") < content.index("failed_test_panel")
    table = Page(content[content.index('<table id="overview_table"') : content.index('<div id="filter_panel"')])
    assert table.cells == [
        *["Tests", "Reason", "Failure", "First"],
        *[
            "2",
            "timeout",
            "Test aborted: TimeoutError: nothing was heard for 30 seconds (on worker3)",
            "DemoTest.test_fail",
        ],
        *["1", "infrastructure", "SSHException('no route to worker2')", "DemoTest.test_fail"],
        *["1", "other", "oh", "DemoTest.test_data"],
    ]
    assert re.findall(r'data-reason="(\w+)" aria-pressed', content) == ["timeout", "infrastructure", "other"]
    assert "1 test that did not fail had errors while tearing down" in content


def test_a_session_without_anything_to_look_at_has_no_overview() -> None:
    assert 'id="overview_panel"' not in html.render(of_many(0, 3))


def test_every_link_within_the_page_leads_somewhere() -> None:
    for results in (demo_results(), eventful_results(), of_many(40, 3)):
        page = Page(html.render(results))
        within = {link[1:] for link in page.attributes("href") if link.startswith("#")}
        assert within <= set(page.attributes("id"))
        assert len(set(page.attributes("id"))) == len(page.attributes("id"))


def test_many_rows_are_folded_but_for_the_first() -> None:
    page = Page(html.render(of_many(600, 250, missing=251)))
    folds = [attributes for tag, attributes in page.elements if tag == "details" and attributes["class"] == "block"]
    assert [("open" in fold) for fold in folds] == [True, False, False, True, False]
    rows = [attributes.get("class") for tag, attributes in page.elements if tag == "tr"]
    assert [rows.count(name) for name in ("fail", "pass", "notrun")] == [600, 250, 251]
    content = html.render(of_many(600, 250))
    assert re.findall("<summary>(.* of .*)</summary>", content) == [
        "1 to 250 of 600",
        "251 to 500 of 600",
        "501 to 600 of 600",
    ]


def test_a_very_long_text_is_cut_but_a_megabyte_stays_whole() -> None:
    of = session()
    results = TestResults(of)
    texts = ["x" * 1_900_000, "first" + "y" * 5_000_000 + "last"]
    for index, long_text in enumerate(texts):
        results.append(result("test_fail", index, FAIL, long_text, of=of))
    shown = [test["summary"] for test in Page(html.render(results)).constants()["FAILED_TESTS"]]
    assert shown[0] == texts[0]
    assert 1_900_000 < len(shown[1]) < 2_010_000
    assert (shown[1][:6], shown[1][-5:]) == ("firsty", "ylast")
    assert "all of them are in DemoTest/test_fail/1/report.txt" in shown[1]


def test_many_long_texts_do_not_make_a_page_that_no_browser_opens() -> None:
    of = session()
    results = TestResults(of)
    text = "x" * 1_000_000
    for index in range(100):
        results.append(result("test_fail", index, FAIL, text, of=of))
    assert len(html.render(results)) < 50_000_000


def test_the_script_and_the_style_of_the_page_are_part_of_it() -> None:
    content = html.render(demo_results())
    assert html.style_sheet() in content
    assert 'document.getElementById("filter_text")' in content


def with_faults(*faults: dict[str, Any], seconds: float = 90) -> TestResults:
    of = session()
    results = TestResults(of)
    results.append(result("test_fail", 1, FAIL, "oh", seconds=seconds, of=of, faults=faults))
    return results


def fault_rows(content: str) -> list[list[str]]:
    [table] = re.findall('<details class="faults".*?</details>', content, re.DOTALL)
    cells = Page(table).cells
    return [cells[start : start + 4] for start in range(0, len(cells), 4)]


def test_the_faults_of_a_test_are_told_with_their_nodes_times_and_ends() -> None:
    groups = {"groups": [["node1", "node2"], ["node3"]], "one_way": True}
    content = html.render(
        with_faults(
            fault("partition", "node1", "node2", "node3", injected=1, lasts=15.8, details=groups),
            fault("isolate", "node1", injected=3, lasts=61, healed_by="node"),
            fault("kill", "node2", lasts=0, details={"signal": "KILL", "pids": {"node2": [17, 18]}}),
            fault("fill_disk", "node2", lasts=None, details={"path": "/mnt", "free": 0}),
            fault("slow", "node2", error="node2: no room", effective=None),
            fault("drop", injected=-7200),
        )
    )
    assert fault_rows(content) == [
        ["Fault", "Nodes", "Injected", "Healed"],
        [
            "partitiongroups=node1, node2 | node3, one_way=True",
            "node1, node2, node3",
            "1.0 s",
            "16.8 s by the test",
        ],
        ["isolate", "node1", "3.0 s", "64.0 s by the node, since nobody renewed it"],
        ["killsignal=KILL, pids=node2: 17, 18", "node2", "1.0 s", "1.0 s by the test"],
        ["fill_diskpath=/mnt, free=0", "node2", "1.0 s", "not healed when the test ended"],
        ["slow", "node2", "1.0 s", "failed: node2: no room"],
        ["drop", "", "2026-11-22 13:14:20.5 UTC", "2026-11-22 13:14:22.5 UTC by the test"],
    ]
    assert 'title="2026-11-22 15:14:21.5 UTC, in effect 0.2 s later">1.0 s' in content
    assert 'title="2026-11-22 15:14:37.3 UTC">16.8 s' in content
    assert "6 faults, in seconds since the test began" in content


def test_a_test_without_faults_has_nothing_of_them() -> None:
    page = html.render(demo_results())
    assert ('<details class="faults"' in page, '"faults' in page) == (False, False)


def test_the_faults_are_in_the_constants_too() -> None:
    [test] = Page(html.render(with_faults(fault("pause", "node1")))).constants()["FAILED_TESTS"]
    assert test["faults_left_out"] == 0
    assert test["faults"] == [
        {
            "kind": "pause",
            "details": "",
            "nodes": "node1",
            "injected": "1.0 s",
            "injected_at": "2026-11-22 15:14:21.5 UTC, in effect 0.2 s later",
            "healed": "3.0 s",
            "healed_at": "2026-11-22 15:14:23.5 UTC",
            "ending": "by the test",
        }
    ]


def test_no_text_of_a_fault_can_act_as_markup_or_script() -> None:
    nasty = fault(HOSTILE, "<b>n</b>", details={"<img>": [HOSTILE], "x" * 5000: 1}, healed_by=HOSTILE)
    failed = fault("a", "</details></table>", error=HOSTILE)
    content = html.render(with_faults(nasty, failed))
    page = Page(content)
    assert content.count("</script>") == 1
    assert content.count("<!--") == 0
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", content)
    assert {tag for tag, _ in page.elements} & {"img", "iframe"} == set()
    assert "</details></table>" not in content
    assert "<b>n</b>" not in content
    assert max(len(cell) for row in fault_rows(content) for cell in row) < 1000


def test_records_of_faults_that_make_no_sense_do_not_cost_the_page() -> None:
    strange: list[dict[str, Any]] = [
        {},
        {"fault": 3, "nodes": 4, "details": [5], "injected": "x", "effective": [], "healed": 1e300, "healed_by": {}},
        {"injected": float("nan"), "healed": float("inf"), "nodes": None, "details": None},
    ]
    assert fault_rows(html.render(with_faults(*strange)))[1:] == [
        ["fault", "", "", "not healed when the test ended"],
        ["3", "4", "", "not healed when the test ended"],
        ["fault", "", "", "not healed when the test ended"],
    ]


def test_many_faults_are_folded_and_very_many_are_left_to_the_file_of_the_test() -> None:
    def render(number: int) -> str:
        return html.render(with_faults(*(fault("pause", f"node{index}", injected=index) for index in range(number))))

    assert '<details class="faults" open>' in render(10)
    assert '<details class="faults">' in render(11)
    content = render(1234)
    assert len(fault_rows(content)) == 201
    assert "1,234 faults, in" in content
    assert '1,034 more are in <a href="DemoTest/test_fail/1/events.json">events.json</a>.' in content


def test_thousands_of_tests_with_many_faults_are_rendered_at_once() -> None:
    of = session()
    results = TestResults(of)
    many = [fault("pause", "node1", "node2", details={"process": "server"}) for _ in range(30)]
    for index in range(1500):
        results.append(result("test_matrix", index, PASS, "", {"x": index}, of=of, faults=many if index % 10 else ()))
    started = time.process_time()
    content = html.render(results)
    # Less than 1 s; the margin is for slow and busy machines
    assert time.process_time() - started < 6
    assert content.count("20 more are in") == 1350


def test_other_reports_for_people_and_machines_say_nothing_of_faults() -> None:
    plain, broken = with_faults(), with_faults(fault(HOSTILE, HOSTILE, details={"<a>": HOSTILE}))
    for results in (plain, broken):
        results.start_time, results.stop_time = START, START + 1
    assert summary.session_report(broken) == summary.session_report(plain)
    assert [text.result_report(each) for each in broken] == [text.result_report(each) for each in plain]
    assert junit.render(broken) == junit.render(plain)
    assert ElementTree.fromstring(junit.render(broken)).tag == "testsuites"


def test_faults_are_shown_relative_to_the_attempt_in_which_they_were_injected() -> None:
    twice = result("test_pass", 9, seconds=5)
    second = twice.start_time
    twice.attempts = [{"number": 1, "start_time": second - 100}, {"number": 2, "start_time": second}]
    moments = ((second - 98.5, second - 97), (second + 2.5, second + 4))
    twice.faults = [{"fault": "kill", "injected": injected, "healed": healed} for injected, healed in moments]
    results = demo_results()
    results.append(twice)
    page = html.render(results)
    assert "2 faults, in seconds since the attempt began" in page
    shown = Page(page).constants()["PASSED_TESTS"][-1]["faults"]
    assert [(fault["injected"], fault["healed"]) for fault in shown] == [
        ("1.5 s (attempt 1)", "3.0 s"),
        ("2.5 s (attempt 2)", "4.0 s"),
    ]


def failure(index: int, summary: str, reason: str | None = "error") -> TestResult:
    return result("test_fail", index, FAIL, summary, reason=reason)


def test_texts_are_counted_most_frequent_first() -> None:
    assert list(html.counted(["b", "a", "a", "c", "b", "a"]).items()) == [("a", 3), ("b", 2), ("c", 1)]


def test_failures_that_differ_in_numbers_only_look_alike() -> None:
    failures = [
        failure(1, "TimeoutError: 3 of 5 after 0x7f00beef\nmore"),
        failure(2, "KeyError: 'x'"),
        failure(3, "TimeoutError: 2 of 5 after 0x7f00cafe\nless"),
    ]
    found = [(group.text, [test.test_index for test in group.tests]) for group in html.alike(failures)]
    assert found == [("TimeoutError: 3 of 5 after 0x7f00beef", [1, 3]), ("KeyError: 'x'", [2])]


def test_failures_at_different_places_do_not_look_alike() -> None:
    places = [("a.py", 1), ("b.py", 2), ("a.py", 30)]
    failures = [failure(n, f'oh\n  File "/x/{file}", line {line}, in f') for n, (file, line) in enumerate(places)]
    found = [(group.place, [test.test_index for test in group.tests]) for group in html.alike(failures)]
    assert found == [('File "/x/a.py", in f', [0, 2]), ('File "/x/b.py", in f', [1])]


def test_failures_of_different_reasons_do_not_look_alike() -> None:
    failures = [failure(1, "oh"), failure(2, "oh", "timeout"), failure(3, "oh", None)]
    assert [(len(group.tests), group.reason) for group in html.alike(failures)] == [
        (1, "error"),
        (1, "timeout"),
        (1, "other"),
    ]


def test_the_verdict_is_in_words() -> None:
    verdicts = [html.verdict(of_many(*numbers)) for numbers in [(0, 0), (0, 1), (0, 3), (1, 0), (2, 1), (1, 1, 2)]]
    assert verdicts == [
        *("No tests ran", "The test passed", "All 3 tests passed"),
        *("1 of 1 test failed", "2 of 3 tests failed", "1 of 4 tests failed, 2 did not run"),
    ]
    assert html.verdict(of_many(0, 2), 5) == "No test failed, 2 of 5 passed, 3 did not run"
    assert html.verdict(eventful_results(), 12) == "4 of 12 tests failed, 1 flaky, 3 ignored, 3 did not run"


def test_what_the_journal_and_the_files_say_is_in_the_page(tmp_path: Path) -> None:
    of = session(tmp_path)
    results = TestResults(of)
    results.start_time, results.stop_time = START, START + 10
    results.append(result("test_fail", 7, FAIL, "oh", seconds=3, of=of))
    folder = tmp_path / "DemoTest" / "test_fail" / "7"
    (folder / "Web-0").mkdir(parents=True)
    (folder / "test_log.info").write_text(
        "hello\n" + HOSTILE.replace("\0", ""), encoding="utf-8", errors="backslashreplace"
    )
    (folder / "Web-0" / "<img src=x>.log").write_text("x")
    nasty = "</title></svg><img>"
    details = SessionDetails(
        str(tmp_path),
        ["suite", nasty],
        {"cluster": "sandbox", "shuffle": 17},
        {"python": "3.11"},
        {7: [Allocation((nasty, "n1"), START + 1, START + 4)]},
        {7: [Phase(1, "setup", START), Phase(1, nasty, START + 1)]},
    )
    content = html.render(results, 1, details)
    page = Page(content)
    assert {tag for tag, _ in page.elements} & {"img", "iframe"} == set()
    assert content.count("</script>") == content.count("</svg>") == 1
    facts = dict(re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", content))
    assert facts["Command"] == "<code>ducktape suite &#39;&lt;/title&gt;&lt;/svg&gt;&lt;img&gt;&#39;</code>"
    assert (facts["Cluster"], facts["Seed"], facts["Versions"]) == ("sandbox", "17", "python 3.11")
    [picture] = re.findall("<svg.*?</svg>", content, re.DOTALL)
    assert re.findall('href="(.*?)".*<rect class="(.*?)" x="(.*?)"', picture) == [("#t7", "fail", "10.00%")]
    [phases] = re.findall('<p class="phases">(.*?)</p>', content)
    assert re.findall('flex-grow: (.*?)".*?<b>(.*?)</b>', phases) == [("1.000", "1.0 s"), ("2.000", "2.0 s")]
    assert "DemoTest/test_fail/7/Web-0/%3Cimg%20src=x%3E.log" in page.attributes("href")
    assert "hello\nError(&#39;&lt;/script&gt;" in content
    assert "ducktape /home/u/demo/demo_tests/test_demo.py::DemoTest.test_fail</code>" in content


def test_a_test_that_had_all_nodes_of_a_large_cluster_names_some_of_them(tmp_path: Path) -> None:
    of = session(tmp_path)
    results = TestResults(of)
    results.append(result("test_fail", 7, FAIL, "oh", of=of))
    names = tuple(f"worker{number}" for number in range(1000))
    content = html.render(results, 1, SessionDetails(allocations={7: [Allocation(names, START, START + 1)]}))
    [shown] = re.findall('<th scope="row">Node names</th><td>(.*?)</td>', content)
    assert shown.startswith("worker0, worker1, ")
    assert len(shown) < 350


def test_of_very_many_tests_only_those_that_did_not_pass_have_details() -> None:
    page = html.render(of_many(3, 998))
    assert len(tables(page, "Test")) == 3
    assert len(tables(html.render(of_many(3, 997)), "Test")) == 1000


def test_failures_are_marked_as_new_or_known_or_flaky() -> None:
    results = demo_results()
    session = SessionOutcomes.of(results)
    failed = [each.test_id for each in results if each.test_status == FAIL]
    passed = [each.test_id for each in results if each.test_status == PASS]
    kinds = dict(zip(failed, ("new", "known", "flaky", "known"), strict=True)) | {passed[0]: "fixed"}
    changes = Changes(session, "2026-11-21--003", kinds, {failed[3]})

    content = html.render(results, 9, None, changes)

    page = Page(content)
    assert "</span> 4 of 9 tests failed, 1 of them new since 2026-11-21--003, " in content
    assert page.attributes("data-change") == [
        *("new", "known", "flaky", "fixed"),  # buttons
        *("new", "known", "flaky", "known", "fixed"),  # rows
    ]
    assert re.findall('<span class="change">(.*?)</span>', content) == [
        *("new", "known", "flaky", "known, other cause", "fixed")
    ]
    [line] = re.findall('<p id="changes">(.*?)</p>', content)
    assert " ".join(re.sub("<.*?>", "", line).split()) == "Since 2026-11-21--003: new 1 known 2 flaky 1 fixed 1"
    assert "<td>1<br><small>1 new</small></td>" in content  # in the table of causes


def test_without_earlier_sessions_nothing_is_marked() -> None:
    results = demo_results()
    kinds = {each.test_id: "new" for each in results}
    assert html.render(results, 9, None, Changes(SessionOutcomes.of(results), "", kinds)) == html.render(results, 9)
