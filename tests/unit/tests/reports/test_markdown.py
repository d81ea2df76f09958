# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import html
import re

from ducktape import __version__
from ducktape.tests.reports import markdown
from ducktape.tests.result import FAIL, TestResults
from tests.unit.tests.reports.samples import PROJECT, check_golden, demo_results, eventful_results, result, session

HOSTILE = "|`*_[x](javascript:y)<img src=x>\\|</pre>@team #1 \x1b\n\n| a |\n</details>\n# b &amp; ~~~"


def test_the_report_of_a_session_is_as_agreed() -> None:
    check_golden("report.md", markdown.render(demo_results(), 8, PROJECT))


def test_the_report_of_an_eventful_session_is_as_agreed() -> None:
    check_golden("report-eventful.md", markdown.render(eventful_results(), None, PROJECT))


def test_a_session_without_failures_is_its_verdict() -> None:
    results = TestResults(session())
    results.append(result())
    assert markdown.render(results) == (
        f"## The test passed\n\nSession `2026-11-22--001`, 0.000 seconds, ducktape {__version__}\n\n"
    )


def test_code_is_readable_and_never_markup() -> None:
    assert markdown.code("DemoTest.test_it_s.x=<1>*2*") == "`DemoTest.test_it_s.x=<1>*2*`"
    assert markdown.code("a|b`c") == "<code>a&#124;b&#96;c</code>"
    assert markdown.code(" a\n\tb\x00 ") == r"<code>a b&#92;x00</code>"
    assert markdown.code(" ") == ""
    assert markdown.code("x" * 500) == f"`{'x' * 200}...`"


def test_hostile_texts_are_shown_as_they_are() -> None:
    results = TestResults(session())
    nasty = result("test_matrix", 1, FAIL, HOSTILE, {HOSTILE: HOSTILE}, reason=HOSTILE)
    nasty.test_id = HOSTILE
    results.append(nasty)
    text = markdown.render(results)
    [row] = [line for line in text.splitlines() if "javascript" in line and line.startswith("| ")]
    assert row.count("|") == 5
    [summary] = re.findall(r"<pre>\n(.*?)\n</pre>", text, re.DOTALL)
    assert html.unescape(summary) == HOSTILE.replace("\x1b", r"\x1b")
    [name] = re.findall(r"<summary><code>(.*)</code></summary>", text)
    assert html.unescape(name) == " ".join(HOSTILE.replace("\x1b", r"\x1b").split())
    tags = re.findall(r"<[^>]*>", text)
    assert set(tags) == {"<code>", "</code>", "<details>", "</details>", "<summary>", "</summary>", "<pre>", "</pre>"}


def test_the_report_is_bounded() -> None:
    results = TestResults(session())
    for number in range(3000):
        results.append(result("test_fail", number, FAIL, f"{number}\u20ac" * 10_000, reason="error"))
    text = markdown.render(results)
    assert len(text.encode()) <= 251_000
    assert "\nand 2,900 more\n" in text
    assert text.count("<details>") == text.count("</details>") == 20
    assert text.endswith("The tracebacks of 2,980 more failed tests are in `report.html`.\n")
    for each in results:
        each.summary = "<" * 10_000 + "\u20ac" * 10_000
        each.test_id = "\u20ac" * 300
    text = markdown.render(results)
    assert len(text.encode()) <= 251_000
    assert text.endswith("\nThe rest is left out: see `report.html`.\n")
