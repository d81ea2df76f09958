# SPDX-License-Identifier: Apache-2.0
"""Marks that say how a test is treated: how long it may take, that it is expected to fail, what it is about.

They may be written on a method and, unless they speak of one test, on a class, whose methods they then concern unless
these say otherwise themselves.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable
from typing import Any, NoReturn

from ducktape.errors import DucktapeError
from ducktape.mark._mark import F, Mark
from ducktape.utils.support.times import seconds_of

# Not `marks`: a class of users may have an attribute of that name, and its subclasses would inherit it
_ON_CLASS = "_ducktape_class_marks"
_TAG = re.compile(r"[\w\-.:/]+")
_OPERATORS = frozenset({"and", "or", "not"})  # in the expressions that choose tests by their tags


class Conduct(Mark):
    """A mark that adds to what is known of tests; of several that speak of the same thing the nearest is heard."""

    said: Any = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Conduct):
            return NotImplemented
        return super().__eq__(other) and bool(self.said == other.said)

    __hash__ = Mark.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.said!r})"


class Timeout(Conduct):
    """Limits the parts of tests for which no nearer mark gives a limit.

    Args:
        limits: seconds, or text such as ``"20m"``, by ``test``, ``setup`` and ``teardown``; ``None`` is no limit.

    Raises:
        DucktapeError: a limit is no span of time, or there is none.
    """

    def __init__(self, limits: dict[str, float | int | str | None]) -> None:
        self.said = {part: _limit(part, limit) for part, limit in limits.items() if limit is not None}
        if not self.said:
            raise DucktapeError('@timeout limits nothing: write @timeout(test="20m"), setup=… or teardown=…')

    @property
    def name(self) -> str:
        return "TIMEOUT"

    def apply(self, seed_context: Any, context_list: list[Any]) -> list[Any]:
        # Tests with the same limits share one dict, however many there are
        merged: dict[tuple[Any, ...], dict[str, float]] = {(): self.said}
        for context in context_list:
            own = context.timeouts
            context.timeouts = merged.setdefault(tuple(own.items()), {**self.said, **own})
        return context_list


class ExpectedFailure(Conduct):
    """Says why tests fail that have no reason yet.

    Args:
        reason: why.
        **kwargs: arguments of the only test that is meant; none means all.

    Raises:
        DucktapeError: the reason is no text, or an empty one.
    """

    def __init__(self, reason: str, /, **kwargs: Any) -> None:
        if not isinstance(reason, str) or not reason.strip():
            raise DucktapeError(
                f'@expected_failure needs a reason, not {_shown(reason)}: write @expected_failure("why it fails")'
            )
        self.said = reason
        self.injected_args = kwargs or None

    @property
    def name(self) -> str:
        return "EXPECTED_FAILURE"

    def apply(self, seed_context: Any, context_list: list[Any]) -> list[Any]:
        for context in context_list:
            if context.expected_failure is None and self._applies_to(context):
                context.expected_failure = self.said
        return context_list

    def _applies_to(self, context: Any) -> bool:
        return self.injected_args is None or bool(self.injected_args == context.injected_args)


class Tag(Conduct):
    """Adds words to tests by which they can be chosen.

    Args:
        words: letters, digits and ``_-.:/``.

    Raises:
        DucktapeError: a word is none, or there is none.
    """

    def __init__(self, words: tuple[str, ...]) -> None:
        if not words:
            raise DucktapeError('@tag needs a word: write @tag("slow")')
        for word in words:
            _check_tag(word)
        self.said = frozenset(words)

    @property
    def name(self) -> str:
        return "TAG"

    def apply(self, seed_context: Any, context_list: list[Any]) -> list[Any]:
        unions: dict[frozenset[str], frozenset[str]] = {}
        for context in context_list:
            context.tags = unions.setdefault(context.tags, context.tags | self.said)
        return context_list

    def __repr__(self) -> str:
        return f"{type(self).__name__}({sorted(self.said)})"


def timeout(
    *unnamed: NoReturn,
    test: float | int | str | None = None,
    setup: float | int | str | None = None,
    teardown: float | int | str | None = None,
) -> Callable[[F], F]:
    """Limit how long a test may take, or each test of a class; goes before the options of the command line.

    Args:
        test: limit of the method, as seconds or as text such as ``"90s"``, ``"20m"``, ``"2h"``.
        setup: limit of the constructor and the setup.
        teardown: limit of the teardown.

    Raises:
        DucktapeError: a limit is no span of time, or there is none.
    """
    if unnamed:
        raise DucktapeError(f'@timeout cannot tell what {_shown(unnamed[0])} limits: write @timeout(test="20m")')
    return _decorator(Timeout({"test": test, "setup": setup, "teardown": teardown}))


def expected_failure(reason: str, /, **kwargs: Any) -> Callable[[F], F]:
    """Expect a test to fail: then it counts as ignored, with the reason; if it passes after all, it counts as failed.

    Args:
        reason: why it fails.
        **kwargs: arguments of the only parametrization that is meant; none means all.

    Raises:
        DucktapeError: the reason is missing, or this is written on a class.
    """
    return _decorator(ExpectedFailure(reason, **kwargs), for_classes=False)


def tag(*words: str) -> Callable[[F], F]:
    """Give words to a test, or to each test of a class, for ``--tags``; they add up.

    Args:
        *words: letters, digits and ``_-.:/``.

    Raises:
        DucktapeError: a word has other characters, or there is none.
    """
    return _decorator(Tag(words))


def class_marks(cls: Any) -> list[Mark]:
    """Return the marks that are written on a class and on its parents, the nearest one first.

    Args:
        cls: a class; anything else has none.
    """
    return [mark for parent in getattr(cls, "__mro__", ()) for mark in vars(parent).get(_ON_CLASS, ())]


def _decorator(mark: Conduct, *, for_classes: bool = True) -> Callable[[F], F]:
    def decorate(target: F) -> F:
        if not isinstance(target, type):
            Mark.mark(target, mark)
            return target
        if not for_classes:
            spelled = mark.name.lower()
            raise DucktapeError(f"@{spelled} is written on methods, and {target.__name__} is a class")
        setattr(target, _ON_CLASS, [*vars(target).get(_ON_CLASS, ()), mark])
        return target

    return decorate


def _limit(part: str, value: float | int | str) -> float:
    try:
        return seconds_of(value)
    except ValueError as e:
        raise DucktapeError(f"Wrong limit of {part} in @timeout: {e}") from None


def _check_tag(word: object) -> None:
    if not isinstance(word, str) or not _TAG.fullmatch(word):
        raise DucktapeError(
            f"Wrong word in @tag: {_shown(word)} (use letters, digits and _-.:/ in words, and no others)"
        )
    if word in _OPERATORS:
        raise DucktapeError(f"Wrong word in @tag: {_shown(word)} has a meaning of its own in --tags")


def _shown(value: object) -> str:
    """Return a value as it may stand in a message of one line."""
    name = getattr(value, "__qualname__", None) if callable(value) else None
    return f"the function {name}" if isinstance(name, str) else reprlib.repr(value)
