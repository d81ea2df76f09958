# SPDX-License-Identifier: Apache-2.0
"""Expressions that select tests: words with ``and``, ``or``, ``not`` and parentheses.

``not`` binds closest, then ``and``, then ``or``. What a word means is up to who asks: a part of the test id for ``-k``,
a whole tag for ``--tags``.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ducktape.tests.loading.selection import unique
from ducktape.tests.test_context import TestContext, _escape_pathname

UNTAGGED = "(untagged)"

_TOKEN = re.compile(r"""\s*(?:(?P<bare>[\w.\-:/=]+)|(?P<sign>[()])|"(?P<double>[^"]+)"|'(?P<single>[^']+)')""")
_BARE = re.compile(r"[\w.\-:/=]+")
_OPERATORS = frozenset({"and", "or", "not"})
_NEVER_IN_ARGUMENTS = re.compile(r"[^.\-=\w]")
_DEEPEST = 50  # far from what Python's stack takes, and from what anybody could read


class ExpressionError(ValueError):
    """An expression cannot be understood; the message is one line with the position."""


class Expression(ABC):
    """A condition on tests; made by :meth:`parse`, and back into text by ``str()``."""

    @staticmethod
    def parse(text: str) -> Expression:
        """Read an expression, in which words of more than letters, digits and ``_.-:/=`` stand in quotes."""
        return _Parser(text).parsed()

    def matches(self, test_id: str) -> bool:
        """Return whether the id of a test fulfils the expression, its words being parts of the id in any case."""
        folded = test_id.casefold()
        return self._holds(lambda word: any(spelling in folded for spelling in word.spellings))

    def matches_tags(self, tags: Collection[str]) -> bool:
        """Return whether the tags of a test fulfil the expression, its words being whole tags."""
        return self._holds(lambda word: word.text in tags)

    @abstractmethod
    def _holds(self, word_holds: Callable[[Word], bool]) -> bool:
        """Return whether it is fulfilled, given a predicate of words."""


@dataclass(frozen=True)
class Word(Expression):
    """One word."""

    text: str

    @cached_property
    def spellings(self) -> tuple[str, ...]:
        """Spellings of the word in ids: unchanged, and as in the arguments of tests."""
        folded = self.text.casefold()
        escaped = _escape_pathname(folded)
        return (folded, escaped) if escaped and _NEVER_IN_ARGUMENTS.search(folded) else (folded,)

    def _holds(self, word_holds: Callable[[Word], bool]) -> bool:
        return word_holds(self)

    def __str__(self) -> str:
        if _BARE.fullmatch(self.text) and self.text not in _OPERATORS:
            return self.text
        return f"'{self.text}'" if '"' in self.text else f'"{self.text}"'


@dataclass(frozen=True)
class Not(Expression):
    """The opposite."""

    operand: Expression

    def _holds(self, word_holds: Callable[[Word], bool]) -> bool:
        return not self.operand._holds(word_holds)

    def __str__(self) -> str:
        return f"not {_grouped(self.operand, (And, Or))}"


@dataclass(frozen=True)
class And(Expression):
    """All of several."""

    operands: tuple[Expression, ...]

    def _holds(self, word_holds: Callable[[Word], bool]) -> bool:
        return all(operand._holds(word_holds) for operand in self.operands)

    def __str__(self) -> str:
        return " and ".join(_grouped(operand, (And, Or)) for operand in self.operands)


@dataclass(frozen=True)
class Or(Expression):
    """At least one of several."""

    operands: tuple[Expression, ...]

    def _holds(self, word_holds: Callable[[Word], bool]) -> bool:
        return any(operand._holds(word_holds) for operand in self.operands)

    def __str__(self) -> str:
        return " or ".join(_grouped(operand, (Or,)) for operand in self.operands)


def _grouped(operand: Expression, looser: tuple[type[Expression], ...]) -> str:
    return f"({operand})" if isinstance(operand, looser) else str(operand)


