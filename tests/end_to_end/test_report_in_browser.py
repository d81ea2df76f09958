# SPDX-License-Identifier: Apache-2.0
"""The page of a session as a real browser sees it."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from ducktape.tests import reporter
from ducktape.tests.recording.history import Changes
from ducktape.tests.recording.outcomes import SessionOutcomes
from ducktape.tests.result import FAIL, PASS, TestResult, TestResults
from tests.unit.tests.reports.samples import demo_results, eventful_results, not_run, result, session

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NASTY = "'</script><script>document.title='taken'</script><!-- \x00 \x1b[31m \U0001f986 \u2028"
MANY_LINES = "first of many\n" + "".join(f'  File "/x.py", line {n}, in f\n' for n in range(36_000)) + "last of many"
LONG_LINE = "long line " + "x" * 1_000_000 + " end of line"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian package chromium)")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The elements that a browser has made of a report with everything that has ever hurt one."""
    directory = tmp_path_factory.mktemp("results")
    results = demo_results(directory)
    for index, summary in enumerate((NASTY, MANY_LINES, LONG_LINE), start=20):
        results.append(result("test_fail", index, FAIL, summary, of=results.session_context))
    reporter.HTMLSummaryReporter(results, 12).report()
    return dumped(directory / "report.html", tmp_path_factory.mktemp("profile"))


def dumped(file: Path, profile: Path, *options: str) -> str:
    assert CHROMIUM is not None
    argv = [CHROMIUM, *OPTIONS, *options, f"--user-data-dir={profile}", "--dump-dom", file.as_uri()]
    # The browser leaves directories where temporary files are; its sockets need short paths
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        environment = {**os.environ, "TMPDIR": directory}
        finished = subprocess.run(argv, capture_output=True, timeout=120, check=True, env=environment)
    return finished.stdout.decode("utf-8")


def rows(page: str) -> list[str]:
    body = page.partition("<script>")[0]
    return [
        html.unescape(row)
        for row in re.findall(r'<tr class="(?:fail|ignore|flaky|pass)" id=.*?(?=<tr class="|</main>)', body, re.DOTALL)
    ]


def test_every_result_has_its_row(page: str) -> None:
    methods = [match[1] for row in rows(page) if (match := re.search(r"<b>(?:DemoTest\.)?(\S+)</b>", row))]
    assert methods == [
        *["test_fail", "test_matrix", "test_matrix", "<import>", "test_fail", "test_fail", "test_fail"],
        *["test_skipped", "test_flaky", "test_pass", "test_data"],
    ]


def test_text_of_tests_stays_text(page: str) -> None:
    assert "<title>System Test Report 2026-11-22--001</title>" in page
    shown = NASTY.replace("\x00", r"\x00").replace("\x1b", r"\x1b")
    assert any(shown in row for row in rows(page))
    assert page.count("<script>") == 1


def test_a_megabyte_of_text_is_there_to_its_end(page: str) -> None:
    assert any(MANY_LINES in row for row in rows(page))
    assert any(LONG_LINE in row for row in rows(page))


def test_the_script_block_runs(tmp_path: Path) -> None:
    results = demo_results(tmp_path)
    failure = TestResult.from_import_failure("a.b", None, NASTY, 9, results.session_context)
    results.append(failure)
    content = reporter.HTMLSummaryReporter(results).report_string()
    probe = (
        "<script>document.title = [SUMMARY.run, FAILED_TESTS.length, FAILED_TESTS[4].summary.length].join()</script>"
    )
    (tmp_path / "probe.html").write_text(content.replace("</body>", f"{probe}</body>"), encoding="utf-8")
    assert f"<title>9,5,{len(NASTY) + 1}</title>" in dumped(tmp_path / "probe.html", tmp_path / "profile")


# What a reader sees of every panel: its rows that are shown, and of its folds those that are there and open
SHOWN = """
const shown = () => Object.fromEntries([...document.querySelectorAll("div[id$='_test_panel']")].map((panel) => [
    panel.id.replace("_test_panel", ""),
    panel.hidden ? null : [
        [...panel.querySelectorAll(".report_table > tbody > tr")].filter((row) => !row.hidden).length,
        [...panel.querySelectorAll("details.block")].filter((fold) => !fold.hidden).map((fold) => fold.open),
    ],
]));
const type = (text) => {
    document.getElementById("filter_text").value = text;
    document.getElementById("filter_text").dispatchEvent(new Event("input"));
    return new Promise((done) => setTimeout(done, 400));
};
const buttons = [...document.querySelectorAll("button")];
const press = (name) => buttons.find((each) => each.textContent.startsWith(name)).click();
const count = () => document.getElementById("filter_count").textContent;
"""


