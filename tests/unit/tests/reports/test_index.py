# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from ducktape.tests.recording.history import History
from ducktape.tests.recording.outcomes import PastOutcome, SessionOutcomes
from ducktape.tests.recording.past_metrics import PastMetric
from ducktape.tests.reports import index
from tests.unit.tests.reports.samples import HOSTILE, START

OUTCOMES = {".": PastOutcome("PASS", 1.5), "F": PastOutcome("FAIL", 2.0, 1, "timeout", "c")}
OUTCOMES |= {"f": PastOutcome("FLAKY", 1.5, 2), "-": PastOutcome("IGNORE", 0.0)}


def history(tests: Mapping[str, str]) -> History:
    """Return the history of tests, each with a sign for every session."""
    [length] = {len(signs) for signs in tests.values()}
    sessions = []
    for number in range(length):
        found = {name: OUTCOMES[signs[number]] for name, signs in tests.items() if signs[number] != " "}
        statuses = [outcome.status for outcome in found.values()]
        counts = {status: statuses.count(status) for status in statuses}
        name = f"2026-{1 + number // 28:02d}-{1 + number % 28:02d}--001"
        sessions.append(SessionOutcomes(name, START + number, 61.5, len(found), counts, found))
    return History(sessions)


def page(tests: Mapping[str, str]) -> str:
    return "".join(index.pieces(history(tests)))


def rows(content: str, table: str) -> list[list[str]]:
    """Return the texts of the cells in every table of a class."""
    bodies = re.findall(f'<table class="{table}">.*?<tbody>(.*?)</tbody>', content, re.DOTALL)
    found = [re.findall("<td.*?>(.*?)</td>", row) for body in bodies for row in body.strip().split("\n")]
    return [[re.sub("<.*?>", "", cell) for cell in row] for row in found]


def test_the_newest_session_and_the_tests_that_need_attention_come_first() -> None:
    content = page({"m.a": "..F", "m.b": "FF.", "m.c": "-f.", "m.d": " .."})
    assert "</span> 1 of 4 tests failed, new since 2026-01-02--001</p>" in content
    assert [[row[0], row[2], *row[3:]] for row in rows(content, "sessions")] == [
        ["2026-01-03--001", "1:02 min", "✗ 1 of 4 tests failed, new since 2026-01-02--001", "3", "1", "0", "0"],
        ["2026-01-02--001", "1:02 min", "✗ 1 of 4 tests failed, not new since 2026-01-01--001, 1 flaky", *"2110"],
        ["2026-01-01--001", "1:02 min", "✗ 1 of 3 tests failed, 1 ignored", *"1101"],
    ]
    assert rows(content, "tests") == [
        ["m.a", "new", "..F", "33%", "1.5 s", ""],
        ["m.b", "fixed", "FF.", "33%", "1.5 s", ""],
        ["m.c", "", "-f.", "50%", "1.5 s", ""],
        ["m.d", "", " ..", "0%", "1.5 s", ""],
    ]
    assert re.findall('href="(.*?)"', content) == [f"2026-01-0{number}--001/report.html" for number in (3, 2, 1)]


def test_many_sessions_and_tests_are_folded_or_left_out() -> None:
    content = page({**{f"m.t{number:04d}": " " * 49 + "." for number in range(2001)}, "m.old": "." + " " * 49})
    assert "<summary>20 older sessions</summary>" in content
    tests = rows(content, "tests")
    assert (len(rows(content, "sessions")), len(tests), tests[0][2]) == (50, 2000, " " * 39 + ".")
    assert "1 more tests are not in this table" in content


def test_no_text_can_act_as_markup_and_nothing_is_asked_of_others() -> None:
    content = page({HOSTILE: "F", "<script>alert(1)</script>": "."})
    assert re.findall("<(script|link|img|iframe)", content) == ["script"]  # which is ours
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in content
    assert re.findall("[\x00-\x08\x0b-\x1f\x7f]", content) == []


def with_trends(tests: int, usual_now: float = 10.0) -> History:
    """Return six sessions of tests that take 10 seconds, but the first one 15 and the second one 5 in the last."""
    sessions = []
    for number in range(6):
        seconds = {0: 15.0, 1: 5.0} if number == 5 else {}
        usual = usual_now if number == 5 else 10.0
        outcomes = {f"m.t{test:03d}": PastOutcome("PASS", seconds.get(test, usual)) for test in range(tests)}
        metrics = {"m.t001": {"<b>": PastMetric(30.0 if number == 5 else 10.0, "ms", "lower")}}
        name = f"2026-01-0{number + 1}--001"
        sessions.append(SessionOutcomes(name, START, 1.0, tests, {"PASS": tests}, outcomes, metrics=metrics))
    return History(sessions)


def test_durations_and_what_is_beyond_their_usual_range_are_shown() -> None:
    content = "".join(index.pieces(with_trends(3)))
    assert [(row[0], row[5]) for row in rows(content, "tests")] == [
        ("m.t000", "2026-01-06--001: 15 sslower +50 %"),
        ("m.t001", "2026-01-06--001: 5.0 s&lt;b&gt; worse +200 %, faster -50 %"),
        ("m.t002", "2026-01-06--001: 10 s"),
    ]
    assert re.findall('<tr data-kinds="(.*?)"', content) == ["slower", "worse faster"]
    assert re.findall('data-kind="(.*?)".*?<strong>(.*?)<', content) == [
        ("slower", "1"),
        ("worse", "1"),
        ("faster", "1"),
    ]
    assert re.findall('aria-label="(duration.*?)"', content) == [
        "duration in 5 earlier sessions: usual 9.5 s to 10 s, now 15 s: slower +50 %",
        "duration in 5 earlier sessions: usual 9.5 s to 10 s, now 5.0 s: faster -50 %",
        "duration in 5 earlier sessions: usual 9.5 s to 10 s, now 10 s",
    ]
    numbers = [
        re.findall('data-value="(.*?)"', row) for row in content.split("\n") if row.startswith("<tr") and "m.t" in row
    ]
    assert numbers == [
        ["0", "0", "0.0", "10.0", "0.5"],
        ["0", "0", "0.0", "10.0", "2.0"],
        ["0", "0", "0.0", "10.0", ""],
    ]


def test_of_very_many_tests_only_the_first_and_the_changed_ones_have_a_picture() -> None:
    for usual_now, pictures in ((10.0, 500), (20.0, 600)):
        content = "".join(index.pieces(with_trends(600, usual_now)))
        assert (len(rows(content, "tests")), content.count("<svg")) == (600, pictures)


def test_a_page_of_somebody_is_not_replaced(tmp_path: Path) -> None:
    found = history({"m.a": "."})
    assert not index.is_ours(str(tmp_path))
    path = tmp_path / "index.html"
    path.write_text("<!DOCTYPE html> mine")
    with pytest.raises(FileExistsError, match="ducktape did not write the one that is there, move it away first"):
        index.write(str(tmp_path), found)
    assert (path.read_text(), index.is_ours(str(tmp_path))) == ("<!DOCTYPE html> mine", False)
    path.unlink()
    for _ in range(2):
        assert index.write(str(tmp_path), found) == str(path)
        assert index.is_ours(str(tmp_path))


def test_without_sessions_there_is_a_page(tmp_path: Path) -> None:
    assert rows("".join(index.pieces(History([]))), "tests") == [[]]
