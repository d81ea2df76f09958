# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle
from collections import Counter
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.consts import LINUX, WINDOWS
from ducktape.cluster.node_container import (
    InsufficientHealthyNodesError,
    InsufficientResourcesError,
    NodeContainer,
    NodeNotPresentError,
)
from ducktape.cluster.node_spec import NodeSpec
from ducktape.errors import DucktapeError


class Node:
    """A node with a name for reading failures; compares by identity."""

    def __init__(self, name: str, node_type: str | None = None, operating_system: str = LINUX) -> None:
        self.name = name
        self.node_type = node_type
        self.operating_system = operating_system

    def __repr__(self) -> str:
        return self.name


class Account(Node):
    """A node that is a remote account, and so has its health checked."""

    _is_remote_account = True

    def __init__(self, name: str, node_type: str | None = None, *, healthy: bool = True) -> None:
        super().__init__(name, node_type)
        self.healthy = healthy
        self.checks = 0

    def available(self) -> bool:
        self.checks += 1
        return self.healthy


def nodes_named(names: str, node_type: str | None = None) -> list[Node]:
    return [Node(name, node_type) for name in names.split()]


def named(nodes: Any) -> str:
    return " ".join(node.name for node in nodes)


def spec_of(**counts: int) -> ClusterSpec:
    """Linux nodes by label; ``any`` stands for no label."""
    spec = ClusterSpec.empty()
    for label, number in counts.items():
        spec.add(ClusterSpec.simple_linux(number, None if label == "any" else label))
    return spec


# ----- content


def test_an_empty_container_is_falsy() -> None:
    container = NodeContainer()
    assert (bool(container), container.size(), len(container), list(container)) == (False, 0, 0, [])
    assert container.node_groups == {}


def test_nodes_are_grouped_in_order_of_insertion() -> None:
    a, b, c, d = Node("a"), Node("b", "large"), Node("c"), Node("d", None, WINDOWS)
    container = NodeContainer(iter([a, b, c, d]))
    assert container.node_groups == {(LINUX, None): [a, c], (LINUX, "large"): [b], (WINDOWS, None): [d]}
    assert container.grouped_by_os_and_type() == {(LINUX, None): 2, (LINUX, "large"): 1, (WINDOWS, None): 1}
    assert (named(container), len(container), type(container.node_groups)) == ("a c b d", 4, dict)


def test_missing_attributes_count_as_none() -> None:
    node = object()
    assert NodeContainer([node]).node_groups == {(None, None): [node]}


def test_elements_can_be_filtered() -> None:
    container = NodeContainer([Node("a"), Node("b", "large"), Node("c", "large", WINDOWS)])
    assert named(container.elements()) == "a b c"
    assert named(container.elements(LINUX)) == "a b"
    assert named(container.elements(node_type="large")) == "b c"
    assert named(container.elements(operating_system=WINDOWS, node_type="large")) == "c"
    assert named(container.elements(WINDOWS, "small")) == ""


def test_the_older_name_of_the_groups_is_a_view_by_system() -> None:
    container = NodeContainer([Node("a"), Node("b", "large"), Node("c", None, WINDOWS)])
    by_os = container.os_to_nodes
    assert {system: named(nodes) for system, nodes in by_os.items()} == {LINUX: "a b", WINDOWS: "c"}
    by_os[LINUX].clear()
    assert len(container) == 3
    with pytest.raises(TypeError):
        by_os[LINUX] = []  # type: ignore[index]


def test_a_clone_is_independent_and_holds_the_same_nodes() -> None:
    a, b = nodes_named("a b")
    container = NodeContainer([a, b])
    clone = container.clone()
    clone.remove_node(a)
    assert (list(container), list(clone)) == ([a, b], [b])
    container.remove_nodes([a, b])
    assert container.clone().node_groups == {(LINUX, None): []}


def test_containers_compare_by_identity() -> None:
    assert NodeContainer() != NodeContainer()


def test_a_pickled_container_keeps_identities() -> None:
    node = Node("a")
    container, copied = pickle.loads(pickle.dumps((NodeContainer([node]), node)))
    assert container.node_groups == {(LINUX, None): [copied]}
    container.remove_node(copied)
    assert len(container) == 0


def test_adding_a_container_appends_group_by_group() -> None:
    a, b = nodes_named("a b")
    container, other = NodeContainer([a]), NodeContainer([b, Node("c", "large")])
    container.add_nodes(other)
    assert (named(container), named(other)) == ("a b c", "b c")
    container.add_nodes(container)
    assert named(container) == "a b a b c c"


# ----- removing nodes


def test_a_removed_node_leaves_its_group_behind() -> None:
    node = Node("a")
    container = NodeContainer([node])
    container.remove_node(node)
    assert container.node_groups == {(LINUX, None): []}


def test_the_first_equal_node_is_removed() -> None:
    first, second = NodeSpec(), NodeSpec()
    container = NodeContainer([first, second])
    container.remove_node(second)
    assert next(iter(container)) is second
    container.remove_node(NodeSpec())
    assert list(container) == []


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_node_is_removed_wherever_it_is(position: int) -> None:
    nodes = nodes_named("a b c")
    container = NodeContainer(nodes)
    container.remove_node(nodes[position])
    assert list(container) == nodes[:position] + nodes[position + 1 :]


