# SPDX-License-Identifier: Apache-2.0
"""Starts the supervisor of a sandbox and sends requests to it."""

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
from ducktape.cluster.sandbox.ipc import LARGEST, Settings, send_request
from ducktape.utils.process.proc import read_stat
from ducktape.utils.process.untraced import UntracedProcess, start_untraced

_SECONDS = 60.0
_SECONDS_TO_STOP = 15.0
_SECONDS_STOPPED = 3.0  # a debugger may stop it and resume it
_SECONDS_BETWEEN_LOOKS = 0.5
_PROGRAM = (
    "import sys; sys.dont_write_bytecode = True; sys.path.insert(0, sys.argv.pop(1));"
    " from ducktape.cluster.sandbox.supervisor import main; main()"
)
_KEPT_VARIABLES = ("LD_LIBRARY_PATH",)


class SandboxError(Exception):
    """The nodes of a sandbox cannot be made or reached; the message is one line."""

    @property
    def _ducktape_cluster_file_mistake(self) -> str:
        # Nothing is wrong with the program, so the user sees the line without a traceback
        return " ".join(str(self).split())


class Supervisor:
    """Sends requests to a supervisor, whose files are under ``base``; children of the driver can use a copy."""

    def __init__(self, pid: int, base: str) -> None:
        self.pid = pid
        self.base = base
        self.timed_out = False

    @property
    def _root(self) -> str:
        return f"/proc/{self.pid}/root{self.base}"

    def socket_of(self, name: str) -> str:
        """Path of the socket for commands in a node."""
        return f"{self._root}/sockets/{name}"

    @property
    def identity(self) -> str:
        """Path of the private key for SSH, which is made at the first use."""
        return f"{self._root}/keys/identity"

    def request(self, verb: str, *, seconds: float = _SECONDS, **arguments: object) -> Any:
        """Send a request and return its result; blocks until it is done, or raises ``SandboxError``."""
        request = json.dumps({"verb": verb, **arguments}).encode()
        if self.timed_out:
            seconds = min(seconds, _SECONDS_STOPPED)
        try:
            with send_request(f"{self._root}/control", request, seconds=seconds) as connection:
                answer = self._receive(connection, seconds)
        except TimeoutError as error:
            self.timed_out = True
            raise SandboxError(f"the process that holds the sandbox, {self.pid}, gives no answer{error}") from None
        except OSError as error:
            raise SandboxError(f"the process that holds the sandbox cannot be reached: {error}") from None
        self.timed_out = False
        if not answer:
            raise SandboxError("the process that holds the sandbox has ended")
        fields = json.loads(answer)
        if "error" in fields:
            raise SandboxError(fields["error"])
        return fields.get("result")

    def _receive(self, connection: socket.socket, seconds: float) -> bytes:
        """Wait for an answer, but only briefly if the supervisor is stopped."""
        now = time.monotonic()
        deadline, last_seen_running = now + seconds, now
        while True:
            connection.settimeout(max(0.001, min(_SECONDS_BETWEEN_LOOKS, deadline - now)))
            with contextlib.suppress(TimeoutError):
                return connection.recv(LARGEST)
            now = time.monotonic()
            stat = read_stat(self.pid)
            if stat is None or not stat.is_stopped:
                last_seen_running = now
            elif self.timed_out or now - last_seen_running > _SECONDS_STOPPED:
                raise TimeoutError(": it is stopped (SIGSTOP, or a debugger)")
            if now >= deadline:
                raise TimeoutError(f" for {seconds:g} seconds")


class OwnSupervisor(Supervisor):
    """A supervisor that this process has started, which offers some limits, and has a problem with others."""

    def __init__(self, process: UntracedProcess, *, base: str, controllers: Sequence[str], problem: str) -> None:
        super().__init__(process.pid, base)
        # The finalizer must not refer to this object
        self._plain = Supervisor(self.pid, base)
        self.controllers = controllers
        self.problem = problem
        self._process = process
        self._end = weakref.finalize(self, _stop, os.getpid(), process, self._plain)

    def request(self, verb: str, *, seconds: float = _SECONDS, **arguments: object) -> Any:
        return self._plain.request(verb, seconds=seconds, **arguments)

    def is_silent(self) -> bool:
        """Whether the last request was not answered in time."""
        return self._plain.timed_out

    def is_dead(self) -> bool:
        return self._process.poll() is not None

    def stop(self) -> None:
        """Destroy all nodes and end the process; returns when it is gone."""
        self._end()


def _stop(owner: int, process: UntracedProcess, supervisor: Supervisor) -> None:
    if os.getpid() != owner:
        return  # a forked child has a copy of the finalizer
    if process.poll() is None and not supervisor.timed_out:
        with contextlib.suppress(SandboxError):
            answer = supervisor.request("stop", seconds=_SECONDS_TO_STOP)
            if answer and answer["kept"]:
                return  # it lives on until the last kept node is released
    with contextlib.suppress(subprocess.TimeoutExpired):
        if process.wait(0 if supervisor.timed_out else 5) == 0:
            return
    process.kill()
    process.wait()
    # The kernel ends the nodes of a killed supervisor and frees everything but their control groups
    with contextlib.suppress(OSError):
        cgroups.remove_leftovers()


def start_supervisor(settings: Settings) -> OwnSupervisor:
    """Start a supervisor; blocks until it can make nodes, or raises ``SandboxError``."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(ducktape.__file__)))
    text = json.dumps({**settings, "driver": os.getpid()})
    # Not the variables that mark the processes of a test
    environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    process = start_untraced([sys.executable, "-I", "-S", "-X", "utf8", "-c", _PROGRAM, root], environment)
    with process.stdout, process.stderr:
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(text.encode())
        line = process.stdout.readline()
        said = process.stderr.read().decode(errors="replace").strip() if not line else ""
    answer = json.loads(line) if line else {"error": said.splitlines()[-1] if said else "its process died"}
    if "error" in answer:
        process.wait()
        raise SandboxError(f"this machine cannot have a sandbox: {answer['error']}")
    return OwnSupervisor(process, **answer)
