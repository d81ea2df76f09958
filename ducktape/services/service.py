# SPDX-License-Identifier: Apache-2.0
"""The base class of services: software under test, or a tool, on a group of nodes."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.errors import DucktapeError, TimeoutError
from ducktape.metrics import Metrics
from ducktape.services.support.nodes import (
    call_on_each_node,
    notify_registry,
    on_each_node,
    prepare_node,
    release_account,
    request_nodes,
    session_option,
    take_over_accounts,
)
from ducktape.services.support.protocols import Context, NodeLike, accepts_any_override
from ducktape.services.support.record import LIFECYCLE, report_of
from ducktape.template import TemplateRenderer
from ducktape.utils.support.hooks import answer_of, called
from ducktape.utils.support.times import Stopwatch

if TYPE_CHECKING:
    from ducktape.cluster.cluster_node import ClusterNode
    from ducktape.cluster.finite_subcluster import FiniteSubcluster
    from ducktape.services.log_rules import LogRule
    from ducktape.tests.test_context import TestContext

R = TypeVar("R")


class MissingHookError(DucktapeError, NotImplementedError):
    """A service's class does not define a method that is needed."""


class ServiceIdFactory:
    """Names services by class, position and identity."""

    def generate_service_id(self, service: Service) -> str:
        """Return ``<class>-<order>-<identity>``."""
        return f"{type(service).__name__}-{service._order}-{id(service)}"


class MultiRunServiceIdFactory(ServiceIdFactory):
    """Names services of one of several runs of the same test; ids begin with the run number."""

    def __init__(self, run_number: int = 1) -> None:
        self.run_number = run_number

    def generate_service_id(self, service: Service) -> str:
        """Return ``<run>-<class>-<order>-<identity>``."""
        return f"{self.run_number}-{super().generate_service_id(service)}"


service_id_factory = ServiceIdFactory()


