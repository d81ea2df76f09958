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
from ducktape.tests.result import FAIL, TestResults
from tests.unit.tests.reports.samples import HOSTILE, check_golden, demo_results, result, session


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
        "failed_test_panel",
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
