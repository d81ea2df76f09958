# SPDX-License-Identifier: Apache-2.0
"""Services that work on each node in a thread of the test."""

from __future__ import annotations

import threading
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.errors import TimeoutError
from ducktape.services.service import Service
from ducktape.services.support.protocols import Context, accepts_any_override
from ducktape.utils.support.guard import OnError
from ducktape.utils.support.hooks import called

if TYPE_CHECKING:
    from ducktape.cluster.cluster_node import ClusterNode


class BackgroundThreadService(Service):
    """A service that runs ``_worker(idx, node)``, which the subclass defines, in one daemon thread per node.

    Errors of workers are raised when the service is waited for or stopped; ``stop_node`` has to make workers end.

    Attributes:
        worker_threads: the latest thread by position of the node, from 1.
        worker_errors: tracebacks by name of the thread.
        lock: re-entrant lock for both.

    The arguments are those of :class:`Service`.
    """

    def __init__(
        self,
        context: Context,
        num_nodes: int | None = None,
        cluster_spec: ClusterSpec | None = None,
        *args: object,
        **kwargs: object,
    ) -> None:
        self.worker_threads: dict[int, threading.Thread] = {}
        self.worker_errors: dict[str, str] = {}
        self.lock: Any = threading.RLock()
        super().__init__(context, num_nodes, cluster_spec, *args, **kwargs)

    @property
    def errors(self) -> Any:
        """All failures of workers as one text, empty without failures; or the value that a subclass has assigned."""
        return self.__dict__["errors"] if "errors" in self.__dict__ else _failures_of(self)

    @errors.setter
    def errors(self, value: object) -> None:
        self.__dict__["errors"] = value

    @property
    def error(self) -> Any:
        """The same under the name that the summary of a test uses."""
        return self.__dict__["error"] if "error" in self.__dict__ else _failures_of(self)

    @error.setter
    def error(self, value: object) -> None:
        self.__dict__["error"] = value

    def _protected_worker(self, idx: int, node: ClusterNode) -> None:
        """Run the worker of one node in its thread and record its failure."""
        with OnError(partial(_record_failure, self)):
            called(self._worker, idx, node)

    def _worker(self, idx: int, node: ClusterNode) -> None:
        """Do the work of one node; defined by the subclass.

        Args:
            idx: position of the node, from 1.
            node: one of ``nodes``.
        """
        # A mix-in may define it after this class in the MRO
        worker = getattr(super(), "_worker", None)
        if worker is None:
            raise NotImplementedError(
                f"{type(self).__name__} does not say what its threads do: define _worker(self, idx, node)"
            )
        called(worker, idx, node)

    @accepts_any_override
    def start_node(self, node: ClusterNode, **kwargs: Any) -> None:
        """Start the thread of one node; clears an earlier failure of the node.

        Args:
            node: one of ``nodes``.
            **kwargs: those of :meth:`start`; ignored.

        Raises:
            RuntimeError: the node's previous thread is still running.
        """
        idx = self.idx(node)
        worker = threading.Thread(
            name=f"{self.service_id}-worker-{idx}", target=self._protected_worker, args=(idx, node), daemon=True
        )
        with self.lock:
            previous = self.worker_threads.get(idx)
            if previous is not None and previous.is_alive():
                raise RuntimeError("Cannot restart node since previous thread is still alive")
            if previous is not None:
                self.worker_errors.pop(previous.name, None)
            self.worker_threads[idx] = worker
        self.logger.info("Running %s node %d on %s", self.service_id, idx, node.account.hostname)
        worker.start()

    def wait_node(self, node: ClusterNode, timeout_sec: float | None = 600) -> bool:
        """Wait for the thread of one node.

        Args:
            node: one of ``nodes``.
            timeout_sec: seconds; ``None`` waits forever.

        Returns:
            Whether it has finished; a node that was never started has.
        """
        idx = self.idx(node)
        with self.lock:
            worker = self.worker_threads.get(idx)
        if worker is None:
            self.logger.debug("%s: the node was not started, so there is nothing to wait for", self.who_am_i(node))
            return True
        worker.join(timeout_sec)
        return not worker.is_alive()

    def wait(self, timeout_sec: float = 600) -> None:
        """Wait until all workers have ended.

        Args:
            timeout_sec: seconds for all workers together.

        Raises:
            TimeoutError: some worker still runs; the text also shows failures of others.
            Exception: a worker has failed.
        """
        try:
            super().wait(timeout_sec)
        except TimeoutError as timeout:
            failures = _failures_of(self)
            if not failures:
                raise
            raise TimeoutError(f"{timeout}\nThese workers have failed meanwhile:\n{failures}") from timeout
        self._propagate_exceptions()

    def stop(self, **kwargs: Any) -> None:
        """Stop every node; threads are neither waited for nor killed.

        Args:
            **kwargs: passed to ``stop_node``.

        Raises:
            Exception: a worker has failed.
        """
        with self.lock:
            workers = list(self.worker_threads.values())
        alive = [worker.name for worker in workers if worker.is_alive()]
        if alive:
            self.logger.debug("%s: called stop while these worker threads are alive: %s", self.service_id, alive)
            self.logger.debug("%s: stop_node has to make them end, nothing else does", self.service_id)
        super().stop(**kwargs)
        self._propagate_exceptions()

    def _propagate_exceptions(self) -> None:
        """Raise an exception with the text of ``errors`` if any worker has failed."""
        failures = _failures_of(self)
        if failures:
            raise Exception(self.errors or failures)


# Functions rather than methods, so that their names do not clash with those of subclasses


def _record_failure(service: BackgroundThreadService, error: BaseException) -> None:
    text = "".join(traceback.format_exception(error))
    service.logger.info("Worker thread of %s failed: %s", service.service_id, text)
    with service.lock:
        service.worker_errors[threading.current_thread().name] = text


def _failures_of(service: BackgroundThreadService) -> str:
    # The lock is never taken twice, since a subclass may have replaced it by one that is not re-entrant
    with service.lock:
        failures = dict(service.worker_errors)
    return "\n".join(f"{name}: {text}" for name, text in failures.items())
