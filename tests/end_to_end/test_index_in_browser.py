# SPDX-License-Identifier: Apache-2.0
"""The page of all sessions as a real browser sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ducktape.tests.recording.history import History
from ducktape.tests.recording.outcomes import PastOutcome, SessionOutcomes
from ducktape.tests.reports import index
from tests.support.browser import Browser
from tests.unit.tests.reports.samples import START

pytestmark = pytest.mark.needs("chromium")

FAIL = PastOutcome("FAIL", 1.0, 1, "timeout", "c")
SCRIPT = """
const shown = () => [...document.querySelectorAll(".tests tbody tr")].filter((row) => !row.hidden)
    .map((row) => row.cells[0].textContent.slice(2)).join("");
const button = (name) => [...document.querySelectorAll("button")].find((each) => each.textContent.startsWith(name));
const press = (name) => { button(name).focus(); document.activeElement.click(); };
const count = () => document.getElementById("filter_count").textContent;
const input = document.getElementById("filter_text");
const type = (text) => {
    input.value = text;
    input.dispatchEvent(new Event("input"));
    return new Promise((done) => setTimeout(done, 300));
};
const key = (name) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: name, bubbles: true}));
const found = [shown(), location.hash];
for (const name of ["Test", "Test", "Now", "Sessions", "Flake", "Median", "Median", "Duration"]) {
    press(name); found.push(shown());
}
found.push(location.hash, document.querySelector("[aria-sort]").ariaSort);
press("new"); found.push(shown(), count());
press("slower"); found.push(shown(), location.hash);
await type("M.D"); found.push(shown(), count(), location.hash);
press("new"); press("slower"); await type(""); found.push(shown(), count());
location.hash = "#text=m&kind=new&up=test"; await type("m"); location.hash = "#text=m.a&up=median";
await new Promise((done) => setTimeout(done, 100));
found.push(shown(), input.value);
key("/"); found.push(document.activeElement.id); key("Escape"); found.push(document.activeElement.tagName);
return found;
"""


def test_tests_are_sorted_and_filtered_with_the_keyboard_and_by_the_address(chromium: Browser, tmp_path: Path) -> None:
    sessions = []
    for number in range(6):
        last = number == 5
        tests = {
            "m.a": PastOutcome("PASS", 3.0),
            "m.b": FAIL if last else PastOutcome("PASS", 1.0),  # new
            "m.c": FAIL,  # known, without a median
            "m.d": PastOutcome("PASS", 200.0 if last else 100.0),  # slower
        }
        sessions.append(SessionOutcomes(f"2026-11-2{number}--001", START, 1.0, 4, {}, tests))
    (tmp_path / "index.html").write_text("".join(index.pieces(History(sessions))), "utf-8")

    with chromium.page(tmp_path / "index.html", "#up=test") as tab:
        found = tab.run(SCRIPT)
        messages = tab.messages()

    assert messages == []
    assert found == [
        *("abcd", "#up=test"),
        *("dcba", "abcd", "bcda", "cbda", "bcda", "dabc", "badc", "dbca"),
        *("#down=duration", "descending"),
        *("b", "1 of 4 tests"),
        *("db", "#kind=new&kind=slower&down=duration"),
        *("d", "1 of 4 tests", "#text=M.D&kind=new&kind=slower&down=duration"),
        *("dbca", ""),
        *("a", "m.a"),
        *("filter_text", "BODY"),
    ]
