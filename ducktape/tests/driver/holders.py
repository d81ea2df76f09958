# SPDX-License-Identifier: Apache-2.0
"""Keeps the nodes of tests for people to look inside; see :mod:`ducktape.tests.keeping.holder`."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator

from ducktape.cluster.cluster import Cluster, Keeping
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.services.support.record import named_nodes
from ducktape.tests.driver.job import Job, TestKey
from ducktape.tests.driver.requests import clean_up_request, keep_option
from ducktape.tests.keeping import registry
from ducktape.tests.keeping.registry import ClusterSource, KeptTest
from ducktape.tests.reports.text import headline
from ducktape.tests.session import SessionContext
from ducktape.tests.test_context import TestContext
from ducktape.utils.process.tree import Family
from ducktape.utils.support.guard import tolerated
from ducktape.utils.support.text import one_line, short_text

_LONGEST_REASON = 400


@dataclasses.dataclass
class _Holder:
    """A process that keeps the nodes of a test, as the driver sees it."""

    key: TestKey
    kept: KeptTest
    nodes: list[ClusterNode]
    family: Family
    pid: int
    pidfd: int | None = None  # where the system has such a thing
    is_ending: bool = False


@dataclasses.dataclass(frozen=True)
class Released:
    """A test whose holder has ended while the run goes on; ``dirty`` are nodes that it could not clean."""

    key: TestKey
    nodes: list[ClusterNode]
    dirty: dict[str, str]


class Holders:
    """The tests of a run whose nodes are kept."""

    def __init__(self, cluster: Cluster, session: SessionContext, log: Callable[[int, str], None]) -> None:
        self._cluster = cluster
        self._session = session
        self._log = log
        self._holders: list[_Holder] = []
        self.option = keep_option(session)
        if self.option is not None and (problem := self._problem()):
            self._log(logging.WARNING, f"No nodes are kept: {problem}")
            self.option = session.keep = None

    def _problem(self) -> str:
        if not sys.platform.startswith("linux"):
            return "that needs Linux"
        if not hasattr(self._cluster, "keep"):  # clusters of users need not have this base class
            return f"a {type(self._cluster).__name__} is no subclass of Cluster"
        try:
            registry.prepare()
        except OSError as error:
            return f"{error.filename or registry.directory()} cannot be written: {error.strerror}"
        return ""

    def keep(self, job: Job) -> bool:
        """Hand the nodes of a test over to a process that keeps them, and say so in its result.

        Returns whether a process has them now. If something fails, there is a warning, and such a process ends soon.
        """

        def complain(error: BaseException) -> None:
            self._log(logging.WARNING, f"{job.known_key.test_id}: its nodes cannot be kept: {short_text(error)}")

        keeping: Keeping | None = None
        holder: _Holder | None = None
        with tolerated(complain):  # clusters of users
            keeping = self._cluster.keep(job.nodes)
            holder = self._start(job, keeping)
            self._holders.append(holder)
            keeping.confirm(holder.pid, holder.kept.until)
            assert job.outcome is not None
            summary = "\n".join([job.outcome.summary, "", *lines_about([holder.kept])])
            job.outcome = dataclasses.replace(job.outcome, summary=summary)
            return True
        for descriptor in [] if keeping is None else keeping.descriptors:
            os.close(descriptor)
        if holder is None:
            return False
        holder.is_ending = True
        os.kill(holder.pid, signal.SIGTERM)  # it cleans up, and the nodes are given back afterwards
        return True

    def _start(self, job: Job, keeping: Keeping) -> _Holder:
        """Start the process that keeps a test, which then holds the descriptors."""
        # Most runs keep nothing
        from ducktape.tests.keeping.holder import start_holder

        key, worker, outcome = job.known_key, job.worker, job.outcome
        assert worker is not None  # it has run
        assert outcome is not None
        now = time.time()
        kept = KeptTest(
            session_id=self._session.session_id,
            results_dir=self._session.results_dir,
            test_dir=TestContext.results_dir(job.context, key.test_index),
            test_id=key.test_id,
            test_index=key.test_index,
            since=now,
            until=now + self._session.keep_for,
            status=outcome.status.upper(),
            reason=one_line(headline(outcome.summary), _LONGEST_REASON),
            source=self._source(),
            nodes=keeping.where,
        )
        request = clean_up_request(job, worker.family.mark)
        pid = start_holder(kept, request, worker.watch.limits, keeping.descriptors)
        while keeping.descriptors:
            os.close(keeping.descriptors.pop())
        holder = _Holder(key, kept, job.nodes, worker.family, pid)
        with contextlib.suppress(AttributeError, OSError):
            holder.pidfd = os.pidfd_open(pid)
        return holder

    def _source(self) -> ClusterSource:
        options = self._session.cluster_options
        file = options["cluster_file"]
        return ClusterSource(
            name=options["cluster"] or "",
            provider=f"{type(self._cluster).__module__}.{type(self._cluster).__qualname__}",
            cluster_file=None if file is None else os.path.abspath(file),
            host_keys=options["host_keys"],
            known_hosts=options["known_hosts"],
            results_root=os.path.abspath(options["results_root"] or "."),
            directory=os.getcwd(),
        )

    @property
    def kept(self) -> list[KeptTest]:
        """The tests that are kept now."""
        return [holder.kept for holder in self._holders if not holder.is_ending]

    @property
    def pids(self) -> set[int]:
        """The processes that keep them."""
        return {holder.pid for holder in self._holders}

    def waitables(self) -> Iterator[int]:
        """Yield descriptors that become readable when one of the processes ends."""
        yield from (holder.pidfd for holder in self._holders if holder.pidfd is not None)

    def spared(self, pids: Iterable[int]) -> list[int]:
        """Return the processes that do not belong to a test that is kept."""
        pids = list(pids)
        kept = {pid for holder in self._holders for pid in holder.family.members(pids)}
        return [pid for pid in pids if pid not in kept]

    def ended(self) -> list[Released]:
        """Reap the processes that have ended, and return their tests, whose nodes can be used again."""
        released = []
        for holder in list(self._holders):
            pid, status = os.waitpid(holder.pid, os.WNOHANG)
            if not pid:
                continue
            self._holders.remove(holder)
            if holder.pidfd is not None:
                os.close(holder.pidfd)
            dirty = {}
            if status:
                why = f"its test was kept and could not be cleaned up, see {holder.kept.test_dir}/keeping.debug"
                dirty = dict.fromkeys(named_nodes(holder.nodes), why)
            self._log(logging.INFO, f"{holder.key.test_id}: the nodes that were kept are released")
            released.append(Released(holder.key, holder.nodes, dirty))
        return released

    def shortage(self) -> str:
        """Return why tests do not run for want of nodes, empty if none are kept."""
        if not self.kept:
            return ""
        names = " ".join(kept.name for kept in self.kept)
        return f"the nodes that it needs are kept: ducktape release {names}"


def lines_about(tests: Iterable[KeptTest]) -> list[str]:
    """Return for each kept test what is kept until when, and the commands to look inside and to release it."""
    lines = []
    for kept in tests:
        end = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(kept.until))
        lines.append(f"Kept until {end}: {', '.join(kept.node_names)} of {kept.test_id}")
        lines.append(f"  look inside: ducktape shell {kept.name} {kept.node_names[0] if kept.nodes else ''}".rstrip())
        lines.append(f"  give back:   ducktape release {kept.name}")
    return lines
