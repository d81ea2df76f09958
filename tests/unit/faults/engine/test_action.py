# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ducktape.cluster.local.transport import LocalTransport
from ducktape.faults.engine.action import Action, DeadManSwitch, Renewal, combined, refusing
from ducktape.faults.engine.host import Host
from ducktape.faults.errors import FaultError, FaultUnavailable


@pytest.fixture
def here() -> Host:
    return Host(LocalTransport(), "here")


def make_switch(host: Host, mark: Path, *, inject: str = "", ttl: float = 60) -> DeadManSwitch:
    action = Action(host, f"touch {mark}\n{inject}", f"rm -f {mark}", f"[ -e {mark} ]")
    return DeadManSwitch(action, f"{os.getpid()}x{mark.parent.name}".replace("_", ""), ttl)


def until(condition: Callable[[], bool], seconds: float = 8) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_fault_stays_until_it_is_undone(here: Host, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    switch = make_switch(here, mark)
    switch.inject()
    assert [mark.exists(), switch.is_effective, switch.is_gone] == [True, True, False]
    assert switch.renew() is Renewal.STAYS
    assert switch.undo()
    assert [mark.exists(), switch.is_effective, switch.is_gone] == [False, False, True]
    assert switch.renew() is Renewal.GONE
    assert not switch.undo()
    assert not os.path.exists(switch.directory)


def test_what_nobody_renews_undoes_itself(here: Host, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    switch = make_switch(here, mark, ttl=2)
    switch.inject()
    time.sleep(1.2)
    assert switch.renew() is Renewal.STAYS
    began = time.monotonic()
    until(lambda: not mark.exists())
    assert time.monotonic() - began > 1
    until(lambda: not os.path.exists(switch.directory))
    assert not switch.undo()


def test_what_is_renewed_just_after_a_look_is_undone_within_its_time_all_the_same(here: Host, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    switch = make_switch(here, mark, ttl=2)
    switch.inject()
    time.sleep(0.1)
    assert switch.renew() is Renewal.STAYS
    began = time.monotonic()
    until(lambda: not mark.exists())
    assert 1 < time.monotonic() - began < 2.5


def test_who_clears_the_directory_of_temporary_files_ends_the_fault(here: Host, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    switch = make_switch(here, mark, ttl=60)
    switch.inject()
    # The script on the machine has read how to undo it once it sleeps
    until(lambda: here.run(f'pgrep -x -P "$(cat {switch.directory}/watcher)" sleep').exit_status == 0)
    here.run(f"rm -rf {switch.directory}")
    assert switch.renew() is Renewal.GONE
    until(lambda: not mark.exists())


def test_half_of_a_fault_is_undone_and_explained(here: Host, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    switch = make_switch(here, mark, inject="echo broken >&2; false; touch never")
    with pytest.raises(FaultError, match="here: bringing about the fault failed with status 1: broken"):
        switch.inject()
    assert [mark.exists(), switch.is_gone] == [False, True]
    with pytest.raises(FaultUnavailable, match=r"here: not possible: .*nothing"):
        make_switch(here, mark, inject=refusing("ls /nothing", "not possible")).inject()
    assert not mark.exists()
    until(lambda: here.run(f"pgrep -f '[w]atch {switch.directory}'").exit_status == 1)


def test_what_cannot_be_undone_is_tried_again_when_the_time_is_over(here: Host, tmp_path: Path) -> None:
    action = Action(here, ":", f"[ -e {tmp_path}/allowed ] || exit 1; touch {tmp_path}/undone")
    switch = DeadManSwitch(action, f"{os.getpid()}again", 2)
    switch.inject()
    with pytest.raises(FaultError, match="here: undoing the fault failed with status 1"):
        switch.undo()
    (tmp_path / "allowed").touch()
    until((tmp_path / "undone").exists)
    until(lambda: switch.is_gone)


def test_several_actions_are_undone_in_the_opposite_order_and_all_of_them(here: Host, tmp_path: Path) -> None:
    says = [Action(here, f"echo in{n} >>{tmp_path}/said", f"echo un{n} >>{tmp_path}/said", ":") for n in (1, 2)]
    failing = Action(here, ":", "exit 1")
    both = DeadManSwitch(combined([says[0], failing, says[1]]), f"{os.getpid()}both", 30)
    both.inject()
    assert both.is_effective
    with pytest.raises(FaultError):
        both.undo()
    assert (tmp_path / "said").read_text().split() == ["in1", "in2", "un2", "un1"]
    here.run(f"rm -rf {both.directory}")


def end_watcher(switch: DeadManSwitch) -> None:
    """What a loss of power does to the script on the machine."""
    pid = int(Path(switch.directory, "watcher").read_text())
    os.kill(pid, signal.SIGKILL)
    until(lambda: not os.path.exists(f"/proc/{pid}") or b"watch" not in Path(f"/proc/{pid}/cmdline").read_bytes())


@pytest.mark.parametrize("lives_in_kernel", [True, False])
def test_what_has_gone_with_the_power_is_put_back_and_what_lies_in_files_is_only_watched_anew(
    lives_in_kernel: bool, here: Host, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    action = Action(here, f"echo x >>{mark}", f"rm -f {mark}", f"[ -e {mark} ]", lives_in_kernel)
    switch = DeadManSwitch(action, f"{os.getpid()}power{lives_in_kernel}", 60)
    switch.inject()
    end_watcher(switch)
    if lives_in_kernel:
        mark.unlink()
    assert switch.renew() is Renewal.ORPHANED
    switch.inject_again()
    assert [mark.read_text(), switch.is_effective, switch.renew()] == ["x\n", True, Renewal.STAYS]
    assert switch.undo()
    assert [mark.exists(), os.path.exists(switch.directory)] == [False, False]


def test_what_has_gone_with_the_power_of_a_node_is_healed_and_its_files_go_when_it_is_back(tmp_path: Path) -> None:
    host = Host(LocalTransport(), "box", init_pid=lambda: 0)
    mark = tmp_path / "mark"
    switch = DeadManSwitch(
        Action(host, f"touch {mark}", f"rm -f {mark}", lives_in_kernel=True), f"{os.getpid()}off", 60
    )
    switch.inject()
    assert [switch.undo(), switch.is_gone, os.path.exists(switch.directory)] == [False, True, True]
    switch.remove_leftovers()
    assert [switch.is_gone, os.path.exists(switch.directory)] == [True, False]
