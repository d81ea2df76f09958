# SPDX-License-Identifier: Apache-2.0
"""Small helpers, mainly for waiting."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any

from ducktape import __version__
from ducktape.errors import TimeoutError
from ducktape.utils.support.guard import value_or
from ducktape.utils.support.hooks import HookError, answer_of

__all__ = ["TimeoutError", "ducktape_version", "load_function", "package_is_installed", "wait_until"]


def wait_until(
    condition: Callable[[], object],
    timeout_sec: float,
    backoff_sec: float = 0.1,
    err_msg: object = "",
    retry_on_exc: bool = False,
) -> None:
    """Block until a condition holds.

    The timeout is checked before each attempt: a running attempt is never interrupted, and a late success counts.

    Args:
        condition: called without arguments; a true result means success.
        timeout_sec: seconds after which no further attempt is made; with zero or less there is no attempt at all.
        backoff_sec: seconds between two attempts.
        err_msg: message of the error, or a function without arguments that returns it, called only when needed.
        retry_on_exc: whether an ``Exception`` in the condition counts as failed attempt instead of propagating.

    Raises:
        TimeoutError: the framework's, caused by the exception of the last attempt if that one raised.
    """
    deadline = time.monotonic() + timeout_sec
    last_exception: Exception | None = None
    while time.monotonic() < deadline:
        last_exception = None
        try:
            if answer_of(condition):
                return
        except HookError:
            raise
        except Exception as error:
            if not retry_on_exc:
                raise
            last_exception = error
        time.sleep(backoff_sec)
    raise TimeoutError(answer_of(err_msg) if callable(err_msg) else err_msg) from last_exception


def package_is_installed(package_name: str) -> bool:
    """Return whether a package can be imported, by importing it."""
    # A package that fails to import is as good as missing
    return value_or(None, importlib.import_module, package_name) is not None


def ducktape_version() -> str:
    """Return the version of this framework."""
    return __version__


def load_function(func_module_path: str) -> Callable[..., Any]:
    """Import a function or class by its dotted name.

    Args:
        func_module_path: ``package.module.function``.

    Returns:
        The function or class.

    Raises:
        ModuleNotFoundError: there is no such module.
        ValueError: the name contains no module.
        Exception: the module has no such attribute, or it cannot be called.
    """
    module_name, _, function_name = func_module_path.rpartition(".")
    if not module_name or not function_name:
        raise ValueError(f"'{func_module_path}' names no function in a module: write it as package.module.function")
    module = importlib.import_module(module_name)
    try:
        function = getattr(module, function_name)
    except AttributeError:
        raise Exception(
            f"Function could not be loaded from the module path {func_module_path}, verify that it is '.' seperated"
        ) from None
    if not callable(function):
        raise Exception(f"Function {function_name} from module {module_name} is not callable")
    loaded: Callable[..., Any] = function
    return loaded
