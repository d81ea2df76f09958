# SPDX-License-Identifier: Apache-2.0
"""Dumps the state of services when a test takes too long."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterable
from typing import Any

from ducktape.utils.support.hooks import called
from ducktape.utils.support.parallel import run_parallel
from ducktape.utils.support.text import short_text

DUMP_SEC = 30.0
_DUMPS_AT_ONCE = 16


def dump_services(services: Iterable[Any], log: Callable[[int, str], None], *, seconds: float = DUMP_SEC) -> None:
    """Call ``dump(node)`` of all services that define it, for all their nodes in parallel.

    Args:
        services: the services of a test.
        log: called with a level and a line about errors.
        seconds: time limit; unfinished calls are abandoned.
    """
    under_way: dict[int, str] = {}

    def dump(number: int, hook: Callable[[Any], object], node: Any) -> None:
        try:
            called(hook, node)
        except BaseException as error:
            if number in under_way:
                log(logging.WARNING, f"Error dumping the state of {under_way[number]}: {short_text(error)}")
        finally:
            under_way.pop(number, None)

    jobs: list[Callable[[], None]] = []
    for service in services:
        hook = getattr(service, "dump", None)
        for node in list(service.nodes):
            if hook is not None and _takes_a_node(hook, node):
                under_way[len(jobs)] = f"service {service.service_id} on {node.account.hostname}"
                jobs.append(functools.partial(dump, len(jobs), hook, node))
    attempts = run_parallel(jobs, lambda job: job(), at_once=_DUMPS_AT_ONCE, timeout=seconds)
    if not all(attempt.done for attempt in attempts):
        late = "; ".join(list(under_way.values()))
        under_way.clear()
        log(logging.WARNING, f"The state of some services was not dumped within {seconds:g} seconds: {late}")


def _takes_a_node(hook: Any, node: Any) -> bool:
    """Return whether this is the hook rather than an unrelated method with its name."""
    if not callable(hook):
        return False
    try:
        inspect.signature(hook).bind(node)
    except (TypeError, ValueError):
        return False
    return True
