# SPDX-License-Identifier: Apache-2.0
"""The watchdog at work: parents that are real processes, and are killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.program import CHECKOUT, finished, started, suite

pytestmark = pytest.mark.needs("linux")

# Prints the pids of what is to be looked at, one line each, and "ready"; ends when it is told to on standard input.
PARENT = """
import os, signal, subprocess, sys, time
from ducktape.utils.process.watchdog import Watchdog, announce_teardown
from ducktape.utils.process.tree import Family

def say(*words):
    os.write({out}, (" ".join(map(str, words)) + "\\n").encode())

def child(work, mark="mark-of-{number}"):
    pid = os.fork()
    if pid:
        watchdog.watch(pid, mark)
        return pid
    os.setsid()
    if watchdog.descriptor >= 0:
        os.close(watchdog.descriptor)
    Family(mark, os.getpid()).found()
    try:
        work()
    finally:
        os._exit(0)

def sleep():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(1000)

watchdog = Watchdog()
watchdog.start()
say("watchdog", watchdog.pid)
{body}
say("ready")
sys.stdin.readline() if sys.stdin else time.sleep(1000)
watchdog.stop()
say("stopped")
"""


class Parent:
    """A process with a watchdog, and the processes that it told of."""

    def __init__(self, body: str, *, out: int = 1, **options: object) -> None:
        self.mark = f"{os.getpid()}-{time.monotonic_ns()}"
        program = PARENT.format(body=body, out=out, number=self.mark)
        self.process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), "GUARDIAN_TEST": self.mark},
            **options,  # type: ignore[call-overload]
        )
        self.told: dict[str, psutil.Process] = {}
        assert self.process.stdout is not None
        for line in self.process.stdout:
            word, _, pid = line.strip().partition(" ")
            if word == "ready":
                break
            with contextlib.suppress(psutil.NoSuchProcess):
                self.told[word] = psutil.Process(int(pid))

    def end(self) -> str:
        """Let it stop its watchdog and end; returns the rest of what it printed."""
        return str(self.process.communicate("\n", timeout=20)[0])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def alive(self) -> list[str]:
        """What is there still of that which it told of."""
        return [word for word, process in self.told.items() if is_alive(process)]

    def relatives(self) -> list[str]:
        """What is there still of all that it started."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if is_alive(process) and process.environ().get("GUARDIAN_TEST") == self.mark:
                    found.append(process.name())
        return found

    def close(self) -> None:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("GUARDIAN_TEST") == self.mark:
                    process.kill()
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


Start = Callable[..., Parent]


@pytest.fixture
def start() -> Iterator[Start]:
    parents: list[Parent] = []

    def starter(body: str = "", **options: object) -> Parent:
        parents.append(Parent(body, **options))  # type: ignore[arg-type]
        return parents[-1]

    yield starter
    for parent in parents:
        parent.close()


def is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


# --- a parent that is killed

# Each says the pid of a child, by another name; all of them under one parent, since what takes time is the waiting
STUBBORN = """
say("asleep", child(sleep))
stopped = child(sleep)
time.sleep(0.1)
os.kill(stopped, signal.SIGSTOP)
say("stopped", stopped)
def loop():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        pass
say("looping", child(loop))
def loop_in_c():
    import itertools
    sum(itertools.repeat(1))
say("looping_in_c", child(loop_in_c))
"""


def test_children_that_do_not_answer_are_gone_soon_after_their_parent(start: Start) -> None:
    parent = start(STUBBORN)
    assert sorted(parent.alive()) == ["asleep", "looping", "looping_in_c", "stopped", "watchdog"]
    parent.kill()
    assert wait_until(lambda: not parent.alive(), 5), parent.alive()
    assert parent.relatives() == []


def test_what_a_child_started_goes_with_it_wherever_it_hides(start: Start) -> None:
    parent = start(
        """
def family():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    same_group = subprocess.Popen(["sleep", "1000"])
    own_session = subprocess.Popen(["setsid", "sleep", "1000"])
    orphan = subprocess.run("setsid sleep 1000 > /dev/null 2>&1 & echo $!", shell=True, stdout=subprocess.PIPE).stdout
    say("same_group", same_group.pid)
    say("own_session", own_session.pid)
    say("orphan", int(orphan))
    os.write(complete, b"x")
    time.sleep(1000)
waiting, complete = os.pipe()
say("child", child(family))
os.read(waiting, 1)
"""
    )
    assert set(parent.alive()) >= {"child", "same_group", "own_session", "orphan", "watchdog"}
    parent.kill()
    assert wait_until(lambda: not parent.alive(), 6), parent.alive()
    assert parent.relatives() == []


