# SPDX-License-Identifier: Apache-2.0
"""Marks: attached to functions by decorators, and applied to the tests of the function.

They are stored in the function's ``__dict__`` as a list ``marks`` and a set ``mark_names``. Decorators of users copy
both from the wrapped function, sometimes by reference, so their names and types are fixed.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar, overload

from ducktape.errors import DucktapeError
from ducktape.mark.support.calling import takes_keywords
from ducktape.utils.support.stable_text import in_stable_order

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")


class MarkedTest(Protocol):
    """What marks need of the context of a test; see :class:`ducktape.tests.test_context.TestContext`."""

    function: Callable[..., object]
    injected_args: Mapping[str, object] | None
    ignore: bool
    cluster_use_metadata: dict[str, object]
    timeouts: Mapping[str, float]
    expected_failure: str | None
    tags: frozenset[str]
    allowed_logs: tuple[str, ...]

    def copy(self: T, **kwargs: object) -> T:
        """Return a context with other attributes."""


T = TypeVar("T", bound=MarkedTest)


class Mark:
    """Base class of marks; subclasses override :attr:`name` and :meth:`apply`."""

    # Marks without arguments compare by None
    injected_args: Mapping[str, object] | None = None

    @staticmethod
    def mark(fun: Any, mark: Mark) -> None:
        """Attach a mark to a function.

        Args:
            fun: the function; it gets the attributes ``marks`` and ``mark_names``.
            mark: applied after all existing marks of the function.
        """
        own = vars(fun)
        if "marks" not in own:
            fun.marks = []
        if "mark_names" not in own:
            # Decorators may copy only the list
            fun.mark_names = {each.name for each in fun.marks}
        fun.marks.append(mark)
        fun.mark_names.add(mark.name)

    @staticmethod
    def marked(f: object, mark: Mark) -> bool:
        """Return whether a function carries a mark of the same name; ``False`` for ``None``."""
        return f is not None and mark.name in _mark_names(f)

    @staticmethod
    def clear_marks(f: Any) -> None:
        """Remove every mark of a function."""
        for attribute in ("marks", "mark_names"):
            if attribute in vars(f):
                delattr(f, attribute)

    @property
    def name(self) -> str:
        """Identifies marks of this kind."""
        return "MARK"

    def apply(self, seed_context: Any, context_list: list[Any]) -> list[Any]:
        """Apply this mark and return the resulting tests.

        Args:
            seed_context: context of the method without arguments, to be copied.
            context_list: the tests created by the decorators below.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say what it does to tests: override apply()")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mark):
            return NotImplemented
        if not (isinstance(other, type(self)) or isinstance(self, type(other))):
            return False
        return self.name == other.name and self.injected_args == other.injected_args

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.injected_args})"


class Parametrize(Mark):
    """One test with the given arguments."""

    name = "PARAMETRIZE"
    injected_args: dict[str, object]

    def __init__(self, **kwargs: object) -> None:
        self.injected_args = kwargs

    def apply(self, seed_context: T, context_list: list[T]) -> list[T]:
        context_list.insert(0, _with_arguments(seed_context, dict(self.injected_args)))
        return context_list


class Matrix(Mark):
    """One test for each combination of the given values."""

    name = "MATRIX"
    injected_args: dict[str, Iterable[object]]

    def __init__(self, **kwargs: Iterable[object]) -> None:
        self.injected_args = _materialised("matrix", kwargs)

    def apply(self, seed_context: T, context_list: list[T]) -> list[T]:
        combinations = cartesian_product_dict(self.injected_args)
        if not combinations:
            # An empty list gives an ignored test, rather than none, which nobody would notice
            context_list.insert(0, seed_context.copy(ignore=True))
            return context_list
        context_list[:0] = [_with_arguments(seed_context, arguments) for arguments in reversed(combinations)]
        return context_list


class Defaults(Mark):
    """Values for arguments without a value in the parametrizations below."""

    name = "DEFAULTS"
    injected_args: dict[str, Iterable[object]]

    def __init__(self, **kwargs: Iterable[object]) -> None:
        self.injected_args = _materialised("defaults", kwargs)

    def apply(self, seed_context: T, context_list: list[T]) -> list[T]:
        if not context_list:
            return Matrix(**self.injected_args).apply(seed_context, context_list)
        completed = []
        for context in context_list:
            given = context.injected_args
            # The ignored test of an empty matrix has no arguments
            missing = {} if given is None else {key: v for key, v in self.injected_args.items() if key not in given}
            if given is None or not missing:
                completed.append(context)
                continue
            combinations = cartesian_product_dict(missing)
            if not combinations:
                context.ignore = True
                completed.append(context)
            for combination in combinations:
                arguments = {**combination, **given}
                # With everything that the marks below have set
                new = context.copy(
                    function=_inject(**arguments)(seed_context.function),
                    injected_args=arguments,
                    cluster_use_metadata=context.cluster_use_metadata,
                )
                completed.append(new)
        completed.reverse()
        return completed


class Ignore(Mark):
    """Skips the test with exactly the given arguments."""

    name = "IGNORE"

    def __init__(self, **kwargs: object) -> None:
        self.injected_args = kwargs

    def apply(self, seed_context: T, context_list: list[T]) -> list[T]:
        assert context_list, "ignore annotation is not being applied to any test cases"
        for context in context_list:
            context.ignore = context.ignore or self._applies_to(context)
        return context_list

    def _applies_to(self, context: MarkedTest) -> bool:
        return bool(self.injected_args == context.injected_args)


