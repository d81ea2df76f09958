# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from ducktape.command_line.history.command import main
from ducktape.command_line.options.errors import CommandError, UsageError
from ducktape.tests.recording.outcomes import PastOutcome, SessionOutcomes
from ducktape.tests.recording.past_metrics import PastMetric
from tests.support import recorded
from tests.support.schemas import HISTORY, problems_of
from tests.unit.tests.reports.samples import START

PASS = PastOutcome("PASS", 1.0)
FAIL = PastOutcome("FAIL", 2.0, 1, "timeout", "c")


def session(root: Path, number: int, tests: Mapping[str, PastOutcome]) -> None:
    name = f"2026-11-22--{number:03d}"
    statuses = [outcome.status for outcome in tests.values()]
    counts = {status: statuses.count(status) for status in statuses}
    SessionOutcomes(name, START + number, 65.0, len(tests), counts, tests).write(str(recorded.session_of(root, name)))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results"


def test_sessions_come_first_and_then_the_tests_that_need_attention(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session(root, 1, {"m.a": PASS, "m.b": FAIL, "m.c": PASS, "m.\x1b[31md": PASS})
    session(root, 2, {"m.a": PASS, "m.b": PASS, "m.c": FAIL, "m.\x1b[31md": FAIL})
    assert main(["history"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "2026-11-22--001      1:05  1 of 4 tests failed",
        "2026-11-22--002      1:05  2 of 4 tests failed, all of them new since 2026-11-22--001",
        "",
        ".F  new    flake rate  50%  m.\N{REPLACEMENT CHARACTER}[31md",
        ".F  new    flake rate  50%  m.c",
        "F.  fixed  flake rate  50%  m.b",
    ]
    assert main(["history", "--sessions", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        "2026-11-22--002      1:05  2 of 4 tests failed, all of them new since 2026-11-22--001",
        "",
        "F  new    flake rate  50%  m.\N{REPLACEMENT CHARACTER}[31md",
    ]


def test_a_test_is_shown_session_by_session(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session(root, 1, {"m.a": PASS, "m.ab": PASS})
    session(root, 2, {"m.ab": PASS})
    session(root, 3, {"m.a": FAIL, "m.ab": PASS})
    expected = [
        "m.a",
        "  passed 1 of 2, flake rate 50%, median 1.000 seconds",
        "  2026-11-22--001  PASS         1.000s",
        "  2026-11-22--003  FAIL         2.000s  timeout, new",
    ]
    assert main(["history", "m.a"]) == 0  # which another id contains, too
    assert capsys.readouterr().out.splitlines() == expected
    assert main(["history", "--results-root", str(root), "a"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (lines[:4], lines[4], len(lines)) == (expected, "m.ab", 9)


def with_metrics(root: Path) -> None:
    """Write seven sessions, in the last of which a test takes longer and measures more."""
    for number in range(7):
        last = number == 6
        name = f"2026-11-22--{number:03d}"
        gone = {"m.gone": PASS} if number == 0 else {}
        tests = gone | {"m.a": FAIL if number == 3 else PastOutcome("PASS", 15.0 if last else 10.0), "m.b": PASS}
        metrics = {"m.a": {"write_ms": PastMetric(8.3, "ms", "lower"), "\x1b[2J": PastMetric(1.0)}}
        if last:
            tests["m.b"] = PastOutcome("FAIL", 9.0, 2, "timeout", "c", mixed=True)
            metrics = {
                "m.a": {"write_ms": PastMetric(12.4, "ms", "lower"), "\x1b[2J": PastMetric(1.0), "x": PastMetric(5)}
            }
        outcomes = SessionOutcomes(name, START + number, 65.0, 2, {"PASS": 1}, tests, 7 if last else None, 0, metrics)
        outcomes.write(str(recorded.session_of(root, name)))


def test_the_measures_of_a_test_are_shown_with_their_usual_range(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_metrics(root)
    assert main(["history", "m"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:6] == [
        "  duration: usual 9.5 s to 10 s, now 15 s: slower +50 %",
        "  write_ms: usual 7.89 to 8.71 ms, now 12.4 ms: worse +49 %",
        "  \N{REPLACEMENT CHARACTER}[2J: usual 0.95 to 1.05, now 1",
        "  x: now 5",
    ]
    assert main(["history"]) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "",
        "slower than usual: 1 test (m.a)",
        "worse than usual: 1 test (m.a)",
    ]
    start = lines.index("m.b")
    assert lines[start + 2] == "  duration: usual 0.50 s to 1.5 s, now 9.0 s when it did not pass"


def test_programs_read_the_history_as_json(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_metrics(root)
    assert main(["history", "--json", "--sessions", "2"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert problems_of(content, HISTORY) == []
    assert content["sessions"][1] == {
        "session_id": "2026-11-22--006",
        "start_time": START + 6,
        "run_time_seconds": 65.0,
        "expected": 2,
        "num_passed": 1,
        **dict.fromkeys(("num_failed", "num_flaky", "num_ignored", "num_new_failures"), 0),
        "seed": 7,
        "since": "2026-11-22--005",
    }
    first, second = content["tests"]
    trends = first.pop("trends")
    assert first == {
        "test_id": "m.a",
        "is_flaky": False,
        "flake_rate": pytest.approx(2 / 7),
        "median_seconds": 10.0,
        "outcomes": [
            {
                "session_id": f"2026-11-22--00{number}",
                "test_status": "PASS",
                "run_time_seconds": seconds,
                "attempts": 1,
                "also_passed": False,
            }
            for number, seconds in ((5, 10.0), (6, 15.0))
        ],
    }
    values = trends[1].pop("values")
    assert trends[1] == {
        "kind": "metric",
        "name": "write_ms",
        "unit": "ms",
        "better": "lower",
        "usual": pytest.approx({"low": 8.3 * 0.95, "median": 8.3, "high": 8.3 * 1.05}),
        "change": "worse",
    }
    assert [tuple(each.values()) for each in values] == [
        (f"2026-11-22--00{number}", 12.4 if number == 6 else 8.3, number != 3) for number in range(7)
    ]
    assert (second["kind"], second["outcomes"][-1]["kind"], second["outcomes"][-1]["reason"]) == (
        *["flaky"] * 2,
        "timeout",
    )
    assert main(["history", "b", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (problems_of(content, HISTORY), [test["test_id"] for test in content["tests"]]) == ([], ["m.b"])
    assert len(content["sessions"]) == len(content["tests"][0]["outcomes"]) == 7


def test_what_is_not_there_is_told(root: Path) -> None:
    with pytest.raises(CommandError, match=r"No session in \./results has results: run tests first"):
        main(["history"])
    session(root, 1, {"m.a": PASS})
    with pytest.raises(CommandError, match=r"No test in the sessions below \./results has 'x' in its id"):
        main(["history", "x"])
    (root / "index.html").write_text("mine")
    with pytest.raises(CommandError, match=r"Cannot write index\.html to \./results: ducktape did not write the one"):
        main(["history", "--html"])
    with pytest.raises(UsageError, match="0 is less than 1"):
        main(["history", "--sessions", "0"])
