# SPDX-License-Identifier: Apache-2.0
"""A run on a pseudo terminal, and the same without one."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.support.program import LOCALHOST, environment, suite

SUITE = """
    import subprocess, sys, time
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class SomeTest(Test):
        @cluster(num_nodes=1)
        def test_passes(self):
            self.logger.warning("only in the log of the test")

        @cluster(num_nodes=1)
        def test_fails(self):
            found = [1, 2]
            assert len(found) == 3

        @cluster(num_nodes=1)
        def test_prints(self):
            print("printed by the test")
            subprocess.run(["sh", "-c", "echo printed by a program >&2"])

    class SlowTest(Test):
        @cluster(num_nodes=1)
        def test_slow(self):
            time.sleep(60)
"""
CONTROL = re.compile(r"(\x1b\[[0-9;?]*[A-Za-z]|\r|\n)")


class Terminal:
    """The program on a pseudo terminal of 100 columns."""

    def __init__(self, folder: Path, *arguments: str, **more: str) -> None:
        self.output = ""
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (30, 100)) if hasattr(termios, "tcsetwinsize") else None
        extra = {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30", **more}
        variables = {name: value for name, value in environment(folder, extra).items() if name != "CI" or "CI" in more}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ducktape", *arguments, *LOCALHOST],
            cwd=folder,
            env=variables,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self._master = master

    def read_until(self, text: str = "") -> None:
        """Read until a text has come, or to the end."""
        deadline = time.monotonic() + 60
        while not text or text not in self.output:
            assert select.select([self._master], [], [], max(0, deadline - time.monotonic()))[0], self.output
            try:
                piece = os.read(self._master, 1 << 16)
            except OSError:  # the other end was closed
                piece = b""
            if not piece:
                assert not text, self.output
                break
            self.output += piece.decode()

    def end(self) -> int:
        self.read_until()
        os.close(self._master)
        return self.process.wait(60)

    @property
    def lines(self) -> list[str]:
        """What is on an endless screen in the end: as far as the panel needs it, this is a terminal."""
        lines, row = [""], 0
        for piece in CONTROL.split(self.output):
            if piece == "\n":
                row += 1
                lines += [""] * (row == len(lines))
            elif piece == "\x1b[2K":
                lines[row] = ""
            elif match := re.fullmatch(r"\x1b\[(\d*)A", piece):
                row -= int(match[1] or 1)
            elif not CONTROL.fullmatch(piece):
                lines[row] += piece
        return [line.rstrip() for line in lines if line.strip()]


@pytest.fixture
def some_test(tmp_path: Path) -> str:
    return suite(tmp_path, SUITE) + "/test_it.py::SomeTest"


def test_each_finished_test_is_a_line_and_the_failure_is_explained_at_the_end(tmp_path: Path, some_test: str) -> None:
    terminal = Terminal(tmp_path, some_test)
    assert terminal.end() == 1
    text = "\n".join(terminal.lines)
    assert re.search(r"^PASS   suite\.test_it\.SomeTest\.test_passes  0s  1 node$", text, re.MULTILINE)
    assert re.search(r"^FAIL   suite\.test_it\.SomeTest\.test_fails  0s  1 node$", text, re.MULTILINE)
    end = text.partition("suite.test_it.SomeTest.test_fails (assertion) ───")[2]
    assert "    assert len(found) == 3\nValues in the assertion:\n    len(found) = 2\n    found = [1, 2]\n" in end
    assert re.search(r"^logs: results/\d{4}-\d\d-\d\d--001/SomeTest/test_fails/\d$", end, re.MULTILINE)
    assert re.search(r"^rerun: ducktape suite/test_it\.py::SomeTest\.test_fails --cluster \S+$", end, re.MULTILINE)
    assert re.search(r"^2 passed, 1 failed in \d+s ─+$", end, re.MULTILINE)
    assert re.search(r"^report: results/\d{4}-\d\d-\d\d--001/report\.html$", end, re.MULTILINE)
    assert "RunnerClient" not in text
    assert "only in the log of the test" not in text
    # The cursor is shown again
    assert terminal.output.rfind("\x1b[?25h") > terminal.output.rfind("\x1b[?25l")


@pytest.mark.needs("linux")
def test_a_killed_driver_leaves_the_cursor_visible(tmp_path: Path, some_test: str) -> None:
    terminal = Terminal(tmp_path, some_test.replace("SomeTest", "SlowTest"))
    terminal.read_until("1 running")
    assert terminal.output.rfind("\x1b[?25l") > terminal.output.rfind("\x1b[?25h")
    terminal.process.kill()
    assert terminal.end() == -signal.SIGKILL
    assert terminal.output.rfind("\x1b[?25h") > terminal.output.rfind("\x1b[?25l")


def test_what_a_test_prints_is_kept_and_shown_with_its_name(tmp_path: Path, some_test: str) -> None:
    terminal = Terminal(tmp_path, f"{some_test}.test_prints")
    assert terminal.end() == 0
    [directory] = (tmp_path / "results" / "latest" / "SomeTest" / "test_prints").iterdir()
    assert (directory / "stdout.txt").read_text() == "printed by the test\nprinted by a program\n"
    assert [line.partition("| ")[2] for line in terminal.lines if " | " in line] == [
        "printed by the test",
        "printed by a program",
    ]


def test_a_test_that_prints_nothing_leaves_no_file(tmp_path: Path, some_test: str) -> None:
    assert Terminal(tmp_path, f"{some_test}.test_passes").end() == 0
    [directory] = (tmp_path / "results" / "latest" / "SomeTest" / "test_passes").iterdir()
    assert not (directory / "stdout.txt").exists()


def test_an_interrupt_leaves_the_screen_intact(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, suite(tmp_path, SUITE) + "/test_it.py::SlowTest")
    terminal.read_until("Running...")
    os.killpg(terminal.process.pid, signal.SIGINT)
    assert terminal.end() == 1
    assert "1 failed in" in terminal.lines[-3]
    assert terminal.output.rfind("\x1b[?25h") > terminal.output.rfind("\x1b[?25l")


@pytest.mark.parametrize(
    ("arguments", "variables"), [(["--progress", "plain"], {}), ([], {"CI": "true"}), ([], {"TERM": "dumb"})]
)
def test_the_classic_lines_are_shown_where_they_are_wanted(
    tmp_path: Path, some_test: str, arguments: list[str], variables: dict[str, str]
) -> None:
    terminal = Terminal(tmp_path, f"{some_test}.test_prints", *arguments, **variables)
    assert terminal.end() == 0
    assert "\x1b" not in terminal.output
    assert any("RunnerClient: suite.test_it.SomeTest.test_prints: PASS" in line for line in terminal.lines)
    assert "printed by the test" in terminal.output
    assert "SESSION REPORT (ALL TESTS)" in terminal.lines


def test_without_colour_there_is_none(tmp_path: Path, some_test: str) -> None:
    terminal = Terminal(tmp_path, f"{some_test}.test_fails", NO_COLOR="1")
    assert terminal.end() == 1
    # Bold and dim are no colours
    assert not re.search(r"\x1b\[(?:[\d;]*;)?3\d", terminal.output)


def test_live_progress_can_be_asked_for_without_a_terminal(tmp_path: Path, some_test: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ducktape", f"{some_test}.test_passes", "--progress", "live", *LOCALHOST],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("PASS   suite.test_it.SomeTest.test_passes  0s  1 node\n1 passed in 0s ─")
    assert "\x1b" not in done.stdout
