# SPDX-License-Identifier: Apache-2.0
"""A machine as faults see it: a shell with as many rights as are to be had, and what is known of the machine."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import os
from typing import Any

from ducktape.cluster.sandbox.client import SandboxError
from ducktape.cluster.transport import Completed, Transport, framework_commands
from ducktape.faults.errors import FaultError, FaultUnavailable
from ducktape.utils.support.text import reason_of

# Login shells of ordinary users, and sudo, often leave these out
SEARCH_PATH = 'PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"; export PATH\n'
UNAVAILABLE = 77
_SECONDS_OF_SILENCE = 60.0

_FACTS = (
    SEARCH_PATH
    + r"""
uid=$(id -u)
sudo=
if [ "$uid" = 0 ]; then
    echo "rights root"
elif sudo -n true >/dev/null 2>&1; then
    sudo="sudo -n"
    echo "rights sudo"
fi
for tool in nft iptables ip6tables tc ip python3 setsid; do
    command -v $tool >/dev/null 2>&1 && echo "tool $tool"
done
$sudo nft list tables >/dev/null 2>&1 && echo "works nft"
$sudo iptables -w 5 -n -L OUTPUT >/dev/null 2>&1 && echo "works iptables"
$sudo ip6tables -w 5 -n -L OUTPUT >/dev/null 2>&1 && echo "works ip6tables"
echo "control $SSH_CONNECTION"
echo "boot $(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
[ -e /.dockerenv ] || [ -e /run/.containerenv ] || [ -e /run/systemd/container ] && echo "container yes"
echo "network $(readlink /proc/self/ns/net)"
echo "processes $(readlink /proc/self/ns/pid)"
ip -o addr show scope global 2>/dev/null | while read -r number device family address rest; do
    echo "address ${address%%/*}"
    echo "device $device"
done
ip -o route get 192.0.2.1 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/device \1/p'
exit 0
"""
)


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a machine says of itself.

    Attributes:
        rights: ``root``, ``sudo``, or nothing for an ordinary user.
        tools: programs that are there.
        works: those among the firewalls that can be used.
        control: address of the driver and port of the SSH server, by which the driver reaches the machine; or ``None``.
        boot_id: the same for all that share a kernel.
        is_container: it shares the clock of another machine.
        addresses: by which other machines reach it.
        network: the same for all that share addresses, ports and firewall with it, on the same kernel.
        device: of the default route, or of some network.
        processes: the same for all that see the same processes, on the same kernel.
    """

    rights: str = ""
    tools: frozenset[str] = frozenset()
    works: frozenset[str] = frozenset()
    control: tuple[str, int] | None = None
    boot_id: str = ""
    is_container: bool = False
    addresses: tuple[str, ...] = ()
    network: str = ""
    device: str = ""
    processes: str = ""


def parse_facts(listing: str) -> Facts:
    """Understand what the questions of this module are answered with."""
    found: dict[str, list[str]] = {}
    for line in listing.splitlines():
        key, _, value = line.partition(" ")
        if value.strip():
            found.setdefault(key, []).append(value.strip())
    control = (found.get("control") or [""])[-1].split()
    return Facts(
        rights=(found.get("rights") or [""])[-1],
        tools=frozenset(found.get("tool", ())),
        works=frozenset(found.get("works", ())),
        control=(control[0].removeprefix("::ffff:"), int(control[3])) if _is_connection(control) else None,
        boot_id=(found.get("boot") or [""])[-1],
        is_container=bool(found.get("container")),
        addresses=tuple(dict.fromkeys(filter(_is_address, found.get("address", ())))),
        network=(found.get("network") or [""])[-1],
        device=(found.get("device") or [""])[-1],
        processes=(found.get("processes") or [""])[-1],
    )


def _is_connection(words: list[str]) -> bool:
    # A server that was not reached over a network says UNKNOWN
    return len(words) == 4 and _is_address(words[0].removeprefix("::ffff:")) and words[3].isdecimal()


def _is_address(text: str) -> bool:
    try:
        return not ipaddress.ip_address(text).is_link_local
    except ValueError:
        return False


