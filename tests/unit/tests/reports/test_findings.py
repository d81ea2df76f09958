# SPDX-License-Identifier: Apache-2.0
"""Findings of tests, whatever their own end, are in every report."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest

from ducktape.tests.reports import html, json_report, junit, markdown, summary
from ducktape.tests.result import FAIL, PASS, TestResult, TestResults
from tests.unit.tests.reports.samples import result, session

HOSTILE = "ERROR </li><script>document.title = 1</script> ]]> \x1b | `"


def finding(text: str = HOSTILE, **more: Any) -> dict[str, Any]:
    known = {"kind": "log", "service": "Echo-0", "node": "n1", "file": "Echo-0/n1/a.log", "line": 3, "rule": "ERROR"}
    return {**known, "text": text, "count": 1, **more}


@pytest.fixture
def results() -> TestResults:
    found = TestResults(session())
    found.append(result(index=1, status=PASS, summary="Findings:\n  one"))
    found.append(result("test_fail", 2, FAIL, "oh\n\n\nFindings:\n  other"))
    found.append(result("test_data", 3))
    first, second, _ = found
    first.findings = [finding(), finding("ERROR two", count=7)]
    second.findings = [{"kind": "core", "node": "n2", "text": "core file /tmp/core of 5 bytes"}]
    return found


def test_the_page_lists_tests_with_findings(results: TestResults) -> None:
    page = html.render(results)
    panel = page.split('<div id="findings_panel">')[1].split("</div>")[0]
    assert panel.count("<li>") == 2
    assert (
        '<a href="#t1">DemoTest.test_pass</a> Echo-0 on n1: Echo-0/n1/a.log:3: ERROR &lt;/li&gt;&lt;script&gt;' in panel
    )
    assert r"\x1b | ` and 1 more</li>" in panel
    assert '<a href="#t2">DemoTest.test_fail</a> n2: core file /tmp/core of 5 bytes</li>' in panel
    assert "<script>document" not in page


def test_the_list_of_the_page_is_bounded() -> None:
    many = TestResults(session())
    for number in range(60):
        each = result(index=number)
        each.findings = [finding()]
        many.append(each)
    panel = html.render(many).split('<div id="findings_panel">')[1].split("</div>")[0]
    assert panel.count("<li>") == 50
    assert "10 more tests have findings." in panel


def test_a_page_without_findings_does_not_mention_them() -> None:
    none = TestResults(session())
    none.append(result())
    assert "findings_panel" not in html.render(none)


def test_texts_show_findings_of_tests_that_passed(results: TestResults) -> None:
    text = summary.session_report(results)
    assert "\nfindings:         3 in 2 tests\n" in text
    assert text.count("Findings:\n") == 2
    assert "\n  Echo-0 on n1: Echo-0/n1/a.log:3: ERROR two (7 times)\n" in text


def test_markdown_and_xml_show_findings(results: TestResults) -> None:
    rows = [line for line in markdown.render(results).splitlines() if line.startswith("| `DemoTest.test_pass`")]
    assert len(rows) == 2
    assert "<script>" not in rows[0]
    assert rows[1] == "| `DemoTest.test_pass` | `Echo-0 on n1: Echo-0/n1/a.log:3: ERROR two (7 times)` |"
    [case, *_] = ElementTree.fromstring(junit.render(results)).iter("testcase")
    assert r"finding: Echo-0 on n1: Echo-0/n1/a.log:3: ERROR </li><script>" in str(case.findtext("system-out"))


def test_findings_survive_the_journal(results: TestResults) -> None:
    assert "findings" not in json.loads(json_report.render(results))["results"][2]
    for each in results:
        again = TestResult.from_record(json.loads(json.dumps(each.to_record())), each.session_context)
        assert again.to_json() == each.to_json()
        assert list(again.findings) == list(each.findings)