def test_what_a_child_that_ends_by_itself_has_left_goes_too(start: Start) -> None:
    parent = start(
        """
def leave():
    say("left", subprocess.Popen(["setsid", "sleep", "1000"]).pid)
    os.write(complete, b"x")
    time.sleep(0.5)
waiting, complete = os.pipe()
say("child", child(leave))
os.read(waiting, 1)
"""
    )
    parent.kill()
    assert wait_until(lambda: not parent.alive(), 5), parent.alive()


def test_a_child_that_says_it_is_ending_gets_the_time_that_it_needs(start: Start) -> None:
    parent = start(
        """
from ducktape.utils.process.proc import end_with_parent
def tear_down():
    def on_sigterm(*_):
        announce_teardown()
        time.sleep(5)
        with open("/proc/self/comm") as file:
            name = file.read().strip()
        os.environ["x"] = name
        os._exit(0)
    signal.signal(signal.SIGTERM, on_sigterm)
    end_with_parent(signal.SIGTERM)
    say("child_is", os.getpid())
    while True:
        time.sleep(1000)
say("child", child(tear_down))
say("other", child(sleep))
time.sleep(0.3)
"""
    )
    start_time = time.monotonic()
    parent.kill()
    assert wait_until(lambda: "other" not in parent.alive(), 5)
    assert "child" in parent.alive() and "watchdog" in parent.alive()
    assert wait_until(lambda: not parent.alive(), 10), parent.alive()
    # It was not cut short
    assert 4.5 < time.monotonic() - start_time < 9


def test_a_child_that_was_forgotten_is_left_alone(start: Start) -> None:
    parent = start("pid = child(sleep); watchdog.forget(pid); say('child', pid)")
    parent.kill()
    assert wait_until(lambda: parent.alive() == ["child"], 5), parent.alive()


def test_without_children_it_ends_at_once(start: Start) -> None:
    parent = start()
    parent.kill()
    assert wait_until(lambda: not parent.alive(), 1)


def test_a_parent_that_ends_without_a_word_is_dead_as_well(start: Start) -> None:
    parent = start("say('child', child(sleep)); say('ready'); os._exit(3)")
    assert wait_until(lambda: not parent.alive(), 5), parent.alive()


# --- a parent that lives


def test_it_is_gone_without_a_trace_once_it_is_stopped(start: Start) -> None:
    parent = start(
        """
def check():
    import atexit
    def look():
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            say("no_children", os.getpid())
    atexit.register(look)
check()
"""
    )
    assert parent.alive() == ["watchdog"]
    assert parent.end().split() == ["stopped", "no_children", str(parent.process.pid)]
    assert not parent.told["watchdog"].is_running()


def test_it_leaves_the_children_of_a_living_parent_alone(start: Start) -> None:
    parent = start("say('child', child(lambda: (os.dup2(os.open(os.devnull, os.O_RDWR), 1), sleep())))")
    assert parent.end().split() == ["stopped"]
    assert parent.alive() == ["child"]


