# SPDX-License-Identifier: Apache-2.0
"""How a service gets its nodes, and how they go back when it cannot use them."""

from __future__ import annotations

from typing import Any

from ducktape.cluster.node_container import InsufficientResourcesError
from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.utils.support.text import class_and_text


def session_says(context: Any, option: str) -> bool:
    """Return whether an option of the session is on.

    Args:
        context: what a service was given; in users' own tests it may know no session, or a mock of one.
        option: name of an attribute of the session context.
    """
    return getattr(getattr(context, "session_context", None), option, False) is True


def request_nodes(service: Any) -> Any:
    """Ask the cluster of a service for the nodes of its specification.

    Raises:
        RuntimeError: the cluster cannot serve; the text names the registered services.
        InsufficientResourcesError: the cluster has too few nodes; likewise.
    """
    spec = service.cluster_spec
    if session_says(service.context, "ignore_node_type"):
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
        RuntimeError: an account still writes to another log. All nodes have been given back then.
    """
    taken: list[Any] = []
    try:
        for node in nodes:
            _refuse_account_in_use(service, node.account)
            node.account.logger = service.logger
            # What is done to the node is part of the record of the test that uses it
            node.account.fault_log = getattr(service.context, "fault_log", None)
            taken.append(node)
    except BaseException:
        # A service that does not come into being is never registered, so nobody else would give its nodes back
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
        except Exception as error:  # the reason why the nodes are given back matters more
            service.logger.warning("Error giving back node %s: %s", node.account, class_and_text(error))
