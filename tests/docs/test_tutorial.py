# SPDX-License-Identifier: Apache-2.0
"""The blocks of the tutorial, carried out in order: files are written, commands run, and their output is as shown."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks_of
from tests.support.program import environment

BLOCKS = list(blocks_of(ROOT / "docs" / "tutorial.rst"))


def _run(folder: Path, command: str, shown: list[str]) -> None:
    program, *arguments = command.split()
    assert program == "ducktape"
    completed = subprocess.run(
        [sys.executable, "-m", "ducktape", *arguments],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    output = f"$ {command}\n{completed.stdout}{completed.stderr}"
    missing = [line for line in shown if line not in completed.stdout.splitlines()]
    assert missing == [], output
    fails = any(re.fullmatch(r"failed: +[1-9]\d*", line) for line in shown)
    assert completed.returncode == (1 if fails else 0), output


def test_every_file_has_a_name_and_every_block_is_carried_out() -> None:
    assert {block.language for block in BLOCKS} == {"python", "console"}
    assert [block for block in BLOCKS if block.language == "python" and not block.caption] == []
    assert len(BLOCKS) >= 10


@pytest.mark.needs("sandbox", "nft")
def test_the_tutorial_works_from_the_first_block_to_the_last(tmp_path: Path) -> None:
    for block in BLOCKS:
        if block.language == "python":
            ast.parse(block.code)
            (tmp_path / block.caption).write_text(block.code, encoding="utf-8")
            continue
        assert block.code.startswith("$ ")
        for step in block.code.removeprefix("$ ").split("\n$ "):
            command, *shown = step.splitlines()
            _run(tmp_path, command, shown)
