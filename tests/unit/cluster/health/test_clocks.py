# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.health.clocks import clock_offsets
from ducktape.cluster.local.transport import LocalTransport
from ducktape.cluster.transport import TransportWrapper


class Elsewhere(TransportWrapper):
    """This machine, as one with another clock: its command asks for a moment that is some seconds from now."""

    is_local = False

    def __init__(self, seconds: str) -> None:
        super().__init__(LocalTransport())
        self._seconds = seconds

    def run(self, command: str, **kwargs: Any) -> Any:
        if self._seconds == "silent":
            raise TimeoutError("no answer")
        return super().run(command.replace("date", f"date -d '{self._seconds} seconds'"), **kwargs)


def node(name: str, seconds: str = "0", **attributes: Any) -> ClusterNode:
    account = SimpleNamespace(hostname=name, transport=Elsewhere(seconds), **attributes)
    return cast(ClusterNode, SimpleNamespace(account=account))


def test_clocks_that_are_wrong_are_measured() -> None:
    here = cast(ClusterNode, SimpleNamespace(account=SimpleNamespace(hostname="here", transport=LocalTransport())))
    nodes = [
        *(
            node("right"),
            node("fast", "+90"),
            node("slow", "-3600"),
            here,
            node("silent", "silent"),
            node("odd", "no such"),
        ),
        *(node("box", "+90", is_sandbox=True), node("windows", "+90", operating_system="windows")),
    ]
    found = clock_offsets(nodes)
    assert {name: offset.seconds for name, offset in found.items()} == {
        "fast": pytest.approx(90, abs=found["fast"].uncertainty + 0.01),
        "slow": pytest.approx(-3600, abs=found["slow"].uncertainty + 0.01),
    }
    assert all(0 < offset.uncertainty < 5 for offset in found.values())


def test_no_nodes_have_no_offsets() -> None:
    assert clock_offsets([]) == {}
