# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ducktape.cluster import cluster_spec, consts, node_container, node_spec
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.consts import LINUX, WINDOWS
from ducktape.cluster.node_container import NodeContainer
from ducktape.cluster.node_spec import NodeSpec

SPECS = st.lists(st.builds(NodeSpec, st.sampled_from([LINUX, WINDOWS]), st.sampled_from([None, "a", "b"])))


@dataclass(eq=False)
class Untyped:
    operating_system: str


def test_old_import_places_work() -> None:
    assert cluster_spec.NodeSpec is node_spec.NodeSpec
    assert cluster_spec.NodeContainer is node_container.NodeContainer
    assert (cluster_spec.LINUX, cluster_spec.WINDOWS) == ("linux", "windows")
    assert cluster_spec.SUPPORTED_OS_TYPES is consts.SUPPORTED_OS_TYPES


def test_an_empty_spec_is_falsy() -> None:
    for spec in (ClusterSpec(), ClusterSpec.empty(), ClusterSpec([]), ClusterSpec.simple_linux(0)):
        assert (bool(spec), spec.size(), len(spec), str(spec), list(spec)) == (False, 0, 0, "[]", [])
    assert not ClusterSpec.simple_linux(3).empty()


def test_there_are_no_nodes_on_the_class() -> None:
    assert ClusterSpec.nodes is None


def test_simple_linux_asks_for_equal_nodes() -> None:
    assert list(ClusterSpec.simple_linux(2)) == [NodeSpec(), NodeSpec()]
    assert list(ClusterSpec.simple_linux(2, "large")) == [NodeSpec(LINUX, "large")] * 2


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (ClusterSpec.simple_linux(5), '[{"num_nodes": 5, "os": "linux"}]'),
        (ClusterSpec.simple_linux(2, "a"), '[{"node_type": "a", "num_nodes": 2, "os": "linux"}]'),
        (
            ClusterSpec([NodeSpec(WINDOWS), NodeSpec(), NodeSpec(LINUX, "b"), NodeSpec(LINUX, "b")]),
            '[{"node_type": "b", "num_nodes": 2, "os": "linux"}, {"num_nodes": 1, "os": "linux"}, '
            '{"num_nodes": 1, "os": "windows"}]',
        ),
    ],
)
def test_the_text_counts_equal_nodes(spec: ClusterSpec, text: str) -> None:
    assert str(spec) == text


def test_groups_that_ran_empty_are_not_in_the_text() -> None:
    spec = ClusterSpec([NodeSpec(), NodeSpec(LINUX, "a")])
    spec.nodes.remove_node(NodeSpec())
    assert str(spec) == '[{"node_type": "a", "num_nodes": 1, "os": "linux"}]'


def test_from_nodes_describes_anything_with_an_operating_system() -> None:
    spec = ClusterSpec.from_nodes([Untyped(LINUX), NodeSpec(LINUX, "a"), Untyped(WINDOWS), Untyped(LINUX)])
    assert list(spec) == [NodeSpec(), NodeSpec(), NodeSpec(LINUX, "a"), NodeSpec(WINDOWS)]


def test_from_nodes_accepts_containers_specs_and_iterators() -> None:
    nodes = [NodeSpec(), NodeSpec(LINUX, "a")]
    for source in (iter(nodes), NodeContainer(nodes), ClusterSpec(nodes)):
        assert list(ClusterSpec.from_nodes(source)) == nodes


def test_from_nodes_does_not_share_the_container() -> None:
    container = NodeContainer([Untyped(LINUX)])
    spec = ClusterSpec.from_nodes(container)
    spec.add(ClusterSpec.simple_linux(1))
    assert (len(container), len(spec)) == (1, 2)


def test_from_nodes_refuses_unsupported_systems() -> None:
    with pytest.raises(RuntimeError, match="Unsupported os type bsd"):
        ClusterSpec.from_nodes([Untyped("bsd")])


def test_a_spec_holds_the_given_objects() -> None:
    node = Untyped(LINUX)
    assert list(ClusterSpec([node])) == [node]
    assert list(ClusterSpec(ClusterSpec([node]))) == [node]


def test_add_changes_the_left_spec_only_and_returns_it() -> None:
    left, right = ClusterSpec.simple_linux(1), ClusterSpec.simple_linux(2, "a")
    assert left.add(right) is left
    assert (str(left), str(right)) == (
        '[{"node_type": "a", "num_nodes": 2, "os": "linux"}, {"num_nodes": 1, "os": "linux"}]',
        '[{"node_type": "a", "num_nodes": 2, "os": "linux"}]',
    )


def test_a_spec_can_be_added_to_itself() -> None:
    spec = ClusterSpec.simple_linux(2)
    assert len(spec.add(spec)) == 4


def test_plus_changes_neither_side() -> None:
    left, right = ClusterSpec.simple_linux(1), ClusterSpec.simple_linux(2)
    assert ((left + right).size(), left.size(), right.size()) == (3, 1, 2)
    with pytest.raises(TypeError):
        left + [NodeSpec()]


def test_a_clone_is_independent_and_shares_the_node_specs() -> None:
    spec = ClusterSpec.simple_linux(1)
    clone = spec.clone()
    clone.add(ClusterSpec.simple_linux(1))
    assert (len(spec), len(clone)) == (1, 2)
    assert next(iter(clone)) is next(iter(spec))


def test_without_node_types_keeps_the_systems() -> None:
    spec = ClusterSpec([NodeSpec(LINUX, "a"), NodeSpec(WINDOWS, "b"), NodeSpec(LINUX, "c"), NodeSpec()])
    assert list(spec.without_node_types()) == [NodeSpec()] * 3 + [NodeSpec(WINDOWS)]
    assert spec.nodes.grouped_by_os_and_type()[(LINUX, "a")] == 1


def test_specs_compare_by_identity() -> None:
    spec = ClusterSpec.simple_linux(1)
    assert spec == spec
    assert spec != ClusterSpec.simple_linux(1)


def test_a_spec_can_be_pickled() -> None:
    spec = ClusterSpec.simple_linux(2, "a")
    assert str(pickle.loads(pickle.dumps(spec))) == str(spec)


@given(SPECS, SPECS)
def test_sums_count_both_sides(left: list[NodeSpec], right: list[NodeSpec]) -> None:
    total = ClusterSpec(left) + ClusterSpec(right)
    assert (len(total), str(total)) == (len(left) + len(right), str(ClusterSpec(left + right)))


@given(SPECS)
@pytest.mark.parametrize(
    "rebuild", [ClusterSpec, ClusterSpec.from_nodes, ClusterSpec.clone], ids=["constructor", "from_nodes", "clone"]
)
def test_a_rebuilt_spec_has_the_same_content(rebuild: Callable[[Any], ClusterSpec], nodes: list[NodeSpec]) -> None:
    spec = ClusterSpec(nodes)
    assert list(rebuild(spec)) == list(spec)