def select(
    contexts: Iterable[TestContext], *, keyword: Expression | None = None, tags: Expression | None = None
) -> list[TestContext]:
    """Return the tests that fulfil both expressions, in their order."""
    return [
        context
        for context in contexts
        if (keyword is None or keyword.matches(context.test_id)) and (tags is None or tags.matches_tags(context.tags))
    ]


def tag_counts(contexts: Iterable[TestContext]) -> list[tuple[str, int]]:
    """Return the number of tests of each tag, sorted by tag; those without tags come last, as ``(untagged)``."""
    tests = unique(contexts)
    counts = Counter(tag for test in tests for tag in test.tags)
    untagged = sum(not test.tags for test in tests)
    return sorted(counts.items()) + [(UNTAGGED, untagged)] * bool(untagged)


class _Token(NamedTuple):
    """A piece of an expression: a ``word`` without its quotes, an operator, a parenthesis, or its ``end``."""

    kind: str
    text: str
    start: int


class _Parser:
    """Reads one expression from its left to its right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._tokenized())
        self._next = 0

    def parsed(self) -> Expression:
        if self._ahead.kind == "end":
            raise ExpressionError("The expression is empty")
        expression = self._any_of(0)
        if self._ahead.kind != "end":
            raise self._expected('"and", "or" or its end')
        return expression

    @property
    def _ahead(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, kind: str) -> bool:
        if self._ahead.kind != kind:
            return False
        self._next += 1
        return True

    def _any_of(self, depth: int) -> Expression:
        operands = [self._all_of(depth)]
        while self._take("or"):
            operands.append(self._all_of(depth))
        return operands[0] if len(operands) == 1 else Or(tuple(operands))

    def _all_of(self, depth: int) -> Expression:
        operands = [self._single(depth)]
        while self._take("and"):
            operands.append(self._single(depth))
        return operands[0] if len(operands) == 1 else And(tuple(operands))

    def _single(self, depth: int) -> Expression:
        if depth > _DEEPEST:
            place = f"at character {self._ahead.start + 1}"
            raise self._error(f"more than {_DEEPEST} levels of parentheses and negations {place}")
        if self._take("not"):
            return Not(self._single(depth + 1))
        if self._take("("):
            expression = self._any_of(depth + 1)
            if not self._take(")"):
                raise self._expected('"and", "or" or ")"')
            return expression
        word = self._ahead
        if not self._take("word"):
            raise self._expected('a word, "not" or "("')
        return Word(word.text)

    def _tokenized(self) -> Iterator[_Token]:
        position = 0
        end = len(self._text.rstrip())
        while position < end:
            match = _TOKEN.match(self._text, position)
            if match is None:
                raise self._unreadable(position)
            kind = match.lastgroup
            assert kind is not None  # every alternative has a name
            text = match[kind]
            if kind == "sign" or (kind == "bare" and text in _OPERATORS):
                yield _Token(text, text, match.start(kind))
            else:
                quotes = int(kind != "bare")
                yield _Token("word", text, match.start(kind) - quotes)
            position = match.end()
        yield _Token("end", "", end)

    def _unreadable(self, position: int) -> ExpressionError:
        position = len(self._text) - len(self._text[position:].lstrip())
        character = self._text[position]
        place = f"at character {position + 1}"
        if self._text.startswith(("''", '""'), position):
            return self._error(f"the word {place} is empty")
        if character in "'\"":
            return self._error(f"the quote {character} {place} is not closed")
        return self._error(f"a word with {character!r}, {place}, has to stand in quotes")

    def _expected(self, what: str) -> ExpressionError:
        token = self._ahead
        if token.kind == "end":
            return self._error(f"{what} is missing at its end")
        trouble = f"expected {what} at character {token.start + 1}, found {token.text!r}"
        if token.text not in _OPERATORS and token.text.lower() in _OPERATORS:
            trouble += " (write and, or, not in lower case)"
        return self._error(trouble)

    def _error(self, trouble: str) -> ExpressionError:
        return ExpressionError(f"Cannot understand {self._text!r}: {trouble}")