def test_an_absent_node_cannot_be_removed() -> None:
    container: NodeContainer[object] = NodeContainer([Node("a")])
    for absent in (Node("a"), Node("b", "large"), object()):
        with pytest.raises(NodeNotPresentError) as raised:
            container.remove_node(absent)
        assert raised.value.args == ()
    assert named(container) == "a"


def test_removing_several_stops_at_the_first_absent_one() -> None:
    a, b, c = nodes_named("a b c")
    container = NodeContainer([a, b, c])
    with pytest.raises(NodeNotPresentError):
        container.remove_nodes([b, Node("x"), a])
    assert list(container) == [a, c]
    container.remove_nodes(container)
    assert list(container) == []


def test_a_node_that_got_another_label_can_still_be_removed() -> None:
    a, b = nodes_named("a b")
    container = NodeContainer([a, b])
    b.node_type = "large"
    container.remove_node(b)
    assert list(container) == [a]


# ----- feasibility


def test_a_missing_spec_is_infeasible() -> None:
    container = NodeContainer([Node("a")])
    assert container.attempt_remove_spec(None) == "Invalid or missing cluster spec"
    assert container.can_remove_spec(None) is False
    with pytest.raises(InsufficientResourcesError, match=r"^Invalid or missing cluster spec$"):
        container.remove_spec(None)


def test_an_empty_spec_is_feasible() -> None:
    assert NodeContainer().attempt_remove_spec(ClusterSpec.empty()) == ""
    assert NodeContainer().remove_spec(ClusterSpec.empty()) == ([], [])


SMALL_AND_LARGE = [*nodes_named("s1 s2", "small"), *nodes_named("l1", "large")]


@pytest.mark.parametrize(
    ("nodes", "spec", "reason"),
    [
        (SMALL_AND_LARGE, spec_of(any=3), ""),
        (SMALL_AND_LARGE, spec_of(small=2, any=1), ""),
        (SMALL_AND_LARGE, spec_of(small=2, any=2), "linux nodes requested: 4. linux nodes available: 3. "),
        (
            SMALL_AND_LARGE,
            spec_of(large=2),
            "linux/large nodes requested: 2. linux/large nodes available: 1. ",
        ),
        (
            SMALL_AND_LARGE,
            spec_of(tiny=1, large=2),
            "linux/tiny nodes requested: 1. linux/tiny nodes available: 0. "
            "linux/large nodes requested: 2. linux/large nodes available: 1. ",
        ),
        (nodes_named("a"), spec_of(small=1), "linux/small nodes requested: 1. linux/small nodes available: 0. "),
        (
            nodes_named("a"),
            ClusterSpec([NodeSpec(WINDOWS), NodeSpec(WINDOWS, "x"), NodeSpec(), NodeSpec()]),
            "windows nodes requested: 2. windows nodes available: 0. "
            "linux nodes requested: 2. linux nodes available: 1. ",
        ),
    ],
)
def test_the_reason_names_what_is_missing(nodes: list[Node], spec: ClusterSpec, reason: str) -> None:
    container = NodeContainer(nodes)
    assert container.attempt_remove_spec(spec) == reason
    assert container.can_remove_spec(spec) is (reason == "")
    assert list(container) == nodes


def test_an_infeasible_spec_takes_nothing() -> None:
    nodes = nodes_named("a b")
    container = NodeContainer(nodes)
    with pytest.raises(InsufficientResourcesError) as raised:
        container.remove_spec(spec_of(any=3))
    assert raised.value.args == ("linux nodes requested: 3. linux nodes available: 2. ",)
    assert list(container) == nodes


# ----- allocation


def test_nodes_are_taken_from_the_front() -> None:
    container = NodeContainer(nodes_named("a b c"))
    good, bad = container.remove_spec(spec_of(any=2))
    assert (named(good), bad, named(container)) == ("a b", [], "c")


def test_freed_nodes_are_used_last() -> None:
    container = NodeContainer(nodes_named("h0 h1 h2"))
    good, _ = container.remove_spec(spec_of(any=2))
    container.add_node(good[0])
    assert named(container.remove_spec(spec_of(any=2))[0]) == "h2 h0"


def test_labelled_requirements_are_served_first_and_sorted() -> None:
    windows = [Node("w1", None, WINDOWS), Node("w2", "x", WINDOWS)]
    container = NodeContainer([*nodes_named("l1", "large"), *windows, *nodes_named("s1 s2", "small")])
    spec = ClusterSpec([NodeSpec(WINDOWS), NodeSpec(), NodeSpec(WINDOWS, "x"), NodeSpec(LINUX, "small")])
    good, bad = container.remove_spec(spec)
    assert (named(good), bad) == ("s1 w2 l1 w1", [])


