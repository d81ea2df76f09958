# SPDX-License-Identifier: Apache-2.0
"""Calls functions of users, and detects calls that did not run their body.

A call of a function with ``async`` or ``yield``, or with ``contextlib.contextmanager``, only returns an object. If that
is ignored, the body never runs; if it is used as a condition, it is always true.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import partial
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from ducktape.errors import DucktapeError

P = ParamSpec("P")
T = TypeVar("T")

if TYPE_CHECKING:
    _Generator = GeneratorType[object, None, object]
    _Body = _Generator | CoroutineType[object, None, object] | AsyncGeneratorType[object, None]


class HookError(DucktapeError):
    """A function of users cannot be called as a plain function."""


def called(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a hook for its effect; raises ``HookError`` if its own body did not run."""
    result = not_async(function, function(*args, **kwargs))
    body = _body_in(result)
    if isinstance(body, GeneratorType):
        # Behind a decorator without functools.wraps, the attribute still has the name of the body
        name = body.gi_code.co_name
        if name == name_of(function).rpartition(".")[2] or (
            getattr(getattr(function, "__self__", None), name, None) == function
        ):
            raise _generator_error(function, body)
    return result


def answer_of(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a hook or callback for its result; raises ``HookError`` for objects that always count as true."""
    result = not_async(function, function(*args, **kwargs))
    body = _body_in(result)
    if isinstance(body, GeneratorType):
        raise _generator_error(function, body)
    if isinstance(result, (map, filter)):
        raise HookError(
            f"{name_of(function)} returned a {type(result).__name__} object, which always counts as true: use any() or "
            "all()"
        )
    if inspect.isawaitable(result):
        raise HookError(f"{name_of(function)} returned {type(result).__qualname__}, which has to be awaited: {_WHY}")
    return result


def not_async(function: Callable[..., object], result: T) -> T:
    """Return the result of a hook; raises ``HookError`` for a coroutine that was not started, or an async generator."""
    body = _body_in(result)
    if isinstance(body, AsyncGeneratorType) or (
        isinstance(body, CoroutineType) and inspect.getcoroutinestate(body) == inspect.CORO_CREATED
    ):
        if isinstance(body, CoroutineType):
            body.close()  # or Python would say that it was never awaited
        raise HookError(f"{_name_with_origin(function, body)} is async: {_WHY}")
    return result


_WHY = "ducktape calls it as a plain function, so its body never ran. Make it a plain function (asyncio.run() helps)"


def name_of(function: object) -> str:
    """Return module and name of a callable."""
    while isinstance(function, partial):
        function = function.func
    if not hasattr(function, "__qualname__"):
        function = type(function)
    return f"{getattr(function, '__module__', None) or '?'}.{function.__qualname__}"


def _body_in(result: object) -> object:
    """Return the generator inside a context manager of contextlib; any other value unchanged."""
    if isinstance(result, (AbstractContextManager, AbstractAsyncContextManager)):
        body = getattr(result, "gen", None)
        if isinstance(body, (GeneratorType, AsyncGeneratorType)):
            return body
    return result


def _generator_error(function: object, result: _Generator) -> HookError:
    result.close()
    return HookError(
        f"{_name_with_origin(function, result)} contains 'yield': ducktape calls it as a plain function, which makes a "
        "generator, so its body never ran. Take the yield out"
    )


def _name_with_origin(function: object, result: _Body) -> str:
    """Name a function and, if it only returns the object of another one, that one."""
    name, origin = name_of(function), result.__qualname__
    return name if name.endswith(origin) else f"{origin}, called by {name},"
