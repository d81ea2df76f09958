# SPDX-License-Identifier: Apache-2.0
"""The merged log of a test as a real browser shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ducktape.tests import reporter
from ducktape.tests.recording.journal import Journal
from ducktape.tests.reports import page_logs
from ducktape.tests.result import FAIL, TestResults
from tests.end_to_end.test_report_in_browser import NASTY
from tests.support import recorded
from tests.support.browser import Browser
from tests.unit.tests.reports.samples import START, fault, result, session

pytestmark = pytest.mark.needs("chromium")

SKEW = fault("skew_clock", "node2", injected=10, lasts=30, details={"seconds": 30})
TOOLS = """
const fold = document.querySelector(".merged_log");
document.querySelector(".test").open = true;
const until = async (condition) => { while (!condition()) await new Promise((done) => setTimeout(done, 10)); };
const rows = () => [...fold.querySelectorAll(".log_portion > [role=row]")];
const cells = (row) => [...row.children].map((cell) => cell.textContent);
const counted = () => fold.querySelector("output").textContent;
const change = async (selector, value, kind) => {
    const field = fold.querySelector(selector);
    field.value = value;
    const before = rows()[0];
    field.dispatchEvent(new Event(kind));
    await until(() => rows()[0] !== before);
};
"""


def asked(chromium: Browser, directory: Path, script: str) -> Any:
    """Return what a script finds in the page of a directory: the value of the body of an asynchronous function."""
    with chromium.page(directory / "report.html") as tab:
        found = tab.run(f"{TOOLS} {script}")
        assert tab.run("return document.title") == "System Test Report 2026-11-22--001"
    return found


def write(directory: Path, *lines: str) -> None:
    """Write the page of a session with one test that failed, in which a clock was wrong."""
    of = session(directory)
    results = TestResults(of)
    results.start_time, results.stop_time = START, START + 70
    results.append(result("test_fail", 1, FAIL, NASTY, seconds=60, of=of, faults=[SKEW]))
    journal = Journal(str(directory))
    recorded.begin(journal)
    journal.write("phase", test_index=1, attempt=1, phase="test", since=START)
    journal.write("phase", test_index=1, attempt=1, phase="stop", since=START + 55)
    journal.close()
    service = directory / "DemoTest" / "test_fail" / "1" / "Web-0"
    for node in ("node1", "node2"):
        (service / node).mkdir(parents=True)
    (service / "node1" / "<b>web.log").write_text("\n".join(lines), "utf-8", "backslashreplace")
    (service / "node2" / "web.log").write_text(f"{START + 5} ERROR before\n{START + 50} WARN skewed\n")
    reporter.HTMLSummaryReporter(results).report()


def test_it_is_made_when_it_is_opened_and_can_be_filtered(chromium: Browser, tmp_path: Path) -> None:
    write(tmp_path, f"{START + 1} INFO {NASTY}", f"{START + 2} DEBUG needle", "\tat more", f"{START + 19} INFO Needle")
    script = """
        const seen = [fold.hidden, fold.children.length];
        fold.open = true;
        await until(() => rows().length);
        seen.push(rows().map(cells), counted());
        seen.push([...rows()].find((row) => cells(row)[3].includes("skewed")).firstChild.title);
        await change("select", "0", "change");
        seen.push(counted(), fold.querySelectorAll("b").length);
        await change("input", "needle MORE", "input");
        seen.push(rows().map((row) => cells(row)[3].split(" ").pop()), counted());
        await change("input", "", "input");
        const [one, other] = fold.querySelectorAll(".log_filter button");
        one.click();
        seen.push(rows().filter((row) => !row.matches(".event")).map((row) => cells(row)[1]));
        other.click();
        await change("select", "2", "change");
        seen.push(rows().filter((row) => !row.matches(".event")).map((row) => row.className));
        [...fold.querySelectorAll(".log_filter button")].pop().click();
        seen.push(cells(document.activeElement)[2], fold.querySelector(".log_note").textContent);
        return seen;
    """
    failure = "failed: " + NASTY.replace("\x00", r"\x00").replace("\x1b", r"\x1b")
    text = f"{START + 1} INFO " + NASTY.replace("\x00", "").replace("\x1b[31m", "")
    assert asked(chromium, tmp_path, script) == [
        *(False, 1),
        [
            ["0.000", "", "phase", "test"],
            ["1.000", "node1", "info", text],
            ["5.000", "node2", "error", f"{START + 5} ERROR before"],
            ["10.000", "", "fault", "skew_clock on node2 (seconds=30): injected"],
            ["10.250", "", "fault", "skew_clock on node2: in effect"],
            ["19.000", "node1", "info", f"{START + 19} INFO Needle"],
            ["20.000 ±", "node2", "warn", f"{START + 50} WARN skewed"],
            ["40.000", "", "fault", "skew_clock on node2: healed by the test"],
            ["55.000", "", "phase", "stop"],
            ["55.000", "", "failure", failure],
        ],
        "4 of 5 entries",
        "2026-11-22 15:14:40.500 UTC; the node's clock said 2026-11-22 15:15:10.500 UTC, corrected by -30 s",
        *("5 of 5 entries", 2),
        ["test", "more", "injected", "effect", "test", "stop", NASTY.split(" ")[-1]],
        "1 of 5 entries",
        ["node1", "node1", "node1"],
        ["error", "warn"],
        *("failure", "node2: -30 s while its clock was skewed"),
    ]


def test_twenty_thousand_lines_are_made_in_pieces(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ducktape.tests.reports.merged_log.MOST_BYTES", 10_000_000)
    write(tmp_path, *(f"{START + number / 400:.4f} INFO line {number}" for number in range(19_980)))
    script = """
        const pieces = [];
        fold.open = true;
        await until(() => rows().length);
        while (rows().length < 19988) {
            pieces.push(rows().length);
            await new Promise((done) => setTimeout(done, 0));
        }
        const jump = [...fold.querySelectorAll(".log_filter button")].pop();
        await change("input", "9", "input");
        const made = rows().length;
        jump.click();
        const [row, box] = [document.activeElement, fold.querySelector(".log_lines")];
        const [inner, outer] = [row, box].map((each) => each.getBoundingClientRect());
        const isPart = (number) => number > 0 && number < 5000 && number % 1000 === 0;
        return [isPart(pieces[0]), pieces.length >= 4, isPart(made), row.className,
            outer.top < inner.top && inner.bottom < outer.bottom && inner.bottom < innerHeight,
            getComputedStyle(fold.querySelector(".log_portion")).contentVisibility];
    """
    assert asked(chromium, tmp_path, script) == [True, True, True, "event failure", True, "auto"]


def test_one_that_is_too_large_for_the_page_is_loaded_when_it_is_opened(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_logs, "_ROOM", 0)
    write(tmp_path, f"{START + 1} INFO {NASTY}")
    script = """
        const seen = [fold.querySelectorAll("script").length];
        fold.open = true;
        await until(() => rows().length || fold.querySelector("p"));
        return [...seen, rows().length, fold.querySelector("p").textContent];
    """
    assert asked(chromium, tmp_path, script) == [0, 9, "node2: -30 s while its clock was skewed"]
    (tmp_path / "report-details" / "t1.js").unlink()
    missing = "report-details/t1.js is missing. It has to be beside report.html."
    assert asked(chromium, tmp_path, script) == [0, 0, missing]
