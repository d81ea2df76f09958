# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle
from types import SimpleNamespace

from ducktape.cluster.cluster_node import ClusterNode


def _account(node_type: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(hostname="worker", operating_system="linux", node_type=node_type)


def test_a_node_tells_what_its_account_tells() -> None:
    node = ClusterNode(_account("large"), slot_id=4)
    described = (node.name, node.operating_system, node.node_type, vars(node)["slot_id"])
    assert described == ("worker", "linux", "large", 4)


def test_a_type_may_be_set() -> None:
    node = ClusterNode(_account("large"), node_type="small")
    assert node.node_type == "small"
    node.node_type = None
    assert node.node_type is None
    assert ClusterNode(SimpleNamespace(operating_system="linux")).node_type is None


def test_nodes_compare_by_identity_and_take_attributes() -> None:
    account = _account()
    node = ClusterNode(account)
    setattr(node, "version", "1.2")  # noqa: B010  # what users write, which types cannot know
    assert node != ClusterNode(account)
    copy = pickle.loads(pickle.dumps(node))
    assert (copy.version, copy.name) == ("1.2", "worker")
