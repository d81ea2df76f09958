# SPDX-License-Identifier: Apache-2.0
"""Real parts for the tests of what suites in the wild do: a local cluster, its accounts, a context around them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.json import JsonCluster
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.tests.session import SessionContext
from ducktape.tests.test_context import TestContext
from tests.support.sshd import Sshd, missing_parts

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


@pytest.fixture(scope="session")
def ssh_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A cluster file's content: one node behind a real SSH server."""
    problem = missing_parts()
    if problem:
        pytest.skip(problem)
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    server.start()
    yield {"nodes": [{"ssh_config": {**server.settings.to_json(), "host": "worker1"}}]}
    server.stop()


@pytest.fixture
def ssh_account(ssh_nodes: dict[str, Any]) -> Iterator[Any]:
    """The account of a node behind a real SSH server."""
    cluster = JsonCluster(ssh_nodes)
    nodes = cluster.alloc(ClusterSpec.simple_linux(1))
    yield nodes[0].account
    cluster.free(nodes)
