# SPDX-License-Identifier: Apache-2.0
"""The nodes of a service: allocates them, and calls its hooks for each of them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.node_container import InsufficientResourcesError
from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.services.support.protocols import FrameworkService, RegisteredService
from ducktape.utils.support.guard import tolerated
from ducktape.utils.support.hooks import HookError, called
from ducktape.utils.support.parallel import run_each
from ducktape.utils.support.text import class_and_text

R = TypeVar("R")


def session_option(context: object, option: str) -> bool:
    """Return whether an option of the session is on; in users' own tests there may be no session, or a mock."""
    return getattr(getattr(context, "session_context", None), option, False) is True


def request_nodes(service: FrameworkService) -> list[ClusterNode]:
    """Request the nodes of a service from its cluster; errors name the registered services."""
    spec = service.cluster_spec
    if session_option(service.context, "ignore_node_type"):
        spec = spec.without_node_types()
    try:
        nodes: list[ClusterNode] = service.cluster.alloc(spec)
    except (InsufficientResourcesError, RuntimeError) as error:
        registered = f" Currently registered services: {getattr(service.context, 'services', None)}"
        if isinstance(error, RuntimeError):
            raise RuntimeError(f"{error}{registered}") from error
        reason = str(error.args[-1]).rstrip() if error.args else "The cluster cannot serve the request."
        error.args = (*error.args[:-1], reason + registered)
        raise
    return nodes


def take_over_accounts(service: FrameworkService, nodes: Sequence[ClusterNode]) -> None:
    """Let the accounts of new nodes write to the log of a service; frees the nodes if one of them is in use."""
    with contextlib.ExitStack() as undo:
        # A service whose constructor fails is never registered, so nobody else would free its nodes
        undo.callback(_give_back, service, nodes)
        for node in nodes:
            used_by = getattr(node.account, "_logger", None)
            if used_by is not None:
                used_by.critical(ConsoleDefaults.BAD_TEST_MESSAGE)
                raise RuntimeError(
                    "logger was not None on service start. Another service uses this node at the same time, or an "
                    f"earlier one has not freed it properly. Service: {type(service).__name__}, account: {node.account}"
                )
            node.account.logger = service.logger
            node.account.fault_log = getattr(service.context, "fault_log", None)
            undo.callback(release_account, node)
        undo.pop_all()


def release_account(node: ClusterNode) -> None:
    """Detach the account of a node from its test."""
    node.account.logger = node.account.fault_log = None


def _give_back(service: FrameworkService, nodes: Sequence[ClusterNode]) -> None:
    for node in nodes:
        with tolerated() as attempt:
            service.cluster.free(node)
        if attempt.error is not None:
            service.logger.warning("Error giving back node %s: %s", node.account, class_and_text(attempt.error))


def notify_registry(service: RegisteredService, what: str) -> None:
    """Let the registry note a service, if it can: suites may have registries of their own."""
    notify = getattr(getattr(service.context, "services", None), what, None)
    if callable(notify):
        notify(service)


def on_each_node(service: FrameworkService, work: Callable[[Any], R], *, try_all: bool) -> list[R]:
    """Call a function for each node as the service's ``parallel_nodes`` says; see :func:`run_each`."""

    def note(node: ClusterNode, error: BaseException) -> None:
        service.logger.warning("%s: one more node failed: %r", service.who_am_i(node), error)

    parallel = service.parallel_nodes is True
    if parallel and service._revived:
        # The clean-up of a dead test is interrupted at its time limit, and must not wait for threads then
        try_all = False
    return run_each(list(service.nodes), work, note, parallel=parallel, try_all=try_all)


def call_on_each_node(
    service: FrameworkService,
    hook: str,
    kwargs: dict[str, object],
    *,
    activity: str,
    level: int = logging.INFO,
    try_all: bool = True,
) -> None:
    """Call a hook of a service for each node, and log its activity, such as ``starting``."""

    def work(node: ClusterNode) -> None:
        service.logger.log(level, "%s: %s node", service.who_am_i(node), activity)
        # Looked up for each node: a hook may replace itself or the next one
        called(getattr(service, hook), node, **kwargs)

    on_each_node(service, work, try_all=try_all)


def prepare_node(service: FrameworkService, node: ClusterNode, *, clean: bool) -> None:
    """Stop and clean a node before the start; errors only mean that nothing ran there."""

    def note(activity: str, error: BaseException) -> None:
        # The error is not kept: files and channels that its frames hold must not stay open
        if isinstance(error, (HookError, SystemExit)):
            raise error
        service.logger.debug("%s: nothing to %s before the start: %r", service.who_am_i(node), activity, error)

    for activity in ("stop", "clean"):
        if activity == "clean" and not clean:
            service.logger.debug("%s: skip cleaning node", service.who_am_i(node))
            return
        with tolerated(partial(note, activity)):
            called(getattr(service, f"{activity}_node"), node)
