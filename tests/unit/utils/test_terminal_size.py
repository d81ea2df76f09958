# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
PROGRAM = "from ducktape.utils.terminal_size import get_terminal_size; print(*get_terminal_size())"


def size_without_a_terminal(**environment: str) -> str:
    completed = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,  # without a controlling terminal
    )
    return completed.stdout.strip()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "80 25"),
        ({"COLUMNS": "101", "LINES": "33"}, "101 33"),
        ({"COLUMNS": "101"}, "101 25"),
        ({"COLUMNS": "0", "LINES": "-1"}, "80 25"),
        ({"COLUMNS": "wide"}, "80 25"),
    ],
)
def test_the_environment_and_then_the_defaults_answer(environment: dict[str, str], expected: str) -> None:
    assert size_without_a_terminal(**environment) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
@pytest.mark.parametrize(
    ("columns", "rows", "expected"),
    [(123, 45, b"123 45"), (123, 0, b"123 25"), (0, 0, b"77 25")],
)
def test_the_terminal_answers_first(columns: int, rows: int, expected: bytes) -> None:
    import fcntl
    import pty
    import struct
    import termios

    master, slave = pty.openpty()
    try:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        output = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "77", "LINES": ""},
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            start_new_session=True,
        ).stdout
    finally:
        os.close(master)
        os.close(slave)
    assert output.strip() == expected
