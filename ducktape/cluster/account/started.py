# SPDX-License-Identifier: Apache-2.0
"""Long-lived processes on nodes, which any account on the node finds again by a directory of theirs.

The directory has ``pid`` (the process id, its start time and the boot, so that another process with the same id is not
mistaken for it) and, after the end, ``exit`` (the status that a shell reports). A small shell waits for the process to
record this; its command line names neither the program nor its files, so that searches do not find it.
"""

from __future__ import annotations

import enum
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Protocol

from ducktape.cluster.account.errors import RemoteAccountError, RemoteCommandError
from ducktape.cluster.account.processes import signal_number
from ducktape.cluster.transport import framework_commands

_WAIT_SEC = 2.0  # of one command; a longer wait takes several
_ROUND_SEC = 0.02  # of a loop of the script
_SCRIPT = "control"


class State(enum.Enum):
    """What is known of a process that was started."""

    NEVER_STARTED = "never started"
    RUNNING = "running"
    ENDED = "ended"
    LOST = "lost"  # it and the shell that waited for it were killed, as by a power cut


@dataclass(frozen=True)
class Standing:
    """The state of a process at one time.

    Attributes:
        state: what it is doing.
        pid: its id while it is running.
        status: after the end, the exit status, or 128 and the number of the signal that ended it.
    """

    state: State
    pid: int | None = None
    status: int | None = None

    def __str__(self) -> str:
        if self.status is None:
            return self.state.value
        if self.status <= 128:
            return f"exit status {self.status}"
        try:
            return f"killed by {Signals(self.status - 128).name}"
        except ValueError:
            return f"exit status {self.status}"


class _Account(Protocol):
    def ssh_output(self, cmd: str, *, combine_stderr: bool = True) -> bytes: ...

    def mkdirs(self, path: str) -> None: ...

    def create_file(self, path: str, contents: str) -> None: ...


class RemoteProcess:
    """A process that an account has started, and everything that it has started itself.

    Holds no connection and no state of its own: another object for the same directory, also in another process, does
    the same.

    Args:
        account: an account on the node.
        directory: the directory with the state of the process.
    """

    def __init__(self, account: _Account, directory: str) -> None:
        self.account = account
        self.directory = directory

    def __repr__(self) -> str:
        return f"<RemoteProcess {self.directory} of {self.account}>"

    def standing(self) -> Standing:
        """Return its state; asks the node."""
        return self._look(0)

    def is_alive(self) -> bool:
        """Return whether it is running; asks the node."""
        return self.standing().state is State.RUNNING

    def pid(self) -> int | None:
        """Return its process id while it is running; asks the node."""
        return self.standing().pid

    def pids(self) -> list[int]:
        """Return the ids of the process and of its descendants in the same session; the process itself is the first."""
        pid = self.pid()
        if pid is None:
            return []
        output = self._run(f"pgrep -s {pid} || true")
        return [pid, *(int(word) for word in output.split() if int(word) != pid)]

    def signal(self, sig: int | str) -> None:
        """Send a signal to the process and its process group; does nothing once it has ended.

        Args:
            sig: number, constant or name.
        """
        self._control("signal", str(signal_number(sig)))

    def wait(self, timeout_sec: float) -> Standing:
        """Wait until it has ended, and return its state, which is that of a running process after the timeout.

        Args:
            timeout_sec: seconds.
        """
        deadline = time.monotonic() + timeout_sec
        while True:
            left = max(0.0, deadline - time.monotonic())
            standing = self._look(min(left, _WAIT_SEC))
            if standing.state is not State.RUNNING or left <= _WAIT_SEC:
                return standing

    def stop(self, sig: int | str = SIGTERM, timeout_sec: float = 15) -> Standing:
        """Send a signal, kill the process if it has not ended in time, and kill what it leaves behind.

        Args:
            sig: number, constant or name.
            timeout_sec: seconds until it is killed.

        Returns:
            The state after the end.

        Raises:
            RemoteAccountError: it cannot be killed.
        """
        self.signal(sig)
        standing = self.wait(timeout_sec)
        if standing.state is State.RUNNING:
            self.signal(SIGKILL)
            standing = self.wait(timeout_sec)
            if standing.state is State.RUNNING:
                raise RemoteAccountError(self.account, f"process {standing.pid} cannot be killed")
        elif standing.state is State.ENDED:
            self.signal(SIGKILL)
        return standing

    def _look(self, seconds: float) -> Standing:
        word, _, value = self._control("look", str(int(seconds / _ROUND_SEC))).strip().partition(" ")
        if word == "running":
            return Standing(State.RUNNING, pid=int(value))
        if word == "ended":
            return Standing(State.ENDED, status=int(value))
        return Standing(State.LOST if word == "lost" else State.NEVER_STARTED)

    def _control(self, *arguments: str) -> str:
        script = shlex.quote(f"{self.directory}/{_SCRIPT}")
        return self._run(f"[ ! -e {script} ] || sh {script} {shlex.join(arguments)}")

    def _run(self, command: str) -> str:
        with framework_commands():
            return self.account.ssh_output(command, combine_stderr=False).decode()


def start(
    account: _Account,
    command: str | Sequence[str],
    *,
    log: str,
    state: str,
    directory: str,
    user: str | None,
    environment: Mapping[str, object],
) -> RemoteProcess:
    """Start a process; see :meth:`ducktape.cluster.remoteaccount.RemoteAccount.start`."""
    program = command if isinstance(command, str) else shlex.join(command)
    variables = shlex.join(f"{name}={value}" for name, value in environment.items())
    process = RemoteProcess(account, state)
    if process.is_alive():
        raise RemoteAccountError(account, f"the process of {state} is still running")
    account.mkdirs(state)
    account.create_file(f"{state}/{_SCRIPT}", Path(__file__).with_name("process.sh").read_text(encoding="utf-8"))
    try:
        process._control("start", directory, log, user or "", f"{variables} {program}".strip())
    except RemoteCommandError as error:
        raise RemoteCommandError(account, program, error.exit_status, error.msg) from None
    return process
