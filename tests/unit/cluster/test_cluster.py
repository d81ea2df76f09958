# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

import ducktape.cluster
from ducktape.cluster import cluster as cluster_module
from ducktape.cluster import cluster_node, cluster_spec
from ducktape.cluster.cluster import Cluster, ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec

REPOSITORY = Path(__file__).parents[3]


class Counting(Cluster):
    """Lends out text instead of nodes and keeps a record."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.free_nodes = size
        self.freed: list[Any] = []

    def do_alloc(self, cluster_spec: ClusterSpec) -> list[Any]:
        self.free_nodes -= len(cluster_spec)
        return ["node"] * len(cluster_spec)

    def free_single(self, node: Any) -> None:
        if node == "bad":
            raise ValueError(node)
        self.freed.append(node)
        self.free_nodes += 1

    def available(self) -> ClusterSpec:
        return ClusterSpec.simple_linux(self.free_nodes)

    def used(self) -> ClusterSpec:
        return ClusterSpec.simple_linux(5 - self.free_nodes)


def test_node_and_spec_are_importable_beside_the_cluster() -> None:
    assert cluster_module.ClusterNode is cluster_node.ClusterNode
    assert cluster_module.ClusterSpec is cluster_spec.ClusterSpec


def test_the_peak_of_use_never_goes_down() -> None:
    cluster = Counting(5)
    assert (cluster.max_used_nodes, cluster.max_used()) == (0, 0)
    nodes: list[Any] = list(cluster.alloc(ClusterSpec.simple_linux(3)))
    cluster.free(nodes)
    cluster.alloc(ClusterSpec.simple_linux(1))
    assert (nodes, cluster.max_used(), cluster.max_used_nodes) == (["node"] * 3, 3, 3)


def test_sizes_add_up() -> None:
    cluster = Counting(5)
    cluster.alloc(ClusterSpec.simple_linux(2))
    assert (len(cluster), cluster.num_available_nodes()) == (5, 3)
    assert str(cluster.all()) == '[{"num_nodes": 5, "os": "linux"}]'


def test_all_leaves_what_a_provider_keeps_alone() -> None:
    class Keeping(Counting):
        kept = ClusterSpec.simple_linux(2)

        def available(self) -> ClusterSpec:
            return self.kept

    assert len(Keeping(4).all()) == 3
    assert len(Keeping.kept) == 2


def test_a_cluster_without_nodes_is_falsy() -> None:
    class Empty(Counting):
        def used(self) -> ClusterSpec:
            return ClusterSpec.empty()

    assert not Empty(0)
    assert Empty(1)


def test_several_nodes_or_one_are_freed_in_order() -> None:
    cluster = Counting(5)
    node = ClusterNode(None)  # type: ignore[arg-type]
    cluster.free(iter(["a", "b"]))  # type: ignore[arg-type]
    cluster.free(node)
    assert cluster.freed == ["a", "b", node]


def test_freeing_stops_at_a_failure() -> None:
    cluster = Counting(5)
    with pytest.raises(ValueError, match="bad"):
        cluster.free(["a", "bad", "b"])  # type: ignore[list-item]
    assert cluster.freed == ["a"]


def test_a_collection_that_shrinks_while_it_is_freed_is_freed_completely() -> None:
    cluster = Counting(5)
    cluster.freed = ["x"]
    mine: list[Any] = ["a", "b"]

    class Shrinking(Counting):
        def free_single(self, node: Any) -> None:
            mine.remove(node)

    Shrinking(5).free(mine)
    assert mine == []


@pytest.mark.parametrize(
    "call",
    [
        lambda cluster: cluster.alloc(ClusterSpec.empty()),
        lambda cluster: cluster.free_single(None),
        lambda cluster: cluster.available(),
        lambda cluster: cluster.used(),
    ],
)
def test_a_provider_writes_four_methods(call: Any) -> None:
    with pytest.raises(NotImplementedError, match=r"Cluster does not implement .*\(\), which every cluster must"):
        call(Cluster())


def test_content_decides_equality_and_nothing_makes_it_fail() -> None:
    cluster = Counting(5)
    assert cluster == Counting(5)
    assert cluster != Counting(4)
    assert hash(cluster) == hash(Counting(5))
    for other in (None, 5, "text", object()):
        assert (cluster == other) is False
    assert cluster == ANY


def test_the_hash_survives_an_allocation() -> None:
    cluster = Counting(5)
    clusters = {cluster}
    cluster.alloc(ClusterSpec.simple_linux(1))
    assert cluster in clusters


def test_the_package_offers_the_clusters_lazily() -> None:
    assert ducktape.cluster.__all__ == ["JsonCluster", "LocalhostCluster", "VagrantCluster"]
    assert set(ducktape.cluster.__all__) <= set(dir(ducktape.cluster))
    with pytest.raises(AttributeError, match=r"module 'ducktape\.cluster' has no attribute 'NoSuchCluster'"):
        ducktape.cluster.NoSuchCluster  # type: ignore[attr-defined]
    program = (
        "import sys, ducktape.cluster, ducktape.cluster.cluster_spec; "
        "print(sorted(name for name in sys.modules if name.startswith('ducktape.cluster.'))); "
        "print(sorted({'paramiko', 'jinja2', 'boto3', 'winrm', 'requests', 'yaml', 'psutil'} & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    loaded = ["cluster_spec", "consts", "node_container", "node_spec"]
    assert output.stdout.splitlines() == [str([f"ducktape.cluster.{name}" for name in loaded]), "[]"]


@pytest.mark.parametrize("name", ["JsonCluster", "LocalhostCluster", "VagrantCluster"])
def test_the_package_gives_the_cluster_classes(name: str) -> None:
    cls = getattr(ducktape.cluster, name)
    assert issubclass(cls, Cluster)
    assert cls.__name__ == name
