# SPDX-License-Identifier: Apache-2.0
"""The process that keeps the nodes of one test: it waits, then cleans up as after a test whose process died.

It is forked from the driver, outlives it, and ends on request (SIGTERM) or when its time is over.
"""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import gc
import logging
import os
import select
import signal
import time
from collections.abc import Collection, Sequence
from typing import NoReturn

from ducktape.cluster.sandbox.syscalls import set_command_line
from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.faults.engine.recovery import extend_remaining
from ducktape.tests.driver.deadlines import Limits
from ducktape.tests.event import CleanedUp
from ducktape.tests.keeping.registry import LOG, RELEASED, KeptTest
from ducktape.tests.loggermaker import also_to_files, close_logger
from ducktape.tests.worker.crash_cleanup import CrashCleanUp
from ducktape.tests.worker.interrupts import InterruptGate
from ducktape.tests.worker.request import CleanUpRequest
from ducktape.utils.process.proc import detach_descriptors, set_name, start_of
from ducktape.utils.process.spawn import HELD_BACK
from ducktape.utils.process.tree import Family, end_processes
from ducktape.utils.process.untraced import fork_untraced
from ducktape.utils.support.guard import error_of
from ducktape.utils.support.text import class_and_text

NOT_CLEAN = 3  # exit code
_NAME = "dt-keep"
_SECONDS_TO_START = 30.0
_LONGEST_SLEEP = 30.0  # the clock may be set, and the machine may sleep
_SECONDS_BETWEEN_INTERRUPTS = 5.0
_SECONDS_AFTER_INTERRUPT = 60.0
_SECONDS_FOR_FAULTS = 60.0  # after the end, for the holder to heal them itself
_GRACE_SEC = 1.0


def start_holder(kept: KeptTest, request: CleanUpRequest, limits: Limits, descriptors: Sequence[int]) -> int:
    """Start the process that keeps a test; returns its id once it is registered, or raises ``OSError``.

    ``descriptors`` are those that it holds until its end; the mark of the request finds the processes of the test.
    """
    reader, writer = os.pipe()
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
    try:
        pid = fork_untraced()
        if pid == 0:
            _keep(_Holder(kept, request, limits), writer, descriptors)
    except OSError:
        os.close(reader)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
        os.close(writer)
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        readable, _, _ = select.select([pipe], [], [], _SECONDS_TO_START)
        problem = (pipe.read() or b"").decode() if readable else "it gives no sign of life"
    if problem == "ready":
        return pid
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise OSError(problem or "its process died")


def _keep(holder: _Holder, ready: int, descriptors: Collection[int]) -> NoReturn:
    """Entry point of the process; the interpreter's exit handlers belong to the driver and do not run."""
    code = 1
    try:
        error = error_of(lambda: holder.begin(ready, descriptors))
        with contextlib.suppress(BrokenPipeError):  # the driver was killed meanwhile: keep what it has left
            os.write(ready, b"ready" if error is None else class_and_text(error).encode())
        detach_descriptors(descriptors)
        if error is None:
            code = holder.run()
    finally:
        os._exit(code)


class _Holder:
    """Keeps one test in this process."""

    def __init__(self, kept: KeptTest, request: CleanUpRequest, limits: Limits) -> None:
        self._kept = kept
        self._request = request
        self._limits = limits
        self._gate = InterruptGate()

    def begin(self, ready: int, descriptors: Collection[int]) -> None:
        """Detach this process from the driver, and register it; raises ``OSError``."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        for sig in (*HELD_BACK, signal.SIGCHLD):
            signal.signal(sig, signal.SIG_DFL)
        detach_descriptors({ready, *descriptors})
        gc.freeze()
        set_name(_NAME)
        set_command_line(f"ducktape-keep {self._kept.name}")
        pid = os.getpid()
        self._kept = dataclasses.replace(self._kept, pid=pid, start=start_of(pid))
        self._kept.write()

    def run(self) -> int:
        """Wait, then clean up; returns the exit code."""
        kept, context = self._kept, self._request.context
        context.test_index = kept.test_index
        close_logger(context._logger)  # its files were detached
        logger = context.logger
        with also_to_files(logger, kept.test_dir, LOG, ConsoleDefaults.TEST_LOG_FORMATTER):
            until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(kept.until))
            logger.info("Process %d keeps %s until %s", kept.pid, ", ".join(kept.node_names), until)
            # It may have to be interrupted in this, too
            extending = error_of(self._extend_faults)
            if extending is not None:
                logger.warning("Faults may end before: %s", class_and_text(extending))
            logger.info("%s: cleaning up", self._wait())
            done: list[CleanedUp] = []
            error = error_of(lambda: done.append(self._clean_up(logger)))
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_REAL, 0)
            for problem in [] if error is None else [class_and_text(error)]:
                logger.error("The clean-up failed: %s", problem)
            is_clean = bool(done) and not done[0].dirty
            logger.info(RELEASED if is_clean else "Released, but not clean")
        kept.remove()
        return 0 if is_clean else NOT_CLEAN

    def _extend_faults(self) -> None:
        seconds = self._kept.until - time.time() + _SECONDS_FOR_FAULTS
        for problem in extend_remaining(self._kept.test_dir, self._request.nodes, seconds):
            self._request.context.logger.warning(problem)

    def _wait(self) -> str:
        """Wait for the request or the time to end; returns which one came."""
        while (left := self._kept.until - time.time()) > 0:
            if signal.sigtimedwait([signal.SIGTERM], min(left, _LONGEST_SLEEP)) is not None:
                return "Released on request"
        return "Its time is over"

    def _clean_up(self, logger: logging.Logger) -> CleanedUp:
        signal.signal(signal.SIGALRM, lambda *_: self._gate.interrupt())
        for sig in HELD_BACK:
            # Functions, since programs that are started would inherit that signals are ignored or blocked
            signal.signal(sig, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)
        request = self._request
        family = Family(request.settings.mark, os.getpid())
        family.found()
        clean_up = CrashCleanUp(
            request.context,
            request.services,
            request.nodes,
            log=logger.log,
            enter=self._limit,
            user_code=self._gate.user_code,
        )
        done = clean_up.run(dump=False, collect=False)

        def local_processes() -> list[int]:
            return family.members(int(name) for name in os.listdir("/proc") if name.isdecimal() and name != own)

        own = str(os.getpid())
        self._limit("")
        for process in end_processes(local_processes, grace_sec=_GRACE_SEC):
            logger.info("ended process %s", process)
        return done

    def _limit(self, phase: str) -> None:
        """Interrupt a phase of the clean-up that takes too long, and end this process if that does not help."""
        limit = min(self._limits.of(phase, ending=True), self._limits.ending)
        signal.setitimer(signal.ITIMER_REAL, limit, _SECONDS_BETWEEN_INTERRUPTS)
        faulthandler.dump_traceback_later(limit + min(limit, _SECONDS_AFTER_INTERRUPT), exit=True, file=self._stacks())

    def _stacks(self) -> int:
        if not hasattr(self, "_stacks_file"):
            path = os.path.join(self._kept.test_dir, f"{LOG}.stacks")
            self._stacks_file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        return self._stacks_file
