# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from typing import Any

from ducktape import __version__
from ducktape.tests.reports import html
from ducktape.tests.result import FAIL, PASS, TestResults
from tests.unit.tests.reports.samples import (
    HOSTILE,
    check_golden,
    demo_results,
    eventful_results,
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


def test_the_page_of_a_session_is_as_agreed() -> None:
    check_golden("report.html", html.render(demo_results(), 9))


def test_the_panels_come_in_their_order_with_their_names() -> None:
    page = Page(html.render(demo_results()))
    assert page.attributes("id") == [
        "heading",
        "summary_panel",
        "summary_report_table",
        "summary_header_row",
        "color_key_panel",
        "color_key_table",
        "overview_panel",
        "reasons",
        "overview_table",
        "filter_panel",
        "filter_text",
        "filter_count",
        "failed_test_panel",
        "first-1",
        "first-2",
        "first-3",
        "first-4",
        "ignored_test_panel",
        "flaky_test_panel",
        "passed_test_panel",
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
    cells = Page(html.render(demo_results())).cells
    assert "\nAssertionError('a <b>')\nTraceback (most recent call last):\n  ...\nAssertionError: a <b>" in [
        cell.removeprefix("assertion") for cell in cells
    ]
    assert '\n{\n  "mb_per_sec": 3.5,\n  "unit": "<MB>"\n}' in cells
    assert (
        "\nModule:      demo_tests.test_demo\nClass:       DemoTest\nMethod:      test_matrix\n"
        'Nodes (used/allocated): 3/3\nArguments:\n{\n  "x": 2,\n  "s": "c/d"\n}'
    ) in cells


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
    assert constants["FAILED_TESTS"][2]["summary"] == HOSTILE
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
    assert {tag for tag, _ in page.elements} & {"b", "img", "iframe"} == set()


def test_the_page_asks_nobody_for_anything_but_its_style_sheet_and_details() -> None:
    page = Page(html.render(demo_results()))
    assert page.attributes("src") == []
    assert page.attributes("href") == [
        "report.css",
        "#first-1",
        "#first-2",
        "#first-3",
        "#first-4",
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
    check_golden("report-eventful.html", html.render(eventful_results(), 12))


def test_a_test_that_was_left_out_for_a_reason_shows_it() -> None:
    page = Page(html.render(eventful_results()))
    assert "\nSkipped: needs <3> disks" in page.cells
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
        "Test PassedErrors while tearing down",
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
    assert ("Not Run" in content, "NOT_RUN_TESTS" in content, "not_run_test_panel" in content) == (False,) * 3


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
    assert "overview_panel" not in html.render(of_many(0, 3))


def test_every_link_within_the_page_leads_somewhere() -> None:
    for results in (demo_results(), eventful_results(), of_many(40, 3)):
        page = Page(html.render(results))
        within = {link[1:] for link in page.attributes("href") if link.startswith("#")}
        assert within <= set(page.attributes("id"))
        assert len(set(page.attributes("id"))) == len(page.attributes("id"))


def test_many_rows_are_folded_but_for_the_first() -> None:
    page = Page(html.render(of_many(600, 250, missing=251)))
    folds = [attributes for tag, attributes in page.elements if tag == "details"]
    assert [("open" in fold) for fold in folds] == [True, False, False, True, False]
    rows = [attributes.get("class") for tag, attributes in page.elements if tag == "tr"]
    assert [rows.count(name) for name in ("fail", "pass", "notrun")] == [600, 250, 251]
    content = html.render(of_many(600, 250))
    assert re.findall("<summary>(.*)</summary>", content) == [
        "1 to 250 of 600",
        "251 to 500 of 600",
        "501 to 600 of 600",
    ]


def test_a_very_long_text_is_cut_but_a_megabyte_stays_whole() -> None:
    of = session()
    results = TestResults(of)
    texts = ["x" * 1_900_000, "first" + "y" * 5_000_000 + "last"]
    for index, summary in enumerate(texts):
        results.append(result("test_fail", index, FAIL, summary, of=of))
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
