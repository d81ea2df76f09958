# SPDX-License-Identifier: Apache-2.0
"""Allocates the nodes of a service, and frees them if it cannot use them."""

from __future__ import annotations

from typing import Any

from ducktape.cluster.node_container import InsufficientResourcesError
from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.utils.support.text import class_and_text


def session_option(context: Any, option: str) -> bool:
    """Return whether an option of the session is on; in users' own tests there may be no session, or a mock."""
    return getattr(getattr(context, "session_context", None), option, False) is True


def request_nodes(service: Any) -> Any:
    """Request the nodes of a service from its cluster.

    Raises:
        RuntimeError: the allocation fails; the text names the registered services.
        InsufficientResourcesError: the cluster has too few nodes; likewise.
    """
    spec = service.cluster_spec
    if session_option(service.context, "ignore_node_type"):
        spec = spec.without_node_types()
    try:
        return service.cluster.alloc(spec)
    except InsufficientResourcesError as error:
        reason = str(error.args[-1]).rstrip() if error.args else "The cluster cannot serve the request."
        error.args = (*error.args[:-1], reason + _registered_services(service))
        raise
    except RuntimeError as error:
        raise RuntimeError(f"{error}{_registered_services(service)}") from error


def _registered_services(service: Any) -> str:
    return f" Currently registered services: {getattr(service.context, 'services', None)}"


def take_over_accounts(service: Any, nodes: list[Any]) -> None:
    """Let the accounts of new nodes write to the log of a service.

    Raises:
        RuntimeError: an account still writes to another log; all nodes were freed.
    """
    taken: list[Any] = []
    try:
        for node in nodes:
            _refuse_account_in_use(service, node.account)
            node.account.logger = service.logger
            node.account.fault_log = getattr(service.context, "fault_log", None)
            taken.append(node)
    except BaseException:
        # A service whose constructor fails is never registered, so nobody else would free its nodes
        for node in taken:
            node.account.logger = node.account.fault_log = None
        _give_back(service, nodes)
        raise


def _refuse_account_in_use(service: Any, account: Any) -> None:
    logger = getattr(account, "_logger", None)
    if logger is None:
        return
    logger.critical(ConsoleDefaults.BAD_TEST_MESSAGE)
    raise RuntimeError(
        "logger was not None on service start. Another service uses this node at the same time, or an earlier one "
        f"has not freed it properly. Service: {type(service).__name__}, account: {account}"
    )


def _give_back(service: Any, nodes: list[Any]) -> None:
    for node in nodes:
        try:
            service.cluster.free(node)
        except Exception as error:  # the error that made the service free them is more important
            service.logger.warning("Error giving back node %s: %s", node.account, class_and_text(error))
