# SPDX-License-Identifier: Apache-2.0
"""The number of tests that a cluster can run in parallel."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ducktape.cluster.cluster import Cluster
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.cluster.node_container import GroupKey
from ducktape.tests.test_context import TestContext


def slots(cluster: Cluster, tests: Iterable[TestContext]) -> int:
    """Return how many tests can run in parallel, at least 1.

    That is how many of the tests fit the cluster together, the smallest first. Tests that need no node, and those on
    the pseudo-nodes of this machine, keep this machine busy: there are no more of them than it has processors.
    """
    specs = [context.expected_cluster_spec for context in tests]
    sized = sorted(((spec.size(), spec) for spec in specs if spec is not None), key=lambda pair: pair[0])
    without_nodes = sum(1 for size, _ in sized if not size)
    carried = _carried(cluster.all(), [spec for size, spec in sized if size])
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        processors = os.cpu_count() or 1
    if isinstance(cluster, LocalhostCluster):
        return max(1, min(carried + without_nodes, processors))
    return max(1, carried + min(without_nodes, processors))


def _carried(everything: ClusterSpec, specs: Iterable[ClusterSpec]) -> int:
    """Return the number of specs, in order, for which the nodes suffice together."""
    size = everything.size()
    taken = ClusterSpec.empty()
    count = total = 0
    hopeless: set[frozenset[tuple[GroupKey, int]]] = set()
    for spec in specs:
        if total + spec.size() > size:
            break
        demand = frozenset(spec.nodes.grouped_by_os_and_type().items())
        if demand in hopeless:
            continue
        if not everything.nodes.can_remove_spec(taken + spec):
            hopeless.add(demand)
            continue
        taken.add(spec)
        total += spec.size()
        count += 1
    return count
