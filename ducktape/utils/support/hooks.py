# SPDX-License-Identifier: Apache-2.0
"""Calling what users have written, and noticing when the call ran nothing of it.

A function with ``async`` or ``yield`` only returns an object when it is called, and so does one that
``contextlib.contextmanager`` decorates. Where nobody looks at that object the body never runs, and where somebody asks
whether it is true, it is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import partial
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, ParamSpec, TypeVar

from ducktape.errors import DucktapeError

P = ParamSpec("P")
T = TypeVar("T")


class HookError(DucktapeError):
    """A function that ducktape was to call cannot be called as a plain function."""


def called(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a hook for what it does; it may return anything, also a generator, unless that is its own body.

    Raises:
        HookError: nothing of its body ran.
    """
    result = not_async(function, function(*args, **kwargs))
    body = _body_in(result)
    if isinstance(body, GeneratorType) and _is_body_of(function, body):
        raise _generator_error(function, body)
    return result


def answer_of(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a hook or callback for its answer, which is neither a generator nor something to be awaited.

    Raises:
        HookError: it is one of these, which would always count as true.
    """
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


def not_async(function: Callable[..., Any], result: T) -> T:
    """Return the result of a hook or callback, which is no coroutine that nobody started, and no such generator.

    Raises:
        HookError: it is one of these.
    """
    body = _body_in(result)
    if isinstance(body, AsyncGeneratorType) or (
        isinstance(body, CoroutineType) and inspect.getcoroutinestate(body) == inspect.CORO_CREATED
    ):
        if isinstance(body, CoroutineType):
            body.close()  # or Python would say that it was never awaited
        raise HookError(f"{_name_with_origin(function, body)} is async: {_WHY}")
    return result


_WHY = "ducktape calls it as a plain function, so its body never ran. Make it a plain function (asyncio.run() helps)"


def name_of(function: Any) -> str:
    """Module and name of something that can be called."""
    while isinstance(function, partial):
        function = function.func
    if not hasattr(function, "__qualname__"):
        function = type(function)
    return f"{getattr(function, '__module__', None) or '?'}.{function.__qualname__}"


def _body_in(result: Any) -> Any:
    """The generator that waits in a context manager of contextlib; anything else as it is."""
    if isinstance(result, (AbstractContextManager, AbstractAsyncContextManager)):
        body = getattr(result, "gen", None)
        if isinstance(body, (GeneratorType, AsyncGeneratorType)):
            return body
    return result


def _generator_error(function: Any, result: GeneratorType[Any, Any, Any]) -> HookError:
    result.close()
    return HookError(
        f"{_name_with_origin(function, result)} contains 'yield': ducktape calls it as a plain function, which makes a "
        "generator, so its body never ran. Take the yield out"
    )


def _name_with_origin(function: Any, result: Any) -> str:
    """Name a function and, if it only passes on what another one made, that one."""
    name, origin = name_of(function), result.__qualname__
    return name if name.endswith(origin) else f"{origin}, called by {name},"


def _is_body_of(function: Any, generator: GeneratorType[Any, Any, Any]) -> bool:
    """Whether a generator is the body of a hook, perhaps behind decorators or in a base class."""
    name = generator.gi_code.co_name
    if name == name_of(function).rpartition(".")[2]:
        return True
    # A decorator without functools.wraps has a name of its own; the hook is still called by that of its body
    return bool(getattr(getattr(function, "__self__", None), name, None) == function)
