# SPDX-License-Identifier: Apache-2.0
"""Faults of what belongs to the driver's machine: its network is left alone, and so are its other processes."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ducktape import faults
from ducktape.cluster.local.transport import LocalTransport
from ducktape.cluster.transport import CommandStream, Completed, Stdin, TransportWrapper
from ducktape.faults.engine.host import Host
from ducktape.faults.errors import FaultError, FaultUnavailable
from ducktape.faults.fault import Fault
from ducktape.faults.processes import Processes
from tests.support.needs import require

pytestmark = pytest.mark.needs("linux")

# By which the processes of a test are known
_MARK = "DUCKTAPE_TEST_PROCESS"


class Paper(TransportWrapper):
    """A machine that only says what it is; whatever else it is told is written down and not done.

    Attributes:
        told: everything but questions.
    """

    def __init__(self, network: str, boot: str, address: str) -> None:
        super().__init__(LocalTransport())
        self.told: list[str] = []
        words = ["rights root", "tool nft", "tool iptables", "tool tc", "tool ip", "tool python3", "works nft"]
        words += ["works iptables", f"network {network}", f"boot {boot}", f"address {address}", "device eth0"]
        self._listing = "\n".join(words) + "\n"

    def run(
        self,
        command: str,
        *,
        stdin: Stdin = None,
        merge_stderr: bool = False,
        timeout: float | None = None,
        keep_stdout: bool = True,
    ) -> Completed:
        if isinstance(stdin, str) and "SSH_CONNECTION" in stdin:
            return Completed(command, 0, self._listing.encode(), b"")
        self.told.append(f"{command}\n{stdin!r}")
        return Completed(command, 0, b"", b"")

    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> CommandStream:
        raise AssertionError("nothing is to be started here")


def own_boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def node(transport: Any, name: str) -> Any:
    account = SimpleNamespace(hostname=name, transport=transport, logger=logging.getLogger("faults"))
    return SimpleNamespace(account=account)


@pytest.mark.parametrize("kind", ["isolate", "partition", "drop", "loss", "rate", "delay"])
def test_the_network_of_the_driver_is_not_broken(kind: str) -> None:
    ours = Paper(os.readlink("/proc/self/ns/net"), own_boot(), "10.0.0.1")
    theirs = Paper("net:[1]", "another kernel", "10.0.0.2")
    here, there = node(ours, "localhost"), node(theirs, "far")
    made: dict[str, Fault] = {
        "isolate": faults.isolate(here),
        "partition": faults.partition(there, here),
        "drop": faults.drop(here, to=there),
        "loss": faults.slow(here, loss=0.5),
        "rate": faults.slow(here, rate="1mbit"),
        "delay": faults.slow(here, delay=0.1),
    }
    with pytest.raises(FaultUnavailable, match="localhost has the network of the driver's machine"):
        made[kind].inject()
    assert (ours.told, theirs.told, made[kind].injected) == ([], [], None)


def test_the_same_number_on_another_kernel_is_another_network() -> None:
    transport = Paper(os.readlink("/proc/self/ns/net"), "another kernel", "10.0.0.2")
    Host.of(node(transport, "far")).need_own_network()


def test_a_machine_that_is_away_is_named() -> None:
    class Away(Paper):
        def run(self, command: str, **options: Any) -> Completed:
            raise ConnectionRefusedError(111, "Connection refused")

    with pytest.raises(FaultError, match=r"far cannot be reached: .*Connection refused"):
        faults.isolate(node(Away("", "", ""), "far")).inject()


@pytest.fixture
def sleepers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Process ids of one that a test has started, and of one that somebody else has."""
    require("pgrep")
    monkeypatch.setenv(_MARK, f"regression-{os.getpid()}")
    foreign = {name: value for name, value in os.environ.items() if name != _MARK}
    command = ["sleep", f"300.{os.getpid()}"]
    with (
        subprocess.Popen(command, start_new_session=True) as own,
        subprocess.Popen(command, start_new_session=True, env=foreign) as other,
    ):
        try:
            yield own.pid, other.pid
        finally:
            own.kill()
            other.kill()


def test_processes_of_others_on_the_drivers_machine_are_not_meant(sleepers: tuple[int, int]) -> None:
    here = node(LocalTransport(), "here")
    pattern = f"^sleep 300[.]{os.getpid()}$"
    assert Processes(here, pattern).find(Host.of(here), here) == [sleepers[0]]


def test_a_test_does_not_kill_itself_or_its_ancestors(monkeypatch: pytest.MonkeyPatch) -> None:
    require("pgrep")
    # Outside of a test, where nothing else tells what is meant from what is not
    monkeypatch.delenv(_MARK, raising=False)
    here = node(LocalTransport(), "here")
    # Only looked for: what is found is not touched
    found = Processes(here, ".").find(Host.of(here), here)
    assert {os.getpid(), os.getppid()} & set(found) == set()
