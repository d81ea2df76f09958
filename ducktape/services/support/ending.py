# SPDX-License-Identifier: Apache-2.0
"""Stops, cleans or frees many services, whatever one of them raises; for a living test and for a dead one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ducktape.utils.support.guard import error_of
from ducktape.utils.support.parallel import run_each

T = TypeVar("T")


def end_each(
    services: Sequence[T],
    end: Callable[[T], object],
    failed: Callable[[T, BaseException], object],
    *,
    left_out: Callable[[T, KeyboardInterrupt], object] | None = None,
) -> None:
    """Call ``end(service)`` one after another, and ``failed`` with what it raises.

    An interrupt ends one call; the others follow, or with ``left_out`` are only passed to that.

    Raises:
        KeyboardInterrupt: one of the calls was interrupted.
    """
    tried: list[T] = []

    def attempt(service: T) -> None:
        tried.append(service)
        error = error_of(lambda: end(service))
        if error is not None:
            failed(service, error)
        if isinstance(error, KeyboardInterrupt):
            raise error

    try:
        run_each(services, attempt, lambda service, error: None, parallel=False, try_all=left_out is None)
    except KeyboardInterrupt as interrupt:
        if left_out is not None:
            for service in services[len(tried) :]:
                left_out(service, interrupt)
        raise
