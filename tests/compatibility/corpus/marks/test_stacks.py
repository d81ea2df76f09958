# SPDX-License-Identifier: Apache-2.0
"""One test method for every order of up to three of the six decorators, and for some orders of all six."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from ducktape.mark import defaults, env, ignore, matrix, parametrize
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test

_MARKS: dict[str, Callable[[Any], Any]] = {
    "parametrize": parametrize(x=1),
    "matrix": matrix(x=[2, 3]),
    "defaults": defaults(y=[4, 5]),
    "ignore": ignore,
    "env": env(CORPUS_FLAG="yes"),
    "cluster": cluster(num_nodes=6),
}
_MAKES_TESTS = {"parametrize", "matrix", "defaults"}
_NEEDS_TESTS = {"ignore", "cluster"}


def _is_legal(bottom_up: tuple[str, ...]) -> bool:
    """An ignore or a cluster needs something below it, unless nothing makes parametrized tests."""
    if not _MAKES_TESTS.intersection(bottom_up):
        return True
    first_that_makes = next(i for i, name in enumerate(bottom_up) if name in _MAKES_TESTS)
    return not _NEEDS_TESTS.intersection(bottom_up[:first_that_makes])


def _stacks() -> Iterator[tuple[str, ...]]:
    for size in (1, 2, 3):
        yield from filter(_is_legal, itertools.permutations(_MARKS, size))
    yield from itertools.islice(filter(_is_legal, itertools.permutations(_MARKS, 6)), 0, None, 97)


def _decorated(bottom_up: tuple[str, ...]) -> Callable[..., None]:
    def template(self: Test, x: int = 0, y: int = 0) -> None:
        pass

    template.__name__ = "test_" + "_".join(bottom_up)
    result: Any = template
    for name in bottom_up:
        result = _MARKS[name](result)
    return result  # type: ignore[no-any-return]


StacksTest = type("StacksTest", (Test,), {f.__name__: f for f in map(_decorated, _stacks())})
