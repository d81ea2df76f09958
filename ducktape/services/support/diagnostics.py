# SPDX-License-Identifier: Apache-2.0
"""Dumps the state of services when a test takes too long."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterable

from ducktape.services.support.protocols import ServiceWithNodes
from ducktape.utils.support.guard import error_of
from ducktape.utils.support.hooks import called
from ducktape.utils.support.parallel import run_parallel
from ducktape.utils.support.text import short_text

DUMP_SEC = 30.0
_DUMPS_AT_ONCE = 16


def dump_services(
    services: Iterable[ServiceWithNodes], log: Callable[[int, str], None], *, seconds: float = DUMP_SEC
) -> None:
    """Call ``dump(node)`` of all services that define it, for all their nodes in parallel; errors are only logged."""
    dumps: list[tuple[str, Callable[[], object]]] = []
    for service in services:
        hook = getattr(service, "dump", None)
        for node in list(service.nodes):
            if hook is not None and _takes_a_node(hook, node):
                what = f"service {service.service_id} on {node.account.hostname}"
                dumps.append((what, functools.partial(called, hook, node)))
    is_over = False

    def dump(job: tuple[str, Callable[[], object]]) -> None:
        what, call = job
        error = error_of(call)
        # At once: an interrupt may end the wait for the others
        if error is not None and not is_over:
            log(logging.WARNING, f"Error dumping the state of {what}: {short_text(error)}")

    attempts = run_parallel(dumps, dump, at_once=_DUMPS_AT_ONCE, timeout=seconds)
    is_over = True
    if late := [attempt.item[0] for attempt in attempts if not attempt.done]:
        log(logging.WARNING, f"The state of some services was not dumped within {seconds:g} seconds: {'; '.join(late)}")


def _takes_a_node(hook: Callable[..., object], node: object) -> bool:
    """Return whether this is the hook rather than an unrelated method with its name."""
    try:
        inspect.signature(hook).bind(node)
    except (TypeError, ValueError):
        return False
    return True
