# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle

import pytest

from ducktape.cluster.consts import LINUX, SUPPORTED_OS_TYPES, WINDOWS
from ducktape.cluster.node_spec import NodeSpec


def test_the_default_is_any_linux_node() -> None:
    spec = NodeSpec()
    assert (spec.operating_system, spec.node_type) == ("linux", None)


@pytest.mark.parametrize("operating_system", ["bsd", "", None, "Linux"])
def test_other_operating_systems_are_refused(operating_system: str) -> None:
    with pytest.raises(RuntimeError) as raised:
        NodeSpec(operating_system)
    assert str(raised.value) == f"Unsupported os type {operating_system}"


def test_the_supported_ones_are_linux_and_windows() -> None:
    assert SUPPORTED_OS_TYPES == [LINUX, WINDOWS] == ["linux", "windows"]


@pytest.mark.parametrize(
    ("required", "offered", "expected"),
    [
        (NodeSpec(), NodeSpec(), True),
        (NodeSpec(), NodeSpec(LINUX, "large"), True),
        (NodeSpec(LINUX, "large"), NodeSpec(LINUX, "large"), True),
        (NodeSpec(LINUX, "large"), NodeSpec(LINUX, "small"), False),
        (NodeSpec(LINUX, "large"), NodeSpec(), False),
        (NodeSpec(WINDOWS), NodeSpec(), False),
    ],
)
def test_a_requirement_matches_or_not(required: NodeSpec, offered: NodeSpec, expected: bool) -> None:
    assert required.matches(offered) is expected


def test_the_text_is_compact_json_with_sorted_keys() -> None:
    texts = [str(NodeSpec()), str(NodeSpec(LINUX, "large")), str(NodeSpec(WINDOWS))]
    assert texts == ['{"os": "linux"}', '{"node_type": "large", "os": "linux"}', '{"os": "windows"}']


def test_content_decides_equality_and_hash() -> None:
    assert NodeSpec(LINUX, "a") == NodeSpec(LINUX, "a")
    assert len({NodeSpec(), NodeSpec(LINUX), NodeSpec(LINUX, "a"), NodeSpec(WINDOWS)}) == 3
    assert NodeSpec() != NodeSpec(LINUX, "a")
    assert (NodeSpec() == "linux") is False
    assert (NodeSpec() == None) is False  # noqa: E711


def test_it_can_be_pickled_and_shown() -> None:
    spec = NodeSpec(LINUX, "a")
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert repr(spec) == "NodeSpec('linux', 'a')"
