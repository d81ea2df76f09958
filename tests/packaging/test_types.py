# SPDX-License-Identifier: Apache-2.0
"""A suite with types against the installed package: it has no errors, and each of the planted mistakes is found."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLANTED = re.compile(r" *# type: ignore\[([a-z-]+)\]$", re.MULTILINE)
FOUND = re.compile(r"^(\S+?):(\d+): error: .*\[([a-z-]+)\]$", re.MULTILINE)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """Copy the suite away from the checkout, which would be checked as part of it."""
    return shutil.copytree(ROOT / "tests" / "packaging" / "typed_suite", tmp_path / "typed_suite")


def test_a_suite_with_types_has_no_errors_and_its_mistakes_are_found(suite: Path, tmp_path: Path) -> None:
    mistakes = suite / "mistakes.py"
    text = mistakes.read_text(encoding="utf-8")
    planted = {(number, match[1]) for number, line in enumerate(text.split("\n"), 1) if (match := PLANTED.search(line))}
    assert len(planted) == text.count("# type: ignore") > 0
    mistakes.write_text(PLANTED.sub("", text), encoding="utf-8")
    # Installed packages are checked by their py.typed, and their own errors are not reported
    venv.create(tmp_path / "user")
    (packages,) = (tmp_path / "user").glob("lib/python*/site-packages")
    (packages / "all.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary", suite.name]
    completed = subprocess.run(
        [*command, "--python-executable", str(tmp_path / "user" / "bin" / "python")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    output = completed.stdout + completed.stderr
    found = [(file, int(line), kind) for file, line, kind in FOUND.findall(output)]
    assert [error for error in found if error[0] != "typed_suite/mistakes.py"] == [], output
    assert sorted((line, kind) for _, line, kind in found) == sorted(planted), output


def test_the_suite_runs(suite: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "ducktape",
        "typed_suite/suite.py",
        "--cluster",
        "localhost",
        "--max-parallel",
        "3",
    ]
    completed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    report = json.loads((tmp_path / "results" / "latest" / "report.json").read_text(encoding="utf-8"))
    assert (report["num_passed"], report["num_ignored"], report["num_failed"]) == (7, 2, 0)
