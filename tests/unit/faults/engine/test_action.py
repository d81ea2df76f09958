# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ducktape.cluster.local.transport import LocalTransport
from ducktape.faults.engine.action import Lifeline, Measure, Renewal, combined, refusing
from ducktape.faults.engine.host import Place
from ducktape.faults.errors import FaultError, FaultUnavailable


@pytest.fixture
def here() -> Place:
    return Place(LocalTransport(), "here")


def line(place: Place, mark: Path, *, inject: str = "", ttl: float = 60) -> Lifeline:
    measure = Measure(place, f"touch {mark}\n{inject}", f"rm -f {mark}", f"[ -e {mark} ]")
    return Lifeline(measure, f"{os.getpid()}x{mark.parent.name}".replace("_", ""), ttl)


def until(condition: Callable[[], bool], seconds: float = 8) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_is_tied_is_there_until_it_is_cut(here: Place, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    tied = line(here, mark)
    tied.tie()
    assert [mark.exists(), tied.is_effective, tied.is_gone] == [True, True, False]
    assert tied.renew() is Renewal.STAYS
    assert tied.cut()
    assert [mark.exists(), tied.is_effective, tied.is_gone] == [False, False, True]
    assert tied.renew() is Renewal.GONE
    assert not tied.cut()
    assert not os.path.exists(tied.directory)


def test_what_nobody_renews_undoes_itself(here: Place, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    tied = line(here, mark, ttl=2)
    tied.tie()
    time.sleep(1.2)
    assert tied.renew() is Renewal.STAYS
    began = time.monotonic()
    until(lambda: not mark.exists())
    assert time.monotonic() - began > 1
    until(lambda: not os.path.exists(tied.directory))
    assert not tied.cut()


def test_what_is_renewed_just_after_a_look_is_undone_within_its_time_all_the_same(here: Place, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    tied = line(here, mark, ttl=2)
    tied.tie()
    time.sleep(0.1)
    assert tied.renew() is Renewal.STAYS
    began = time.monotonic()
    until(lambda: not mark.exists())
    assert 1 < time.monotonic() - began < 2.5


def test_who_clears_the_directory_of_temporary_files_ends_the_fault(here: Place, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    tied = line(here, mark, ttl=60)
    tied.tie()
    here.run(f"rm -rf {tied.directory}")
    assert tied.renew() is Renewal.GONE
    until(lambda: not mark.exists())


def test_half_of_a_fault_is_undone_and_explained(here: Place, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    tied = line(here, mark, inject="echo broken >&2; false; touch never")
    with pytest.raises(FaultError, match="here: bringing about the fault failed with status 1: broken"):
        tied.tie()
    assert [mark.exists(), tied.is_gone] == [False, True]
    with pytest.raises(FaultUnavailable, match=r"here: not possible: .*nothing"):
        line(here, mark, inject=refusing("ls /nothing", "not possible")).tie()
    assert not mark.exists()
    until(lambda: here.run(f"pgrep -f '[w]atch {tied.directory}'").exit_status == 1)


def test_what_cannot_be_undone_is_tried_again_when_the_time_is_over(here: Place, tmp_path: Path) -> None:
    measure = Measure(here, ":", f"[ -e {tmp_path}/allowed ] || exit 1; touch {tmp_path}/undone")
    tied = Lifeline(measure, f"{os.getpid()}again", 2)
    tied.tie()
    with pytest.raises(FaultError, match="here: undoing the fault failed with status 1"):
        tied.cut()
    (tmp_path / "allowed").touch()
    until((tmp_path / "undone").exists)
    until(lambda: tied.is_gone)


def test_several_measures_are_undone_in_the_opposite_order_and_all_of_them(here: Place, tmp_path: Path) -> None:
    says = [Measure(here, f"echo in{n} >>{tmp_path}/said", f"echo un{n} >>{tmp_path}/said", ":") for n in (1, 2)]
    failing = Measure(here, ":", "exit 1")
    both = Lifeline(combined([says[0], failing, says[1]]), f"{os.getpid()}both", 30)
    both.tie()
    assert both.is_effective
    with pytest.raises(FaultError):
        both.cut()
    assert (tmp_path / "said").read_text().split() == ["in1", "in2", "un2", "un1"]
    here.run(f"rm -rf {both.directory}")


def end_watcher(tied: Lifeline) -> None:
    """What a loss of power does to the script on the machine."""
    pid = int(Path(tied.directory, "watcher").read_text())
    os.kill(pid, signal.SIGKILL)
    until(lambda: not os.path.exists(f"/proc/{pid}") or b"watch" not in Path(f"/proc/{pid}/cmdline").read_bytes())


@pytest.mark.parametrize("lives_in_kernel", [True, False])
def test_what_has_gone_with_the_power_is_put_back_and_what_lies_in_files_is_only_watched_anew(
    lives_in_kernel: bool, here: Place, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    measure = Measure(here, f"echo x >>{mark}", f"rm -f {mark}", f"[ -e {mark} ]", lives_in_kernel)
    tied = Lifeline(measure, f"{os.getpid()}power{lives_in_kernel}", 60)
    tied.tie()
    end_watcher(tied)
    if lives_in_kernel:
        mark.unlink()
    assert tied.renew() is Renewal.ORPHANED
    tied.tie_again()
    assert [mark.read_text(), tied.is_effective, tied.renew()] == ["x\n", True, Renewal.STAYS]
    assert tied.cut()
    assert [mark.exists(), os.path.exists(tied.directory)] == [False, False]


class BoxWithoutPower:
    """As much of an account of the sandbox as is asked whether the node is on."""

    is_sandbox = True
    init_pid = 0


def test_what_has_gone_with_the_power_of_a_node_is_healed_and_its_files_go_when_it_is_back(tmp_path: Path) -> None:
    place = Place(LocalTransport(), "box", account=BoxWithoutPower())
    mark = tmp_path / "mark"
    tied = Lifeline(Measure(place, f"touch {mark}", f"rm -f {mark}", lives_in_kernel=True), f"{os.getpid()}off", 60)
    tied.tie()
    assert [tied.cut(), tied.is_gone, os.path.exists(tied.directory)] == [False, True, True]
    tied.sweep()
    assert [tied.is_gone, os.path.exists(tied.directory)] == [True, False]
