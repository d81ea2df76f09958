# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import json
import secrets
import time
from pathlib import Path
from typing import Any

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.local.transport import LocalTransport
from ducktape.faults.engine.action import Action, DeadManSwitch, Renewal
from ducktape.faults.engine.host import Host
from ducktape.faults.engine.recovery import extend_remaining, heal_remaining, recorded_faults


@dataclasses.dataclass
class Account:
    hostname: str
    transport: Any = dataclasses.field(default_factory=LocalTransport)
    operating_system: str = "linux"


class Node(ClusterNode):
    switched_on = 0

    def power_off(self) -> None:
        raise AssertionError("healing does not switch off")

    def power_on(self) -> None:
        self.switched_on += 1


class Unplugged(LocalTransport):
    def stream(self, command: str, **kwargs: Any) -> Any:
        raise OSError("no route to the node")


def note(directory: Path, *faults: Any) -> None:
    (directory / "events.json").write_text(json.dumps({"faults": faults}))


def make_switch(mark: Path, ttl: float = 60) -> DeadManSwitch:
    action = Action(Host(LocalTransport(), "a"), f"touch {mark}", f"rm -f {mark}")
    switch = DeadManSwitch(action, f"{secrets.token_hex(5)}n0", ttl)
    switch.inject()
    return switch


def test_what_is_in_force_is_undone_and_the_file_says_by_whom(tmp_path: Path) -> None:
    first, second = make_switch(tmp_path / "first"), make_switch(tmp_path / "second")
    healed = {"fault": "drop", "nodes": ["a"], "injected": 1.0, "healed": 2.0, "healed_by": "test"}
    note(
        tmp_path,
        healed,
        {"fault": "pause", "nodes": ["a"], "injected": 3.0, "healed": None, "undo": [["a", first.token]]},
        {"fault": "slow", "nodes": ["a"], "injected": 4.0, "healed": None, "undo": [["b", second.token]]},
    )
    assert heal_remaining(str(tmp_path), [Node(Account("b")), Node(Account("a"))]) == []
    assert [(tmp_path / name).exists() for name in ("first", "second")] == [False, False]
    assert [first.is_gone, second.is_gone] == [True, True]
    noted = recorded_faults(str(tmp_path))
    assert noted[0] == healed
    assert [(fault["fault"], fault["healed_by"], "undo" in fault) for fault in noted[1:]] == [
        ("pause", "clean-up", False),
        ("slow", "clean-up", False),
    ]
    assert noted[1]["healed"] >= noted[2]["healed"] > 1e9


def test_what_cannot_be_healed_is_told_and_stays_noted_and_the_rest_is_healed(tmp_path: Path) -> None:
    switch = make_switch(tmp_path / "mark")
    note(
        tmp_path,
        {"fault": "pause", "nodes": ["a"], "injected": 1.0, "healed": None, "undo": [["a", switch.token]]},
        {"fault": "slow", "nodes": ["away"], "injected": 2.0, "healed": None, "undo": [["away", "abcn0"]]},
    )
    problems = heal_remaining(str(tmp_path), [Node(Account("a")), Node(Account("away", Unplugged()))])
    assert problems == ["healing slow of away: away cannot be reached: no route to the node"]
    assert [fault["healed"] is None for fault in recorded_faults(str(tmp_path))] == [False, True]
    assert not (tmp_path / "mark").exists()


def test_a_node_without_power_is_switched_on(tmp_path: Path) -> None:
    nodes = [Node(Account("a")), Node(Account("b"))]
    note(tmp_path, {"fault": "power_off", "nodes": ["b"], "injected": 1.0, "healed": None})
    assert heal_remaining(str(tmp_path), nodes) == []
    assert [node.switched_on for node in nodes] == [0, 1]


def test_nonsense_in_the_file_does_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    note(
        tmp_path,
        "nonsense",
        {"fault": "pause", "nodes": ["a"], "injected": 1.0, "healed": None, "undo": [["a", f"x; touch {mark}"]]},
    )
    assert heal_remaining(str(tmp_path), [Node(Account("a"))]) == []
    assert not mark.exists()
    (tmp_path / "events.json").write_text("[")
    assert recorded_faults(str(tmp_path)) == []
    assert heal_remaining(str(tmp_path), []) == []
    assert (tmp_path / "events.json").read_text() == "["


def test_a_test_without_faults_gets_no_file(tmp_path: Path) -> None:
    assert heal_remaining(str(tmp_path / "test"), []) == []
    assert not (tmp_path / "test").exists()


def test_what_is_extended_outlives_its_own_time_and_is_undone_at_the_end_of_the_longer_one(tmp_path: Path) -> None:
    began = time.monotonic()
    switch = make_switch(tmp_path / "mark", ttl=2)
    note(
        tmp_path,
        {"fault": "pause", "nodes": ["a"], "injected": 1.0, "healed": None, "undo": [["a", switch.token]]},
        {"fault": "slow", "nodes": ["away"], "injected": 2.0, "healed": None, "undo": [["away", "abcn0"]]},
        {"fault": "drop", "nodes": ["away"], "injected": 2.0, "healed": 3.0, "undo": [["away", "abcn1"]]},
    )
    problems = extend_remaining(str(tmp_path), [Node(Account("a")), Node(Account("away", Unplugged()))], 5)
    assert problems == ["extending slow: away cannot be reached: no route to the node"]
    assert switch.renew() is Renewal.STAYS  # by a test that is about to end
    while not switch.is_gone:
        assert time.monotonic() - began < 20
        time.sleep(0.05)
    assert time.monotonic() - began > 4
    assert not (tmp_path / "mark").exists()