def asked(results: TestResults, directory: Path, script: str, changes: Changes | None = None) -> Any:
    """Return what a script finds in a page that a browser has opened.

    Args:
        results: what the page is about.
        directory: a fresh one.
        script: body of an asynchronous function; it returns a value for JSON.
        changes: since earlier sessions.
    """
    content = reporter.HTMLSummaryReporter(results, changes=changes).report_string()
    probe = (
        f"{{ {SHOWN}(async () => {{ {script} }})().then((found) => {{ document.title = JSON.stringify(found); }}) }}"
    )
    (directory / "probe.html").write_text(content.replace("</body>", f"<script>{probe}</script></body>"), "utf-8")
    page = dumped(directory / "probe.html", directory / "profile", "--virtual-time-budget=10000")
    title = re.search("<title>(.*?)</title>", page, re.DOTALL)
    assert title is not None
    return json.loads(html.unescape(title[1]))


def many(failed: int, passed: int, missing: int) -> TestResults:
    of = session()
    results = TestResults(of)
    for index in range(failed + passed):
        status, reason = (FAIL, ["timeout", "error"][index % 2]) if index < failed else (PASS, None)
        summary = f"oh-{index}-oh\nTraceback" if status == FAIL else "Test Passed"
        results.append(result("test_matrix", index, status, summary, {"x": index}, reason=reason, of=of))
    results.not_run += [not_run("test_pass", "no time left", {"x": index}) for index in range(missing)]
    return results


def test_a_page_without_a_filter_shows_everything(tmp_path: Path) -> None:
    assert asked(eventful_results(), tmp_path, "return [shown(), count()]") == [
        {"failed": [4, []], "not_run": [3, []], "ignored": [3, []], "flaky": [1, []], "passed": [1, []]},
        "",
    ]


def test_rows_are_filtered_by_words_reasons_and_panels(tmp_path: Path) -> None:
    script = """
        const found = [];
        const look = () => found.push([shown(), count()]);
        await type("timeouterror WORKER4"); look();
        await type(""); press("timeout"); look();
        press("infrastructure"); look();
        press("timeout"); press("infrastructure"); press("Tests Not Run"); look();
        await type("not seen"); look();
        await type("nothing has this"); look();
        await type(""); press("Tests Not Run"); look();
        return found;
    """
    none = {"failed": None, "not_run": None, "ignored": None, "flaky": None, "passed": None}
    everything = {"failed": [4, []], "not_run": [3, []], "ignored": [3, []], "flaky": [1, []], "passed": [1, []]}
    assert asked(eventful_results(), tmp_path, script) == [
        [none | {"failed": [1, []]}, "1 of 12 tests"],
        [none | {"failed": [2, []]}, "2 of 12 tests"],
        [none | {"failed": [3, []]}, "3 of 12 tests"],
        [none | {"not_run": [3, []]}, "3 of 12 tests"],
        [none | {"not_run": [1, []]}, "1 of 12 tests"],
        [none, "0 of 12 tests"],
        [everything, ""],
    ]


def test_ten_thousand_rows_are_all_there_and_few_are_laid_out(tmp_path: Path) -> None:
    script = """
        const found = [shown()];
        found.push([...document.querySelectorAll("tr")].filter((row) => row.checkVisibility()).length < 1000);
        found.push(document.body.textContent.includes("oh-999-oh"));
        await type("oh-999-oh"); found.push(shown(), count());
        await type("traceback"); found.push(shown().failed, count());
        found.push(document.querySelector("details.block > summary").textContent);
        press("error"); found.push(shown().failed, count());
        found.push(document.querySelector("details.block > summary").textContent);
        await type(""); press("error"); found.push(shown(), count());
        return found;
    """
    folded = {
        "failed": [1000, [True, False, False, False]],
        "not_run": [300, [True, False]],
        "ignored": [0, []],
        "flaky": [0, []],
        "passed": [8700, [True] + [False] * 34],
    }
    none = dict.fromkeys(folded)
    assert asked(many(1000, 8700, 300), tmp_path, script) == [
        folded,
        True,
        True,
        none | {"failed": [1, [True]]},
        "1 of 10000 tests",
        [1000, [True, False, False, False]],
        "1000 of 10000 tests",
        "1 to 250 of 1,000",
        [500, [True, True, False, False]],
        "500 of 10000 tests",
        "1 to 250 of 1,000: 125 shown",
        folded,
        "",
    ]


def test_a_link_to_a_failure_shows_it_whatever_was_filtered(tmp_path: Path) -> None:
    results = many(600, 0, 0)
    results.append(result("test_fail", 900, FAIL, "SomethingElse", of=results.session_context))
    script = """
        await type("oh-3-oh");
        document.querySelector("#overview_table tr:nth-child(3) a").click();
        await new Promise((done) => setTimeout(done, 100));
        const row = document.getElementById("t900");
        return [row.textContent.includes("SomethingElse"), row.checkVisibility(), count()];
    """
    assert asked(results, tmp_path, script) == [True, True, ""]


