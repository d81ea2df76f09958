# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.node_spec import NodeSpec
from ducktape.mark import matrix
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test


class ClustersTest(Test):
    @cluster(num_nodes=0)
    def test_zero_nodes(self) -> None:
        pass

    @cluster(num_nodes=3)
    def test_three_nodes(self) -> None:
        pass

    @cluster(num_nodes=2, node_type="large")
    def test_typed_nodes(self) -> None:
        pass

    @cluster(node_type="large")
    def test_type_alone(self) -> None:
        pass

    @cluster(cluster_spec=ClusterSpec.simple_linux(4))
    def test_spec(self) -> None:
        pass

    @cluster(cluster_spec=ClusterSpec.empty())
    def test_empty_spec(self) -> None:
        pass

    @cluster(cluster_spec=ClusterSpec.from_nodes([NodeSpec("linux", "b")] * 2 + [NodeSpec("windows"), NodeSpec()]))
    def test_mixed_spec(self) -> None:
        pass

    @cluster(num_nodes=1, anything="else", more=[1])
    def test_other_metadata(self) -> None:
        pass

    @cluster(num_nodes=7)
    @matrix(a=[1])
    @cluster(num_nodes=5, node_type="x")
    @matrix(b=[1, 2])
    @cluster(cluster_spec=ClusterSpec.simple_linux(2, "y"))
    @matrix(c=[1])
    def test_between_groups(self, a: int = 0, b: int = 0, c: int = 0) -> None:
        pass

    def test_nothing_declared(self) -> None:
        pass
