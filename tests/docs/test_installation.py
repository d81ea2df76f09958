# SPDX-License-Identifier: Apache-2.0
"""The commands that install the program, and those of the first suite, work as README and the quick start show them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
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


def _run(command: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-e", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.fixture(scope="module", params=[VENV, PIPX])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a shell that finds the program, installed from a checkout by the commands of README."""
    first = request.param
    if shutil.which(first.split()[0]) is None:
        pytest.skip(f"{first.split()[0]} is not installed")
    folder = tmp_path_factory.mktemp("installation")
    checkout = folder / "checkout"
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, checkout / name)
    programs = folder / "bin"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment |= {"PIPX_HOME": str(folder / "pipx"), "PIPX_BIN_DIR": str(programs), "HOME": str(folder)}
    environment["PATH"] = f"{programs}:{checkout / '.venv' / 'bin'}:{environment['PATH']}"
    completed = _run(next(block for block in _readme() if block.startswith(first)), checkout, environment)
    output = completed.stdout + completed.stderr
    if completed.returncode != 0 and "Failed to establish a new connection" in output:
        pytest.skip("no package index can be reached, so nothing can be installed")
    assert completed.returncode == 0, output
    assert completed.stdout.endswith(f"{ducktape.__version__}\n")
    return environment


def test_the_commands_install_the_program(installed: dict[str, str], tmp_path: Path) -> None:
    assert _run("ducktape --version", tmp_path, installed).stdout == f"{ducktape.__version__}\n"


@pytest.mark.needs("sandbox")
def test_a_newcomer_gets_from_an_empty_directory_to_a_test_that_was_mended(
    installed: dict[str, str], tmp_path: Path
) -> None:
    began = time.monotonic()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## A suite\n")[2].partition("\n## ")[0]
    outcomes: list[tuple[str, int]] = []
    for text, language, block in re.findall(r"(.*?)```(\w+)\n(.*?)```", section, re.DOTALL):
        if language == "python":
            [file] = re.findall(r"`(\S+\.py)`", text)
            (tmp_path / file).write_text(block, encoding="utf-8")
            continue
        for step in block.removeprefix("$ ").split("\n$ "):
            command, *shown = step.splitlines()
            completed = _run(command, tmp_path, installed)
            outcomes.append((command, completed.returncode))
            output = f"$ {command}\n{completed.stdout}{completed.stderr}"
            assert [line for line in shown if line not in completed.stdout.splitlines()] == [], output
            if completed.returncode:
                assert "    page = '<h1>Hello from node1</h1>'" in output, output
    assert [status for _, status in outcomes] == [0, 0, 1, 0, 0, 0, 0, 0], outcomes
    assert "No nodes are kept" in _run("ducktape nodes", tmp_path, installed).stdout
    sys.stdout.write(f"From an empty directory to the test that passes: {time.monotonic() - began:.0f} s\n")
