# SPDX-License-Identifier: Apache-2.0
"""The page of a session as a real browser sees it."""

from __future__ import annotations

import contextlib
import html
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape.tests import reporter
from ducktape.tests.recording.history import Changes
from ducktape.tests.recording.outcomes import SessionOutcomes
from ducktape.tests.reports.session_details import Allocation, Phase, SessionDetails
from ducktape.tests.result import FAIL, PASS, TestResult, TestResults
from tests.support.browser import Browser, Page
from tests.unit.tests.reports.samples import (
    START,
    attempt,
    demo_results,
    eventful_results,
    fault,
    not_run,
    result,
    session,
)

NASTY = "'</script><script>document.title='taken'</script><!-- \x00 \x1b[31m \U0001f986 \u2028"
MANY_LINES = "first of many\n" + "".join(f'  File "/x.py", line {n}, in f\n' for n in range(36_000)) + "last of many"
LONG_LINE = "long line " + "x" * 1_000_000 + " end of line"

pytestmark = pytest.mark.needs("chromium")


@pytest.fixture(scope="module")
def page(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The elements that a browser has made of a report with everything that has ever hurt one."""
    directory = tmp_path_factory.mktemp("results")
    results = demo_results(directory)
    for index, summary in enumerate((NASTY, MANY_LINES, LONG_LINE), start=20):
        results.append(result("test_fail", index, FAIL, summary, of=results.session_context))
    reporter.HTMLSummaryReporter(results, 12).report()
    return dumped(chromium, directory / "report.html")


def dumped(chromium: Browser, file: Path) -> str:
    with chromium.page(file) as tab:
        return str(tab.run("return document.documentElement.outerHTML"))


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


def test_the_constants_are_there_for_scripts(chromium: Browser, tmp_path: Path) -> None:
    results = demo_results()
    results.append(TestResult.from_import_failure("a.b", None, NASTY, 9, results.session_context))
    script = "return [SUMMARY.run, FAILED_TESTS.length, FAILED_TESTS[4].summary.length]"
    assert asked(chromium, results, tmp_path, script) == [9, 5, len(NASTY) + 1]


# What a reader sees of every panel: its rows that are shown, and of its folds those that are there and open
SHOWN = """
const shown = () => Object.fromEntries([...document.querySelectorAll("div[id$='_test_panel']")].map((panel) => [
    panel.id.replace("_test_panel", ""),
    panel.hidden ? null : [
        [...panel.querySelectorAll(".report_table > tbody > tr")].filter((row) => !row.hidden).length,
        [...panel.querySelectorAll("details.block")].filter((fold) => !fold.hidden).map((fold) => fold.open),
    ],
]));
const choose = (id, value) => {
    document.getElementById(id).value = value;
    document.getElementById(id).dispatchEvent(new Event("change"));
};
const type = (text) => choose("filter_text", text);
const next = (target, name) => new Promise((done) => target.addEventListener(name, done, {once: true}));
const buttons = [...document.querySelectorAll("button")];
const press = (name) => buttons.find((each) => each.textContent.startsWith(name)).click();
const visible = (parent, selector) => [...parent.querySelectorAll(selector)].filter((each) => each.checkVisibility());
const groups = () => visible(document, "details.group").map((group) => [
    group.querySelector("h3").textContent,
    group.querySelector(".group_count").textContent,
    group.open,
    visible(group, "tbody > tr[id]").map((row) => Number(row.id.slice(1))),
]);
const count = () => document.getElementById("filter_count").textContent;
"""


@contextlib.contextmanager
def opened(
    chromium: Browser,
    results: TestResults,
    directory: Path,
    changes: Changes | None = None,
    details: SessionDetails | None = None,
    width: int = 1400,
) -> Iterator[Page]:
    """Open the page of a session, of which nothing is executed, complained about or loaded but its own files."""
    results.session_context.results_dir = str(directory)
    written = reporter.HTMLSummaryReporter(results, details=lambda: details or SessionDetails(), changes=changes)
    written.report()
    file = directory / "report.html"
    with chromium.page(file, width=width) as tab:
        tab.call("Runtime.evaluate", expression=SHOWN)
        yield tab
        assert tab.run("return document.title") == "System Test Report 2026-11-22--001"
        assert tab.messages() == []
        assert {url.partition("#")[0] for url in tab.requests()} == {
            file.as_uri(),
            file.with_name("report.css").as_uri(),
        }


def asked(chromium: Browser, results: TestResults, directory: Path, script: str, changes: Changes | None = None) -> Any:
    """Return what the body of an asynchronous function returns in the page of a session."""
    with opened(chromium, results, directory, changes) as tab:
        return tab.run(script)


def many(failed: int, passed: int, missing: int) -> TestResults:
    of = session()
    results = TestResults(of)
    for index in range(failed + passed):
        status, reason = (FAIL, ["timeout", "error"][index % 2]) if index < failed else (PASS, None)
        summary = f"oh-{index}-oh\nTraceback" if status == FAIL else "Test Passed"
        results.append(result("test_matrix", index, status, summary, {"x": index}, reason=reason, of=of))
    results.not_run += [not_run("test_pass", "no time left", {"x": index}) for index in range(missing)]
    return results


def test_a_page_without_a_filter_shows_everything(chromium: Browser, tmp_path: Path) -> None:
    assert asked(chromium, eventful_results(), tmp_path, "return [shown(), count()]") == [
        {"failed": [4, []], "not_run": [3, []], "ignored": [3, []], "flaky": [1, []], "passed": [1, []]},
        "",
    ]


def test_rows_are_filtered_by_words_reasons_and_panels(chromium: Browser, tmp_path: Path) -> None:
    script = """
        const found = [];
        const look = () => found.push([shown(), count()]);
        type("timeouterror WORKER4"); look();
        type(""); press("timeout"); look();
        press("infrastructure"); look();
        press("timeout"); press("infrastructure"); press("Tests Not Run"); look();
        type("not seen"); look();
        type("nothing has this"); look();
        type(""); press("Tests Not Run"); look();
        return found;
    """
    none = {"failed": None, "not_run": None, "ignored": None, "flaky": None, "passed": None}
    everything = {"failed": [4, []], "not_run": [3, []], "ignored": [3, []], "flaky": [1, []], "passed": [1, []]}
    assert asked(chromium, eventful_results(), tmp_path, script) == [
        [none | {"failed": [1, []]}, "1 of 12 tests"],
        [none | {"failed": [2, []]}, "2 of 12 tests"],
        [none | {"failed": [3, []]}, "3 of 12 tests"],
        [none | {"not_run": [3, []]}, "3 of 12 tests"],
        [none | {"not_run": [1, []]}, "1 of 12 tests"],
        [none, "0 of 12 tests"],
        [everything, ""],
    ]


def test_ten_thousand_rows_are_all_there_and_few_are_laid_out(chromium: Browser, tmp_path: Path) -> None:
    script = """
        const found = [shown()];
        const all = [...document.querySelectorAll(".report_table > tbody > tr")];
        found.push(all.filter((row) => !row.closest("details.block:not([open])")).length);
        found.push(document.body.textContent.includes("oh-999-oh"));
        type("oh-999-oh"); found.push(shown(), count());
        type("traceback"); found.push(shown().failed, count());
        found.push(document.querySelector("details.block > summary").textContent);
        press("error"); found.push(shown().failed, count());
        found.push(document.querySelector("details.block > summary").textContent);
        type(""); press("error"); found.push(shown(), count());
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
    assert asked(chromium, many(1000, 8700, 300), tmp_path, script) == [
        folded,
        750,
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


def test_a_link_to_a_failure_shows_it_whatever_was_filtered(chromium: Browser, tmp_path: Path) -> None:
    results = many(600, 0, 0)
    results.append(result("test_fail", 900, FAIL, "SomethingElse", of=results.session_context))
    script = """
        type("oh-3-oh");
        document.querySelector("#overview_table tr:nth-child(3) a").click();
        await next(window, "hashchange");
        const row = document.getElementById("t900");
        return [row.textContent.includes("SomethingElse"), row.checkVisibility(), count()];
    """
    assert asked(chromium, results, tmp_path, script) == [True, True, ""]


def test_what_is_looked_at_is_in_the_address(chromium: Browser, tmp_path: Path) -> None:
    script = """
        type("worker4"); press("timeout");
        choose("sort_by", "name"); choose("group_by", "class"); choose("filter_module", "demo_tests.test_demo");
        const fields = ["filter_text", "sort_by", "group_by", "filter_module"];
        const seen = [location.hash, groups(), count()];
        type(""); press("timeout");
        for (const id of ["sort_by", "group_by", "filter_module"]) choose(id, "");
        seen.push(location.hash, shown().failed);
        location.hash = seen[0];
        await next(window, "hashchange");
        return [...seen, groups(), count(), ...fields.map((id) => document.getElementById(id).value)];
    """
    state = "#text=worker4&sort=name&group=class&module=demo_tests.test_demo&reason=timeout"
    group = ["demo_tests.test_demo.DemoTest", "4 of 11 failed: 1 shown", True, [2]]
    assert asked(chromium, eventful_results(), tmp_path, script) == [
        *(state, [group], "1 of 12 tests"),
        *("", [4, []]),
        *([group], "1 of 12 tests"),
        *("worker4", "name", "class", "demo_tests.test_demo"),
    ]


def test_failures_that_are_new_are_found_with_one_click(chromium: Browser, tmp_path: Path) -> None:
    results = many(3, 2, 1)
    failed = [result.test_id for result in results if result.test_status == FAIL]
    changes = Changes(SessionOutcomes.of(results), "2026-11-21--001", {failed[0]: "new", failed[1]: "known"})
    script = 'press("new"); return [location.hash, shown().failed, shown().passed, count()];'
    assert asked(chromium, results, tmp_path, script, changes) == ["#change=new", [1, []], None, "1 of 6 tests"]


def test_rows_are_sorted_by_name_and_duration_and_back(chromium: Browser, tmp_path: Path) -> None:
    of = session(tmp_path)
    results = TestResults(of)
    for index, seconds in enumerate([3.5, 61, 0.2] * 100):
        results.append(result("test_matrix", index, PASS, injected_args={"x": 1000 - index}, seconds=seconds, of=of))
    script = """
        const rest = [...document.querySelectorAll("details.block")].at(-1);
        const look = async (order) => {
            choose("sort_by", order);
            rest.open = true;
            await next(rest, "toggle");
            return [...document.querySelectorAll(".report_table > tbody > tr")].map((row) => Number(row.id.slice(1)));
        };
        return [await look("time"), await look("name"), await look("")];
    """
    by_time, by_name, by_end = asked(chromium, results, tmp_path, script)
    assert by_time == [*range(1, 300, 3), *range(0, 300, 3), *range(2, 300, 3)]
    assert by_name[1:] == list(range(299, 0, -1))
    assert by_end == list(range(300))


def test_the_keyboard_is_enough(chromium: Browser, tmp_path: Path) -> None:
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
    assert asked(chromium, eventful_results(), tmp_path, script) == [
        *(first, second, first, first),
        *(True, "filter_text", "filter_text", "BODY"),
    ]


def test_a_server_that_forbids_scripts_and_styles_in_pages_leaves_it_readable(
    chromium: Browser, tmp_path: Path
) -> None:
    reporter.HTMLSummaryReporter(eventful_results(tmp_path)).report()
    content = (tmp_path / "report.html").read_text(encoding="utf-8")
    policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src file: 'self'\">"
    (tmp_path / "policy.html").write_text(content.replace("<head>", f"<head>{policy}"), encoding="utf-8")
    shown = dumped(chromium, tmp_path / "policy.html")
    assert len(rows(shown)) == 9
    assert '<div id="filter_panel" hidden="">' in shown


def test_what_is_printed_has_the_failures_unfolded_and_no_controls(chromium: Browser, tmp_path: Path) -> None:
    script = """
        window.dispatchEvent(new Event("beforeprint"));
        const folds = [...document.querySelectorAll(".test")].map((fold) => [fold.closest("tr").className, fold.open]);
        const rules = [...document.styleSheets[0].cssRules].filter((rule) => rule.conditionText === "print");
        const printed = rules.flatMap((rule) => [...rule.cssRules]);
        return [folds, printed.map((rule) => [rule.selectorText, rule.style.cssText])];
    """
    folds, rules = asked(chromium, demo_results(), tmp_path, script)
    assert {(name, is_open) for name, is_open in folds} == {
        *(("fail unfolded", True), ("ignore", False), ("flaky", False), ("pass", False))
    }
    printed = dict(rules)
    assert printed["#filter_panel, .rerun button, .files details"] == "display: none;"
    assert "max-height: none;" in printed[".pre_stack_trace, pre.data"]


def grouped_results() -> TestResults:
    """Seven tests of three classes in two modules, of which t1, t2 and t4 failed, and one test that did not run."""
    results = TestResults(session())
    places = [("a", "One"), ("a", "One"), ("a", "Two"), ("b", "One"), ("b", "One"), ("b", "One"), ("b", "One")]
    for index, (module, cls) in enumerate(places, start=1):
        status, reason = (FAIL, "timeout" if index == 4 else "error") if index in (1, 2, 4) else (PASS, None)
        tags = {2: ("slow",), 3: ("slow", "net")}.get(index, ())
        added = result("test_matrix", index, status, "oh", {"x": index}, seconds=index, reason=reason, tags=tags)
        added.module_name, added.cls_name = module, cls
        results.append(added)
    results.not_run.append(not_run("test_late", "no time left", module="b"))
    return results


def test_rows_are_grouped_and_the_groups_with_failures_are_open(chromium: Browser, tmp_path: Path) -> None:
    results = grouped_results()
    failed = [result.test_id for result in results if result.test_status == FAIL]
    changes = Changes(SessionOutcomes.of(results), "2026-11-21--001", {failed[0]: "new", failed[2]: "known"})
    script = """
        const offered = [...document.getElementById("group_by").options].map((option) => option.value);
        const found = {};
        for (const name of offered.slice(1)) { choose("group_by", name); found[name] = groups(); }
        choose("group_by", "");
        return [offered, found, groups(), shown(), document.querySelectorAll("tr[id^='t']").length];
    """
    offered, found, ungrouped, shown, rows_left = asked(chromium, results, tmp_path, script, changes)
    assert offered == ["", "module", "class", "reason", "tag", "change"]
    assert found == {
        "module": [["a", "2 of 3 failed", True, [1, 2, 3]], ["b", "1 of 5 failed", True, [4, 5, 6, 7]]],
        "class": [
            ["a.One", "2 of 2 failed", True, [1, 2]],
            ["b.One", "1 of 4 failed", True, [4, 5, 6, 7]],
            *(["a.Two", "0 of 1 failed", False, []], ["b.DemoTest", "0 of 1 failed", False, []]),
        ],
        "reason": [
            *(["error", "2 of 2 failed", True, [1, 2]], ["timeout", "1 of 1 failed", True, [4]]),
            *(["Passed Tests", "0 of 4 failed", False, []], ["Tests Not Run", "0 of 1 failed", False, []]),
        ],
        "tag": [
            *(["no tag", "2 of 6 failed", True, [1, 4, 5, 6, 7]], ["slow", "1 of 1 failed", True, [2]]),
            ["net, slow", "0 of 1 failed", False, []],
        ],
        "change": [
            *(["known", "1 of 1 failed", True, [4]], ["new", "1 of 1 failed", True, [1]]),
            ["no change", "1 of 6 failed", True, [2, 3, 5, 6, 7]],
        ],
    }
    assert ungrouped == []
    assert shown == {"failed": [3, []], "not_run": [1, []], "ignored": [0, []], "flaky": [0, []], "passed": [4, []]}
    assert rows_left == 7


def test_groups_are_filtered_and_sorted(chromium: Browser, tmp_path: Path) -> None:
    script = """
        const found = [];
        const look = () => found.push([groups(), count()]);
        choose("group_by", "module");
        choose("sort_by", "time"); look();
        type("x=6"); look();
        type(""); choose("filter_module", "a"); press("Passed"); look();
        choose("filter_module", ""); press("Passed"); choose("filter_tag", "slow"); look();
        return found;
    """
    assert asked(chromium, grouped_results(), tmp_path, script) == [
        [[["a", "2 of 3 failed", True, [3, 2, 1]], ["b", "1 of 5 failed", True, [7, 6, 5, 4]]], ""],
        [[["b", "1 of 5 failed: 1 shown", True, [6]]], "1 of 8 tests"],
        [[["a", "2 of 3 failed: 1 shown", True, [3]]], "1 of 8 tests"],
        [[["a", "2 of 3 failed: 2 shown", True, [3, 2]]], "2 of 8 tests"],
    ]


def test_choices_that_choose_nothing_are_not_there(chromium: Browser, tmp_path: Path) -> None:
    script = """
        const found = ["filter_module", "filter_tag"].map((id) => document.getElementById(id).hidden);
        return [...found, [...document.getElementById("group_by").options].map((option) => option.value)];
    """
    assert asked(chromium, many(1, 1, 0), tmp_path, script) == [True, True, ["", "module", "class", "reason"]]


def test_a_link_into_a_folded_group_opens_it(chromium: Browser, tmp_path: Path) -> None:
    script = """
        choose("group_by", "reason");
        location.hash = "#t900";
        await next(window, "hashchange");
        const row = document.getElementById("t900");
        const found = [row.closest(".group").querySelector("h3").textContent, row.checkVisibility()];
        location.hash = "#failed_test_panel";
        await next(window, "hashchange");
        return [...found, groups(), document.getElementById("failed_test_panel").checkVisibility()];
    """
    assert asked(chromium, many(1, 1000, 0), tmp_path, script) == ["Passed Tests", True, [], True]


def test_a_person_types_and_unfolds(chromium: Browser, tmp_path: Path) -> None:
    focus = """
        const focused = document.activeElement;
        return focused.id || focused.closest(".group")?.querySelector("h3").textContent;
    """
    with opened(chromium, grouped_results(), tmp_path) as tab:
        tab.run("choose('group_by', 'class')")
        tab.press("/", *"X=5")
        tab.run("while (location.hash !== '#text=X%3D5&group=class') await new Promise(requestAnimationFrame);")
        assert tab.run("return [count(), groups()]") == [
            "1 of 8 tests",
            [["b.One", "1 of 4 failed: 1 shown", True, [5]]],
        ]
        tab.run("document.getElementById('filter_text').select()")
        tab.press("a", "Backspace")
        tab.run("while (location.hash !== '#group=class') await new Promise(requestAnimationFrame);")
        assert tab.run("return count()") == ""
        seen = []
        for _ in range(8):
            tab.press("Tab")
            seen.append(tab.run(focus))
        assert seen[:4] == ["sort_by", "group_by", "filter_module", "filter_tag"]
        tab.run("document.querySelectorAll('.group > summary')[2].focus()")
        tab.press("Enter")
        tab.run("while (groups()[2][3].length !== 1) await new Promise(requestAnimationFrame);")
        assert tab.run("return groups()[2]") == ["a.Two", "0 of 1 failed", True, [3]]


def test_nothing_that_a_session_contains_is_executed(chromium: Browser, tmp_path: Path) -> None:
    def take(number: int) -> str:
        script = f"document.title=`taken {number}`"
        end = "{{ 7 * 7 }}<!-- \u2028 \u202e \x1b[31m"
        return f"\"'><img src=x onerror={script}></script><script>{script}</script>{end}"

    results = eventful_results(tmp_path)
    hostile = take(1)
    fields: dict[str, object] = dict.fromkeys(
        ("test_id", "module_name", "cls_name", "function_name", "description", "summary", "node_type", "reason"),
        hostile,
    )
    fields |= {"injected_args": {hostile: hostile}, "data": {hostile: [hostile]}, "tags": [hostile, take(2)]}
    fields |= {"file_name": hostile, "relative_results_dir": f"{hostile}/", "teardown_errors": [hostile]}
    fields |= {"services": [{"service_id": hostile, "cls_name": hostile, "nodes": [hostile]}]}
    fields |= {"attempts": [attempt(number, hostile, hostile, hostile, [hostile], hostile) for number in (1, 2)]}
    fields |= {"faults": [fault(hostile, hostile, details={hostile: hostile}, healed_by=hostile)]}
    fields |= {"findings": [{"kind": "log", **dict.fromkeys(("service", "node", "file", "text", "rule"), hostile)}]}
    fields |= {"metrics": {hostile: {"count": 1, "unit": hostile, "min": 1, "max": 1, "mean": 1}}}
    for index, status in enumerate(("FAIL", "PASS", "FLAKY", "IGNORE"), start=50):
        record = fields | {"test_status": status, "test_index": index, "start_time": START, "stop_time": START + 1}
        results.append(TestResult.from_record(record, results.session_context))
    results.not_run.append(not_run(hostile, hostile, {hostile: hostile}, module=hostile))
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "<img src=x onerror=document.title=1>.log").write_text(hostile)
    (tmp_path / "test" / "test_log.info").write_text(hostile)
    record = fields | {"test_status": "FAIL", "test_index": 60, "relative_results_dir": "test/"}
    results.append(TestResult.from_record(record, results.session_context))
    indices = (*range(50, 54), 60)
    details = SessionDetails(
        str(tmp_path),
        argv=[hostile],
        configuration={"cluster": hostile, "shuffle": hostile},
        versions={hostile: hostile},
        allocations={index: [Allocation((hostile,), START, START + 1)] for index in indices},
        phases={index: [Phase(1, hostile, START), Phase(2, hostile, START)] for index in indices},
    )
    changes = Changes(SessionOutcomes.of(results), hostile, {hostile: "new"})
    script = """
        document.querySelectorAll("details").forEach((fold) => (fold.open = true));
        for (const id of ["group_by", "filter_module", "filter_tag", "sort_by"]) {
            for (const option of document.getElementById(id).options) choose(id, option.value);
            choose(id, "");
        }
        for (const button of [...buttons, ...buttons]) if (!("copy" in button.dataset)) button.click();
        for (const state of ["text", "group", "sort", "module", "tag", "reason"]) {
            location.hash = `#${state}=${encodeURIComponent(hostile)}`;
            await next(window, "hashchange");
        }
        for (const hash of [encodeURIComponent(hostile), "%", "%=%&group=%"]) {
            location.hash = `#${hash}`;
            await next(window, "hashchange");
        }
        type(hostile.slice(2, 12)); choose("filter_module", hostile);
        const state = [location.hash.length > 50, count(), document.getElementById("filter_tag").options.length];
        type(""); choose("filter_module", "");
        return [
            ...state,
            document.querySelectorAll("img, iframe").length,
            document.querySelectorAll("script").length,
            ["onerror", "onload", "onmouseover"].filter((name) => document.querySelector(`[${name}]`)),
            document.body.innerText.includes("49"),
            document.querySelectorAll("tr[id]").length,
        ];
    """
    with opened(chromium, results, tmp_path, changes, details) as tab:
        found = tab.run(f"const hostile = {json.dumps(hostile)}; {script}")
    assert found == [True, "6 of 18 tests", 3, 0, 1, [], False, 15]


def test_many_attempts_scroll_in_a_box_of_their_own_on_a_phone(chromium: Browser, tmp_path: Path) -> None:
    results = TestResults(session())
    attempts = [attempt(number, "fail", "error", "IOError('oh " + "x" * 90 + "')") for number in range(1, 7)]
    results.append(result("test_fail", 1, FAIL, "oh", attempts=attempts))
    script = """
        document.querySelector(".test").open = true;
        const box = document.querySelector(".attempts");
        const columns = [...box.querySelectorAll("thead th")].map((cell) => cell.textContent);
        return [document.documentElement.scrollWidth, box.scrollWidth > 1000, columns];
    """
    with opened(chromium, results, tmp_path, width=390) as tab:
        assert tab.run(script) == [390, True, ["Attempt", *"123456"]]


def test_a_screen_reader_is_told_of_controls_groups_and_outcomes(chromium: Browser, tmp_path: Path) -> None:
    with opened(chromium, grouped_results(), tmp_path) as tab:
        tab.run("choose('group_by', 'module')")
        nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
    named = Counter((node["role"]["value"], node.get("name", {}).get("value")) for node in nodes if not node["ignored"])
    controls = {name for role, name in named if role in ("combobox", "searchbox")}
    assert controls == {"Filter by name, text or reason", "Sort by", "Group by", "Module", "Tag"}
    assert named["DisclosureTriangle", "a 2 of 3 failed"] == named["heading", "a"] == 1
    marks = ("failed", "passed", "did not run")
    assert [named["StaticText", mark] for mark in marks] == [3, 4, 1]
