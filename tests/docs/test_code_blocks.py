# SPDX-License-Identifier: Apache-2.0
"""The code in the documentation compiles; blocks that are whole files are imported and type-checked."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.docs.blocks import ROOT, Block, all_blocks

PYTHON = all_blocks("python")
# The blocks of these pages are carried out as a whole, by test_contributing.py and test_tutorial.py
CARRIED_OUT = ("CONTRIBUTING.md", "docs/tutorial.rst")
# One that imports its neighbour cannot be imported alone; test_installation.py carries out the one in README
FILES = [
    block for block in PYTHON if block.is_whole_file and block.page not in CARRIED_OUT and "\nfrom ." not in block.code
]
OF_THE_READER = ("Store", "server_answers")


def _with_names_of_the_reader(block: Block) -> str:
    missing = [name for name in OF_THE_READER if not re.search(rf"^(class|def) {name}\b", block.code, re.MULTILINE)]
    return "\n".join([block.code, "import typing", *(f"{name}: typing.Any = None" for name in missing), ""])


def test_there_are_blocks_on_many_pages() -> None:
    assert len({block.page for block in PYTHON}) >= 10
    assert {"README.md", "docs/quick_start.rst", "docs/marks.rst", "docs/services.rst"} <= {b.page for b in FILES}


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_compiles(block: Block) -> None:
    ast.parse(block.code, filename=str(block))


@pytest.mark.parametrize("block", FILES, ids=str)
def test_a_file_can_be_imported_and_defines_a_class(block: Block) -> None:
    names: dict[str, object] = {"__name__": "page"}
    exec(compile(block.code, str(block), "exec"), names)
    defined = [value for value in names.values() if isinstance(value, type) and value.__module__ == "page"]
    assert defined != []


def test_files_have_no_errors_of_types(tmp_path: Path) -> None:
    pages = {}
    for block in FILES:
        name = re.sub(r"\W", "_", str(block)) + ".py"
        (tmp_path / name).write_text(_with_names_of_the_reader(block), encoding="utf-8")
        pages[name] = block
    completed = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--config-file=", "--check-untyped-defs", "--follow-imports=silent"),
            *("--ignore-missing-imports", "--cache-dir", str(ROOT / ".mypy_cache" / "pages"), str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    found = [line.replace(str(tmp_path), "") for line in completed.stdout.splitlines() if ": error:" in line]
    assert found == []
    assert f"no issues found in {len(pages)} source files" in completed.stdout, completed.stdout + completed.stderr


@pytest.mark.parametrize("block", all_blocks("json"), ids=str)
def test_json_is_valid(block: Block) -> None:
    json.loads(block.code)


@pytest.mark.parametrize("block", all_blocks("yaml"), ids=str)
def test_yaml_is_valid(block: Block) -> None:
    assert yaml.safe_load(block.code)


@pytest.mark.parametrize("block", [*all_blocks("sh"), *all_blocks("bash")], ids=str)
def test_commands_of_a_shell_are_valid(block: Block) -> None:
    completed = subprocess.run(["sh", "-n"], input=block.code, text=True, capture_output=True, check=False)
    assert completed.returncode == 0, completed.stderr
