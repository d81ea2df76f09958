# SPDX-License-Identifier: Apache-2.0
"""What a terminal shows of a run, event by event."""

from __future__ import annotations

import dataclasses
import io
import logging
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ducktape.command_line.progress.live import LiveProgress, cause_of, elapsed
from ducktape.tests.recording.history import Changes, History
from ducktape.tests.recording.outcomes import PastOutcome, SessionOutcomes
from tests.support import recorded
from tests.unit.tests.reports.samples import demo_results


class Screen:
    """A progress on a terminal in memory."""

    def __init__(self, width: int = 100, height: int = 30, **settings: Any) -> None:
        self.file = io.StringIO()
        self.console = Console(file=self.file, width=width, height=height, force_terminal=False, color_system=None)
        self.logger = logging.Logger("session")
        self.progress = LiveProgress(self.logger, total=3, num_nodes=4, slots=2, console=self.console, **settings)

    def start(self, index: int, test_id: str, *nodes: str) -> None:
        self.progress.observe("nodes_given", {"test_index": index, "nodes": list(nodes)})
        self.progress.observe("started", {"test_index": index, "test_id": test_id})

    def finish(self, index: int, test_id: str, status: str = "PASS", **more: Any) -> None:
        result = {"test_status": status, "run_time_seconds": 65.0, "nodes_allocated": 1, **more}
        self.progress.observe("finished", {"test_index": index, "test_id": test_id, "result": result})
        self.progress.draw()

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.file.getvalue().splitlines() if line.strip()]

    def panel(self) -> list[str]:
        self.file.seek(0)
        self.file.truncate()
        self.console.print(self.progress.panel())
        return [" ".join(line.split()) for line in self.lines]


def test_a_finished_test_is_one_line() -> None:
    screen = Screen()
    screen.start(1, "m.T.test_a", "n1")
    screen.finish(1, "m.T.test_a")
    assert screen.lines == ["PASS   m.T.test_a  1:05  1 node"]


def test_a_failure_has_its_reason_and_first_line() -> None:
    screen = Screen()
    screen.finish(1, "m.T.test_a", "FAIL", reason="assertion", summary="AssertionError('no')\nTraceback\n")
    assert screen.lines == ["FAIL   m.T.test_a  1:05  1 node", "       assertion: AssertionError('no')"]


def test_a_quiet_one_shows_failures_alone() -> None:
    screen = Screen(quiet=True)
    screen.finish(1, "m.T.test_a")
    screen.finish(2, "m.T.test_b", "FAIL", summary="x")
    assert [line for line in screen.lines if line.startswith(("PASS", "FAIL"))] == ["FAIL   m.T.test_b  1:05  1 node"]


def test_of_an_id_that_is_too_long_the_end_is_shown() -> None:
    screen = Screen(width=40)
    screen.finish(1, "a.very.long.module.name.ReplicationTest.test_leader.size=3")
    assert len(screen.lines[0]) <= 40
    assert "test_leader.size=3  1:05  1 node" in screen.lines[0]


def test_the_panel_has_the_running_tests_and_the_counts() -> None:
    screen = Screen()
    screen.start(1, "m.T.test_a", "n1", "n2")
    screen.start(2, "m.T.test_b", "n3")
    screen.progress.observe("phase", {"test_index": 1, "phase": "setup"})
    screen.progress.observe("line", {"test_index": 1, "line": "starting the\nserver"})
    rule, first, second, counts = screen.panel()
    assert set(rule) == {"─"}
    assert first == "m.T.test_a setup 0s n1,n2 starting the server"
    assert second == "m.T.test_b starting 0s n3"
    assert counts == "0/3 done · 2 running · nodes 3/4 · 0s"
    screen.finish(1, "m.T.test_a", "FAIL")
    screen.progress.observe("nodes_returned", {"test_index": 1})
    assert screen.panel()[1:] == ["m.T.test_b starting 0s n3", "1/3 done · 1 failed · 1 running · nodes 1/4 · 0s"]


def test_a_low_terminal_shows_how_many_more_there_are() -> None:
    screen = Screen(height=6)
    for index in range(5):
        screen.start(index, f"m.T.test_{index}")
    assert screen.panel()[1:4] == ["m.T.test_0 starting 0s", "m.T.test_1 starting 0s", "… and 3 more"]


def test_a_narrow_terminal_leaves_nodes_and_lines_out() -> None:
    screen = Screen(width=60)
    screen.start(1, "m.T.test_a", "n1")
    screen.progress.observe("line", {"test_index": 1, "line": "hello"})
    assert screen.panel()[1] == "m.T.test_a starting 0s"


def test_a_debugger_has_the_terminal_for_itself() -> None:
    screen = Screen()
    with screen.progress:
        screen.progress.observe("debugger", {"is_open": True})
        before = screen.file.getvalue()
        screen.finish(1, "m.T.test_a")
        screen.logger.warning("later")
        screen.progress.draw()
        assert screen.file.getvalue() == before
        screen.progress.observe("debugger", {"is_open": False})
        screen.progress.draw()
        assert screen.lines[-2:] == ["PASS   m.T.test_a  1:05  1 node", "later"]


def test_the_end_is_estimated_from_earlier_durations() -> None:
    screen = Screen(durations={"m.T.test_a": 100.0, "m.T.test_b": 50.0, "m.T.test_c": 50.0})
    assert screen.panel()[-1].endswith("about 1:40 left")
    screen.finish(1, "m.T.test_a")
    assert screen.panel()[-1].endswith("about 50s left")


