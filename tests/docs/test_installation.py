# SPDX-License-Identifier: Apache-2.0
"""The commands that install the program work as README and the quick start show them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import ducktape

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("ducktape", "LICENSE", "README.md", "pyproject.toml", "setup.py", "MANIFEST.in")
PIPX, VENV = "pipx install .", "python3 -m venv .venv"


def _readme() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def _quick_start() -> list[str]:
    page = (ROOT / "docs" / "quick_start.rst").read_text(encoding="utf-8")
    blocks = re.findall(r"\.\. code-block:: sh\n\n((?:   .*\n)+)", page)
    return ["".join(f"{line.strip()}\n" for line in block.splitlines()) for block in blocks]


def test_readme_and_quick_start_show_the_same_commands() -> None:
    assert _readme() == _quick_start()
    assert [block.splitlines()[0] for block in _readme()] == [PIPX, VENV]


def test_both_begin_with_the_installation() -> None:
    for page, heading in ((ROOT / "README.md", r"^## (.*)"), (ROOT / "docs" / "quick_start.rst", r"^(.*)\n---")):
        first = re.search(heading, page.read_text(encoding="utf-8"), re.MULTILINE)
        assert first is not None
        assert first[1] == "Installation"


@pytest.mark.parametrize("first", [VENV, PIPX])
def test_the_commands_install_the_program(tmp_path: Path, first: str) -> None:
    if shutil.which(first.split()[0]) is None:
        pytest.skip(f"{first.split()[0]} is not installed")
    checkout = tmp_path / "checkout"
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, checkout / name)
    programs = tmp_path / "bin"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment |= {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(programs)}
    completed = subprocess.run(
        ["sh", "-e", "-c", next(block for block in _readme() if block.startswith(first))],
        cwd=checkout,
        env={**environment, "PATH": f"{programs}:{environment['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    output = completed.stdout + completed.stderr
    if completed.returncode != 0 and "Failed to establish a new connection" in output:
        pytest.skip("no package index can be reached, so nothing can be installed")
    assert completed.returncode == 0, output
    assert completed.stdout.endswith(f"{ducktape.__version__}\n")
