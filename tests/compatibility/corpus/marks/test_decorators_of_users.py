# SPDX-License-Identifier: Apache-2.0
"""Decorators of users that wrap a marked test and carry its marks over."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ducktape.mark import ignore, matrix, parametrize
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test


def by_attributes(function: Any) -> Any:
    def wrapped(self: Test, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    wrapped.__name__ = function.__name__
    wrapped.marks = function.marks  # type: ignore[attr-defined]
    wrapped.mark_names = function.mark_names  # type: ignore[attr-defined]
    return wrapped


def by_dict(function: Any) -> Any:
    def wrapper(self: Test, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    wrapper.__dict__.update(**function.__dict__)
    wrapper.__name__ = function.__name__
    return wrapper


def by_wraps(function: Any) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(self: Test, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    return wrapper


def forgets_the_marks(function: Any) -> Any:
    def wrapper(self: Test, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    wrapper.__name__ = function.__name__
    return wrapper


def forgets_the_name(function: Any) -> Any:
    def wrapper(self: Test, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    return wrapper


class DecoratedTest(Test):
    @by_attributes
    @cluster(num_nodes=2)
    @matrix(x=[1, 2])
    def test_by_attributes(self, x: int) -> None:
        pass

    @parametrize(x=3)
    @by_attributes
    @parametrize(x=1)
    def test_shared_by_reference(self, x: int) -> None:
        pass

    @by_dict
    @ignore
    @parametrize(x=1)
    def test_by_dict(self, x: int) -> None:
        pass

    @parametrize(x=3)
    @by_wraps
    @cluster(num_nodes=2)
    @parametrize(x=1)
    def test_by_wraps(self, x: int) -> None:
        pass

    @forgets_the_marks
    @matrix(x=[1, 2])
    def test_without_marks(self, x: int = 0) -> None:
        pass

    @forgets_the_name
    def test_without_its_name(self) -> None:
        pass
