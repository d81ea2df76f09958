# SPDX-License-Identifier: Apache-2.0
"""Probes of one node: the questions, and the meaning of the answers."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from ducktape.cluster.consts import WINDOWS
from ducktape.cluster.ssh.host_key_mode import HostKeyMode
from ducktape.cluster.transport import Completed, framework_commands

if TYPE_CHECKING:
    from ducktape.cluster.remoteaccount import RemoteAccount


class News(TypedDict, total=False):
    """What a probe reports, and its process sends about one of its nodes or about itself."""

    doing: str  # before each step
    found: dict[str, object]  # after it: attributes of the findings
    index: int
    error: str
    answered: bool
    done: bool


Tell: TypeAlias = Callable[[News], None]


_SAMPLES = 3
# Opening a channel and starting a command on it
_ROUND_TRIPS_OF_A_COMMAND = 2
_MARK = "ducktape-doctor"
_ANSWER = re.compile(rf"^.*?{_MARK} (\w+) ?(.*)$")
_DISK = re.compile(r"\s(\d+)\s+\d+%\s+/")
_KIB = 1024
_OVERDUE = "124"
_LONGEST_LINE = 1000


@dataclasses.dataclass
class Findings:
    """What is known about one node; ``None`` where nothing was found out."""

    name: str  # as users know it
    address: str | None = None
    port: int | None = None
    user: str | None = None
    os: str | None = None
    node_type: str | None = None
    local: bool = False  # the driver's own machine, reached without SSH
    host_keys: str | None = None  # how the key of the SSH server is checked, with the files of known keys
    failure: str | None = None  # why the node cannot be used, in one line
    failure_remedy: str = ""
    login_ms: float | None = None
    round_trip_ms: float | None = None  # of one exchange with the SSH server
    shell_ms: float | None = None  # of a command that does nothing, beyond the exchanges
    shell: str | None = None
    tar: bool | None = None
    sudo: str | None = None  # "yes", "no" (it wants a password, or refuses), "missing" or "silent"
    clock_skew_sec: float | None = None  # how far the node's clock is ahead of the driver's
    clock_margin_sec: float = 0.0
    home: str | None = None
    free_bytes: dict[str, int] = dataclasses.field(default_factory=dict)
    silent_disks: list[str] = dataclasses.field(default_factory=list)

    @property
    def usable(self) -> bool:
        return self.failure is None


def introduce(account: Any) -> Findings:
    """Return what is known about an account without asking its machine."""
    config = getattr(account, "ssh_config", None)
    local = bool(getattr(account, "is_local", False))
    return Findings(
        name=str(account.hostname),
        address=None if local else getattr(config, "hostname", None),
        port=None if local else getattr(config, "port", None),
        user=getattr(account, "user", None),
        os=getattr(account, "operating_system", None),
        node_type=getattr(account, "node_type", None),
        local=local,
        host_keys=None if local or config is None else str(HostKeyMode.of(config)),
    )


# --- the answers


def clock_of(answer: str) -> tuple[float, float] | None:
    """Return the seconds since 1970 that ``date +%s.%N`` printed, and how far off they may be."""
    seconds, _, fraction = answer.strip().partition(".")
    if not seconds.isdecimal():
        return None
    if fraction.isdecimal():  # not every system has nanoseconds
        return float(f"{seconds}.{fraction}"), 0.0
    return int(seconds) + 0.5, 0.5


def free_bytes_of(answer: str) -> int | None:
    """Return the available bytes in a line of ``df -Pk``, in which names of devices may contain blanks."""
    found = _DISK.search(f" {answer}")
    return None if found is None else int(found[1]) * _KIB


def skew_of(remote: float, arrived: float, round_trip_ms: float | None) -> float:
    """Return how far a node's clock is ahead of the driver's, on which its answer arrived half a round trip later."""
    return remote - (arrived - (round_trip_ms or 0.0) / 2000)


def facts_of(text: str) -> dict[str, object]:
    """Return the answers to :func:`question`, named as attributes of the findings; ``ValueError`` if one is missing."""
    answers = [(found[1], found[2].strip()) for found in map(_ANSWER.match, text.splitlines()) if found]
    if ("end", "") not in answers:
        raise ValueError(f"the answers are not understandable: {printable_line(text) or 'nothing was printed'}")
    free_bytes: dict[str, int] = {}
    silent_disks: list[str] = []
    path = ""
    for name, answer in answers:
        if name == "path":
            path = answer
        if name == "disk" and (free := free_bytes_of(answer)) is not None:
            free_bytes[path] = free
        if name == "overdue":
            silent_disks.append(path)
    known = dict(answers)
    return {
        "shell": known.get("shell") or None,
        "sudo": known.get("sudo") or None,
        "tar": bool(known.get("tar")),
        "home": next((answer for name, answer in answers if name == "path"), None),
        "free_bytes": free_bytes,
        "silent_disks": silent_disks,
    }


def printable_line(text: str, *, longest: int = 300) -> str:
    """Return a text that does no harm to a table: one line, nothing unprintable, not too long."""
    line = "".join(character if character.isprintable() else "?" for character in " ".join(text.split()))
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


# --- the questions


def question(*, patience_sec: int) -> str:
    """Return the command whose output :func:`facts_of` and :func:`clock_of` understand.

    Each step that may hang takes ``patience_sec`` at most, where the node can limit it.
    """
    # Every login shell passes this on to `sh` unchanged: one line, no single quotes, backslashes or exclamation marks.
    lines = (
        f'say() {{ echo "{_MARK} $*"; }}',
        "say clock $(LC_ALL=C date +%s.%N)",
        f'limit=; if timeout {patience_sec} true 2>/dev/null; then limit="timeout {patience_sec}"; fi',
        'say shell "$SHELL"',
        "say tar $(command -v tar)",
        "if command -v sudo >/dev/null 2>&1; then $limit sudo -n true </dev/null >/dev/null 2>&1; "
        f"case $? in 0) say sudo yes;; {_OVERDUE}) say sudo silent;; *) say sudo no;; esac; else say sudo missing; fi",
        "second=/tmp; if test -d /mnt; then second=/mnt; fi",
        'for path in "$HOME" $second; do say path "$path"; answer=$(LC_ALL=C $limit df -Pk "$path" 2>/dev/null); '
        f"if test $? = {_OVERDUE}; then say overdue; else say disk $(echo $answer); fi; done",
        "say end",
    )
    return f"sh -c '{'; '.join(lines)}'"


def log_in(account: object, tell: Tell, *, timeout: float) -> None:
    """Log in and run nothing there; an account without a transport counts as usable, one with any error does not."""
    transport = getattr(account, "transport", None)
    if transport is None:
        return
    tell({"doing": "login"})
    # Not through the account's verbs: checks that users have run upon SSH failures are for failures of tests
    done = transport.run("true", timeout=timeout)
    if done.exit_status != 0 and getattr(account, "operating_system", None) != WINDOWS:
        raise ValueError(cannot_run(done))


def examine(account: RemoteAccount, tell: Tell, *, timeout: float) -> None:
    """Ask everything; any error means that the node is unusable."""
    try:
        _Examination(account, tell, timeout=timeout).run()
    finally:
        account.close()


def cannot_run(done: Completed) -> str:
    """Return the complaint about a failed ``true``, with the first line of its error output, or else of its output."""
    line = (done.stderr.strip() or done.stdout.strip()).partition(b"\n")[0][:_LONGEST_LINE]
    said = printable_line(line.decode(errors="replace"))
    return f"no command can be run: 'true' ended with status {done.exit_status}: {said}"


class _Examination:
    """Asks one node, in this process, and tells each answer at once, so that it is known if a later one never comes."""

    def __init__(self, account: RemoteAccount, tell: Tell, *, timeout: float) -> None:
        self._account = account
        self._tell = tell
        self._deadline = time.monotonic() + timeout
        self._round_trip_ms: float | None = None

    def run(self) -> None:
        with framework_commands():
            if not getattr(self._account, "is_local", False):
                self._log_in()
            if getattr(self._account, "operating_system", None) == WINDOWS:
                return
            self._tell({"doing": "a command that does nothing"})
            samples = []
            for _ in range(_SAMPLES):
                begin = time.monotonic()
                done = self._account.transport.run("true", timeout=self._remaining())
                samples.append(_ms_since(begin))
                if done.exit_status != 0:
                    raise ValueError(cannot_run(done))
            exchanges = _ROUND_TRIPS_OF_A_COMMAND * (self._round_trip_ms or 0.0)
            self._tell({"found": {"shell_ms": max(0.0, min(samples) - exchanges)}})
            self._ask()

    def _log_in(self) -> None:
        from ducktape.cluster.ssh.transport import SshTransport
        from ducktape.cluster.transport import unwrap

        if not isinstance(unwrap(self._account.transport), SshTransport):
            return  # its commands take another way, on which there is no login
        self._tell({"doing": "login"})
        begin = time.monotonic()
        client = self._account.ssh_client
        self._tell({"found": {"login_ms": _ms_since(begin)}, "doing": "round trip"})
        if not hasattr(client, "get_transport"):
            return  # a client of the user's own, about whose ways nothing is known
        # Opening a channel is one exchange, which every server answers, and starts nothing there.
        transport = client.get_transport()
        assert transport is not None, "the account has just connected"
        samples = []
        for _ in range(_SAMPLES):
            begin = time.monotonic()
            transport.open_session(timeout=self._remaining()).close()
            samples.append(_ms_since(begin))
        self._round_trip_ms = min(samples)
        self._tell({"found": {"round_trip_ms": self._round_trip_ms}})

    def _ask(self) -> None:
        self._tell({"doing": "looking for tar, sudo and disk space"})
        patience = max(1, int(self._remaining() / 4))
        stream = self._account.transport.stream(question(patience_sec=patience), timeout=self._remaining())
        output, arrived = "", 0.0
        try:
            while piece := stream.read():
                output += piece.decode(errors="replace")
                if not arrived and f"{_MARK} clock" in output:
                    arrived = time.time()
                stream.settimeout(self._remaining())
        finally:
            stream.close()
        self._tell({"found": {**facts_of(output), **self._clock(output, arrived)}})

    def _clock(self, output: str, arrived: float) -> dict[str, float]:
        found = re.search(rf"{_MARK} clock (.*)", output)
        clock = None if found is None else clock_of(found[1])
        if clock is None:
            return {}
        return {"clock_skew_sec": skew_of(clock[0], arrived, self._round_trip_ms), "clock_margin_sec": clock[1]}

    def _remaining(self) -> float:
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("no time is left")
        return remaining


def _ms_since(begin: float) -> float:
    return (time.monotonic() - begin) * 1000
