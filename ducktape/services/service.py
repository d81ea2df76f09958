# SPDX-License-Identifier: Apache-2.0
"""The class that every service derives from: software under test, or a tool, on a group of nodes."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from typing import Any

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.errors import DucktapeError, TimeoutError
from ducktape.services.support.allocation import request_nodes, session_says, take_over_accounts
from ducktape.template import TemplateRenderer
from ducktape.utils.support.hooks import HookError, answer_of, called
from ducktape.utils.support.parallel import run_each
from ducktape.utils.support.stopwatch import Stopwatch


class MissingHookError(DucktapeError, NotImplementedError):
    """A service was asked for something that its class has not defined."""


class ServiceIdFactory:
    """Names services by class, position and identity."""

    def generate_service_id(self, service: Any) -> str:
        """Return ``<class>-<order>-<identity>``.

        Args:
            service: the service to name.
        """
        return f"{type(service).__name__}-{service._order}-{id(service)}"


class MultiRunServiceIdFactory(ServiceIdFactory):
    """Names services of one of several runs of the same test.

    Args:
        run_number: comes first in every id.
    """

    def __init__(self, run_number: int = 1) -> None:
        self.run_number = run_number

    def generate_service_id(self, service: Any) -> str:
        """Return ``<run>-<class>-<order>-<identity>``.

        Args:
            service: the service to name.
        """
        return f"{self.run_number}-{super().generate_service_id(service)}"


service_id_factory = ServiceIdFactory()


class Service(TemplateRenderer):
    """Base of every service; gets its nodes when it is constructed and is known to its test from then on.

    Subclasses define :meth:`start_node`, :meth:`stop_node`, :meth:`clean_node` and, if something ends by itself,
    :meth:`wait_node`. ``stop_node`` and ``clean_node`` are also called before the first start and have to bear a node
    on which nothing ever ran.

    Attributes:
        logs: what to collect after a test, as ``{name: {"path": <on the node>, "collect_default": <bool>}}``.
        parallel_nodes: whether start, stop and clean work on all nodes of this service side by side, each node in a
            thread of its own, rather than node by node.

    Args:
        context: has ``cluster``, ``logger`` and ``services``; in a test it is the ``TestContext``.
        num_nodes: how many Linux nodes of any type; or else
        cluster_spec: which nodes.
        skip_nodes_allocation: keyword; leave it to the subclass to call :meth:`allocate_nodes` or to set ``nodes``.
            Without it the session's option of that name decides.

    Raises:
        RuntimeError: neither or both of the sizes are given, or the cluster cannot serve.
        InsufficientResourcesError: the cluster has too few nodes.
    """

    logs: dict[str, dict[str, Any]] = {}
    parallel_nodes: bool = False
    _registered_order: int | None = None
    _revived: bool = False

    def __init__(
        self,
        context: Any,
        num_nodes: int | None = None,
        cluster_spec: ClusterSpec | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        skip = kwargs.pop("skip_nodes_allocation", None)
        super().__init__(*args, **kwargs)
        begin_life(self)
        self.cluster_spec = self.setup_cluster_spec(num_nodes=num_nodes, cluster_spec=cluster_spec)
        self.context = context
        self.nodes: list[Any] = []
        self.skip_nodes_allocation = session_says(context, "skip_nodes_allocation") if skip is None else skip
        if not self.skip_nodes_allocation:
            called(self.allocate_nodes)
        # Reports name the nodes long after they have been given back
        self._nodes_formerly_allocated = [str(node.account) for node in self.nodes]
        # The registry forgets its services at the end of a test, and the id must still be that of the log directory
        self._registered_order = self._order
        self.context.services.append(self)
        self._initialized = True

    def __repr__(self) -> str:
        hostnames = [node.account.hostname for node in self.nodes]
        return f"<{self.who_am_i()}: num_nodes: {self.num_nodes}, nodes: {hostnames}>"

    # ---- identity

    _init_time: float
    _start_time: float
    _start_duration_seconds: float
    _stop_time: float
    _stop_duration_seconds: float
    _clean_time: float
    _initialized: bool
    _local_scratch_dir: str | None
    service_id_factory: ServiceIdFactory

    @property
    def _order(self) -> int:
        """Position among the services of exactly this class, from 0."""
        if self._registered_order is not None:
            return self._registered_order
        services = getattr(getattr(self, "context", None), "services", None)
        if not isinstance(services, Iterable):
            return 0
        return sum(1 for service in services if type(service) is type(self) and service is not self)

    @property
    def service_id(self) -> str:
        """Name of this service in log lines, threads, reports and the results directory."""
        return self.service_id_factory.generate_service_id(self)

    def who_am_i(self, node: Any = None) -> str:
        """Return the service's id, or a text that names one of its nodes.

        Args:
            node: a node of this service, or ``None``.
        """
        if node is None:
            return self.service_id
        return f"{self.service_id} node {self.idx(node)} on {node.account.hostname}"

    @property
    def logger(self) -> Any:
        """The log of the test."""
        return self.context.logger

    @property
    def cluster(self) -> Any:
        """Where the nodes come from."""
        return self.context.cluster

    @property
    def local_scratch_dir(self) -> str:
        """A temporary directory of this service on the driver, made at first use and removed by :meth:`close`."""
        if self._local_scratch_dir is None:
            self._local_scratch_dir = tempfile.mkdtemp()
        return self._local_scratch_dir

    def close(self) -> None:
        """Remove the scratch directory; twice is fine."""
        directory, self._local_scratch_dir = self._local_scratch_dir, None
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)

    def to_json(self) -> dict[str, Any]:
        """Return what reports say of a service; times are Unix seconds, -1 for what did not happen."""
        return {
            "cls_name": type(self).__name__,
            "module_name": type(self).__module__,
            "lifecycle": {
                "init_time": self._init_time,
                "start_time": self._start_time,
                "start_duration_seconds": self._start_duration_seconds,
                "stop_time": self._stop_time,
                "stop_duration_seconds": self._stop_duration_seconds,
                "clean_time": self._clean_time,
            },
            "service_id": self.service_id,
            "nodes": self._nodes_formerly_allocated,
        }

    # ---- nodes

    @staticmethod
    def setup_cluster_spec(num_nodes: int | None = None, cluster_spec: ClusterSpec | None = None) -> ClusterSpec:
        """Return the nodes that a service asks for.

        Args:
            num_nodes: how many Linux nodes of any type; or else
            cluster_spec: which nodes.

        Raises:
            RuntimeError: neither or both are given.
        """
        if num_nodes is None and cluster_spec is None:
            raise RuntimeError("You must set either num_nodes or cluster_spec.")
        if num_nodes is not None and cluster_spec is not None:
            raise RuntimeError("You must set only one of (num_nodes, cluster_spec)")
        if cluster_spec is not None:
            return cluster_spec
        assert num_nodes is not None
        return ClusterSpec.simple_linux(num_nodes)

    @property
    def num_nodes(self) -> int:
        """How many nodes the service has now."""
        return len(self.nodes)

    @property
    def allocated(self) -> bool:
        """Whether the service has nodes now."""
        return len(self.nodes) > 0

    def get_node(self, idx: int) -> Any:
        """Return a node by its position.

        Args:
            idx: counts from 1.

        Raises:
            IndexError: there are fewer nodes.
        """
        return self.nodes[idx - 1]

    def idx(self, node: Any) -> int:
        """Return the position of a node, counted from 1, or -1 if it is not one of this service.

        Args:
            node: any node.
        """
        return next((position for position, member in enumerate(self.nodes, 1) if member == node), -1)

    def allocate_nodes(self) -> None:
        """Take the nodes of ``cluster_spec`` from the cluster and let their accounts write to this service's log.

        Raises:
            RuntimeError: the service has nodes already, the cluster cannot serve, or an account is still in use.
            InsufficientResourcesError: the cluster has too few nodes.
        """
        if self.allocated:
            raise Exception("Requesting nodes for a service that has already been allocated nodes.")
        self.logger.debug("Requesting nodes from the cluster: %s", self.cluster_spec)
        nodes = request_nodes(self)
        take_over_accounts(self, nodes)
        self.nodes = nodes
        self.logger.debug("Successfully allocated %d nodes to %s", len(self.nodes), self.who_am_i())
        _tell_registry(self, "note_service")

    def free(self) -> None:
        """Give all nodes back, the last one first; :meth:`allocate_nodes` may be called again afterwards."""
        while self.nodes:
            self.logger.info("%s: freeing node", self.who_am_i(self.nodes[-1]))
            node = self.nodes.pop()
            node.account.logger = node.account.fault_log = None
            self.cluster.free(node)
        _tell_registry(self, "note_freed")

    def for_nodes(self, fn: Callable[[Any], Any], *, try_all: bool = False) -> list[Any]:
        """Call ``fn(node)`` for each node: node by node, or side by side with ``parallel_nodes``.

        Args:
            fn: what to do on one node.
            try_all: a failure on one node does not keep the others from their turn, as in stop and clean.

        Returns:
            What ``fn`` returned, in the order of the nodes.

        Raises:
            BaseException: the first failure in the order of the nodes; further ones are logged.
        """
        return _on_each_node(self, lambda node: called(fn, node), try_all=try_all)

    # ---- life

    def start(self, **kwargs: Any) -> None:
        """Stop and clean every node, whatever comes of it, and then start every node; blocks until all are started.

        Args:
            **kwargs: given to :meth:`start_node` as they are; ``clean=False`` leaves out the cleaning.
        """
        self.logger.info("%s: starting service", self.service_id)
        clock = Stopwatch()
        if self._start_time < 0:
            self._start_time = clock.start_time
        self.logger.debug("%s: killing processes and attempting to clean up before starting", self.service_id)
        clean = bool(kwargs.get("clean", True))
        _tell_registry(self, "note_service")
        try:
            _on_each_node(self, lambda node: _prepare(self, node, clean=clean), try_all=False)
            _on_each_node(self, lambda node: _start(self, node, kwargs), try_all=False)
        finally:
            # Only now it is known what runs, and where; also of what failed half-way
            _tell_registry(self, "note_service")
        if self._start_duration_seconds < 0:
            self._start_duration_seconds = clock.elapsed

    def start_node(self, node: Any, **kwargs: Any) -> None:
        """Start the service on one node; does nothing unless overridden.

        Args:
            node: one of ``nodes``.
            **kwargs: those of :meth:`start`.
        """

    def wait(self, timeout_sec: float = 600) -> None:
        """Wait until every node has finished by itself.

        Args:
            timeout_sec: seconds for all nodes together.

        Raises:
            TimeoutError: some node has not finished in time.
            MissingHookError: the service has nodes, but its class does not say how to wait for one.
        """
        deadline = time.monotonic() + timeout_sec
        unfinished = []
        for node in list(self.nodes):
            remaining = deadline - time.monotonic()
            if remaining > 0:
                self.logger.debug("%s: waiting for node", self.who_am_i(node))
                if answer_of(self.wait_node, node, remaining):
                    continue
            unfinished.append(self.who_am_i(node))
        if unfinished:
            raise TimeoutError(
                f"Timed out waiting {timeout_sec} seconds for service nodes to finish. "
                f"These nodes are still alive: {unfinished}"
            )

    def wait_node(self, node: Any, timeout_sec: float | None = None) -> Any:
        """Wait until one node has finished by itself; has to be defined by the subclass.

        Args:
            node: one of ``nodes``.
            timeout_sec: seconds.

        Returns:
            Something true if it has finished.

        Raises:
            MissingHookError: unless overridden.
        """
        raise MissingHookError(
            f"{type(self).__name__} does not say how to wait for a node: define "
            "wait_node(self, node, timeout_sec=None), which returns True once the node has finished"
        )

    def stop(self, **kwargs: Any) -> None:
        """Stop every node; a node that fails does not keep the others from being stopped.

        Args:
            **kwargs: given to :meth:`stop_node`.

        Raises:
            BaseException: the first failure; further ones are logged.
        """
        clock = Stopwatch()
        self._stop_time = clock.start_time
        self.logger.info("%s: stopping service", self.service_id)
        _on_each_node(self, lambda node: _stop(self, node, kwargs), try_all=True)
        self._stop_duration_seconds = clock.elapsed

    def stop_node(self, node: Any, **kwargs: Any) -> None:
        """Stop the service on one node; does nothing unless overridden.

        Args:
            node: one of ``nodes``.
            **kwargs: those of :meth:`stop`.
        """

    def clean(self, **kwargs: Any) -> None:
        """Remove what the service left on its nodes; a node that fails does not keep the others from being cleaned.

        Args:
            **kwargs: given to :meth:`clean_node`.

        Raises:
            BaseException: the first failure; further ones are logged.
        """
        self._clean_time = time.time()
        self.logger.info("%s: cleaning service", self.service_id)
        _on_each_node(self, lambda node: _clean(self, node, kwargs), try_all=True)

    def clean_node(self, node: Any, **kwargs: Any) -> None:
        """Remove what the service left on one node; only says so unless overridden.

        Args:
            node: one of ``nodes``.
            **kwargs: those of :meth:`clean`.
        """
        self.logger.warning(
            "%s: clean_node has not been overriden. This may be fine if the service leaves no persistent state.",
            self.service_id,
        )

    def run(self) -> None:
        """Start, wait until all nodes have finished, and stop."""
        called(self.start)
        called(self.wait)
        called(self.stop)

    @staticmethod
    def run_parallel(*services: Service) -> None:
        """Start all services, then wait for all, then stop all.

        Args:
            *services: in the order in which they are started, waited for and stopped.
        """
        for service in services:
            called(service.start)
        for service in services:
            called(service.wait)
        for service in services:
            called(service.stop)


# Functions rather than methods: the names of the methods belong to the subclasses, of which there are many already.


def begin_life(service: Service) -> None:
    """Give a service that is being made what every service has before anything happens to it."""
    service._init_time = time.time()
    service._start_time = -1
    service._start_duration_seconds = -1
    service._stop_time = -1
    service._stop_duration_seconds = -1
    service._clean_time = -1
    service._initialized = False
    service._local_scratch_dir = None
    service.service_id_factory = service_id_factory


def _tell_registry(service: Service, what: str) -> None:
    # Suites of users bring registries of their own, which know nothing of this
    tell = getattr(getattr(service.context, "services", None), what, None)
    if callable(tell):
        tell(service)


def _on_each_node(service: Service, work: Callable[[Any], Any], *, try_all: bool) -> list[Any]:
    def note(node: Any, error: BaseException) -> None:
        service.logger.warning("%s: one more node failed: %r", service.who_am_i(node), error)

    parallel = service.parallel_nodes is True
    if parallel and service._revived:
        # What is done for a dead test has a time limit, and an interrupt means that the time is over. Side by side
        # every node has its turn anyway.
        try_all = False
    return run_each(list(service.nodes), work, note, parallel=parallel, try_all=try_all)


def _prepare(service: Service, node: Any, *, clean: bool) -> None:
    """Remove what earlier tests may have left; errors of a node on which nothing ran mean nothing."""
    try:
        called(service.stop_node, node)
    except HookError:
        raise
    except Exception as error:
        service.logger.debug("%s: nothing to stop before the start: %r", service.who_am_i(node), error)
    if not clean:
        service.logger.debug("%s: skip cleaning node", service.who_am_i(node))
        return
    try:
        called(service.clean_node, node)
    except HookError:
        raise
    except Exception as error:
        service.logger.debug("%s: nothing to clean before the start: %r", service.who_am_i(node), error)


def _start(service: Service, node: Any, kwargs: dict[str, Any]) -> None:
    service.logger.debug("%s: starting node", service.who_am_i(node))
    called(service.start_node, node, **kwargs)


def _stop(service: Service, node: Any, kwargs: dict[str, Any]) -> None:
    service.logger.info("%s: stopping node", service.who_am_i(node))
    called(service.stop_node, node, **kwargs)


def _clean(service: Service, node: Any, kwargs: dict[str, Any]) -> None:
    service.logger.info("%s: cleaning node", service.who_am_i(node))
    called(service.clean_node, node, **kwargs)
