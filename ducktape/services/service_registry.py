# SPDX-License-Identifier: Apache-2.0
"""The services of one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.jvm_logging import JVMLogger
from ducktape.services.support.ending import end_each
from ducktape.services.support.protocols import RegisteredService
from ducktape.services.support.record import problem_with, record_of
from ducktape.utils.support.guard import tolerated
from ducktape.utils.support.hooks import HookError, called
from ducktape.utils.support.text import class_and_text

Listener = Callable[[dict[str, Any] | str], object]


class ServiceRegistry:
    """The services of a test in the order of their registration.

    Args:
        enable_jvm_logs: whether the Java processes of every service write garbage collection and other logs.

    Attributes:
        listener: called with the record of a service when it is registered, about to start, and started; and with its
            id when its nodes are free again. Another process can stop the service from this record. May be called by
            several threads; ``None`` for no listener.
        problems: errors of stopping, cleaning and freeing services, one line each.
        hook_never_ran: whether one of these methods is async or contains ``yield``, so that its body never ran.
    """

    def __init__(self, enable_jvm_logs: bool = False) -> None:
        # By identity, since services may define equality and be unhashable
        self._services: dict[int, Any] = {}
        self._ever_registered: list[Any] = []
        self._noted: dict[int, str] = {}
        self._cut_short: set[int] = set()
        self.jvm_logger: JVMLogger | None = JVMLogger() if enable_jvm_logs else None
        self.listener: Listener | None = None
        self.problems: list[str] = []
        self.hook_never_ran = False

    def __contains__(self, service: object) -> bool:
        return id(service) in self._services

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._services.values()))

    def __repr__(self) -> str:
        return str(list(self._services.values()))

    def append(self, service: Any) -> None:
        """Register a service; its constructor does so."""
        if self.jvm_logger is not None:
            self.jvm_logger.enable_for_service(service)
        self._services[id(service)] = service
        self._ever_registered.append(service)
        self.note_service(service)

    @property
    def ever_registered(self) -> list[Any]:
        """All services in the order of registration, including those that were freed."""
        return list(self._ever_registered)

    def note_service(self, service: RegisteredService) -> None:
        """Send the current record of a registered service to the listener; never raises."""
        if self.listener is None or service not in self or not service.nodes:
            return
        with tolerated(partial(_log_failed_note, service)):
            record = record_of(service)
            former = self._noted.get(id(service))
            if former is not None and former != record["service_id"]:
                self.listener(former)
            self._noted[id(service)] = record["service_id"]
            self.listener(record)

    def note_all(self) -> None:
        """Do this for all services, which may have changed since the last step of the test."""
        if self.listener is not None:
            for service in self:
                self.note_service(service)

    def note_freed(self, service: RegisteredService) -> None:
        """Tell the listener that a service is freed, unless its ending was interrupted."""
        if self.listener is None or id(service) in self._cut_short:
            return
        service_id = self._noted.pop(id(service), None)
        if service_id is not None:
            with tolerated(partial(_log_failed_note, service)):
                self.listener(service_id)

    def to_json(self) -> list[object]:
        """Return the records of the registered services for reports."""
        return [service.to_json() for service in self]

    def min_cluster_spec(self) -> ClusterSpec:
        """Return the nodes that the registered services request in total."""
        total = ClusterSpec.empty()
        for service in self:
            total.add(service.cluster_spec)
        return total

    def stop_all(self) -> None:
        """Stop all services, the newest first; errors are logged, and an interrupt is raised after all were tried."""
        self._end_each(list(self)[::-1], "stopping", lambda service: called(service.stop))

    def clean_all(self) -> None:
        """Clean all services in the order of registration, as :meth:`stop_all` does."""
        self._end_each(list(self), "cleaning", lambda service: called(service.clean))

    def free_all(self) -> None:
        """Free and unregister all services, as :meth:`clean_all` does; they stay registered after an interrupt."""
        self._end_each(list(self), "freeing", lambda service: called(service.free))
        for service in self:
            self.note_freed(service)
        self._services.clear()

    def errors(self) -> str:
        """Return the attributes ``error`` of all services as one text."""
        return "\n\n".join(
            f"{service.who_am_i()}: {error}" for service in self if (error := getattr(service, "error", None))
        )

    def _end_each(self, services: list[Any], activity: str, end: Callable[[Any], object]) -> None:
        nodes: dict[int, list[Any]] = {}

        def end_one(service: Any) -> None:
            nodes[id(service)] = list(service.nodes)  # a property of a subclass may fail
            end(service)

        def failed(service: Any, error: BaseException) -> None:
            if isinstance(error, KeyboardInterrupt):
                self._cut_short.add(id(service))
            self.hook_never_ran |= isinstance(error, HookError)
            with tolerated():  # log handlers and properties of users
                service.logger.warning("Error %s service %s: %s", activity, service, class_and_text(error))
            with tolerated():
                what = f"{activity} service {service.service_id}"
                self.problems.append(problem_with(what, nodes.get(id(service), ()), error))

        end_each(services, end_one, failed)


def _log_failed_note(service: RegisteredService, error: BaseException) -> None:
    with tolerated():
        service.logger.debug("What is to be known of %s could not be noted: %r", type(service).__name__, error)
