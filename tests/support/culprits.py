# SPDX-License-Identifier: Apache-2.0
"""The worst that tests can do to their own process, and the suite in which they do it.

The environment of the run says who the culprit is and where it leaves its process ids.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.tiny_disk import fill

PHASES = ("constructor", "setup", "test", "teardown")
CULPRIT = "DUCKTAPE_E2E_CULPRIT"
LIMIT_SEC = "DUCKTAPE_E2E_LIMIT"
FOLDER = "DUCKTAPE_E2E_FOLDER"

_LONGEST_SEC = 100
_SMALL_STACK = 512 << 10
_GIGABYTE = 1 << 30

SUITE = """
    import os
    from ducktape.mark import timeout
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test
    from tests.support import culprits

    LIMIT = os.environ[culprits.LIMIT_SEC]

    @timeout(setup=LIMIT, test=LIMIT, teardown=LIMIT)
    class CulpritTest(Test):
        def __init__(self, test_context):
            super().__init__(test_context)
            self.misbehave_in("constructor")

        def setup(self):
            self.misbehave_in("setup")

        def teardown(self):
            self.misbehave_in("teardown")

        def misbehave_in(self, phase):
            if self.test_context.function_name == f"test_{phase}":
                return culprits.misbehave(self, phase)

        @cluster(num_nodes=1)
        def test_constructor(self):
            pass

        @cluster(num_nodes=1)
        def test_setup(self):
            pass

        @cluster(num_nodes=1)
        def test_test(self):
            return self.misbehave_in("test")

        @cluster(num_nodes=1)
        def test_teardown(self):
            pass

    class InnocentTest(Test):
        @cluster(num_nodes=1000)  # all of them: the first test, and alone
        def test_before(self):
            return {"answer": 42}

        @cluster(num_nodes=2)  # before those of one node
        def test_beside(self):
            culprits.wait_for_their_end()
            return {"answer": 42}

        @cluster(num_nodes=1)  # at first there is no slot left for it
        def test_last(self):
            return {"answer": 42}
"""


def misbehave(test: Any, phase: str) -> object:
    """Do what the culprit of this run does.

    Args:
        test: the instance.
        phase: in which part of its life it is.
    """
    (Path(os.environ[FOLDER]) / f"{phase}.pid").write_text(str(os.getpid()))
    return CULPRITS[os.environ[CULPRIT]](test, phase)


def wait_for_their_end() -> None:
    """Block until the culprit of every phase has come, and is dead."""
    deadline = time.monotonic() + _LONGEST_SEC
    while not all(_is_over(phase) for phase in PHASES):
        assert time.monotonic() < deadline, "the culprits outlived everything"
        time.sleep(0.05)


def _is_over(phase: str) -> bool:
    try:
        os.kill(int((Path(os.environ[FOLDER]) / f"{phase}.pid").read_text()), 0)
    except ProcessLookupError:
        return True
    except (FileNotFoundError, ValueError):
        pass  # not yet there, or not yet written
    return False


# --- the culprits


class Unpicklable(Exception):
    """Carries what no process can hand to another one."""

    def __init__(self) -> None:
        super().__init__(threading.Lock(), lambda: None)


def kill_itself(*_: object) -> None:
    """End by the signal that nobody can refuse."""
    os.kill(os.getpid(), signal.SIGKILL)


def exit_hard(*_: object) -> None:
    """End without a word to anybody."""
    os._exit(3)


def stop_itself(*_: object) -> None:
    """Stop until somebody says to go on."""
    os.kill(os.getpid(), signal.SIGSTOP)


def loop_in_python(*_: object) -> None:
    """Do nothing for ever, in bytecode."""
    while True:
        pass


def loop_in_c(*_: object) -> None:
    """Do nothing for ever, in C, and hold the lock of the interpreter meanwhile."""
    all(itertools.repeat(True))


def use_up_the_stack(*_: object) -> None:
    """Call itself until the stack ends; through C, since Python's own calls need no stack."""
    most = resource.getrlimit(resource.RLIMIT_STACK)[1]
    resource.setrlimit(resource.RLIMIT_STACK, (_SMALL_STACK, most))  # before the limit that some versions put on C
    sys.setrecursionlimit(1_000_000)
    go_deeper()


def go_deeper(*_: object) -> int:
    """Call itself through a function in C."""
    sorted([0], key=go_deeper)
    return 0


def allocate_too_much(*_: object) -> None:
    """Take two gigabytes where there is much less."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + _GIGABYTE // 4, most))
    bytearray(2 * _GIGABYTE)


def fill_the_disk(test: Any, phase: str) -> None:
    """Leave no byte for the results."""
    fill(Path(test.test_context.session_context.results_dir) / f"of-{phase}")


def carry_the_unpicklable(test: Any, phase: str) -> object:
    """Return data that cannot leave the process, or raise an error with it."""
    test.lock = threading.Lock()
    if phase == "test":
        return {"lock": test.lock}
    raise Unpicklable


def wait_for_a_thread(*_: object) -> None:
    """Wait for a thread that does not end."""
    leave_a_thread().join()


def leave_a_thread() -> threading.Thread:
    """Start a thread that does not end, and return it."""
    thread = threading.Thread(target=never_end, name="the-endless-one")
    thread.start()
    return thread


def never_end() -> None:
    """Be a thread that does not end."""
    while True:
        time.sleep(1000)


def print_a_gigabyte(*_: object) -> None:
    """Print more than anybody wants to read, then fail."""
    block = f"{'x' * 1023}\n" * 1024
    for _i in range(_GIGABYTE // len(block)):
        sys.stdout.write(block)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    raise AssertionError("1 GB is printed")


CULPRITS: dict[str, Callable[[Any, str], object]] = {
    "sigkill": kill_itself,
    "exit": exit_hard,
    "sigstop": stop_itself,
    "python-loop": loop_in_python,
    "c-loop": loop_in_c,
    "no-stack": use_up_the_stack,
    "no-memory": allocate_too_much,
    "full-disk": fill_the_disk,
    "unpicklable": carry_the_unpicklable,
    "endless-thread": wait_for_a_thread,
    "gigabyte": print_a_gigabyte,
}