class Service(TemplateRenderer):
    """Base class of services; its constructor allocates the nodes and registers the service with the test.

    Subclasses define :meth:`start_node`, :meth:`stop_node`, :meth:`clean_node` and, if something ends by itself,
    :meth:`wait_node`. ``stop_node`` and ``clean_node`` are also called before the first start, so they must work on a
    node on which nothing ever ran.

    Attributes:
        logs: the logs to collect after a test, as ``{name: {"path": <on the node>, "collect_default": <bool>}}``.
        log_rules: what collected logs must not contain, such as ``[bad("ERROR", unless="retrying")]``; see
            :func:`ducktape.services.log_rules.bad`.
        parallel_nodes: whether start, stop and clean run on all nodes in parallel, each node in its own thread.

    Args:
        context: has ``cluster``, ``logger`` and ``services``; in a test it is the ``TestContext``.
        num_nodes: number of Linux nodes of any type; or else
        cluster_spec: the nodes to allocate.
        skip_nodes_allocation: keyword; the subclass calls :meth:`allocate_nodes` or sets ``nodes`` itself. By default
            the session's option of that name decides.

    Raises:
        RuntimeError: neither or both of the sizes are given, or the allocation fails.
        InsufficientResourcesError: the cluster has too few nodes.
    """

    logs: dict[str, dict[str, Any]] = {}
    log_rules: Sequence[LogRule] = ()
    parallel_nodes: bool = False
    service_id_factory: ServiceIdFactory
    _registered_order: int | None = None
    _revived = False
    _is_framework_service = True  # for modules that must not import this one
    _initialized: bool
    _local_scratch_dir: str | None
    # Unix seconds; -1 for what did not happen
    _init_time: float
    _start_time: float
    _start_duration_seconds: float
    _stop_time: float
    _stop_duration_seconds: float
    _clean_time: float

    if TYPE_CHECKING:

        @property
        def nodes(self) -> list[ClusterNode]:
            """The nodes; also accepts stand-ins with an account, which tests of services use."""

        @nodes.setter
        def nodes(self, nodes: Sequence[NodeLike]) -> None: ...

    def __init__(
        self,
        context: Context,
        num_nodes: int | None = None,
        cluster_spec: ClusterSpec | None = None,
        *args: object,
        **kwargs: object,
    ) -> None:
        skip = kwargs.pop("skip_nodes_allocation", None)
        super().__init__(*args, **kwargs)
        initialize(self)
        self.cluster_spec = self.setup_cluster_spec(num_nodes=num_nodes, cluster_spec=cluster_spec)
        self.context = cast("TestContext", context)
        self.nodes = []
        self.skip_nodes_allocation = session_option(context, "skip_nodes_allocation") if skip is None else skip
        if not self.skip_nodes_allocation:
            called(self.allocate_nodes)
        # For reports, which are written after the nodes were freed
        self._nodes_formerly_allocated = [str(node.account) for node in self.nodes]
        # The registry is emptied at the end of a test, but the id must not change
        self._registered_order = self._order
        self.context.services.append(self)
        self._initialized = True

    def __repr__(self) -> str:
        hostnames = [node.account.hostname for node in self.nodes]
        return f"<{self.who_am_i()}: num_nodes: {self.num_nodes}, nodes: {hostnames}>"

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

    def who_am_i(self, node: NodeLike | None = None) -> str:
        """Return the service's id, or a text that names one of its nodes."""
        if node is None:
            return self.service_id
        return f"{self.service_id} node {self.idx(node)} on {node.account.hostname}"

    @property
    def logger(self) -> logging.Logger:
        """The log of the test."""
        return self.context.logger

    # Not a property: suites have attributes of this name
    @cached_property
    def metrics(self) -> Metrics:
        """Records what the service measures, among the metrics of its test."""
        found = getattr(self.context, "metrics", None)
        return found if isinstance(found, Metrics) else Metrics()

    @property
    def cluster(self) -> FiniteSubcluster:
        """The cluster that the nodes come from."""
        return self.context.cluster

    @property
    def local_scratch_dir(self) -> str:
        """A temporary directory of this service on the driver, made at first use and removed by :meth:`close`."""
        if self._local_scratch_dir is None:
            self._local_scratch_dir = tempfile.mkdtemp()
        return self._local_scratch_dir

    def close(self) -> None:
        """Remove the scratch directory; may be called twice."""
        directory, self._local_scratch_dir = self._local_scratch_dir, None
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)

    def to_json(self) -> dict[str, Any]:
        """Return the record for reports; times are Unix seconds, -1 if something did not happen."""
        return report_of(self)

    @staticmethod
    def setup_cluster_spec(num_nodes: int | None = None, cluster_spec: ClusterSpec | None = None) -> ClusterSpec:
        """Return the nodes that a service requests.

        Args:
            num_nodes: number of Linux nodes of any type; or else
            cluster_spec: the nodes.

        Raises:
            RuntimeError: neither or both are given.
        """
        if num_nodes is not None and cluster_spec is not None:
            raise RuntimeError("You must set only one of (num_nodes, cluster_spec)")
        if cluster_spec is not None:
            return cluster_spec
        if num_nodes is not None:
            return ClusterSpec.simple_linux(num_nodes)
        raise RuntimeError("You must set either num_nodes or cluster_spec.")

    @property
    def num_nodes(self) -> int:
        """Number of nodes that the service has now."""
        return len(self.nodes)

    @property
    def allocated(self) -> bool:
        """Whether the service has nodes now."""
        return len(self.nodes) > 0

    def get_node(self, idx: int) -> ClusterNode:
        """Return a node by its position.

        Args:
            idx: counts from 1.

        Raises:
            IndexError: there are fewer nodes.
        """
        return self.nodes[idx - 1]

    def idx(self, node: object) -> int:
        """Return the position of a node, counted from 1, or -1 if it does not belong to this service."""
        return next((position for position, member in enumerate(self.nodes, 1) if member == node), -1)

    def allocate_nodes(self) -> None:
        """Allocate the nodes of ``cluster_spec``; their accounts write to this service's log.

        Raises:
            RuntimeError: the service already has nodes, the allocation fails, or an account is still in use.
            InsufficientResourcesError: the cluster has too few nodes.
        """
        if self.allocated:
            raise DucktapeError("Requesting nodes for a service that has already been allocated nodes.")
        self.logger.debug("Requesting nodes from the cluster: %s", self.cluster_spec)
        nodes = request_nodes(self)
        take_over_accounts(self, nodes)
        self.nodes = nodes
        self.logger.debug("Successfully allocated %d nodes to %s", len(self.nodes), self.who_am_i())
        notify_registry(self, "note_service")

    def free(self) -> None:
        """Free all nodes, the last one first; :meth:`allocate_nodes` may be called again."""
        while self.nodes:
            self.logger.info("%s: freeing node", self.who_am_i(self.nodes[-1]))
            node = self.nodes.pop()
            release_account(node)
            self.cluster.free(node)
        notify_registry(self, "note_freed")

    def for_nodes(self, fn: Callable[[ClusterNode], R], *, try_all: bool = False) -> list[R]:
        """Call ``fn(node)`` for each node: one after another, or in parallel with ``parallel_nodes``.

        Args:
            fn: the function.
            try_all: continue with the other nodes after a failure, as stop and clean do.

        Returns:
            The results in the order of the nodes.

        Raises:
            BaseException: the first failure in the order of the nodes; further ones are logged.
        """
        return on_each_node(self, lambda node: called(fn, node), try_all=try_all)

    def start(self, **kwargs: Any) -> None:
        """Try to stop and clean every node, then start every node; blocks until all are started.

        Args:
            **kwargs: passed to :meth:`start_node`; ``clean=False`` skips the cleaning.
        """
        self.logger.info("%s: starting service", self.service_id)
        clock = Stopwatch()
        if self._start_time < 0:
            self._start_time = clock.start_time
        self.logger.debug("%s: killing processes and attempting to clean up before starting", self.service_id)
        clean = bool(kwargs.get("clean", True))
        notify_registry(self, "note_service")
        try:
            on_each_node(self, lambda node: prepare_node(self, node, clean=clean), try_all=False)
            call_on_each_node(self, "start_node", kwargs, activity="starting", level=logging.DEBUG, try_all=False)
        finally:
            # Only now it is known what runs where, also after a failure
            notify_registry(self, "note_service")
        if self._start_duration_seconds < 0:
            self._start_duration_seconds = clock.elapsed

    @accepts_any_override
    def start_node(self, node: ClusterNode, **kwargs: Any) -> None:
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
            MissingHookError: the service has nodes, but its class does not define :meth:`wait_node`.
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

    def wait_node(self, node: ClusterNode, timeout_sec: float | None = None) -> object:
        """Wait until one node has finished by itself; defined by the subclass.

        Args:
            node: one of ``nodes``.
            timeout_sec: seconds.

        Returns:
            A true value if it has finished.

        Raises:
            MissingHookError: unless overridden.
        """
        raise MissingHookError(
            f"{type(self).__name__} does not say how to wait for a node: define "
            "wait_node(self, node, timeout_sec=None), which returns True once the node has finished"
        )

    def stop(self, **kwargs: Any) -> None:
        """Stop every node, even if others fail.

        Args:
            **kwargs: passed to :meth:`stop_node`.

        Raises:
            BaseException: the first failure; further ones are logged.
        """
        clock = Stopwatch()
        self._stop_time = clock.start_time
        self.logger.info("%s: stopping service", self.service_id)
        call_on_each_node(self, "stop_node", kwargs, activity="stopping")
        self._stop_duration_seconds = clock.elapsed

    @accepts_any_override
    def stop_node(self, node: ClusterNode, **kwargs: Any) -> None:
        """Stop the service on one node; does nothing unless overridden.

        Args:
            node: one of ``nodes``.
            **kwargs: those of :meth:`stop`.
        """

    def clean(self, **kwargs: Any) -> None:
        """Clean every node, even if others fail.

        Args:
            **kwargs: passed to :meth:`clean_node`.

        Raises:
            BaseException: the first failure; further ones are logged.
        """
        self._clean_time = time.time()
        self.logger.info("%s: cleaning service", self.service_id)
        call_on_each_node(self, "clean_node", kwargs, activity="cleaning")

    @accepts_any_override
    def clean_node(self, node: ClusterNode, **kwargs: Any) -> None:
        """Remove everything the service left on one node; only logs a warning unless overridden.

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
        """Start all services, then wait for all, then stop all, in this order."""
        for service in services:
            called(service.start)
        for service in services:
            called(service.wait)
        for service in services:
            called(service.stop)


# A function rather than a method, so that its name does not clash with those of subclasses
def initialize(service: Service) -> None:
    """Set the attributes of a new service, also where its class has attributes of these names."""
    for name in LIFECYCLE:
        setattr(service, f"_{name}", -1)
    service._init_time = time.time()
    service._initialized = False
    service._local_scratch_dir = None
    service.service_id_factory = service_id_factory
