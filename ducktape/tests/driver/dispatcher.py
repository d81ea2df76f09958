# SPDX-License-Identifier: Apache-2.0
"""Which test gets nodes next, and when to look again while none can."""

from __future__ import annotations

import time
from collections.abc import Iterable

from ducktape.cluster.cluster import Cluster
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.node_container import InsufficientResourcesError, NodeContainer
from ducktape.cluster.pool.lease import NodesLeasedElsewhereError
from ducktape.tests.driver.allocator import NodeAllocator
from ducktape.tests.driver.job import Job
from ducktape.tests.scheduler import TestScheduler

_SECONDS_BETWEEN_LOOKS_AT_LEASES = 0.2
_LONGEST_BACKOFF = 5.0


class Dispatcher:
    """Chooses the next test and allocates its nodes; tests that run once more go before all others."""

    def __init__(self, cluster: Cluster, nodes: NodeAllocator) -> None:
        self.look_again_at = 0.0  # seconds of the monotonic clock
        self.failed_allocations = 0  # in a row, although the nodes seemed free
        self._cluster = cluster
        self._nodes = nodes
        self._unleased: NodeContainer | None = None  # what other runs leave, while it is being decided who gets that

    def look_again(self) -> None:
        """Look again at once: nodes may be free now."""
        self.look_again_at = 0.0

    def wait(self, seconds: float) -> None:
        """Look again after some seconds."""
        self.look_again_at = time.monotonic() + seconds

    def next_job(self, repeated: Iterable[Job], scheduler: TestScheduler) -> Job | None:
        """Return the test that runs next, if nodes are free for one."""
        free = self._cluster.available().nodes if self._unleased is None else self._unleased
        for job in repeated:
            if free.can_remove_spec(job.context.expected_cluster_spec):
                return job
        if not len(scheduler):
            return None
        if self._unleased is None:
            context = scheduler.peek(time.monotonic())
        else:
            fitting = (test for test in scheduler if free.can_remove_spec(test.expected_cluster_spec))
            context = next(fitting, None) if free.size() else None
        return None if context is None else Job(context)

    def allocate(self, job: Job) -> list[ClusterNode] | None:
        """Return nodes for a test; ``None`` if other runs have them, and another test may fit what they leave.

        Raises:
            InsufficientResourcesError: they are not available now.
            Exception: whatever else the cluster raises.
        """
        try:
            nodes = self._nodes.take(job.context, job.avoid)
        except NodesLeasedElsewhereError as error:
            if not self.waits_for_leases():
                self._unleased = error.unleased
            return None
        except InsufficientResourcesError:
            self.failed_allocations += 1
            self.wait(min(0.1 * 2**self.failed_allocations, _LONGEST_BACKOFF))
            raise
        self.failed_allocations = 0
        self._unleased = None
        return nodes

    def waits_for_leases(self) -> bool:
        """Wait for nodes of other runs if what these leave is not enough; return whether that is so."""
        if self._unleased is None:
            return False
        self._unleased = None
        self.wait(_SECONDS_BETWEEN_LOOKS_AT_LEASES)
        return True
