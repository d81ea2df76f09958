# SPDX-License-Identifier: Apache-2.0
"""Talking to the keeper of a sandbox: it is started here, and asked for nodes."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Sequence
from typing import Any

import ducktape
from ducktape.cluster.sandbox import cgroups
from ducktape.cluster.sandbox.ipc import LARGEST, post
from ducktape.utils.process.proc import read_stat
from ducktape.utils.process.untraced import UnseenProcess, start_unseen

_SECONDS = 60.0
_SECONDS_TO_STOP = 15.0
_SECONDS_OF_STANDSTILL = 3.0  # somebody may stop it and let it go on
_SECONDS_BETWEEN_LOOKS = 0.5
_PROGRAM = (
    "import sys; sys.dont_write_bytecode = True; sys.path.insert(0, sys.argv.pop(1));"
    " from ducktape.cluster.sandbox.supervisor import main; main()"
)
_KEPT_VARIABLES = ("LD_LIBRARY_PATH",)


class SandboxError(Exception):
    """The nodes of a sandbox cannot be made or reached; says why in one line."""

    @property
    def _ducktape_cluster_file_mistake(self) -> str:
        # Nothing is wrong with the program, so its user sees the line and no stack
        return " ".join(str(self).split())


class Keeper:
    """What a process has to know to talk to a keeper; children of the driver and copies can do so, too.

    Args:
        pid: of the keeper.
        base: the directory in the keeper's file system that holds what belongs to the nodes.

    Attributes:
        was_silent: whether the last question was not answered in time.
    """

    def __init__(self, pid: int, base: str) -> None:
        self.pid = pid
        self.base = base
        self.was_silent = False

    @property
    def _root(self) -> str:
        return f"/proc/{self.pid}/root{self.base}"

    def door(self, name: str) -> str:
        """Where a node takes commands."""
        return f"{self._root}/doors/{name}"

    @property
    def identity(self) -> str:
        """The key that lets its user into nodes, once somebody wanted to enter one by SSH."""
        return f"{self._root}/keys/identity"

    def ask(self, verb: str, *, seconds: float = _SECONDS, **arguments: Any) -> Any:
        """Ask for something; blocks until it is done.

        Args:
            verb: what is to be done.
            seconds: how long to wait.
            arguments: of that.

        Raises:
            SandboxError: it cannot be done, or the keeper is dead or silent.
        """
        request = json.dumps({"verb": verb, **arguments}).encode()
        if self.was_silent:
            seconds = min(seconds, _SECONDS_OF_STANDSTILL)
        try:
            with post(f"{self._root}/control", request, seconds=seconds) as letter:
                answer = self._hear(letter, seconds)
        except TimeoutError as error:
            self.was_silent = True
            raise SandboxError(f"the process that holds the sandbox, {self.pid}, gives no answer{error}") from None
        except OSError as error:
            raise SandboxError(f"the process that holds the sandbox cannot be reached: {error}") from None
        self.was_silent = False
        if not answer:
            raise SandboxError("the process that holds the sandbox has ended")
        fields = json.loads(answer)
        if "error" in fields:
            raise SandboxError(fields["error"])
        return fields.get("result")

    def _hear(self, letter: socket.socket, seconds: float) -> bytes:
        """Wait for an answer: long for a keeper that has much to do, and shortly for one that was stopped."""
        now = time.monotonic()
        deadline, last_seen_running = now + seconds, now
        while True:
            letter.settimeout(max(0.001, min(_SECONDS_BETWEEN_LOOKS, deadline - now)))
            with contextlib.suppress(TimeoutError):
                return letter.recv(LARGEST)
            now = time.monotonic()
            stat = read_stat(self.pid)
            if stat is None or not stat.is_stopped:
                last_seen_running = now
            elif self.was_silent or now - last_seen_running > _SECONDS_OF_STANDSTILL:
                raise TimeoutError(": it is stopped (SIGSTOP, or a debugger)")
            if now >= deadline:
                raise TimeoutError(f" for {seconds:g} seconds")


class OwnKeeper(Keeper):
    """A keeper that this process has started.

    Attributes:
        gateway: this machine's address in the sandbox's network.
        controllers: the kinds of limits that nodes can have.
        problem: why they cannot have others.
    """

    def __init__(self, process: UnseenProcess, answer: dict[str, Any]) -> None:
        super().__init__(process.pid, answer["base"])
        # Apart from this object, which may be garbage when the end comes
        self._plain = Keeper(self.pid, self.base)
        self.gateway: str = answer["gateway"]
        self.controllers: Sequence[str] = answer["controllers"]
        self.problem: str = answer["problem"]
        self._process = process
        self._end = weakref.finalize(self, _stop, os.getpid(), process, self._plain)

    def ask(self, verb: str, *, seconds: float = _SECONDS, **arguments: Any) -> Any:
        """Ask for something; see :meth:`Keeper.ask`."""
        return self._plain.ask(verb, seconds=seconds, **arguments)

    def is_silent(self) -> bool:
        """Whether the last question was not answered in time."""
        return self._plain.was_silent

    def is_dead(self) -> bool:
        """Whether it was killed."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """Destroy all nodes and end it; returns when it is gone."""
        self._end()


def _stop(owner: int, process: UnseenProcess, keeper: Keeper) -> None:
    if os.getpid() != owner:
        return  # a forked child has a copy of everything, but the keeper is not its own
    if process.poll() is None and not keeper.was_silent:
        with contextlib.suppress(SandboxError):
            keeper.ask("stop", seconds=_SECONDS_TO_STOP)
    with contextlib.suppress(subprocess.TimeoutExpired):
        if process.wait(0 if keeper.was_silent else 5) == 0:
            return
    process.kill()
    process.wait()
    # It was killed: the kernel ends the nodes, and takes back everything else
    with contextlib.suppress(OSError):
        cgroups.remove_leftovers()


def start_keeper(settings: dict[str, Any]) -> OwnKeeper:
    """Start a keeper; blocks until it can make nodes.

    Args:
        settings: network, mounts, environment, greatest number of nodes.

    Raises:
        SandboxError: this machine cannot have a sandbox.
    """
    root = os.path.dirname(os.path.dirname(os.path.abspath(ducktape.__file__)))
    text = json.dumps({**settings, "driver": os.getpid()})
    # What a test's processes are known by must not be in the environment of this one
    environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    process = start_unseen([sys.executable, "-I", "-S", "-X", "utf8", "-c", _PROGRAM, root], environment)
    with process.stdout, process.stderr:
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(text.encode())
        line = process.stdout.readline()
        answer = json.loads(line) if line else {"error": _last_line(process.stderr.read())}
    if "error" in answer:
        process.wait()
        raise SandboxError(f"this machine cannot have a sandbox: {answer['error']}")
    return OwnKeeper(process, answer)


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "its process died"
