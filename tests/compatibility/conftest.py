# SPDX-License-Identifier: Apache-2.0
"""Real parts for the tests of what suites in the wild do: a local cluster, its accounts, a context around them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.tests.session import SessionContext
from ducktape.tests.test_context import TestContext

# Files for the two programs to collect; several of them are broken on purpose.
collect_ignore = ["corpus"]


@pytest.fixture
def session_context(tmp_path: Path) -> SessionContext:
    return SessionContext(session_id="2026-01-02--003", results_dir=str(tmp_path / "results"))


@pytest.fixture
def context(session_context: SessionContext) -> Iterator[TestContext]:
    """A context over a cluster of five local nodes."""
    made = TestContext(session_context=session_context, cluster=LocalhostCluster(num_nodes=5), module="wild")
    yield made
    if hasattr(made, "services"):
        made.services.free_all()
    made.close()


@pytest.fixture
def account() -> Iterator[Any]:
    """The account of a local node."""
    cluster = LocalhostCluster(num_nodes=1)
    nodes = cluster.alloc(ClusterSpec.simple_linux(1))
    yield nodes[0].account
    cluster.free(nodes)