def test_a_signal_to_the_whole_group_does_not_end_it_before_its_parent(start: Start) -> None:
    parents = {
        sig: start(f"say('child', child(sleep)); signal.signal({int(sig)}, signal.SIG_IGN)", start_new_session=True)
        for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    for sig, parent in parents.items():
        os.killpg(parent.process.pid, sig)
        parent.told["watchdog"].send_signal(sig)
    assert not wait_until(lambda: any("watchdog" not in parent.alive() for parent in parents.values()), 0.3)
    for parent in parents.values():
        parent.kill()
    assert wait_until(lambda: not any(parent.alive() for parent in parents.values()), 5)


def test_a_signal_to_the_parent_does_not_reach_it_through_inherited_handlers(start: Start) -> None:
    parent = start()
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        parent.told["watchdog"].send_signal(sig)
    assert parent.end().split() == ["stopped"]


def test_it_has_a_name_of_its_own_a_session_of_its_own_and_nothing_open(start: Start) -> None:
    parent = start("files = [open('/dev/null') for _ in range(20)]")
    watchdog = parent.told["watchdog"]
    assert wait_until(lambda: watchdog.name() == "dt-watchdog", 5)
    assert wait_until(lambda: len(os.listdir(f"/proc/{watchdog.pid}/fd")) == 4, 5)
    assert os.getsid(watchdog.pid) == watchdog.pid
    descriptors = {
        int(name): os.readlink(f"/proc/{watchdog.pid}/fd/{name}") for name in os.listdir(f"/proc/{watchdog.pid}/fd")
    }
    assert {number: descriptors.pop(number) for number in (0, 1, 2)} == dict.fromkeys((0, 1, 2), os.devnull)
    [(_, pipe)] = descriptors.items()
    assert pipe.startswith("pipe:")


def test_whoever_reads_the_output_of_its_parent_does_not_wait_for_it(start: Start) -> None:
    """The children and their watchdog live on for seconds; the pipe of the parent ends with the parent."""
    parent = start("say('child', child(lambda: (os.dup2(os.open(os.devnull, os.O_RDWR), 1), sleep())))")
    time.sleep(0.2)
    parent.kill()
    assert parent.process.stdout is not None
    begin = time.monotonic()
    parent.process.stdout.read()
    assert time.monotonic() - begin < 1
    assert "watchdog" in parent.alive()
    assert wait_until(lambda: not parent.alive(), 5)


def test_a_parent_without_standard_streams_is_guarded_too(start: Start) -> None:
    """The pipe of the watchdog has the numbers of the missing streams then."""
    parents = [
        start(
            f"""
watchdog.stop()
os.dup2(1, 60)
for number in ({closed},):
    os.close(number)
watchdog.start()
os.write(60, b"watchdog %d\\n" % watchdog.pid)
os.write(60, b"child %d\\n" % child(sleep))
os.write(60, b"ready\\n")
time.sleep(1000)
"""
        )
        for closed in ("0", "1", "0, 1", "0, 1, 2")
    ]
    assert [sorted(parent.alive()) for parent in parents] == [["child", "watchdog"]] * 4
    for parent in parents:
        parent.kill()
    assert wait_until(lambda: not any(parent.alive() for parent in parents), 5)


def test_a_system_without_room_for_it_does_without(start: Start) -> None:
    parent = start(
        """
watchdog.stop()
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
watchdog.start()
say("without", watchdog.pid, watchdog.descriptor) if watchdog.pid else None
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
watchdog.watch(1, "x")
watchdog.forget(1)
watchdog.stop()
"""
    )
    assert parent.end().split() == ["stopped"]


def test_a_guardian_that_was_killed_is_done_without(start: Start) -> None:
    parent = start("os.kill(watchdog.pid, 9); time.sleep(0.1); watchdog.watch(1, 'x'); watchdog.forget(1)")
    assert parent.end().split() == ["stopped"]


# --- the program itself

SUITE = """
    import itertools, time
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class DeepTest(Test):
        @cluster(num_nodes=0)
        def test_deep(self):
            self.logger.warning("now it runs")
            sum(itertools.repeat(1))

        @cluster(num_nodes=0)
        def test_other(self):
            self.logger.warning("now it runs")
            time.sleep(1000)
"""


def test_tests_deep_in_a_library_do_not_outlive_a_killed_driver(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        programs = []
        for method in ("fork", "forkserver", "spawn"):
            folder = tmp_path / method
            extra = {"DUCKTAPE_START_METHOD": method}
            run = started(folder, suite(folder, SUITE), "--max-parallel", "2", extra=extra)
            programs.append(stack.enter_context(run))
        for program in programs:
            program.wait_for("now it runs", times=2)
            program.signal(signal.SIGKILL)
            program.process.wait()
        assert wait_until(lambda: not any(program._descendants() for program in programs), 5)


def test_the_output_of_a_run_ends_with_it(tmp_path: Path) -> None:
    quick = SUITE.replace("sum(itertools.repeat(1))", "pass").replace("time.sleep(1000)", "pass")
    with finished(tmp_path, suite(tmp_path, quick)) as program:
        assert program.process.returncode == 0
        assert not program._reader.is_alive()
        assert program.survivors() == []
