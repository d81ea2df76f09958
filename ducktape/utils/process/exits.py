# SPDX-License-Identifier: Apache-2.0
"""Protects a process against users' code that ends it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_ENDS = ("_exit", "execv", "execve")  # the other forms of exec call one of these


@contextmanager
def survived_exits() -> Iterator[None]:
    """Within a block, ``os._exit`` and ``os.exec*`` raise ``SystemExit`` in this process, but not in forked ones."""
    own = os.getpid()

    def refused(name: str, end: Callable[P, R]) -> Callable[P, R]:
        def refuse(*args: P.args, **kwargs: P.kwargs) -> R:
            if os.getpid() != own:
                return end(*args, **kwargs)
            raise SystemExit(f"os.{name} was called, which would have ended the whole run")

        return refuse

    real = {name: getattr(os, name) for name in _ENDS}
    for name, end in real.items():
        setattr(os, name, refused(name, end))
    try:
        yield
    finally:
        for name, end in real.items():
            setattr(os, name, end)
