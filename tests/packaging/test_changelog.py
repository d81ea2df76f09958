# SPDX-License-Identifier: Apache-2.0
"""Fragments of the changelog are what the tool for it takes, and the changelog is where it puts them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FRAGMENT_NAME = re.compile(r"(\d+|\+[a-z0-9-]+)\.(notice|new|gone)(\.\d+)?\.md")
SENTENCE = re.compile(r"[^\s#*-].*\.\n", re.DOTALL)


def test_a_fragment_is_a_sentence_for_users() -> None:
    wrong = [
        path.name
        for path in (ROOT / "changelog.d").iterdir()
        if path.name != "README.md"
        and not (FRAGMENT_NAME.fullmatch(path.name) and SENTENCE.fullmatch(path.read_text(encoding="utf-8")))
    ]
    assert wrong == []


def test_fragments_become_a_release_at_the_top_of_the_changelog(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "changelog.d").mkdir()
    shutil.copy(ROOT / "changelog.d" / "README.md", tmp_path / "changelog.d" / "README.md")
    fragments = {
        "12.new.md": "An option.\n",
        "+word.notice.md": "A change\nover two lines.\n",
        "3.gone.md": "A thing.\n",
    }
    for name, text in fragments.items():
        assert FRAGMENT_NAME.fullmatch(name) is not None
        (tmp_path / "changelog.d" / name).write_text(text, encoding="utf-8")
    before = (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8")

    command = [sys.executable, "-m", "towncrier", "build", "--yes", "--version", "9.1.0", "--date", "2030-01-02"]
    completed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    assert completed.returncode == 0, completed.stdout + completed.stderr
    after = (tmp_path / "CHANGELOG.md").read_text(encoding="utf-8")
    head, marker, rest = before.partition("<!-- towncrier inserts releases here -->\n")
    release = (
        "## 9.1.0 (2030-01-02)\n\n### You will notice\n\n- A change\n  over two lines.\n\n"
        "### New\n\n- An option. (#12)\n\n### Gone\n\n- A thing. (#3)\n"
    )
    assert after.startswith(head + marker + "\n" + release)
    assert after.endswith(rest.lstrip("\n"))
    assert [path.name for path in (tmp_path / "changelog.d").iterdir()] == ["README.md"]
