# SPDX-License-Identifier: Apache-2.0
"""Ends the services of a test whose process is dead, so that the next test gets clean nodes.

Another process makes the services again from their records. A node on which they could not be ended is dirty.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Any

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.finite_subcluster import FiniteSubcluster
from ducktape.faults.engine.recovery import heal_remaining
from ducktape.json_serializable import jsonable
from ducktape.services.service import Service
from ducktape.services.support.ending import end_each
from ducktape.services.support.log_compression import compress_logs
from ducktape.services.support.log_paths import service_directory
from ducktape.services.support.logs import Order, collect_logs
from ducktape.services.support.record import described, named_nodes, problem_with
from ducktape.services.support.revival import revive
from ducktape.tests.driver.deadlines import COLLECT, STOP
from ducktape.tests.event import CleanedUp
from ducktape.tests.loading.discovery import import_test_module
from ducktape.tests.test_context import TestContext
from ducktape.tests.worker.ending import Ending, Log
from ducktape.utils.support.guard import error_of
from ducktape.utils.support.hooks import called
from ducktape.utils.support.text import short_text

_COLLECT_SEC = 60.0
_ENDING = {"stop": "stopping", "clean": "cleaning"}
_ENDED = {"stop": "stopped", "clean": "cleaned"}


class _DeadService:
    """One service of a dead test; without being made again it has what the collection of its logs needs."""

    def __init__(self, record: Mapping[str, Any], nodes: Mapping[str, ClusterNode], logger: logging.Logger) -> None:
        self.record = record
        self.service: Service | None = None  # None if it could not be made again
        self.service_id = str(record["service_id"])
        self.named_nodes = {name: nodes[name] for name in record["nodes"] if name in nodes}
        self.nodes = list(self.named_nodes.values())
        self.logs = dict(record["logs"])
        self.logger = logger
        self._watch: _Watch | None = None

    def __repr__(self) -> str:
        return self.service_id

    @property
    def may_have_run(self) -> bool:
        """Whether something was started; of what was only constructed, the record is incomplete and nothing runs."""
        if self.record["report"].get("lifecycle", {}).get("start_time", 0) >= 0:
            return True
        return self.service is None or type(self.service).start is not Service.start

    def end(self, verb: str) -> None:
        """Stop or clean it."""
        assert self.service is not None
        self._watch = None
        self._watch = _Watch(self.service, f"{verb}_node")
        called(getattr(self.service, verb))

    def suspects(self, error: BaseException) -> list[str]:
        """Return the names of the nodes that an error of the whole service leaves in doubt."""
        return list(self.named_nodes) if self._watch is None else self._watch.suspects(self.named_nodes, error)


class CrashCleanUp(Ending):
    """Ends the services of a dead test from their records, in the steps of a test that failed."""

    def __init__(
        self,
        context: TestContext,
        records: Sequence[Mapping[str, Any]],
        nodes: Sequence[ClusterNode],
        *,
        log: Log,
        enter: Callable[[str], object],
        user_code: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        super().__init__(context, log, enter, user_code)
        self.missing_logs: list[str] = []
        self.dirty: dict[str, str] = {}
        self._all_nodes = nodes
        self._nodes = named_nodes(nodes)
        cluster = FiniteSubcluster(nodes)
        cluster.alloc(cluster.all())  # the services have their nodes already, and give them back
        context.cluster = cluster
        context.renew_services()
        kinds = {"service_id": str, "nodes": list, "logs": dict, "report": dict}
        understood = [each for each in records if all(isinstance(each.get(name), kinds[name]) for name in kinds)]
        self.dead_services = [_DeadService(record, self._nodes, context.logger) for record in understood]
        if len(understood) < len(records):
            # Only a test that took over the pipe of its process can have sent this
            self.errors.append("Ignored invalid service records; those services were not stopped")

    def run(self, *, dump: bool, collect: bool = True, keeps: bool = False, seconds_ago: float = 0.0) -> CleanedUp:
        """Go through all steps; blocks, and raises nothing of what the services raise.

        With ``keeps``, only their state is dumped and their logs are collected. The attempt began some seconds ago;
        without that nobody looks for crashes.
        """
        self.is_kept = keeps
        if seconds_ago > 0:
            self.watch_for_crashes(self._all_nodes, seconds_ago=seconds_ago)
        self._revive()
        self.end(dump=dump, collect=collect)
        return CleanedUp(self.missing_logs, self.errors, self.dirty, self.services, self.findings)

    def _revive(self) -> None:
        def revive_one(dead: _DeadService) -> None:
            with self._user_code():
                dead.service = revive(dead.record, self.context, self._nodes, import_file=_import_file)

        for dead in self.dead_services:
            error = error_of(functools.partial(revive_one, dead))  # modules and attributes of users
            if error is not None:
                self._problem(f"making service {dead.service_id} again, so that it can be stopped,", dead, error)
                self._suspect(dead, dead.named_nodes, "stop", short_text(error))

    def heal(self) -> None:
        directory = TestContext.results_dir(self.context, self.context.test_index)
        self.step(STOP, "healing faults", lambda: self._add(*heal_remaining(directory, self._all_nodes)))

    def stop(self) -> None:
        self._end_each(self.dead_services[::-1], "stop")

    def clean(self) -> None:
        self._end_each(self.dead_services, "clean")

    def _end_each(self, dead_services: Iterable[_DeadService], verb: str) -> None:
        """Stop or clean services, whatever they raise, until the time is over."""

        def failed(dead: _DeadService, error: BaseException) -> None:
            self._problem(f"{_ENDING[verb]} service {dead.service_id}", dead, error)
            self._suspect(dead, dead.suspects(error), verb, short_text(error))

        def left_out(dead: _DeadService, error: KeyboardInterrupt) -> None:
            self._problem(f"{_ENDING[verb]} service {dead.service_id}", dead, error)
            self._suspect(dead, dead.named_nodes, verb, "there was no time left for it")

        revived = [dead for dead in dead_services if dead.service is not None]
        end_each(revived, lambda dead: dead.end(verb), failed, left_out=left_out)

    def collect(self) -> None:
        self.step(COLLECT, "copying service logs", self._collect)

    def _collect(self) -> None:
        session = self.context.session_context
        directory = TestContext.results_dir(self.context, self.context.test_index)
        orders = [
            Order(dead, service_directory(directory, dead.service_id), lambda name: True) for dead in self.dead_services
        ]
        try:
            missing = collect_logs(
                orders,
                compress=compress_logs if getattr(session, "compress", False) else None,
                logger=self.context.logger,
                timeout=getattr(session, "collect_timeout", None) or _COLLECT_SEC,
            )
        except KeyboardInterrupt:
            reason = "the collection of its logs was interrupted"
            self.missing_logs += [f"{dead.service_id}: {reason}" for dead in self.dead_services]
            raise
        self.missing_logs += [str(log) for log in missing]

    def describe(self, services: list[Service]) -> None:
        # With those that could not be made again
        self.services = [
            described(dead.record) if dead.service is None else jsonable(Service.to_json(dead.service))
            for dead in self.dead_services
        ]

    def failed(self, phase: str, activity: str, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.log(logging.WARNING, f"The time for this step is over: {phase or activity}")
        elif phase:
            self._add(f"Error {activity}: {short_text(error)}")

    def _add(self, *problems: str) -> None:
        for problem in problems:
            self.errors.append(problem)
            self.log(logging.WARNING, problem)

    def _problem(self, activity: str, dead: _DeadService, error: BaseException) -> None:
        self._add(problem_with(activity, dead.nodes, error))

    def _suspect(self, dead: _DeadService, names: Iterable[str], verb: str, why: str) -> None:
        if not dead.may_have_run:
            return
        reason = f"service {dead.service_id} could not be {_ENDED[verb]} after its test was over: {why}"
        for name in names:
            self.dirty.setdefault(name, reason)  # what went wrong first is what the rest comes from


class _Watch:
    """Sees on which nodes a hook of one service came to its end; once the time is over, it begins on no other."""

    def __init__(self, service: Service, hook: str) -> None:
        self._done: set[int] = set()
        self._failed: set[int] = set()
        self._over = False
        original = getattr(service, hook)

        @functools.wraps(original)
        def watched(node: object, *args: object, **kwargs: object) -> object:
            if self._over:
                raise KeyboardInterrupt
            self._failed.add(id(node))
            try:
                result = original(node, *args, **kwargs)
            except KeyboardInterrupt:
                self._over = True
                raise
            self._failed.discard(id(node))
            self._done.add(id(node))
            return result

        setattr(service, hook, watched)

    def suspects(self, nodes: Mapping[str, object], error: BaseException) -> list[str]:
        """See :meth:`_DeadService.suspects`."""
        if isinstance(error, KeyboardInterrupt):
            return [name for name, node in nodes.items() if id(node) not in self._done]
        failed = [name for name, node in nodes.items() if id(node) in self._failed]
        # If none failed by itself, it was something before or after, which concerns all
        return failed or list(nodes)


def _import_file(file: str) -> ModuleType:
    return import_test_module(file).module