def test_without_enough_durations_there_is_no_estimate() -> None:
    assert "left" not in Screen(durations={"m.T.test_a": 100.0}).panel()[-1]


@pytest.mark.parametrize(("verbose", "expected"), [(False, ["a node is gone"]), (True, ["one", "a node is gone"])])
def test_warnings_of_the_session_stand_above_the_panel(verbose: bool, expected: list[str]) -> None:
    screen = Screen(verbose=verbose)
    console = logging.StreamHandler(io.StringIO())
    screen.logger.addHandler(console)
    with screen.progress:
        screen.logger.info("one")
        screen.logger.warning("a node is gone")
        assert console not in screen.logger.handlers
    assert screen.logger.handlers == [console]
    assert [line for line in screen.lines if line in ("one", "a node is gone")] == expected


def test_what_a_test_printed_is_shown_with_its_name(tmp_path: Path) -> None:
    screen = Screen()
    (tmp_path / "stdout.txt").write_text("".join(f"line {number}\n" for number in range(7)))
    screen.finish(1, "m.T.test_a", results_dir=str(tmp_path))
    assert screen.lines[1:6] == [f"       m.T.test_a | line {number}" for number in range(5)]
    assert "all in" in screen.lines[6]


def test_nothing_that_a_test_says_controls_the_terminal(tmp_path: Path) -> None:
    screen = Screen()
    (tmp_path / "stdout.txt").write_text("a\x1b[2Jb [bold]c[/bold]\n")
    screen.start(1, "m.T.test_\x1b[31m", "n\x07")
    screen.progress.observe("line", {"test_index": 1, "line": "\x1b]0;title\x07"})
    assert screen.panel()[1] == "m.T.test_�[31m starting 0s n �]0;title"
    screen.finish(1, "m.T.test_a", "FAIL", summary="\x1b[2Jx", results_dir=str(tmp_path))
    assert screen.lines[-2:] == ["       error: �[2Jx", "       m.T.test_a | a�[2Jb [bold]c[/bold]"]
    assert "\x1b" not in screen.file.getvalue()


def test_an_empty_file_of_output_is_removed(tmp_path: Path) -> None:
    (tmp_path / "stdout.txt").touch()
    Screen().finish(1, "m.T.test_a", results_dir=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_cause_is_the_error_and_the_frames_of_the_user() -> None:
    import ducktape

    package = Path(ducktape.__file__).parent
    summary = (
        "AssertionError('too few')\nTraceback (most recent call last):\n"
        f'  File "{package}/tests/worker/lifecycle.py", line 1, in _decide\n    call()\n'
        '  File "/home/u/suite/test_it.py", line 7, in test_it\n    check()\n'
        '  File "/home/u/suite/test_it.py", line 3, in check\n    assert len(x) == 1\n'
        "AssertionError: too few\nRaised in phase test, ssh on n1\n\nValues in the assertion:\n    len(x) = 2\n"
    )
    assert cause_of(summary) == [
        "AssertionError('too few')",
        '  File "/home/u/suite/test_it.py", line 7, in test_it',
        "    check()",
        '  File "/home/u/suite/test_it.py", line 3, in check',
        "    assert len(x) == 1",
        "Raised in phase test, ssh on n1",
        "Values in the assertion:",
        "    len(x) = 2",
    ]


def test_a_cause_without_frames_is_its_beginning() -> None:
    assert cause_of("Test process was killed\n\nby SIGKILL") == ["Test process was killed", "", "by SIGKILL"]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (59.9, "59s"), (65, "1:05"), (3723, "1:02:03")])
def test_durations(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text


def test_the_end_names_what_changed_since_earlier_sessions(tmp_path: Path) -> None:
    results = demo_results(recorded.session_of(tmp_path, "2026-11-22--002"))
    session = SessionOutcomes.of(results)
    failed = [name for name, each in session.tests.items() if each.status == "FAIL"]
    others = [f"m.T.t{n}" for n in range(12)]
    kinds = {failed[0]: "new", failed[1]: "known", **dict.fromkeys(others, "fixed")}
    screen = Screen()

    screen.progress.summarize(results, changes=Changes(session, "2026-11-22--001", kinds, {failed[1]}))

    assert f"{failed[0]} (assertion, new)" in screen.file.getvalue().replace("\n", " ")
    assert screen.lines[-15:-1] == [
        "Failures: 1 of them new since 2026-11-22--001",
        f"          new  {failed[0]}",
        f"still failing  {failed[1]} (other cause than before)",
        *(f"{'fixed' if n == 0 else '':>13}  {name}" for n, name in enumerate(sorted(others)[:10])),
        "               … and 2 more",
    ]


def test_the_end_names_what_took_longer_than_usual(tmp_path: Path) -> None:
    results = demo_results(recorded.session_of(tmp_path, "2026-11-22--002"))
    now = SessionOutcomes.of(results)
    names = [name for name, each in now.tests.items() if each.status == "PASS"]
    before = {name: PastOutcome("PASS", now.tests[name].seconds * 9 + 9) for name in names}
    past = [dataclasses.replace(now, session_id=f"2026-11-21--00{number}", tests=before) for number in range(1, 7)]
    screen = Screen(width=200)

    screen.progress.summarize(results, changes=History([*past, now]).changes(now.session_id))

    number = "1 test" if len(names) == 1 else f"{len(names)} tests"
    assert f"faster than usual: {number} ({', '.join(names)})" in screen.lines
