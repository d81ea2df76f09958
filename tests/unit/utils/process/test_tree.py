# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from ducktape.utils.process.tree import Family, child_pids, end_processes, signal_group
from tests.support.program import CHECKOUT

Starter = Callable[..., "subprocess.Popen[str]"]

# Says "ready" when it stands as it should, and then waits for its end
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(1000)"
OBEDIENT = "import time; print('ready', flush=True); time.sleep(1000)"
ANSWERING = (
    "import os, signal, time; signal.signal(15, lambda *_: (print('asked', flush=True), os._exit(0)));"
    "print('ready', flush=True); time.sleep(1000)"
)
PARENT = (
    "import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)']);"
    "print(child.pid, flush=True); time.sleep(1000)"
)


@pytest.fixture
def start() -> Iterator[Starter]:
    """Start a Python program and wait for its first line."""
    processes: list[subprocess.Popen[str]] = []

    def starter(program: str, *, new_session: bool = False) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=new_session,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        )
        processes.append(process)
        assert process.stdout is not None
        process.first_line = process.stdout.readline()  # type: ignore[attr-defined]
        return process

    yield starter
    for process in processes:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def first_line(process: subprocess.Popen[str]) -> str:
    line: str = process.first_line  # type: ignore[attr-defined]
    return line.strip()


def last_words(process: subprocess.Popen[str]) -> str:
    """What a process said after its first line; whoever ended it may have collected its exit code."""
    process.wait()
    assert process.stdout is not None
    return process.stdout.read()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_children_are_listed_while_nobody_waited_for_them(start: Starter) -> None:
    before = child_pids()
    process = start(OBEDIENT)
    assert child_pids() - before == {process.pid}
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert child_pids() - before == {process.pid}
    process.wait()
    assert child_pids() - before == set()


def test_grandchildren_are_not_listed(start: Starter) -> None:
    process = start(PARENT)
    assert int(first_line(process)) not in child_pids()
    psutil.Process(int(first_line(process))).kill()


def test_polite_requests_are_enough_for_obedient_processes(start: Starter) -> None:
    process = start(ANSWERING)
    [described] = end_processes(lambda: {process.pid} & child_pids(), grace_sec=30)
    assert described.startswith(f"{process.pid} ({sys.executable} -c ")
    assert last_words(process) == "asked\n"


def test_stubborn_processes_are_killed(start: Starter) -> None:
    process = start(STUBBORN)
    end_processes(lambda: {process.pid} & child_pids(), grace_sec=0.1)
    assert last_words(process) == ""


def test_no_grace_means_killed_at_once(start: Starter) -> None:
    process = start(ANSWERING)
    end_processes(lambda: {process.pid} & child_pids(), grace_sec=0)
    assert last_words(process) == ""


def test_descendants_are_ended_too(start: Starter) -> None:
    process = start(PARENT)
    grandchild = int(first_line(process))
    assert len(end_processes(lambda: {process.pid} & child_pids(), grace_sec=5)) == 2
    process.wait()
    assert gone(grandchild)


def test_nothing_to_end_is_nothing_done() -> None:
    assert end_processes(list, grace_sec=30) == []


def test_a_process_that_is_gone_is_no_error(start: Starter) -> None:
    process = start(OBEDIENT)
    process.kill()
    process.wait()
    assert end_processes(lambda: [process.pid], grace_sec=0) == []
    signal_group(process.pid, signal.SIGTERM)


def test_a_dead_child_is_not_said_to_have_been_ended(start: Starter) -> None:
    process = start(OBEDIENT)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert end_processes(lambda: {process.pid} & child_pids(), grace_sec=0) == []


def test_a_signal_reaches_the_group_that_a_process_leads(start: Starter) -> None:
    leader = start(PARENT, new_session=True)
    follower = psutil.Process(int(first_line(leader)))
    signal_group(leader.pid, signal.SIGTERM)
    assert leader.wait() == -signal.SIGTERM
    psutil.wait_procs([follower], timeout=10)
    assert gone(follower.pid)


def test_a_signal_to_a_process_that_leads_no_group_spares_the_group(start: Starter) -> None:
    process = start(OBEDIENT)
    signal_group(process.pid, signal.SIGTERM)
    assert process.wait() == -signal.SIGTERM


ADOPTING = """
import os, subprocess, sys
from ducktape.utils.process.proc import adopt_orphans
from ducktape.utils.process.tree import child_pids
adopt_orphans()
orphan = int(subprocess.run(
    [sys.executable, "-c", "import subprocess; print(subprocess.Popen(['sleep', '1000'], stdout=2).pid)"],
    stdout=subprocess.PIPE,
).stdout)
print(orphan in child_pids(), flush=True)
os.kill(orphan, 9)
"""


@pytest.mark.needs("linux")
def test_orphans_are_adopted(start: Starter) -> None:
    assert first_line(start(ADOPTING)) == "True"


REAPING = """
import os, subprocess, sys, time
from ducktape.utils.process.tree import Orphans, child_pids
own = subprocess.Popen(["sleep", "1000"])
orphans = Orphans()
orphans.adopt()
parent = subprocess.Popen(
    [sys.executable, "-c", "import subprocess; print(subprocess.Popen(['sleep', '1000'], stdout=2).pid)"],
    stdout=subprocess.PIPE,
    start_new_session=True,
)
orphan = int(parent.stdout.read())
parent.wait()
found = orphans.pids(keep=set()) == [orphan] and orphans.pids(keep={orphan}) == []
orphans.reap(keep=set())
alive = orphan in child_pids()
os.kill(orphan, 9)
os.waitid(os.P_PID, orphan, os.WEXITED | os.WNOWAIT)
orphans.reap(keep=set())
print(found, alive, orphan in child_pids(), own.poll(), flush=True)
own.kill()
"""


@pytest.mark.needs("linux")
def test_orphans_are_told_from_children_and_reaped_when_they_are_dead(start: Starter) -> None:
    assert first_line(start(REAPING)) == "True True False None"


def test_a_family_is_known_by_its_session_or_by_its_mark(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DUCKTAPE_TEST_PROCESS", raising=False)
    stranger = start(OBEDIENT, new_session=True)
    leader = start(PARENT, new_session=True)
    follower = int(first_line(leader))
    family = Family("mark-of-a-test", leader.pid)
    with monkeypatch.context() as patched:
        patched.setenv("DUCKTAPE_TEST_PROCESS", "mark-of-a-test")
        marked = start(OBEDIENT, new_session=True)
        patched.setenv("DUCKTAPE_TEST_PROCESS", "mark-of-a-test-of-another")
        foreign = start(OBEDIENT, new_session=True)
    pids = [stranger.pid, leader.pid, follower, marked.pid, foreign.pid]
    assert family.members(pids) == [leader.pid, follower, marked.pid]
    psutil.Process(follower).kill()


ENDING_WITH_PARENT = """
import os, signal, sys, time
from ducktape.utils.process.proc import end_with_parent
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    end_with_parent(signal.SIGKILL)
    os.write(writer, b"x")
    time.sleep(1000)
os.read(reader, 1)
print(child, flush=True)
time.sleep(1000)
"""


@pytest.mark.needs("linux")
def test_a_process_can_end_with_its_parent(start: Starter) -> None:
    parent = start(ENDING_WITH_PARENT)
    child = psutil.Process(int(first_line(parent)))
    parent.kill()
    parent.wait()
    psutil.wait_procs([child], timeout=10)
    assert gone(child.pid)
