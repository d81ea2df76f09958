# SPDX-License-Identifier: Apache-2.0
"""The checkers that the Makefile also offers alone: each prints what it found, which is the message of the failure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _complaints(*command: str) -> str:
    """Run a checker over the checkout and return what it printed, empty if it is content."""
    completed = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    return "" if completed.returncode == 0 else completed.stdout + completed.stderr


def test_ruff_finds_nothing() -> None:
    assert _complaints("ruff", "check", "--no-cache", ".") == ""


def test_everything_is_formatted() -> None:
    assert _complaints("ruff", "format", "--no-cache", "--check", ".") == ""


def test_types_are_strict_and_right() -> None:
    assert _complaints("mypy", "--strict", "ducktape", "tests", "benchmarks") == ""