def test_what_is_looked_at_is_in_the_address(tmp_path: Path) -> None:
    script = """
        await type("worker4"); press("timeout");
        const sort = document.getElementById("sort_by");
        sort.value = "name"; sort.dispatchEvent(new Event("change"));
        const seen = [location.hash, shown().failed, count()];
        await type(""); press("timeout");
        sort.value = ""; sort.dispatchEvent(new Event("change"));
        seen.push(location.hash, shown().failed);
        location.hash = seen[0];
        await new Promise((done) => setTimeout(done, 100));
        return [...seen, shown().failed, count(), document.getElementById("filter_text").value, sort.value];
    """
    assert asked(eventful_results(), tmp_path, script) == [
        *("#text=worker4&sort=name&reason=timeout", [1, []], "1 of 12 tests"),
        *("", [4, []]),
        *([1, []], "1 of 12 tests", "worker4", "name"),
    ]


def test_failures_that_are_new_are_found_with_one_click(tmp_path: Path) -> None:
    results = many(3, 2, 1)
    failed = [result.test_id for result in results if result.test_status == FAIL]
    changes = Changes(SessionOutcomes.of(results), "2026-11-21--001", {failed[0]: "new", failed[1]: "known"})
    script = 'press("new"); return [location.hash, shown().failed, shown().passed, count()];'
    assert asked(results, tmp_path, script, changes) == ["#change=new", [1, []], None, "1 of 6 tests"]


def test_rows_are_sorted_by_name_and_duration_and_back(tmp_path: Path) -> None:
    of = session(tmp_path)
    results = TestResults(of)
    for index, seconds in enumerate([3.5, 61, 0.2] * 100):
        results.append(result("test_matrix", index, PASS, injected_args={"x": 1000 - index}, seconds=seconds, of=of))
    script = """
        const sort = document.getElementById("sort_by");
        const look = (order) => {
            sort.value = order; sort.dispatchEvent(new Event("change"));
            return [...document.querySelectorAll(".report_table > tbody > tr")].map((row) => Number(row.id.slice(1)));
        };
        return [look("time"), look("name"), look("")];
    """
    by_time, by_name, by_end = asked(results, tmp_path, script)
    assert by_time == [*range(1, 300, 3), *range(0, 300, 3), *range(2, 300, 3)]
    assert by_name[1:] == list(range(299, 0, -1))
    assert by_end == list(range(300))


def test_the_keyboard_is_enough(tmp_path: Path) -> None:
    script = """
        const pressed = (name) => new KeyboardEvent("keydown", {key: name, bubbles: true});
        const key = (name) => document.activeElement.dispatchEvent(pressed(name));
        const row = () => document.activeElement.closest("tr")?.id;
        const seen = [];
        for (const name of ["j", "j", "k", "k"]) { key(name); seen.push(row()); }
        document.activeElement.click();
        seen.push(document.getElementById(row()).querySelector(".test").open);
        key("/"); seen.push(document.activeElement.id);
        key("j"); seen.push(document.activeElement.id);
        key("Escape"); seen.push(document.activeElement.tagName);
        return seen;
    """
    first, second = "t1", "t2"
    assert asked(eventful_results(), tmp_path, script) == [
        *(first, second, first, first),
        *(True, "filter_text", "filter_text", "BODY"),
    ]


def test_a_server_that_forbids_scripts_and_styles_in_pages_leaves_it_readable(tmp_path: Path) -> None:
    reporter.HTMLSummaryReporter(eventful_results(tmp_path)).report()
    content = (tmp_path / "report.html").read_text(encoding="utf-8")
    policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src file: 'self'\">"
    (tmp_path / "policy.html").write_text(content.replace("<head>", f"<head>{policy}"), encoding="utf-8")
    shown = dumped(tmp_path / "policy.html", tmp_path / "profile")
    assert len(rows(shown)) == 9
    assert '<div id="filter_panel" hidden="">' in shown


def test_what_is_printed_has_no_controls_and_no_scroll_boxes(tmp_path: Path) -> None:
    script = """
        const rules = [...document.styleSheets[0].cssRules].filter((rule) => rule.conditionText === "print");
        return rules.flatMap((rule) => [...rule.cssRules]).map((rule) => [rule.selectorText, rule.style.cssText]);
    """
    printed = dict(asked(eventful_results(), tmp_path, script))
    assert printed["#filter_panel, .rerun button"] == "display: none;"
    assert "max-height: none;" in printed[".pre_stack_trace, pre.data"]
