# SPDX-License-Identifier: Apache-2.0
"""Mistakes in how a mark is written that Python would report without the remedy."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import ParamSpec, TypeVar

from ducktape.errors import DucktapeError

P = ParamSpec("P")
R = TypeVar("R")


def takes_keywords(example: str, known: Collection[str] = ()) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuse positional arguments of a mark, as of one without parentheses, and keywords other than the known ones."""

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        name = function.__name__

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            if args:
                raise DucktapeError(f"@{name} takes its arguments by name, in parentheses: write @{name}({example})")
            unknown = [each for each in kwargs if each not in known] if known else []
            if unknown:
                # Most runs have no such mistake
                from ducktape.utils.support.similar import or_similar

                meant = or_similar(unknown[0], known)
                raise DucktapeError(
                    f"@{name} has the unknown keyword {unknown[0]}{meant}; there are {', '.join(sorted(known))}"
                )
            return function(*args, **kwargs)

        return checked

    return wrap
