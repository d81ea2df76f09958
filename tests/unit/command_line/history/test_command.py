# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ducktape.command_line.history.command import main
from ducktape.command_line.options.errors import CommandError, UsageError
from ducktape.tests.recording.outcomes import PastOutcome, SessionOutcomes
from tests.support import recorded
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
