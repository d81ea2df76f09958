# SPDX-License-Identifier: Apache-2.0
"""What README shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
VARIABLE = re.compile(r"\d{4}-\d\d-\d\d--\d{3}|\d+\.\d{3}(?= seconds)")


def _block(language: str, heading: str = "") -> str:
    """Return the first block of code in a language, below a heading if one is given."""
    match = re.search(rf"```{language}\n(.*?)```", README.partition(f"## {heading}\n")[2] or README, re.DOTALL)
    assert match is not None
    return match[1]


def test_the_first_two_commands_are_those_that_do_everything() -> None:
    assert [line.split("#")[0].strip() for line in _block("console").splitlines()] == ["$ make demo", "$ make test"]


@pytest.mark.needs("sandbox")
def test_the_test_prints_what_is_shown(tmp_path: Path) -> None:
    (tmp_path / "test_first.py").write_text(_block("python", "A test"), encoding="utf-8")
    command = re.search(r"`ducktape (test_first[^`]*)`", README)
    assert command is not None
    completed = subprocess.run(
        [sys.executable, "-m", "ducktape", *command[1].split()],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "COLUMNS": "80"},
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert VARIABLE.sub("…", completed.stdout).endswith(VARIABLE.sub("…", _block("text")))
