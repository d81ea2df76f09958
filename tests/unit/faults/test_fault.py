# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import logging
import os
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ducktape.cluster.local.transport import LocalTransport
from ducktape.errors import Skip, TimeoutError
from ducktape.faults.chaos import random
from ducktape.faults.engine.action import Action
from ducktape.faults.engine.log import FaultLog
from ducktape.faults.engine.scripted import ScriptedFault
from ducktape.faults.errors import FaultError, FaultUnavailable
from ducktape.faults.fault import Fault


def make_node(name: str = "n1", log: FaultLog | None = None) -> Any:
    account = SimpleNamespace(hostname=name, transport=LocalTransport(), logger=logging.getLogger("faults"))
    if log is not None:
        account.fault_log = log
    return SimpleNamespace(account=account)


class Plain(Fault):
    """Does nothing, in the order in which it is told."""

    def __init__(self, nodes: list[Any], *, available: bool = True, works: bool = True) -> None:
        super().__init__(nodes, depth=3, height=None)
        self.told: list[str] = []
        self._available = available
        self._works = works

    def _probe(self) -> None:
        self.told.append("probe")
        if not self._available:
            raise FaultUnavailable("n1: not here")

    def _inject(self) -> None:
        self.told.append("inject")

    def _heal(self) -> None:
        self.told.append("heal")

    def _is_effective(self) -> bool:
        return self._works


class FilePerNode(ScriptedFault):
    """Leaves a file per node."""

    def __init__(self, nodes: list[Any], folder: Path, *, broken: str = "") -> None:
        super().__init__(nodes)
        self._folder = folder
        self._broken = broken

    def _plan(self) -> list[Action]:
        plan = []
        for host in self._hosts():
            mark = self._folder / host.name
            # Both are one machine here, where a token names one fault
            inject = "exit 1" if host.name == self._broken else f"touch {mark}"
            plan.append(Action(host, inject, f"rm -f {mark}", f"[ -e {mark} ]"))
        return plan


def test_it_is_looked_at_injected_and_healed_in_this_order() -> None:
    fault = Plain([make_node()])
    with fault as same:
        assert same is fault
        assert [fault.active, fault.healed] == [True, None]
    assert fault.told == ["probe", "inject", "heal"]
    assert [fault.active, fault.healed_by] == [False, "test"]
    fault.heal()
    assert fault.told == ["probe", "inject", "heal"]


def test_what_is_unavailable_skips_the_test_and_changes_nothing() -> None:
    fault = Plain([make_node()], available=False)
    with pytest.raises(Skip, match="n1: not here") as caught:
        fault.inject()
    assert isinstance(caught.value, Skip)
    assert caught.value.reason == "n1: not here"
    assert [fault.told, fault.injected] == [["probe"], None]


def test_it_is_in_force_once_at_a_time_and_may_be_injected_anew() -> None:
    fault = Plain([make_node()])
    fault.inject()
    with pytest.raises(FaultError, match=r"fault of n1 \(depth=3\) is in force already"):
        fault.inject()
    fault.heal()
    fault.inject()
    fault.heal()
    assert fault.told == ["probe", "inject", "heal"] * 2


def test_waiting_for_an_effect_ends_and_a_block_is_not_entered_without() -> None:
    fault = Plain([make_node()], works=False)
    with pytest.raises(FaultError, match=r"inject\(\) it first"):
        fault.wait_effective()
    fault.inject()
    with pytest.raises(TimeoutError, match=r"has not come into effect within 0.1 seconds"):
        fault.wait_effective(0.1)
    with pytest.raises(TimeoutError, match=r"has not been healed within 0.1 seconds"):
        fault.wait_healed(0.1)
    fault.heal()
    fault.wait_healed()


def test_the_error_of_the_block_wins_over_that_of_healing(caplog: pytest.LogCaptureFixture) -> None:
    class Incurable(Plain):
        def _heal(self) -> None:
            raise FaultError("no way")

    with pytest.raises(AssertionError, match="the test's own"), Incurable([make_node()]):
        raise AssertionError("the test's own")
    assert "not healed: no way" in caplog.text
    with pytest.raises(FaultError, match="no way"), Incurable([make_node()]):
        pass


def test_scripts_on_the_machine_come_and_go(tmp_path: Path) -> None:
    with FilePerNode([make_node()], tmp_path) as fault:
        assert os.listdir(tmp_path) == ["n1"]
        assert os.path.isdir(f"/tmp/dt-fault-{fault.token}n0")
    assert os.listdir(tmp_path) == []
    assert not os.path.exists(f"/tmp/dt-fault-{fault.token}n0")


def test_what_the_machine_has_undone_itself_is_said(tmp_path: Path) -> None:
    fault = FilePerNode([make_node()], tmp_path).inject()
    os.system(f"rm -rf /tmp/dt-fault-{fault.token}n0; rm -f {tmp_path}/n1")
    fault.heal()
    assert fault.healed_by == "node"


def test_a_time_to_live_that_cannot_be_kept_is_refused() -> None:
    class Short(FilePerNode):
        def __init__(self) -> None:
            ScriptedFault.__init__(self, [make_node()], ttl=1)

    with pytest.raises(ValueError, match="a time to live of 1 seconds is too short"):
        Short()


def test_the_record_of_a_test_holds_every_fault_with_its_times(tmp_path: Path) -> None:
    log = FaultLog(str(tmp_path / "results"))
    with Plain([make_node(log=log)]):
        pass
    left = Plain([make_node("n2", log)]).inject()
    entries = json.loads((tmp_path / "results" / "events.json").read_text())["faults"]
    assert [(entry["nodes"], entry["healed"] is None) for entry in entries] == [(["n1"], False), (["n2"], True)]
    assert entries[0]["details"] == {"depth": 3}
    assert log.heal_all() == []
    assert not left.active
    assert [entry["healed_by"] for entry in log.to_json()] == ["test", "test"]


def test_the_record_says_what_could_not_be_healed() -> None:
    class Incurable(Plain):
        def _heal(self) -> None:
            raise FaultError("no way")

    log = FaultLog()
    cured = Plain([make_node(log=log)]).inject()
    Incurable([make_node(log=log)]).inject()
    assert log.heal_all() == ["healing fault of n1 (depth=3): no way"]
    assert not cured.active


def test_a_record_that_goes_to_another_process_begins_anew(tmp_path: Path) -> None:
    log = FaultLog(str(tmp_path))
    with Plain([make_node(log=log)]):
        pass
    copied = pickle.loads(pickle.dumps(log))
    assert [len(log.to_json()), copied.to_json(), repr(copied)] == [1, [], f"<FaultLog of {tmp_path}>"]


def test_random_faults_say_why_none_was_possible() -> None:
    storm = random([lambda: Plain([make_node()], available=False)], interval=0.1)
    with pytest.raises(FaultUnavailable, match="n1: not here"), storm:
        pass
    assert storm.history == []


def test_an_error_in_the_plan_is_raised_at_the_end() -> None:
    def broken() -> Fault:
        raise LookupError("no nodes")

    with pytest.raises(LookupError, match="no nodes"), random([broken], seed=1):
        pass


def test_random_faults_tell_their_seed(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), random([lambda: Plain([make_node()])], interval=0.02) as storm:
        storm.wait_effective()
    assert f"seed={storm.seed}" in caplog.text
    assert storm.history[0].details["random_seed"] == storm.seed
    assert not any(fault.active for fault in storm.history)


@pytest.mark.parametrize("plan", [[], {}])
def test_an_empty_plan_is_refused(plan: Any) -> None:
    with pytest.raises(ValueError, match="at least one"):
        random(plan)