class Host:
    """A machine on which a fault does something.

    Args:
        transport: runs commands on it.
        name: for texts.
        address: one more by which others reach it.
        account: by which it is known whether it is on; ``None`` if it is not known.
    """

    def __init__(self, transport: Transport, name: str, address: str | None = None, account: Any = None) -> None:
        self.transport = transport
        self.name = name
        self._address = address
        self._account = account

    @classmethod
    def of(cls, node: Any) -> Host:
        """The machine of a node.

        Raises:
            FaultUnavailable: it does not run Linux.
        """
        account = node.account
        if getattr(account, "operating_system", "linux") != "linux":
            raise FaultUnavailable(f"{account.hostname} does not run Linux, and faults are for Linux machines")
        # Not one that was looked up: behind a forwarded port it is that of the driver
        given = "assigned_address" if hasattr(type(account), "assigned_address") else "externally_routable_ip"
        address = getattr(account, given, None)
        return cls(account.transport, str(account.hostname), address, account)

    def __repr__(self) -> str:
        return f"Host({self.name})"

    @functools.cached_property
    def facts(self) -> Facts:
        """What the machine says of itself; asked once, blocks for that time."""
        done = self._run("sh -s", _FACTS)
        if done.exit_status != 0:
            raise FaultError(f"{self.name} does not say what it offers: {_message_of(done)}")
        return parse_facts(done.stdout.decode(errors="replace"))

    @property
    def is_off(self) -> bool:
        """Whether it is a node of the sandbox that has no power, or is gone; of others nobody knows."""
        if getattr(self._account, "is_sandbox", False) is not True:
            return False
        try:
            return bool(self._account.init_pid == 0)
        except SandboxError:
            return True

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses by which other machines reach this one."""
        known = (self._address,) if self._address and _is_address(self._address) else ()
        return tuple(dict.fromkeys((*known, *self.facts.addresses)))

    def need_root(self, what_for: str) -> None:
        """Make sure that there are the rights of root.

        Raises:
            FaultUnavailable: there are not.
        """
        if not self.facts.rights:
            raise FaultUnavailable(f"{self.name}: {what_for} needs root or sudo without a password")

    def need_own_network(self) -> None:
        """Make sure that the machine's network is not that of the driver, whose user works there, too.

        Raises:
            FaultUnavailable: it is.
        """
        if self.facts.network and (self.facts.boot_id, self.facts.network) == (_own_boot_id(), _own("net")):
            raise FaultUnavailable(
                f"{self.name} has the network of the driver's machine, which would be cut off with everything on it; "
                "nodes of the sandbox have their own"
            )

    @property
    def shares_processes(self) -> bool:
        """Whether the test's own process, and all others of the driver's machine, are among those of this machine."""
        return bool(self.facts.processes) and (self.facts.boot_id, self.facts.processes) == (
            _own_boot_id(),
            _own("pid"),
        )

    def need_tool(self, tool: str, package: str) -> None:
        """Make sure that a program is there.

        Raises:
            FaultUnavailable: it is not.
        """
        if tool not in self.facts.tools:
            raise FaultUnavailable(f"{self.name} has no {tool} (Debian's package {package})")

    def run(self, script: str) -> Completed:
        """Run a shell script with as many rights as are to be had; blocks until it ends."""
        command = "sudo -n sh -s" if self.facts.rights == "sudo" else "sh -s"
        return self._run(command, SEARCH_PATH + script)

    def ask(self, script: str, what: str) -> str:
        """Return the output of a shell script.

        Args:
            script: its exit status 77 means that the machine cannot; its error output says why.
            what: it does, for the text of an error.

        Raises:
            FaultUnavailable: status 77.
            FaultError: any other status than 0.
        """
        done = self.run(script)
        if done.exit_status == UNAVAILABLE:
            raise FaultUnavailable(f"{self.name}: {_message_of(done)}")
        if done.exit_status != 0:
            raise FaultError(f"{self.name}: {what} failed with status {done.exit_status}: {_message_of(done)}")
        return done.stdout.decode(errors="replace")

    def _run(self, command: str, script: str) -> Completed:
        try:
            with framework_commands():
                return self.transport.run(command, stdin=script, timeout=_SECONDS_OF_SILENCE)
        except OSError as error:
            raise FaultError(f"{self.name} cannot be reached: {reason_of(error)}") from error


def _own(kind: str) -> str:
    try:
        return os.readlink(f"/proc/self/ns/{kind}")
    except OSError:
        return ""


def _own_boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _message_of(done: Completed) -> str:
    said = (done.stderr or done.stdout).decode(errors="replace").strip()
    return " ".join(said.split())[-500:] or "it said nothing"
