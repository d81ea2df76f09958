# SPDX-License-Identifier: Apache-2.0
"""Clients that keep a system busy during a test."""

from __future__ import annotations

import contextlib
import shlex
import threading
from collections.abc import Iterator, Sequence
from signal import SIGTERM
from typing import TYPE_CHECKING, Any

from ducktape.cluster.account.errors import RemoteCommandError
from ducktape.errors import DucktapeError
from ducktape.metrics import MetricError
from ducktape.services.background_thread import BackgroundThreadService
from ducktape.services.support.node_files import NodeFiles
from ducktape.services.support.protocols import Context, accepts_any_override
from ducktape.utils.util import wait_until

if TYPE_CHECKING:
    from ducktape.cluster.cluster_node import ClusterNode
    from ducktape.cluster.cluster_spec import ClusterSpec

__all__ = ["Workload", "WorkloadEndedError"]


class WorkloadEndedError(DucktapeError):
    """A workload ended although nobody stopped it."""


class Workload(NodeFiles, BackgroundThreadService):
    """Works in one thread per node until it is stopped, and counts what it does.

    A subclass defines :meth:`work`, which returns soon after :attr:`stopping` is set::

        class Writes(Workload):
            def work(self, idx, node):
                while not self.stopping.wait(0.01):
                    self.store.write(...)
                    self.count("writes")

    An error in a thread, and one that ends although nobody stopped it, is raised by :meth:`wait_for`, :meth:`wait` and
    :meth:`stop`. The counters are in the reports.

    A program that the work needs on its node is one of the :meth:`files`; :meth:`lines` runs it.

    Attributes:
        stopping: set when the work has to end.
        is_endless: whether it is an error if the work ends by itself.
        stop_timeout_sec: seconds in which the threads have to end.
        name: used in the names of the working directories; by default the name of the class in lower case.
        work_root: directory on the nodes in which each node gets its working directory; ``work_root`` in ``--globals``
            replaces it.
        templates: files to render into the working directory before each start, relative to ``templates``; the others
            are those of :meth:`files`.

    Args:
        context: as for :class:`Service`.
        num_nodes: as for :class:`Service`.
        cluster_spec: as for :class:`Service`.
    """

    is_endless: bool = True
    stop_timeout_sec: float = 30

    def __init__(
        self,
        context: Context,
        num_nodes: int | None = None,
        cluster_spec: ClusterSpec | None = None,
        *args: object,
        **kwargs: object,
    ) -> None:
        self.stopping = threading.Event()
        self.counters: dict[str, int] = {}
        self.programs: dict[str, tuple[int, int | str]] = {}
        super().__init__(context, num_nodes, cluster_spec, *args, **kwargs)

    def work(self, idx: int, node: ClusterNode) -> None:
        """Work until :attr:`stopping` is set; defined by the subclass.

        Args:
            idx: position of the node, from 1.
            node: one of ``nodes``.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how to work: define work(self, idx, node)")

    def lines(self, node: ClusterNode, command: str | Sequence[str], stop_signal: int | str = SIGTERM) -> Iterator[str]:
        """Run a program on a node and yield the lines of its output as they come; it is asked to end with the workload.

        It runs in the working directory, or in the home directory if there are no :meth:`files` and templates.

        Args:
            node: one of ``nodes``.
            command: the program and its arguments as a list, or the text of a simple command for the shell, without
                ``;``, ``&&`` and the like.
            stop_signal: number, constant or name of the signal that asks it to end.

        Raises:
            RemoteCommandError: it failed, other than by that signal.
        """
        program = command if isinstance(command, str) else shlex.join(command)
        text = self._in_work_dir(node, f"echo $$; exec {program} </dev/null")
        output = node.account.ssh_capture(text, combine_stderr=False)
        try:
            pid = int(next(output))
            with self.lock:
                self.programs[node.name] = (pid, stop_signal)
            if self.stopping.is_set():
                self._end_program(node)
            yield from output
        except RemoteCommandError:
            if not self.stopping.is_set():
                raise
        finally:
            with self.lock:
                self.programs.pop(node.name, None)

    def count(self, name: str, number: int = 1) -> None:
        """Add to a counter, and to the metric ``<class>.<counter>`` of the test; any thread may do so."""
        with self.lock:
            self.counters[name] = self.counters.get(name, 0) + number
        with contextlib.suppress(MetricError):  # counters may have any names
            self.metrics.count(f"{type(self).__name__}.{name}", number)

    def total(self, name: str) -> int:
        """Return a counter, 0 if nothing was counted."""
        with self.lock:
            return self.counters.get(name, 0)

    def wait_for(self, name: str, more: int, timeout_sec: float = 60) -> None:
        """Wait until a counter has grown.

        Args:
            name: of the counter.
            more: by how much.
            timeout_sec: seconds.

        Raises:
            Exception: a thread has failed or ended.
            TimeoutError: (the framework's) it did not grow in time.
        """
        wanted = self.total(name) + more
        wait_until(
            lambda: self.errors or self.total(name) >= wanted,
            timeout_sec=timeout_sec,
            backoff_sec=0.02,
            err_msg=lambda: f"{self.who_am_i()}: {wanted - self.total(name)} of {more} {name} are missing",
        )
        self._propagate_exceptions()

    @accepts_any_override
    def start_node(self, node: ClusterNode, **kwargs: Any) -> None:
        """See :meth:`BackgroundThreadService.start_node`; the work may begin again after a stop."""
        self.stopping.clear()
        self._write_files(node)
        super().start_node(node, **kwargs)

    @accepts_any_override
    def stop_node(self, node: ClusterNode, **kwargs: Any) -> None:
        """Let the threads end, and wait for that of the node.

        Args:
            node: one of ``nodes``.
            **kwargs: those of :meth:`stop`; ignored.

        Raises:
            DucktapeError: it does not end in time.
        """
        self.stopping.set()
        self._end_program(node)
        if not self.wait_node(node, timeout_sec=self.stop_timeout_sec):
            raise DucktapeError(f"{self.who_am_i(node)} did not end within {self.stop_timeout_sec:g} seconds")

    def _end_program(self, node: ClusterNode) -> None:
        with self.lock:
            program = self.programs.get(node.name)
        if program is not None:
            node.account.signal(*program, allow_fail=True)

    def to_json(self) -> dict[str, Any]:
        """Return the record for reports, with the ``counters``."""
        with self.lock:
            return {**super().to_json(), "counters": dict(self.counters)}

    def _worker(self, idx: int, node: ClusterNode) -> None:
        self.work(idx, node)
        if self.is_endless and not self.stopping.is_set():
            raise WorkloadEndedError(f"{self.who_am_i(node)} ended although nobody stopped it")
