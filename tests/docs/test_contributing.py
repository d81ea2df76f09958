# SPDX-License-Identifier: Apache-2.0
"""The recipes of CONTRIBUTING.md, carried out as written on a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
COPIED = ("ducktape", "tests", "docs", "pyproject.toml")
BLOCK = re.compile(r"```(python|diff)\n(.*?)```", re.DOTALL)
PATH = re.compile(r"`((?:ducktape|tests|docs)/[\w/]+\.\w+)`")


def _steps(recipe: str) -> list[tuple[str, str, str]]:
    """Return kind, file and content of each block; the file is named in the paragraph before, or is the last one."""
    text = PAGE.split(f"### {recipe}\n")[1].split("\n### ")[0]
    steps = []
    path, start = "", 0
    for block in BLOCK.finditer(text):
        paragraph = text[start : block.start()].strip().split("\n\n")[-1]
        named = PATH.findall(paragraph)
        path, start = (named[0] if named else path), block.end()
        steps.append((block[1], path, block[2]))
    return steps


def _apply(folder: Path, kind: str, path: str, content: str) -> None:
    file = folder / path
    if kind == "python":
        assert not file.exists(), f"{path} exists"
        file.write_text(content, encoding="utf-8")
        return
    lines = content.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] != "+")
    new = "".join(line[1:] for line in lines if line[0] != "-")
    text = file.read_text(encoding="utf-8")
    assert text.count("\n" + old) == 1, f"{path} does not have these lines exactly once:\n{old}"
    file.write_text(text.replace("\n" + old, "\n" + new), encoding="utf-8")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Carry out all three recipes on one copy."""
    folder = tmp_path_factory.mktemp("house")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "_build", "corpus")
            )
        else:
            shutil.copy(ROOT / name, folder / name)
    for recipe in ("Add a cluster", "Add a fault", "Add a report"):
        for step in _steps(recipe):
            _apply(folder, *step)
    return folder


def _run(folder: Path, *command: str) -> str:
    completed = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


def test_the_tests_of_the_recipes_pass(house: Path) -> None:
    paths = [path for recipe in ("cluster", "fault", "report") for _, path, _ in _steps(f"Add a {recipe}")]
    tests = [path for path in paths if "/test_" in path]
    printed = _run(house, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert "5 passed" in printed
    assert tests == [
        "tests/unit/cluster/test_hosts.py",
        "tests/unit/faults/test_files.py",
        "tests/unit/tests/reports/test_csv_report.py",
    ]


def test_the_house_accepts_what_the_recipes_make(house: Path) -> None:
    words = "same_floors or documented_as_public or hosts or files or csv_report"
    _run(house, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/architecture/test_layers.py", "-k", words)


def test_the_code_of_the_recipes_is_in_the_style_of_the_house(house: Path) -> None:
    changed = sorted({path for name in ("cluster", "fault", "report") for _, path, _ in _steps(f"Add a {name}")})
    files = [path for path in changed if path.endswith(".py")]
    _run(house, "-m", "ruff", "check", "--no-cache", *files)
    _run(house, "-m", "ruff", "format", "--no-cache", "--check", *files)
    _run(house, "-m", "mypy", "--strict", *files)


def test_the_new_report_is_written_by_a_run(house: Path, tmp_path: Path) -> None:
    suite = "from ducktape.mark.resource import cluster\nfrom ducktape.tests.test import Test\n\n\nclass A(Test):\n"
    (tmp_path / "test_a.py").write_text(suite + "    @cluster(num_nodes=0)\n    def test_a(self):\n        pass\n")
    results = str(tmp_path / "results")
    _run(house, "-m", "ducktape", str(tmp_path / "test_a.py"), "--cluster", "hosts", "--results-root", results)
    written = (tmp_path / "results" / "latest" / "report.csv").read_text(encoding="utf-8")
    assert re.fullmatch(r"test_id,status,run_time_seconds\ntest_a\.A\.test_a,pass,\d+\.\d{3}\n", written) is not None


def test_the_commands_of_the_page_exist() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = re.findall(r"(?:`|\$ )make (?:PYTHON=\S+ )?(\w+)", PAGE)
    assert set(named) - set(targets) == set()
    assert {"venv", "quick", "test", "lowest"} <= set(named)


def test_each_folder_of_tests_is_described() -> None:
    table = PAGE.split("## Tests\n")[1].split("\n## ")[0]
    folders = {path.name for path in (ROOT / "tests").iterdir() if (path / "__init__.py").exists()} - {"support"}
    assert set(re.findall(r"`tests/(\w+)`", table)) == folders