def test_labelled_nodes_are_not_eaten_by_others_in_the_same_spec() -> None:
    container = NodeContainer([*nodes_named("s1 s2", "small"), *nodes_named("l1", "large")])
    assert named(container.remove_spec(spec_of(any=1, small=2))[0]) == "s1 s2 l1"


def test_unlabelled_nodes_go_first_when_any_label_will_do() -> None:
    container = NodeContainer([*nodes_named("l1 l2 l3", "large"), *nodes_named("a b")])
    assert named(container.remove_spec(spec_of(any=3))[0]) == "a b l1"


def test_then_the_most_plentiful_label_is_used_and_the_older_group_among_equals() -> None:
    container = NodeContainer(
        [*nodes_named("l1", "large"), *nodes_named("s1 s2", "small"), *nodes_named("t1 t2", "tiny")]
    )
    assert named(container.remove_spec(spec_of(any=3))[0]) == "s1 s2 t1"


def test_plentiful_is_what_labelled_requirements_leave() -> None:
    container = NodeContainer([*nodes_named("s1 s2 s3", "small"), *nodes_named("l1 l2", "large")])
    assert named(container.remove_spec(spec_of(small=2, any=1))[0]) == "s1 s2 l1"
    assert named(container) == "s3 l2"


def test_unhealthy_accounts_are_passed_over_and_leave_the_container() -> None:
    accounts = [Account("a", healthy=False), Account("b"), Account("c", healthy=False), Account("d"), Account("e")]
    container = NodeContainer(accounts)
    good, bad = container.remove_spec(spec_of(any=2))
    assert (named(good), named(bad), named(container)) == ("b d", "a c", "e")
    assert [account.checks for account in accounts] == [1, 1, 1, 1, 0]


def test_too_few_healthy_accounts_leave_the_others_where_they_were() -> None:
    accounts = [Account("a"), Account("b", healthy=False), Account("c"), Account("d", "large", healthy=False)]
    container = NodeContainer(accounts)
    with pytest.raises(InsufficientHealthyNodesError) as raised:
        container.remove_spec(spec_of(any=3, large=1))
    assert named(raised.value.bad_nodes) == "d b"
    assert raised.value.args == (
        "linux/large nodes requested: 1. Healthy nodes available: 0. "
        "linux nodes requested: 3. Healthy nodes available: 2. ",
    )
    assert container.node_groups == {(LINUX, None): [accounts[0], accounts[2]], (LINUX, "large"): []}
    assert [account.checks for account in accounts] == [1, 1, 1, 1]


def test_a_check_that_raises_changes_nothing() -> None:
    class Raising(Account):
        def available(self) -> bool:
            raise ZeroDivisionError

    container = NodeContainer([Account("a", "large"), Account("b", healthy=False), Raising("c")])
    with pytest.raises(ZeroDivisionError):
        container.remove_spec(spec_of(large=1, any=2))
    assert named(container) == "a b c"


def test_other_nodes_are_not_checked() -> None:
    stand_in = Mock(operating_system=LINUX, node_type=None)
    good, bad = NodeContainer([stand_in]).remove_spec(spec_of(any=1))
    assert (good, bad) == ([stand_in], [])
    stand_in.available.assert_not_called()


def test_accounts_and_others_can_share_a_pool() -> None:
    container = NodeContainer([Node("a"), Account("b", healthy=False), Node("c")])
    good, bad = container.remove_spec(spec_of(any=2))
    assert (named(good), named(bad)) == ("a c", "b")


# ----- errors


def test_lack_of_nodes_is_no_runtime_error() -> None:
    assert NodeNotPresentError.__bases__ == (Exception,)
    assert InsufficientResourcesError.__bases__ == (Exception,)
    assert InsufficientHealthyNodesError.__bases__ == (InsufficientResourcesError,)
    assert not issubclass(InsufficientHealthyNodesError, DucktapeError)


def test_the_health_error_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(InsufficientHealthyNodesError([NodeSpec()], "too few")))
    assert (str(error), error.args, error.bad_nodes) == ("too few", ("too few",), [NodeSpec()])


# ----- laws

LABELS = st.sampled_from([None, "a", "b"])
SYSTEMS = st.sampled_from([LINUX, WINDOWS])
NODES = st.lists(st.builds(Node, st.just("n"), LABELS, SYSTEMS), max_size=12)
SPECS = st.lists(st.builds(NodeSpec, SYSTEMS, LABELS), max_size=6)


@given(NODES, SPECS)
def test_an_allocation_serves_exactly_what_was_asked_or_nothing(nodes: list[Node], required: list[NodeSpec]) -> None:
    container, spec = NodeContainer(nodes), ClusterSpec(required)
    before = list(container)
    if container.attempt_remove_spec(spec):
        with pytest.raises(InsufficientResourcesError):
            container.remove_spec(spec)
        assert list(container) == before
        return
    good, bad = container.remove_spec(spec)
    assert bad == []
    assert Counter(map(id, [*good, *container])) == Counter(map(id, before))
    labelled_first = sorted(spec, key=lambda one: (one.node_type is None, one.operating_system, str(one.node_type)))
    assert [one.matches(node) for one, node in zip(labelled_first, good, strict=True)] == [True] * len(required)
