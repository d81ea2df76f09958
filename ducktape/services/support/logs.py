# SPDX-License-Identifier: Apache-2.0
"""Bringing the logs of a service from its nodes to the results directory."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ducktape.cluster.transport import framework_commands
from ducktape.jvm_logging import logs_of
from ducktape.services.support.log_compression import compress_command, compress_logs, compressed_path, failures_noted
from ducktape.services.support.log_paths import can_be_compressed, has_wildcards, matches, path_of_log
from ducktape.services.support.log_places import NodeDirectories, Places
from ducktape.utils.support.hooks import called
from ducktape.utils.support.parallel import run_parallel
from ducktape.utils.support.text import class_and_text, reason_of

__all__ = [
    "MissingLog",
    "Order",
    "collect_logs",
    "collect_service_logs",
    "compress_command",
    "compress_logs",
]

Wanted = Callable[[str], bool]
Compress = Callable[[Any, Any, list[str]], list[str]]

_NODES_AT_ONCE = 8


@dataclasses.dataclass(frozen=True)
class MissingLog:
    """A log that was to be collected and was not, or not completely.

    Attributes:
        hostname: of the node that holds it.
        service: name of the service that wrote it.
        name: its key in ``service.logs``; empty if it concerns all that the node was asked for.
        path: on the node; empty if it is not known.
        reason: why.
    """

    hostname: str
    service: str
    name: str
    path: str
    reason: str

    def __str__(self) -> str:
        log = f" log {self.name}" if self.name else " all logs"
        path = f" ({self.path})" if self.path else ""
        return f"{self.hostname}: {self.service}:{log}{path}: {self.reason}"


@dataclasses.dataclass(frozen=True)
class Order:
    """Which logs of one service are wanted where.

    Attributes:
        service: has ``logs`` and ``nodes``; without either there is nothing to do.
        destination: local directory of the service; each node gets a directory of its name in it.
        wanted: says of the name of a log whether it is collected.
    """

    service: Any
    destination: str
    wanted: Wanted


def collect_service_logs(
    service: Any, destination: str, *, wanted: Wanted, compress: Compress | None, logger: Any
) -> list[MissingLog]:
    """Copy the logs of one service from all its nodes; see :func:`collect_logs`.

    Args:
        service: see :class:`Order`, like the next two.
        destination: local directory.
        wanted: says of the name of a log whether it is collected.
        compress: see :func:`collect_logs`, like the logger.
        logger: is told what happens.
    """
    return collect_logs([Order(service, destination, wanted)], compress=compress, logger=logger)


def collect_logs(
    orders: Sequence[Order], *, compress: Compress | None, logger: Any, timeout: float | None = None
) -> list[MissingLog]:
    """Copy the logs of services from all their nodes, side by side; what fails is logged and costs its own log alone.

    Args:
        orders: what to collect.
        compress: called as ``compress(node, service, paths)`` before copying, returns the paths to copy instead;
            ``None`` leaves the logs as they are. Calls for different nodes may overlap.
        logger: is told what happens.
        timeout: seconds that all of it may take; what is under way then is left to itself.

    Returns:
        What is missing, in the order of the services, their nodes and their logs.
    """
    directories = NodeDirectories()
    jobs = [job for order in orders for job in _jobs(order, compress, logger, directories)]
    # One node is asked for one thing at a time, also when services share it.
    by_account: dict[int, list[_Job]] = {}
    for job in jobs:
        by_account.setdefault(id(job.node.account), []).append(job)
    attempts = run_parallel(list(by_account.values()), _do_all, at_once=_NODES_AT_ONCE, timeout=timeout)
    if not all(attempt.done for attempt in attempts):
        for job in jobs:
            job.cut(f"not collected within {timeout:g} seconds")
    return [missing for job in jobs for missing in job.missing]


def _do_all(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        job.run()


def _jobs(order: Order, compress: Compress | None, logger: Any, directories: NodeDirectories) -> Iterator[_Job]:
    service = order.service
    try:
        logs = logs_of(service)
    except Exception as error:  # a property of the subclass
        logger.warning("Error asking for the logs of service %s: %s", service, class_and_text(error))
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
    """What is collected from one node of one service.

    Attributes:
        node: the node.
        missing: what could not be collected so far.
    """

    def __init__(
        self,
        order: Order,
        node: Any,
        logs: dict[str, Any],
        places: Places,
        compress: Compress | None,
        logger: Any,
    ) -> None:
        self.node = node
        self.missing: list[MissingLog] = []
        self._order = order
        self._logs = logs
        self._places = places
        self._compress = compress
        self._logger = logger
        # What is still to come: paths on the node, with the names of their logs.
        self._open: dict[str, str] = {}
        self._found: set[str] = set()  # those that the node named
        self._is_cut = False

    def select(self) -> None:
        """Decide which logs are wanted; asks the test, but not the node."""
        for name, log in self._logs.items():
            with self._preparing(name):
                if self._is_wanted(name, log):
                    self._open[path_of_log(log)] = name

    def run(self) -> None:
        """Do all there is to do for the node; blocks, raises nothing."""
        if self._is_cut:
            return
        try:
            self._collect()
        except Exception as error:  # one bad node must not cost the logs of the others
            service = self._order.service
            host = self.node.account.hostname
            self._warn("Error collecting logs from %s: service %s: %s", host, service, class_and_text(error))
            self._give_up(error)

    def cut(self, reason: str) -> None:
        """Count what is still to come as missing; what happens from now on is not noted any more."""
        left, self._open = self._open, {}
        for path, name in left.items():
            self._miss(name, path, reason)
        self._is_cut = True
        if left:
            host, service = self.node.account.hostname, self._order.service
            logs = ", ".join(f"{name} ({path})" for path, name in left.items())
            self._logger.warning("Logs from %s: service %s: %s: %s", host, service, reason, logs)

    def _give_up(self, reason: object) -> None:
        for path in list(self._open):
            self._note(path, reason)

    def _note(self, path: str, reason: object) -> None:
        name = self._open.pop(path, None)
        if name is None or self._is_cut:
            return
        self._miss(name, path, reason)

    def _miss(self, name: str, path: str, reason: object) -> None:
        if self._is_cut:
            return
        service = getattr(self._order.service, "service_id", str(self._order.service))
        said = reason_of(reason) if isinstance(reason, BaseException) else str(reason).strip()
        text = (said or "no reason was given").splitlines()[0]
        self.missing.append(MissingLog(self.node.account.hostname, service, name, path, text))

    def _warn(self, message: str, *arguments: Any) -> None:
        if not self._is_cut:
            self._logger.warning(message, *arguments)

    def _collect(self) -> None:
        self._expand()
        self._logger.debug("Preparing to copy logs from %s: %s", self.node.account.hostname, list(self._open))
        paths = list(self._open)
        if self._compress is not None and paths:
            self._logger.debug("Compressing logs...")
            paths = self._compressed(paths)
        if not paths or self._is_cut:
            return
        os.makedirs(self._places.directory, exist_ok=True)
        self._logger.debug("Copying logs...")
        first = self._places.first(paths)
        self._copy(first, self._places.directory)
        for path in paths:
            if path not in first:
                self._copy_further(path)

    def _copy_further(self, path: str) -> None:
        """Copy a log whose usual place another one has."""
        name = str(self._open.get(path, path))
        directory = self._places.further(path, name)
        is_new = not os.path.isdir(directory)
        os.makedirs(directory, exist_ok=True)
        self._copy([path], directory)
        if is_new:
            with contextlib.suppress(OSError):  # there was no such log, or it is not empty
                os.rmdir(directory)

    def _expand(self) -> None:
        """Replace wildcards by the files that they stand for now."""
        expanded: dict[str, str] = {}
        for path, name in list(self._open.items()):
            with self._preparing(name):
                found, problem = matches(self.node, path) if has_wildcards(path) else ([path], None)
                expanded.update(dict.fromkeys(found, name))
                if has_wildcards(path):
                    self._found.update(found)
                if problem is not None:
                    raise problem
        self._open = {} if self._is_cut else expanded

    def _compressed(self, paths: list[str]) -> list[str]:
        assert self._compress is not None
        as_it_is = [path for path in paths if not can_be_compressed(path)]
        with failures_noted(self._found) as failures:
            wanted = [path for path in paths if path not in as_it_is]
            compressed = [*called(self._compress, self.node, self._order.service, wanted), *as_it_is]
        for path, reason in failures.items():
            self._note(path, reason)
        packed = {compressed_path(path): name for path, name in self._open.items()}
        self._open = {path: packed.get(path, self._open.get(path, path)) for path in compressed}
        return [] if self._is_cut else list(compressed)

    @contextlib.contextmanager
    def _preparing(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
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
            self._miss(name, path if isinstance(path, str) else repr(path), error)

    def _is_wanted(self, name: str, log: dict[str, Any]) -> bool:
        try:
            return self._order.wanted(name)
        except KeyError:
            # Not every log says whether it is collected by default, and not every log stands in service.logs
            return bool(log.get("collect_default", False))

    def _copy(self, paths: list[str], target: str) -> None:
        names = dict(self._open)

        def report(path: str, error: BaseException | None) -> None:
            name = names.get(path, path)
            if error is None:
                self._open.pop(path, None)
                return
            self._warn(
                "Error copying log %s from %s to %s. service %s: %s",
                name,
                self._logs.get(name, path),
                target,
                self._order.service,
                class_and_text(error),
            )
            self._open.pop(path, None)
            self._places.fail(target, path)
            self._miss(name, path, error)

        try:
            with framework_commands():
                _copy_all(self.node.account, paths, target, report)
        except Exception as error:
            for path in list(self._open):
                report(path, error)


def _copy_all(account: Any, paths: list[str], target: str, report: Callable[[str, Exception | None], None]) -> None:
    # Looked for in the class: an account that passes everything on to another one may replace that one's verbs.
    if hasattr(type(account), "copy_all_from"):
        account.copy_all_from(paths, target, report)
        return
    for path in paths:
        try:
            account.copy_from(path, target)
        except Exception as error:  # costs this log alone
            report(path, error)
        else:
            report(path, None)
