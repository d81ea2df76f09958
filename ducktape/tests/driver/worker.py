# SPDX-License-Identifier: Apache-2.0
"""The driver's end of a worker process: starting it, reading its messages, ending it.

Each child leads a session and process group of its own, marks what it starts as its own, asks for SIGTERM when the
driver dies, and talks to the driver through one pipe. The driver learns of its death from the kernel, never from the
end of the pipe, which a grandchild may hold open.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from signal import Signals

from ducktape.tests.driver.deadlines import SETUP, TEST, Limits, Watch
from ducktape.tests.driver.failure_cause import Cause
from ducktape.tests.event import Message, decode
from ducktape.tests.recording.bounds import ROOM_BESIDE_DATA
from ducktape.tests.test_context import TestContext
from ducktape.tests.worker import process
from ducktape.tests.worker.request import CLEAN_UP_STACKS_FILE, STACKS_FILE, STACKS_SIGNAL, CleanUpRequest, TestRequest
from ducktape.utils.process.spawn import start_child
from ducktape.utils.process.tree import Family, signal_group
from ducktape.utils.support.files import read_start
from ducktape.utils.support.times import Stopwatch

START_METHOD_VARIABLE = "DUCKTAPE_START_METHOD"
_READ_SIZE = 1 << 16
_MOST_READS = 64  # at one go: the others get their turn, too. The pipe of a dead child never holds more
_LONGEST_TURN_SEC = 0.1
_MOST_OF_STACKS = 1_000_000


def start_method() -> str:
    """Return how children are started: ``fork`` on Linux, else ``spawn``, or what the environment says.

    Forking costs milliseconds and hands over the imported test modules. Elsewhere system libraries do not survive it.
    """
    default = "fork" if sys.platform.startswith("linux") else "spawn"
    return os.environ.get(START_METHOD_VARIABLE, default)


class Worker:
    """The driver's end of one worker process: the process itself, its pipe and its time.

    A forked process closes what it has inherited: the pipes of its ``siblings``, and the descriptors ``not_for_child``.

    Raises:
        Exception: whatever pickling the request raises, where the start method needs that.
    """

    def __init__(
        self,
        request: TestRequest,
        method: str,
        *,
        limits: Limits,
        siblings: Iterable[Worker] = (),
        not_for_child: Iterable[int] = (),
    ) -> None:
        settings = request.settings
        self.clock = Stopwatch()
        self.watch = Watch(limits, time.monotonic())
        self.cause_of_end: Cause | None = None  # why it was asked to end
        self.deadline: float | None = None  # when it has to be gone, once it has reported
        self.has_terminal = not settings.why_no_debugger
        self.has_more = False  # whether messages have been read that are still to be taken
        self._buffer = bytearray()
        self._searched = 0
        self._max_bytes = settings.max_data_bytes + ROOM_BESIDE_DATA
        # A fork server is the parent of what it forks, and outlives the driver by itself only for a moment
        parent = None if method == "forkserver" else os.getpid()

        def arguments(reader: Connection, writer: Connection) -> tuple[object, ...]:
            # Whoever holds the reading end of a pipe keeps its writer from noticing that the driver is gone
            inherited = [reader, *(sibling._reader for sibling in siblings), *not_for_child] if method == "fork" else []
            return request, writer, parent, inherited

        self.process, self._reader = start_child(method, process.main, arguments, name=f"Process-{settings.test_index}")
        assert self.process.pid is not None  # it was started
        self.pid = self.process.pid  # also the id of its session and process group
        os.set_blocking(self._reader.fileno(), False)
        self._pidfd: int | None = None  # readable when the process ends, where the system has such a thing
        with contextlib.suppress(AttributeError, OSError):
            self._pidfd = os.pidfd_open(self.pid)
        self.exit_code: int | None = None  # of a dead process, negative for a signal
        self._stacks_path = os.path.join(
            TestContext.results_dir(request.context, settings.test_index),
            CLEAN_UP_STACKS_FILE if isinstance(request, CleanUpRequest) else STACKS_FILE,
        )
        self.family = Family(settings.mark, self.pid)
        # Whether the test is kept is decided when its last messages have been read
        session = request.context.session_context
        self._keep_leftovers = bool(getattr(session, "no_teardown", False)) or settings.keep is not None
        self.is_closed = False

    def waitables(self) -> Iterator[int]:
        """Yield the descriptors that become readable when there is news: the pipe while it is open, and death."""
        if not self._reader.closed:
            yield self._reader.fileno()
        yield self._pidfd if self._pidfd is not None else self.process.sentinel

    @property
    def next_deadline(self) -> float:
        """When the driver has to look after it at the latest, in seconds of the monotonic clock."""
        if self.has_more:
            return -math.inf
        return self.watch.deadline if self.deadline is None else self.deadline

    def is_dead(self) -> bool:
        """Return whether the process has ended; collects its exit code, and ends what is left of its group."""
        if self.exit_code is None and not self._keep_leftovers and _is_unreaped(self.pid):
            # Until somebody collects the exit code the number of the group cannot belong to anything else.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        if self.exit_code is None:
            self.exit_code = self.process.exitcode
        return self.exit_code is not None

    def messages(self, *, everything: bool) -> Iterator[Message]:
        """Yield what the child has sent since, of a living one no more than fits into a turn; never blocks.

        Raises:
            ValueError: the child sent something else than a message, or too much.
        """
        if everything or not self.has_more:
            self._read_pipe()
        self.has_more = False
        until = math.inf if everything else time.monotonic() + _LONGEST_TURN_SEC
        while (end := self._buffer.find(b"\n", self._searched)) >= 0:
            if time.monotonic() > until:
                self.has_more = True
                return
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._searched = 0
            self.watch.heartbeat(time.monotonic())
            yield decode(line)
        self._searched = len(self._buffer)
        if self._searched > self._max_bytes:
            raise ValueError(f"a message of more than {self._max_bytes:,} bytes")

    def _read_pipe(self) -> None:
        for _ in range(_MOST_READS):
            if self._reader.closed:
                return
            try:
                chunk = os.read(self._reader.fileno(), _READ_SIZE)
            except BlockingIOError:
                return
            if not chunk:
                self._reader.close()
                return
            self._buffer += chunk

    def stop_listening(self) -> None:
        """Take nothing more from a child that does not keep to the protocol."""
        self._reader.close()
        self._buffer.clear()
        self._searched, self.has_more = 0, False

    def let_end(self) -> None:
        """Ask the test to end, and leave it alone if it does so already."""
        if self._is_ending:
            self.watch.ending = True
        else:
            self.terminate()

    @property
    def _is_ending(self) -> bool:
        return self.watch.phase not in ("", SETUP, TEST)

    def terminate(self) -> None:
        """Ask the test to end, tear down and report; or what it does in its ending, to come to the next step."""
        self.watch.interrupted(time.monotonic())
        # A stopped process would sleep over the request
        self._send(signal.SIGINT if self._is_ending else signal.SIGTERM, signal.SIGCONT)

    def signal(self, sig: signal.Signals) -> None:
        """Send a signal to the process and its group."""
        if not self.is_dead():
            signal_group(self.pid, sig)

    def dump_stacks(self) -> None:
        """Make the child write the stacks of all its threads to a file beside its logs, whatever it is doing."""
        # In this order a stopped process shows where it was stopped, not what it did next
        self._send(STACKS_SIGNAL, signal.SIGCONT)

    def _send(self, *signals: Signals) -> None:
        """Send signals to the process alone; one that has just ended needs none."""
        if self.is_dead():
            return
        with contextlib.suppress(ProcessLookupError):
            for sig in signals:
                os.kill(self.pid, sig)

    def stacks(self) -> str:
        """Return the stacks that the child wrote when it was asked for them, or when it crashed."""
        try:
            text = read_start(self._stacks_path, _MOST_OF_STACKS)
        except OSError:
            return ""
        return "".join(_without_own_frames(text.splitlines(keepends=True)))

    def close(self) -> None:
        """Release what the driver holds of a dead child."""
        with contextlib.suppress(OSError):
            if os.path.getsize(self._stacks_path) == 0:
                os.remove(self._stacks_path)
        self._reader.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        self.process.close()
        self.is_closed = True


def _without_own_frames(lines: Iterable[str]) -> Iterator[str]:
    """Leave out of stacks what a forked process has from the driver: the frames that called its entry point."""
    own = False
    for line in lines:
        if not line.startswith("  "):
            own = False
        if not own:
            yield line
        if line.rstrip().endswith(" in main") and process.__file__ in line:
            own = True


def _is_unreaped(pid: int) -> bool:
    """Return whether a process has ended and its exit code is still to be collected, as far as this can be known."""
    if not hasattr(os, "waitid"):
        return False
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False  # the child of a fork server
