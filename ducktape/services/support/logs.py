# SPDX-License-Identifier: Apache-2.0
"""Collects the logs of services from their nodes."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.transport import framework_commands
from ducktape.jvm_logging import logs_of
from ducktape.services.support.log_compression import compressed_path, failures_noted
from ducktape.services.support.log_paths import (
    LogPaths,
    NodeDirectories,
    can_be_compressed,
    has_wildcards,
    matches,
    path_of_log,
)
from ducktape.services.support.protocols import ServiceWithNodes
from ducktape.utils.support.guard import tolerated
from ducktape.utils.support.hooks import called
from ducktape.utils.support.parallel import run_parallel
from ducktape.utils.support.text import class_and_text, reason_of

Wanted: TypeAlias = Callable[[str], bool]
Compress: TypeAlias = Callable[[ClusterNode, ServiceWithNodes, list[str]], list[str]]
Logs: TypeAlias = Mapping[str, Mapping[str, object]]

_NODES_AT_ONCE = 8


@dataclasses.dataclass(frozen=True)
class MissingLog:
    """A log that was not collected, or not completely."""

    hostname: str
    service: str
    name: str  # its key in `service.logs`; empty if all logs of the node are missing
    path: str  # on the node; empty if unknown
    reason: str

    def __str__(self) -> str:
        log = f" log {self.name}" if self.name else " all logs"
        path = f" ({self.path})" if self.path else ""
        return f"{self.hostname}: {self.service}:{log}{path}: {self.reason}"


@dataclasses.dataclass(frozen=True)
class Order:
    """Which logs of one service to collect."""

    service: ServiceWithNodes
    destination: str  # local directory of the service, with a directory for each node
    wanted: Wanted  # returns whether to collect the log with a name


def collect_logs(
    orders: Sequence[Order], *, compress: Compress | None, logger: logging.Logger, timeout: float | None = None
) -> list[MissingLog]:
    """Copy the logs of services from all their nodes in parallel; errors are logged and affect only their own log.

    ``compress`` is called before copying, and returns the paths to copy instead; calls for different nodes may overlap.
    """
    directories = NodeDirectories()
    jobs = [job for order in orders for job in _jobs(order, compress, logger, directories)]
    # One job per node at a time, also if services share the node
    by_account: dict[int, list[_Job]] = {}
    for job in jobs:
        by_account.setdefault(id(job.node.account), []).append(job)

    def run_all(own: Sequence[_Job]) -> None:
        for job in own:
            job.run()

    attempts = run_parallel(list(by_account.values()), run_all, at_once=_NODES_AT_ONCE, timeout=timeout)
    if not all(attempt.done for attempt in attempts):
        for job in jobs:
            job.abandon(f"not collected within {timeout:g} seconds")
    return [missing for job in jobs for missing in job.missing]


def _jobs(
    order: Order, compress: Compress | None, logger: logging.Logger, directories: NodeDirectories
) -> Iterator[_Job]:
    service = order.service
    logs: Logs = {}
    with tolerated() as asking:  # a property of the subclass
        logs = logs_of(service)
    if asking.error is not None:
        logger.warning("Error asking for the logs of service %s: %s", service, class_and_text(asking.error))
        return
    if not logs:
        logger.debug("Won't collect service logs from %s - no logs to collect.", service.service_id)
        return
    for node in list(service.nodes):
        places = directories.of(order.destination, str(node.account.hostname), id(node.account))
        job = _Job(order, node, logs, places, compress, logger)
        job.select()
        yield job


class _Job:
    """The collection from one node of one service."""

    def __init__(
        self,
        order: Order,
        node: ClusterNode,
        logs: Logs,
        places: LogPaths,
        compress: Compress | None,
        logger: logging.Logger,
    ) -> None:
        self.node = node
        self.missing: list[MissingLog] = []
        self._order = order
        self._logs = logs
        self._places = places
        self._compress = compress
        self._logger = logger
        # Paths on the node that are not yet collected, with the names of their logs
        self._remaining: dict[str, str] = {}
        self._found: set[str] = set()  # listed by the node
        self._is_abandoned = False

    def select(self) -> None:
        """Decide which logs to collect, without the node."""
        for name, log in self._logs.items():
            with tolerated(partial(self._report_unprepared, name)):
                try:
                    is_wanted = self._order.wanted(name)
                except KeyError:
                    # Logs may lack a default, or be missing in service.logs
                    is_wanted = bool(log.get("collect_default", False))
                if is_wanted:
                    self._remaining[path_of_log(log)] = name

    def run(self) -> None:
        """Collect the logs; never raises."""
        if self._is_abandoned:
            return
        with tolerated(self._give_up):  # one bad node must not cost the logs of the others
            self._collect()

    def abandon(self, reason: str) -> None:
        """Record the remaining logs as missing, and ignore everything that happens from now on."""
        left, self._remaining = self._remaining, {}
        for path, name in left.items():
            self._add_missing(name, path, reason)
        self._is_abandoned = True
        if left:
            host, service = self.node.account.hostname, self._order.service
            logs = ", ".join(f"{name} ({path})" for path, name in left.items())
            self._logger.warning("Logs from %s: service %s: %s: %s", host, service, reason, logs)

    def _give_up(self, error: BaseException) -> None:
        host, service = self.node.account.hostname, self._order.service
        self._warn("Error collecting logs from %s: service %s: %s", host, service, class_and_text(error))
        for path in list(self._remaining):
            self._note(path, error)

    def _note(self, path: str, reason: object) -> None:
        name = self._remaining.pop(path, None)
        if name is not None:
            self._add_missing(name, path, reason)

    def _add_missing(self, name: str, path: str, reason: object) -> None:
        if self._is_abandoned:
            return
        service = getattr(self._order.service, "service_id", str(self._order.service))
        said = reason_of(reason) if isinstance(reason, BaseException) else str(reason).strip()
        text = (said or "no reason was given").splitlines()[0]
        self.missing.append(MissingLog(self.node.account.hostname, service, name, path, text))

    def _warn(self, message: str, *arguments: object) -> None:
        if not self._is_abandoned:
            self._logger.warning(message, *arguments)

    def _collect(self) -> None:
        self._expand()
        self._logger.debug("Preparing to copy logs from %s: %s", self.node.account.hostname, list(self._remaining))
        paths = list(self._remaining)
        if self._compress is not None and paths:
            self._logger.debug("Compressing logs...")
            paths = self._compressed(self._compress, paths)
        if not paths or self._is_abandoned:
            return
        os.makedirs(self._places.directory, exist_ok=True)
        self._logger.debug("Copying logs...")
        first = self._places.first(paths)
        self._copy(first, self._places.directory)
        for path in paths:
            if path in first:
                continue
            # Its usual path is taken by another one
            name = str(self._remaining.get(path, path))  # suites have names that are numbers
            directory = self._places.further(path, name)
            is_new = not os.path.isdir(directory)
            os.makedirs(directory, exist_ok=True)
            self._copy([path], directory)
            if is_new:
                with contextlib.suppress(OSError):  # there was no such log, or it is not empty
                    os.rmdir(directory)

    def _expand(self) -> None:
        """Expand wildcards."""
        expanded: dict[str, str] = {}
        for path, name in list(self._remaining.items()):
            with tolerated(partial(self._report_unprepared, name)):
                if not has_wildcards(path):
                    expanded[path] = name
                    continue
                found, problem = matches(self.node, path)
                expanded.update(dict.fromkeys(found, name))
                self._found.update(found)
                if problem is not None:
                    raise problem
        self._remaining = {} if self._is_abandoned else expanded

    def _compressed(self, compress: Compress, paths: list[str]) -> list[str]:
        as_it_is = [path for path in paths if not can_be_compressed(path)]
        with failures_noted(self._found) as failures:
            wanted = [path for path in paths if path not in as_it_is]
            compressed = [*called(compress, self.node, self._order.service, wanted), *as_it_is]
        for path, reason in failures.items():
            self._note(path, reason)
        packed = {compressed_path(path): name for path, name in self._remaining.items()}
        self._remaining = {path: packed.get(path, self._remaining.get(path, path)) for path in compressed}
        return [] if self._is_abandoned else list(compressed)

    def _report_unprepared(self, name: str, error: BaseException) -> None:
        log = self._logs[name]
        self._warn(
            "Error preparing to collect log %s from %s on %s. service %s: %s",
            name,
            log,
            self.node.account.hostname,
            self._order.service,
            class_and_text(error),
        )
        path = log.get("path", "") if isinstance(log, dict) else ""
        self._add_missing(name, path if isinstance(path, str) else repr(path), error)

    def _copy(self, paths: list[str], target: str) -> None:
        names = dict(self._remaining)

        def report(path: str, error: BaseException | None) -> None:
            name = names.get(path, path)
            if error is None:
                self._remaining.pop(path, None)
                return
            self._warn(
                "Error copying log %s from %s to %s. service %s: %s",
                name,
                self._logs.get(name, path),
                target,
                self._order.service,
                class_and_text(error),
            )
            self._remaining.pop(path, None)
            self._places.fail(target, path)
            self._add_missing(name, path, error)

        def report_all(error: BaseException) -> None:
            for path in list(self._remaining):
                report(path, error)

        account = self.node.account
        # Errors are not kept: files and channels that their frames hold must not stay open
        with tolerated(report_all), framework_commands():
            # Looked up in the class: an account may delegate every attribute to another one
            if hasattr(type(account), "copy_all_from"):
                account.copy_all_from(paths, target, report)
            else:
                for path in paths:
                    with tolerated(partial(report, path)):
                        account.copy_from(path, target)
                        report(path, None)
