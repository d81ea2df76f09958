# SPDX-License-Identifier: Apache-2.0
"""The services of one test."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.jvm_logging import JVMLogger


class ServiceRegistry:
    """Remembers services in the order of their registration, to end them together.

    Args:
        enable_jvm_logs: let the Java processes of every service write garbage collection and other logs.
    """

    def __init__(self, enable_jvm_logs: bool = False) -> None:
        # By identity: services may define equality, and may be unhashable for it
        self._services: dict[int, Any] = {}
        self._nodes: dict[int, list[str]] = {}
        self._ever_registered: list[Any] = []
        self.jvm_logger: JVMLogger | None = JVMLogger() if enable_jvm_logs else None

    def __contains__(self, service: object) -> bool:
        return id(service) in self._services

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._services.values()))

    def __repr__(self) -> str:
        return str(list(self._services.values()))

    def append(self, service: Any) -> None:
        """Remember a service; services do this themselves when they are constructed.

        Args:
            service: has nodes already, unless it allocates them later.
        """
        if self.jvm_logger is not None:
            self.jvm_logger.enable_for_service(service)
        self._services[id(service)] = service
        self._ever_registered.append(service)
        self._nodes[id(service)] = [str(node.account) for node in service.nodes]

    @property
    def ever_registered(self) -> list[Any]:
        """All services in the order of registration, those that were freed and forgotten included."""
        return list(self._ever_registered)

    def to_json(self) -> list[Any]:
        """Return what reports say of the services that are registered now."""
        return [service.to_json() for service in self]

    def min_cluster_spec(self) -> ClusterSpec:
        """Return the sum of what the registered services ask for."""
        total = ClusterSpec.empty()
        for service in self:
            total.add(service.cluster_spec)
        return total

    def stop_all(self) -> None:
        """Stop all services, the youngest first; errors are logged.

        Raises:
            KeyboardInterrupt: after all services were tried.
        """
        _try_each(reversed(list(self)), "stopping", lambda service: service.stop())

    def clean_all(self) -> None:
        """Clean all services in the order of registration; errors are logged.

        Raises:
            KeyboardInterrupt: after all services were tried.
        """
        _try_each(self, "cleaning", lambda service: service.clean())

    def free_all(self) -> None:
        """Free the nodes of all services in the order of registration, and forget the services; errors are logged.

        Raises:
            KeyboardInterrupt: after all services were tried; they stay registered then.
        """
        _try_each(self, "freeing", lambda service: service.free())
        self._services.clear()
        self._nodes.clear()

    def errors(self) -> str:
        """Return the texts of all services that have something in their attribute ``error``, or an empty text."""
        failed = [service for service in self if getattr(service, "error", None)]
        return "\n\n".join(f"{service.who_am_i()}: {service.error}" for service in failed)


def _try_each(services: Iterable[Any], activity: str, action: Callable[[Any], object]) -> None:
    """Do something with every service, whatever it raises: what one service leaves behind must not keep the others."""
    interrupt: KeyboardInterrupt | None = None
    for service in services:
        try:
            _try(service, activity, action)
        except KeyboardInterrupt as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt


def _try(service: Any, activity: str, action: Callable[[Any], object]) -> None:
    try:
        action(service)
    except BaseException as error:
        # A handler of user code that raises must not keep the other services from their turn.
        with contextlib.suppress(Exception):
            service.logger.warning("Error %s service %s: %s", activity, service, error)
        if isinstance(error, KeyboardInterrupt):
            raise
