# SPDX-License-Identifier: Apache-2.0
"""The machine that a fault acts on: a shell with root rights if possible, and facts about the machine."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import os
from collections.abc import Callable

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.sandbox.client import SandboxError
from ducktape.cluster.transport import Completed, Transport, framework_commands
from ducktape.faults.engine.validation import in_sandbox
from ducktape.faults.errors import FaultError, FaultUnavailable
from ducktape.utils.support.packages import INSTALLERS, install_command
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
for tool in nft iptables ip6tables tc ip python3 setsid INSTALLERS; do
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
""".replace("INSTALLERS", " ".join(INSTALLERS))
)


@dataclasses.dataclass(frozen=True)
class Facts:
    """Properties of a machine."""

    rights: str = ""  # "root", "sudo", or empty for an ordinary user
    tools: frozenset[str] = frozenset()
    works: frozenset[str] = frozenset()  # usable firewalls
    control: tuple[str, int] | None = None  # address of the driver and port of the SSH server
    boot_id: str = ""
    is_container: bool = False  # shares the clock of another machine
    addresses: tuple[str, ...] = ()  # by which other machines reach it
    network: str = ""  # identifies the namespace
    device: str = ""  # of the default route, or of any network
    processes: str = ""  # identifies the namespace


def parse_facts(listing: str) -> Facts:
    """Parse the output of the script that collects facts."""
    found: dict[str, list[str]] = {}
    for line in listing.splitlines():
        key, _, value = line.partition(" ")
        if value.strip():
            found.setdefault(key, []).append(value.strip())
    last = {key: values[-1] for key, values in found.items()}
    control = None
    words = last.get("control", "").removeprefix("::ffff:").split()
    # A server not reached over a network reports UNKNOWN
    if len(words) == 4 and _is_address(words[0]) and words[3].isdecimal():
        control = words[0], int(words[3])
    return Facts(
        rights=last.get("rights", ""),
        tools=frozenset(found.get("tool", ())),
        works=frozenset(found.get("works", ())),
        control=control,
        boot_id=last.get("boot", ""),
        is_container="container" in found,
        addresses=tuple(dict.fromkeys(filter(_is_address, found.get("address", ())))),
        network=last.get("network", ""),
        device=last.get("device", ""),
        processes=last.get("processes", ""),
    )


def _is_address(text: str) -> bool:
    try:
        return not ipaddress.ip_address(text).is_link_local
    except ValueError:
        return False


class Host:
    """A machine on which a fault acts."""

    def __init__(
        self, transport: Transport, name: str, address: str | None = None, init_pid: Callable[[], int] | None = None
    ) -> None:
        self.transport = transport
        self.name = name
        self._address = address  # one more by which others reach it
        self._init_pid = init_pid  # for a node of the sandbox; returns 0 without power

    @classmethod
    def of(cls, node: ClusterNode) -> Host:
        """Return the machine of a node; raises :class:`FaultUnavailable` if it does not run Linux."""
        account = node.account
        if getattr(account, "operating_system", "linux") != "linux":
            raise FaultUnavailable(f"{account.hostname} does not run Linux, and faults are for Linux machines")
        # Not an address that was looked up: behind a forwarded port that is the driver's
        given = "assigned_address" if hasattr(type(account), "assigned_address") else "externally_routable_ip"
        address = getattr(account, given, None)
        init_pid = functools.partial(getattr, account, "init_pid") if in_sandbox(node) else None
        return cls(account.transport, str(account.hostname), address, init_pid)

    def __repr__(self) -> str:
        return f"Host({self.name})"

    @functools.cached_property
    def facts(self) -> Facts:
        """Facts about the machine, collected once; blocks for a round trip."""
        done = self._run("sh -s", _FACTS)
        if done.exit_status != 0:
            raise FaultError(f"{self.name} does not say what it offers: {_message_of(done)}")
        return parse_facts(done.stdout.decode(errors="replace"))

    @property
    def is_off(self) -> bool:
        """Whether it is a node of the sandbox without power; always ``False`` for other machines."""
        if self._init_pid is None:
            return False
        try:
            return self._init_pid() == 0
        except SandboxError:
            return True

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses under which other machines reach this one."""
        known = (self._address,) if self._address and _is_address(self._address) else ()
        return tuple(dict.fromkeys((*known, *self.facts.addresses)))

    def need_root(self, what_for: str) -> None:
        """Raise :class:`FaultUnavailable` without root rights."""
        if not self.facts.rights:
            raise FaultUnavailable(f"{self.name}: {what_for} needs root or sudo without a password")

    def need_own_network(self) -> None:
        """Raise :class:`FaultUnavailable` if the network is that of the driver's machine."""
        if self.facts.network and (self.facts.boot_id, self.facts.network) == (own_boot_id(), _own("net")):
            raise FaultUnavailable(
                f"{self.name} has the network of the driver's machine, which would be cut off with everything on it; "
                "nodes of the sandbox have their own"
            )

    @property
    def shares_processes(self) -> bool:
        """Whether the processes of this machine include those of the driver's machine."""
        own = own_boot_id(), _own("pid")
        return bool(self.facts.processes) and (self.facts.boot_id, self.facts.processes) == own

    def need_tool(self, tool: str) -> None:
        """Raise :class:`FaultUnavailable` if a program is not installed."""
        if tool not in self.facts.tools:
            raise FaultUnavailable(f"{self.name} has no {tool}: {self.install_command(tool)}")

    def install_command(self, *programs: str) -> str:
        """Return the command that installs programs there."""
        return install_command(programs, (each for each in INSTALLERS if each in self.facts.tools))

    def run(self, script: str) -> Completed:
        """Run a shell script as root if possible; blocks until it ends."""
        command = "sudo -n sh -s" if self.facts.rights == "sudo" else "sh -s"
        return self._run(command, SEARCH_PATH + script)

    def ask(self, script: str, what: str) -> str:
        """Return the output of a shell script, which ``what`` describes in errors.

        Raises:
            FaultUnavailable: status 77, for the reason on stderr.
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


def own_boot_id() -> str:
    """Return the identifier of the running kernel of this machine; empty where there is none."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _message_of(done: Completed) -> str:
    said = (done.stderr or done.stdout).decode(errors="replace").strip()
    return " ".join(said.split())[-500:] or "it said nothing"
