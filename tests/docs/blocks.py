# SPDX-License-Identifier: Apache-2.0
"""Finds the blocks of code in the documentation."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_RST = re.compile(
    r"^(?P<indent> *)\.\. code-block:: (?P<language>\w+)\n(?P<options>(?: +:.*\n)*)\n"
    r"(?P<code>(?:(?P=indent) +.*\n|\n)+)",
    re.MULTILINE,
)
_MARKDOWN = re.compile(r"^```(?P<language>\w+)\n(?P<options>)(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)
_FIRST_IMPORT = re.compile(r"(?:#.*\n|\s*\n)*(?:from|import) ")


@dataclass(frozen=True)
class Block:
    """A block of code in a page.

    Args:
        page: its path below the checkout.
        line: number of its first line.
        language: as named in the page.
        caption: the file that it stands for, or an empty text.
        code: its text, without the indentation of the page.
    """

    page: str
    line: int
    language: str
    caption: str
    code: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def is_whole_file(self) -> bool:
        """Whether the block has its imports, so that it can be executed by itself."""
        return _FIRST_IMPORT.match(self.code) is not None


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    for match in (_RST if page.suffix == ".rst" else _MARKDOWN).finditer(text):
        caption = re.search(r":caption: (\S+)", match["options"])
        yield Block(
            page=page.relative_to(ROOT).as_posix(),
            line=text.count("\n", 0, match.start("code")) + 1,
            language=match["language"],
            caption=caption[1] if caption else "",
            code=textwrap.dedent(match["code"]).rstrip("\n") + "\n",
        )


def all_blocks(language: str) -> list[Block]:
    """Return the blocks of all pages in one language."""
    pages = [*sorted((ROOT / "docs").glob("*.rst")), *sorted(ROOT.glob("*.md"))]
    return [block for page in pages for block in blocks_of(page) if block.language == language]
