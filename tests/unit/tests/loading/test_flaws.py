# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.tests.loading.flaws import FlawedTest, sound
from ducktape.tests.test_context import TestContext


class NamelessMeta(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("no name")


class Nameless(metaclass=NamelessMeta):
    def test(self) -> None: ...


class Sized:
    def test(self) -> None: ...


def context(cls: Any = Sized, **fields: Any) -> TestContext:
    return TestContext(module="m", file="/m.py", cls=cls, function=Sized.test, **fields)


def test_a_sound_test_stays_what_it_is() -> None:
    own = context(injected_args={"a": 1}, cluster_use_metadata={"num_nodes": 2})
    assert sound(own) is own


@pytest.mark.parametrize(
    ("own", "text"),
    [
        (context(Nameless), "The test cannot be run: RuntimeError: no name"),
        (
            context(cluster_use_metadata={"num_nodes": "2"}),
            "@cluster(num_nodes='2'): expected a whole number from 0 on",
        ),
        (
            context(cluster_use_metadata={"num_nodes": 10**9}),
            "makes no sense: ValueError: no cluster has so many nodes",
        ),
        (context(cluster_use_metadata={"cluster_spec": "x"}), "@cluster(cluster_spec='x'): expected a ClusterSpec"),
        (context(cluster_use_metadata={"num_nodes": 1, "node_type": []}), "unhashable type: 'list'"),
    ],
)
def test_one_that_cannot_be_asked_is_stood_for_by_one_that_can(own: TestContext, text: str) -> None:
    found = sound(own)
    assert isinstance(found, FlawedTest)
    assert text in found.flaw
    assert found.test_id.startswith("m.")
    assert found.expected_cluster_spec is not None
    assert found.expected_cluster_spec.size() == 0
    assert f"cluster_spec={ClusterSpec.empty()}" in repr(found)
    assert sound(found, has_cluster=True) is found


def test_a_demand_that_depends_on_the_cluster_is_looked_at_when_there_is_one() -> None:
    own = context(cluster=["no cluster"])
    assert sound(own) is own
    found = sound(own, has_cluster=True)
    assert isinstance(found, FlawedTest)
    assert "AttributeError" in found.flaw
