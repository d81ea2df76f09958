# SPDX-License-Identifier: Apache-2.0
"""Marks for policies: time limits, expected failures, tags, and lines that logs may contain.

They apply to a method or, except for expected failures, to a class, whose methods may override them.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable

from ducktape.errors import DucktapeError
from ducktape.mark._mark import F, Mark, MarkedTest, T
from ducktape.mark.support.calling import takes_keywords
from ducktape.utils.support.times import seconds_of

# Not `marks`, which classes of users may have and inherit
_ON_CLASS = "_ducktape_class_marks"
_TAG = re.compile(r"[\w\-.:/]+")
_OPERATORS = frozenset({"and", "or", "not"})  # operators in expressions of tags


class Policy(Mark):
    """Base class of policies; the nearest of several wins."""

    said: object = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Policy):
            return NotImplemented
        return super().__eq__(other) and bool(self.said == other.said)

    __hash__ = Mark.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.said!r})"


class Timeout(Policy):
    """Sets time limits for the phases ``test``, ``setup`` and ``teardown`` without a limit by a nearer mark."""

    name = "TIMEOUT"
    said: dict[str, float]

    def __init__(self, limits: dict[str, float | int | str | None]) -> None:
        self.said = {}
        for part, limit in limits.items():
            if limit is None:
                continue
            try:
                self.said[part] = seconds_of(limit)
            except ValueError as e:
                raise DucktapeError(f"Wrong limit of {part} in @timeout: {e}") from None
        if not self.said:
            raise DucktapeError('@timeout limits nothing: write @timeout(test="20m"), setup=… or teardown=…')

    def apply(self, seed_context: T, context_list: list[T]) -> list[T]:
        # Tests with the same limits share one dict
        merged: dict[tuple[tuple[str, float], ...], dict[str, float]] = {(): self.said}
        for context in context_list:
            own = context.timeouts
            context.timeouts = merged.setdefault(tuple(own.items()), {**self.said, **own})
        return context_list


class ExpectedFailure(Policy):
    """Marks all tests, or the one with exactly the given arguments, as expected to fail."""

    name = "EXPECTED_FAILURE"
    said: str

    def __init__(self, reason: str, /, **kwargs: object) -> None:
        if not isinstance(reason, str) or not reason.strip():
            raise DucktapeError(
                f'@expected_failure needs a reason, not {_shown(reason)}: write @expected_failure("why it fails")'
            )
        self.said = reason
        self.injected_args = kwargs or None

    def apply(self, seed_context: T, context_list: list[T]) -> list[T]:
        for context in context_list:
            if context.expected_failure is None and self._applies_to(context):
                context.expected_failure = self.said
        return context_list

    def _applies_to(self, context: MarkedTest) -> bool:
        return self.injected_args is None or bool(self.injected_args == context.injected_args)


class Tag(Policy):
    """Adds tags to tests."""

    name = "TAG"
    said: frozenset[str]

    def __init__(self, words: tuple[str, ...]) -> None:
        if not words:
            raise DucktapeError('@tag needs a word: write @tag("slow")')
        for word in words:
            if not isinstance(word, str) or not _TAG.fullmatch(word):
                raise DucktapeError(
                    f"Wrong word in @tag: {_shown(word)} (use letters, digits and _-.:/ in words, and no others)"
                )
            if word in _OPERATORS:
                raise DucktapeError(f"Wrong word in @tag: {_shown(word)} has a meaning of its own in --tags")
        self.said = frozenset(words)

    def apply(self, seed_context: T, context_list: list[T]) -> list[T]:
        unions: dict[frozenset[str], frozenset[str]] = {}
        for context in context_list:
            context.tags = unions.setdefault(context.tags, context.tags | self.said)
        return context_list

    def __repr__(self) -> str:
        return f"{type(self).__name__}({sorted(self.said)})"


class AllowLogs(Policy):
    """Adds patterns of lines that no rule for logs forbids in tests."""

    name = "ALLOW_LOGS"
    said: tuple[str, ...]

    def __init__(self, patterns: tuple[str, ...]) -> None:
        if not patterns:
            raise DucktapeError('@allow_logs needs a regular expression: write @allow_logs("connection refused")')
        for pattern in patterns:
            if not isinstance(pattern, str):
                raise DucktapeError(f"Wrong pattern in @allow_logs: {_shown(pattern)} is not text")
            try:
                re.compile(pattern)
            except (re.error, OverflowError, RecursionError) as error:
                raise DucktapeError(f"Wrong pattern in @allow_logs: {_shown(pattern)}: {error}") from None
        self.said = patterns

    def apply(self, seed_context: T, context_list: list[T]) -> list[T]:
        for context in context_list:
            context.allowed_logs = (*context.allowed_logs, *self.said)
        return context_list


@takes_keywords('test="20m"', known=("test", "setup", "teardown"))
def timeout(
    *,
    test: float | int | str | None = None,
    setup: float | int | str | None = None,
    teardown: float | int | str | None = None,
) -> Callable[[F], F]:
    """Set time limits for a test, or for each test of a class; overrides the options of the command line.

    Args:
        test: limit of the method, as seconds or as text such as ``"90s"``, ``"20m"``, ``"2h"``.
        setup: limit of the constructor and the setup.
        teardown: limit of the teardown.

    Raises:
        DucktapeError: a limit is invalid, or there is none.
    """
    return _decorator(Timeout({"test": test, "setup": setup, "teardown": teardown}))


def expected_failure(reason: str, /, **kwargs: object) -> Callable[[F], F]:
    """Expect a test to fail: a failure is reported as ignored with the reason, and a pass as failed.

    Args:
        reason: why it fails.
        **kwargs: arguments of a single parametrization; all if empty.

    Raises:
        DucktapeError: the reason is missing, or the target is a class.
    """
    return _decorator(ExpectedFailure(reason, **kwargs), for_classes=False)


def tag(*words: str) -> Callable[[F], F]:
    """Add tags to a test, or to each test of a class, for ``--tags``.

    Args:
        *words: the tags, of letters, digits and ``_-.:/``.

    Raises:
        DucktapeError: a tag is invalid, or there is none.
    """
    return _decorator(Tag(words))


def allow_logs(*patterns: str) -> Callable[[F], F]:
    """Accept lines in the logs of services, although a rule forbids them, in a test or in each test of a class.

    Args:
        *patterns: regular expressions, searched anywhere in a line.

    Raises:
        DucktapeError: an expression is invalid, or there are no expressions.
    """
    return _decorator(AllowLogs(patterns))


def class_marks(cls: object) -> list[Mark]:
    """Return the marks of a class and its parents, the nearest one first; empty for other objects."""
    return [mark for parent in getattr(cls, "__mro__", ()) for mark in vars(parent).get(_ON_CLASS, ())]


def _decorator(mark: Policy, *, for_classes: bool = True) -> Callable[[F], F]:
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


def _shown(value: object) -> str:
    """Return a value as text of one line."""
    name = getattr(value, "__qualname__", None) if callable(value) else None
    return f"the function {name}" if isinstance(name, str) else reprlib.repr(value)
