# SPDX-License-Identifier: Apache-2.0
"""The class that every test derives from."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ducktape.metrics import Metrics
from ducktape.services.service import Service
from ducktape.services.support.log_compression import compress_command, compress_logs
from ducktape.services.support.log_paths import service_directory
from ducktape.services.support.logs import Order, collect_logs
from ducktape.template import TemplateRenderer
from ducktape.tests.status import FAIL, TestStatus
from ducktape.tests.test_context import TestContext, TestLoggerMaker, _escape_pathname, test_logger
from ducktape.utils.support.guard import tolerated
from ducktape.utils.support.hooks import answer_of, called

if TYPE_CHECKING:
    from ducktape.cluster.cluster_node import ClusterNode
    from ducktape.cluster.finite_subcluster import FiniteSubcluster

__all__ = [
    "Test",
    "TestContext",
    "TestLoggerMaker",
    "_compress_cmd",
    "_escape_pathname",
    "_new_temp_dir",
    "in_dir",
    "in_temp_dir",
    "test_logger",
]

_compress_cmd = compress_command


class Test(TemplateRenderer):
    """Base of every test class; its methods whose names look like a test are run, each on a fresh instance.

    Args:
        test_context: what surrounds this test; kept as ``self.test_context``.
    """

    __test__ = False

    def __init__(self, test_context: TestContext, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.test_context = test_context

    @property
    def cluster(self) -> FiniteSubcluster:
        """The nodes of this test alone."""
        return self.test_context.cluster

    @property
    def logger(self) -> logging.Logger:
        """The log of this test."""
        return self.test_context.logger

    # Not a property: suites have attributes of this name
    @cached_property
    def metrics(self) -> Metrics:
        """Records what the test measures."""
        return self.test_context.metrics

    def min_cluster_spec(self) -> object:
        """Deprecated and never called: declare nodes with ``@cluster``."""
        raise NotImplementedError("min_cluster_spec is not used any more: declare the nodes of a test with @cluster")

    def min_cluster_size(self) -> object:
        """Deprecated and never called: declare nodes with ``@cluster``."""
        raise NotImplementedError("min_cluster_size is not used any more: declare the nodes of a test with @cluster")

    def setup(self) -> None:
        """Prepare the test; calls :meth:`setUp` unless overridden."""
        called(self.setUp)

    def teardown(self) -> None:
        """Undo what the test did, also when it failed; calls :meth:`tearDown` unless overridden."""
        called(self.tearDown)

    def setUp(self) -> None:
        """Prepare the test, under the name that unittest made familiar."""

    def tearDown(self) -> None:
        """Undo what the test did, under the name that unittest made familiar."""

    def free_nodes(self) -> None:
        """Give the nodes of all services back; whatever a service raises, the other ones are freed too."""
        # Freeing is the last step of a test: an error here changes nothing that the user could still look at.
        with tolerated(), contextlib.suppress(GeneratorExit):
            self.test_context.services.free_all()

    def compress_service_logs(self, node: ClusterNode, service: Any, node_logs: list[str]) -> list[str]:
        """Compress logs where they are.

        Args:
            node: the node that holds them.
            service: the service that wrote them.
            node_logs: paths on the node.

        Returns:
            The paths of the compressed files; what could not be compressed is left out.
        """
        return compress_logs(node, service, node_logs)

    def copy_service_logs(self, test_status: TestStatus) -> None:
        """Bring the logs of all services to the results directory of the test.

        Args:
            test_status: of the attempt that just ended; ``FAIL`` collects every log.
        """
        context = self.test_context
        results_dir = TestContext.results_dir(context, context.test_index)
        session = context.session_context
        compress = self.compress_service_logs if getattr(session, "compress", False) else None
        orders = []
        for service in context.services:

            def wanted(name: str, service: Service = service) -> bool:
                return test_status == FAIL or answer_of(self.should_collect_log, name, service)

            orders.append(Order(service, service_directory(results_dir, service.service_id), wanted))
        timeout = getattr(session, "collect_timeout", None)
        missing = collect_logs(orders, compress=compress, logger=self.logger, timeout=timeout)
        # For the summary of the test; a test that collects in its own way has nothing to say here.
        self._missing_logs = [str(log) for log in missing]

    def mark_for_collect(self, service: Service, log_name: str | None = None) -> None:
        """Collect a log whatever its default says.

        Args:
            service: the service that writes it.
            log_name: a key of ``service.logs``; ``None`` means all of them.
        """
        self._choose_logs(service, log_name, collect=True)

    def mark_no_collect(self, service: Service, log_name: str | None = None) -> None:
        """Do not collect a log when the test passes.

        Args:
            service: the service that writes it.
            log_name: a key of ``service.logs``; ``None`` means all of them.
        """
        self._choose_logs(service, log_name, collect=False)

    def _choose_logs(self, service: Service, log_name: str | None, *, collect: bool) -> None:
        names = list(service.logs) if log_name is None else [log_name]
        for name in names:
            self.test_context.log_collect[(name, service)] = collect

    def should_collect_log(self, log_name: str, service: Service) -> bool:
        """Return whether a log is collected when the test passes.

        Args:
            log_name: a key of ``service.logs``.
            service: the service that writes it.
        """
        chosen = self.test_context.log_collect.get((log_name, service))
        return bool(service.logs[log_name]["collect_default"]) if chosen is None else chosen


def _new_temp_dir() -> str:
    """Make a temporary directory and return its path."""
    return tempfile.mkdtemp()


@contextlib.contextmanager
def in_dir(path: str) -> Iterator[None]:
    """Change the current directory for the length of a block.

    Args:
        path: an existing directory.
    """
    previous = os.getcwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(previous)


@contextlib.contextmanager
def in_temp_dir() -> Iterator[str]:
    """Change the current directory to a temporary one that is removed after the block; yields its path."""
    with tempfile.TemporaryDirectory() as directory, in_dir(directory):
        yield directory