class IgnoreAll(Ignore):
    """Skips all tests of the decorators below."""

    def __init__(self) -> None:
        super().__init__()
        self.injected_args = None

    def _applies_to(self, context: MarkedTest) -> bool:
        return True


class Env(Mark):
    """Skips all tests below unless the environment variables have the given values when the decorator runs."""

    name = "ENV"

    def __init__(self, **kwargs: object) -> None:
        self.injected_args = kwargs
        # The values may define their own comparison, as right operands
        self.should_ignore = any(os.environ.get(key) != value for key, value in kwargs.items())

    def apply(self, seed_context: T, context_list: list[T]) -> list[T]:
        for context in context_list:
            context.ignore = context.ignore or self.should_ignore
        return context_list


def parametrized(f: object) -> bool:
    """Return whether a function has arguments to inject: ``@parametrize``, ``@matrix`` or ``@defaults``."""
    return f is not None and not _PARAMETRIZING.isdisjoint(_mark_names(f))


def ignored(f: object) -> bool:
    """Return whether a function carries ``@ignore``."""
    return Mark.marked(f, IGNORE)


def is_env(f: object) -> bool:
    """Return whether a function carries ``@env``."""
    return Mark.marked(f, ENV)


@takes_keywords("size=3")
def parametrize(**kwargs: object) -> Callable[[F], F]:
    """Run a test with the given arguments; each further ``@parametrize`` adds a test.

    Args:
        **kwargs: arguments of the method.
    """
    return _decorator(Parametrize(**kwargs))


@takes_keywords("size=[1, 3]")
def matrix(**kwargs: Iterable[object]) -> Callable[[F], F]:
    """Run a test with each combination of the given values.

    Args:
        **kwargs: for each argument of the method an iterable of values. If one is empty there is one ignored test.

    Raises:
        DucktapeError: a value is not iterable.
    """
    return _decorator(Matrix(**kwargs))


@takes_keywords("size=[1, 3]")
def defaults(**kwargs: Iterable[object]) -> Callable[[F], F]:
    """Add values for arguments that the decorators below do not set.

    Args:
        **kwargs: for each argument of the method an iterable of values.

    Raises:
        DucktapeError: a value is not iterable.
    """
    return _decorator(Defaults(**kwargs))


@overload
def ignore(function: F, /) -> F: ...
@overload
def ignore(reason: str, /, **kwargs: object) -> Callable[[F], F]: ...
@overload
def ignore(first: object, second: object, /, *more: object, **kwargs: object) -> Callable[[F], F]: ...
@overload
def ignore(**kwargs: object) -> Callable[[F], F]: ...
def ignore(*args: Any, **kwargs: object) -> object:
    """Skip all tests of the decorators below, or only the one with exactly the given arguments.

    Args:
        *args: the function when used without parentheses; anything else has no effect.
        **kwargs: arguments of the parametrization to skip; all if empty.
    """
    if len(args) == 1 and not kwargs and callable(args[0]):
        Mark.mark(args[0], IgnoreAll())
        return args[0]
    return _decorator(Ignore(**kwargs) if kwargs else IgnoreAll())


@takes_keywords('NAME="value"')
def env(**kwargs: object) -> Callable[[F], F]:
    """Skip all tests below unless every environment variable has the given value.

    Args:
        **kwargs: values by name of the variable.
    """
    return _decorator(Env(**kwargs))


def cartesian_product_dict(d: Mapping[str, Iterable[R]]) -> list[dict[str, R]]:
    """Return all combinations of the values for each key, with the last key varying fastest."""
    return [dict(zip(d, values, strict=True)) for values in itertools.product(*d.values())]


def _decorator(mark: Mark) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        Mark.mark(function, mark)
        return function

    return decorate


def _mark_names(f: object) -> Iterable[str]:
    names: Iterable[str] | None = getattr(f, "mark_names", None)
    return {mark.name for mark in getattr(f, "marks", ())} if names is None else names


def _is_parametrize_mark(m: Mark) -> bool:
    """Return whether a mark creates tests; marks of users may have the name of a built-in one."""
    return m.name in _PARAMETRIZING


def _inject(*args: object, **kwargs: object) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Return a factory of functions that are called with the given arguments in addition."""

    def injector(f: Callable[..., R]) -> Callable[..., R]:
        @functools.wraps(f)
        def wrapper(*call_args: object, **call_kwargs: object) -> R:
            return f(*args, *call_args, **{**kwargs, **call_kwargs})

        vars(wrapper).update(args=args, kwargs=kwargs, function=f)
        return wrapper

    return injector


def _with_arguments(seed_context: T, arguments: dict[str, object]) -> T:
    function = _inject(**arguments)(seed_context.function)
    return seed_context.copy(function=function, injected_args=arguments)


def _materialised(decorator: str, values: Mapping[str, Iterable[object]]) -> dict[str, Iterable[object]]:
    """Check that all values are iterable, and store the items of iterators."""
    kept: dict[str, Iterable[object]] = {}
    for key, value in values.items():
        try:
            iterator = iter(value)
        except TypeError:
            raise DucktapeError(
                f"Expected all values in @{decorator} decorator to be iterable: {key}={value!r} is not"
            ) from None
        if isinstance(value, (set, frozenset)):
            kept[key] = in_stable_order(value)
        else:
            kept[key] = list(iterator) if iterator is value else value
    return kept


PARAMETRIZED = Parametrize()
MATRIX = Matrix()
DEFAULTS = Defaults()
IGNORE = Ignore()
ENV = Env()

_PARAMETRIZING = frozenset({PARAMETRIZED.name, MATRIX.name, DEFAULTS.name})
