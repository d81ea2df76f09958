# SPDX-License-Identifier: Apache-2.0
"""Idioms that once made the documentation hard to read, so that they do not come back."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

IDIOMS = {
    "takes leave of": r"\btak(e|es|ing|en) leave of\b",
    "to be had": r"\b(to|can|could|not) be had\b",
    "so many times": r"\bso many (times|seconds)\b",
    "what becomes of": r"\bwhat (becomes|became) of\b",
    "is used on": r"\bis used on\b",
    "none as a predicate": r"\b(that|which|who) (is|are) none\b",
    "be the process": r"\bBe the \w+, from its first moment\b",
    "for ever": r"\bfor ever\b",
    "letters of processes": r"\bletter ?box(es)?\b",
    "guardian": r"\bguardians?\b",
    "left to itself": r"\bleft to (itself|themselves)\b",
    "is told of": r"\bis told of\b",
    "hears of": r"\bhears of\b",
    "somebody else's": r"\bsomebody else's\b",
    "by the book": r"\bby the books?\b",
    "keeper": r"\bkeepers?\b",
    "lifeline": r"\blifelines?\b",
    "buried": r"\bbur(y|ied|ies)\b",
    "there may be none": r"\bthere (may|might) be none\b",
    "is looked at": r"\b(is|are) looked at\b",
    "costs itself": r"\bcosts itself\b",
    "talks nonsense": r"\btalks? nonsense\b",
    "has no say": r"\bhas no say\b",
    "be it": r"\bbe it\b",
    "goes on": r"\bgo(es)? on with\b",
    "how one waits": r"\bhow one \w+s\b",
}


def test_the_patterns_find_what_they_are_for() -> None:
    examples = {
        "takes leave of": "It takes leave of the dead.",
        "to be had": "rights that are not to be had",
        "so many times": "Run the selection so many times",
        "what becomes of": "what becomes of the tests",
        "is used on": "Node X is not clean, and is used on",
        "none as a predicate": "a word that is none",
        "be the process": "Be the keeper, from its first moment to its last.",
        "for ever": "waits for ever",
        "letters of processes": "a letter box",
        "guardian": "The guardian knows",
        "left to itself": "what is under way then is left to itself",
        "is told of": "logger: is told of errors",
        "hears of": "examine: hears of errors",
        "somebody else's": "somebody else's frozen server",
        "by the book": "nodes that are free by the book",
        "keeper": "its keeper",
        "lifeline": "a lifeline",
        "buried": "dead children are buried",
        "there may be none": "ends all processes; there may be none",
        "is looked at": "What is looked at",
        "costs itself": "a test that hangs costs itself",
        "talks nonsense": "one that talks nonsense",
        "has no say": "the clock has no say in it",
        "be it": "a word, be it in upper case",
        "goes on": "it goes on with other nodes",
        "how one waits": "how one waits",
    }
    assert {name for name, text in examples.items() if re.search(IDIOMS[name], text)} == set(IDIOMS)


def _prose_of_code(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of all comments and strings of a module, with the parts of f-strings."""
    source = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, " ".join(node.value.split())


def _prose_of_page(path: Path) -> Iterator[tuple[int, str]]:
    yield from enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)


def _prose() -> Iterator[tuple[Path, int, str]]:
    for path in sorted((ROOT / "ducktape").rglob("*.py")):
        yield from ((path, line, text) for line, text in _prose_of_code(path))
    for path in [*sorted((ROOT / "docs").glob("*.rst")), *sorted(ROOT.glob("*.md"))]:
        yield from ((path, line, text) for line, text in _prose_of_page(path))


@pytest.fixture(scope="module")
def prose() -> list[tuple[Path, int, str]]:
    return list(_prose())


@pytest.mark.parametrize("idiom", IDIOMS)
def test_an_idiom_does_not_come_back(idiom: str, prose: list[tuple[Path, int, str]]) -> None:
    pattern = re.compile(IDIOMS[idiom], re.IGNORECASE)
    found = [f"{path.relative_to(ROOT)}:{line}: {text[:100]}" for path, line, text in prose if pattern.search(text)]
    assert found == []
