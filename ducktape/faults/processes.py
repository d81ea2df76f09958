# SPDX-License-Identifier: Apache-2.0
"""Faults of processes and of whole machines: killed, paused, restarted, powered off."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from ducktape.cluster.account.processes import signal_number
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.faults.engine.action import Action
from ducktape.faults.engine.host import Host
from ducktape.faults.engine.scripted import TTL_SEC, ScriptedFault
from ducktape.faults.engine.validation import PowerSwitch, Target, in_sandbox, nodes_of, power_switch_of
from ducktape.faults.errors import FaultUnavailable
from ducktape.faults.fault import Fault
from ducktape.utils.process import tree as processes
from ducktape.utils.support.guard import OnError

_GREATEST_SIGNAL = 64
_DEADLY = {1, 2, 3, 6, 9, 11, 15}
# All but process 1, this script with its ancestors, and the processes of faults and SSH servers
_ALL = r"""
own=" $$ 1 "
parent=$PPID
while [ "${parent:-1}" -gt 1 ]; do
    own="$own$parent "
    parent=$(sed 's/.*) //' "/proc/$parent/stat" 2>/dev/null | cut -d ' ' -f 2)
done
for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    case $own in *" $pid "*) continue ;; esac
    [ "$(sed 's/.*) //' "$folder/stat" 2>/dev/null | cut -d ' ' -f 2)" != "$$" ] || continue
    words=$(tr '\0' ' ' <"$folder/cmdline" 2>/dev/null)
    case $words in *dt-fault-* | *sshd* | "") continue ;; esac
    echo "$pid"
done
"""


# Processes that are already stopped are not resumed at the end. One that has ended since does not matter
_STOP = r"""
for pid in $pids; do
    echo "$pid" >>"$d/wanted"
    case $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -c 1) in
        T | t) ;;
        *) kill -STOP "$pid" 2>/dev/null && echo "$pid" >>"$d/stopped" ;;
    esac
done
:
"""
# Processes that another fault pauses, too, are left for that one to resume, unless it is being healed right now
_CONTINUE = r"""
[ -d "$d" ] || { kill -CONT $pids 2>/dev/null; exit 0; }
for pid in $(cat "$d/stopped" 2>/dev/null); do
    for other in "${d%/*}"/dt-fault-*; do
        [ "$other" != "$d" ] && grep -qx "$pid" "$other/wanted" 2>/dev/null || continue
        { echo "$pid" >>"$other/stopped"; } 2>/dev/null
        [ ! -d "$other" ] || [ -d "$other/undoing" ] || continue 2
    done
    kill -CONT "$pid" 2>/dev/null
done
rm -f "$d/stopped"
"""


class Restartable(Protocol):
    """A service, as far as restarting it needs."""

    @property
    def start_node(self) -> Callable[..., object]: ...


class Processes:
    """Finds the target processes of a fault: by the method ``pids(node)`` of a service, or by a pattern."""

    def __init__(self, target: object, process: str | None) -> None:
        self.nodes = nodes_of(target)
        self._pattern = process
        self._pids_of = getattr(target, "pids", None) if hasattr(target, "nodes") else None
        if process is not None or callable(self._pids_of):
            return
        plain = [node for node in self.nodes if not in_sandbox(node)]
        if plain:
            raise ValueError(
                f"which processes of {plain[0].account.hostname}? Give process=, a pattern for pgrep -f, "
                "or a service that has a method pids(node)"
            )

    def find(self, host: Host, node: ClusterNode) -> list[int]:
        """Return process ids on one node, empty if nothing runs; blocks for a round trip."""
        if self._pattern is None and callable(self._pids_of):
            return [int(pid) for pid in self._pids_of(node)]
        if self._pattern is None:
            script = _ALL
        else:
            # Read into a variable, so that the pattern does not match the searching command itself
            script = f"IFS= read -r pattern <<'DT_PATTERN'\n{self._pattern}\nDT_PATTERN\n"
            script += 'pgrep -f -- "$pattern" || [ $? -eq 1 ]\n'
        found = [int(word) for word in host.ask(script, "looking for processes").split() if word.isdecimal()]
        return processes.of_this_test(found) if host.shares_processes else found


def _words(pids: Iterable[int]) -> str:
    return " ".join(map(str, pids))


def _each_state(pids: Iterable[int], verdict: str) -> str:
    """Return a script that succeeds if the states of all processes match; the state of a missing one is empty."""
    return (
        f"for pid in {_words(pids)}; do\n"
        "    state=$(sed 's/.*) //' \"/proc/$pid/stat\" 2>/dev/null | cut -c 1)\n"
        f"    case $state in {verdict}) ;; *) exit 1 ;; esac\ndone\n"
    )


class Kill(Fault):
    """A signal to processes; healing does not restart them."""

    kind = "kill"

    def __init__(self, target: object, sig: int | str, process: str | None) -> None:
        self._processes = Processes(target, process)
        self._number = signal_number(sig)
        if not 0 < self._number <= _GREATEST_SIGNAL:
            raise ValueError(f"{sig} is not the number of a signal, from 1 to {_GREATEST_SIGNAL}")
        super().__init__(self._processes.nodes, signal=str(sig), process=process)
        self._found: list[tuple[Host, list[int]]] = []

    @property
    def ends_processes(self) -> bool:
        """See :attr:`Fault.ends_processes`."""
        return self._number in _DEADLY

    def _probe(self) -> None:
        self._found = []
        for node in self.nodes:
            host = Host.of(node)
            self._found.append((host, self._processes.find(host, node)))

    def _inject(self) -> None:
        for host, pids in self._found:
            if pids:
                host.run(f"kill -{self._number} {_words(pids)} 2>/dev/null")
        self.details["pids"] = {host.name: pids for host, pids in self._found}

    def _heal(self) -> None:
        """Killed processes are not restarted."""

    def _is_effective(self) -> bool:
        if not self.ends_processes:
            return True
        return all(host.run(_each_state(pids, '"" | Z | X')).exit_status == 0 for host, pids in self._found if pids)


class Restart(Kill):
    """Killed processes of a service, which healing starts again."""

    kind = "restart"

    def __init__(self, service: Restartable, nodes: list[ClusterNode], sig: int | str, process: str | None) -> None:
        super().__init__(service, sig, process)
        self._service = service
        self.nodes = nodes

    def _heal(self) -> None:
        for node in self.nodes:
            self._service.start_node(node)


class Pause(ScriptedFault):
    """Paused processes."""

    kind = "pause"

    def __init__(self, target: object, process: str | None, ttl: float) -> None:
        self._processes = Processes(target, process)
        super().__init__(self._processes.nodes, ttl=ttl, process=process)

    def _plan(self) -> list[Action]:
        actions = []
        for host, node in zip(self._hosts(), self.nodes, strict=True):
            pids = self._processes.find(host, node)
            if not pids:
                raise FaultUnavailable(f"{host.name}: nothing runs there that could be paused")
            actions.append(
                Action(
                    host,
                    inject=f"pids='{_words(pids)}'\n{_STOP}",
                    undo=f"pids='{_words(pids)}'\n{_CONTINUE}",
                    check=_each_state(pids, '"" | T | t | Z'),
                )
            )
        return actions


class PowerOff(Fault):
    """Machines without power: all processes end at once."""

    kind = "power_off"
    ends_processes = True

    def __init__(self, nodes: list[ClusterNode], *, lose_unsynced: bool) -> None:
        super().__init__(nodes, lose_unsynced=lose_unsynced or None)
        self._lose_unsynced = lose_unsynced
        self._switches: list[PowerSwitch] = []
        self._off: list[PowerSwitch] = []

    def _probe(self) -> None:
        self._switches = [power_switch_of(node) for node in self.nodes]

    def _inject(self) -> None:
        self._off = []
        with OnError(lambda error: self._heal()):
            for node in self._switches:
                self._off.append(node)
                node.power_off(lose_unsynced=self._lose_unsynced)

    def _heal(self) -> None:
        while self._off:
            self._off[-1].power_on()
            self._off.pop()

    def _is_healed(self) -> bool:
        return not self.active and all(Host.of(node).run(":").exit_status == 0 for node in self.nodes)


def kill(target: Target, signal: int | str = "KILL", *, process: str | None = None) -> Kill:
    """Send a signal to processes. Healing does not bring them back: see :func:`restart`.

    Args:
        target: a service with a method ``pids(node)``, or nodes.
        signal: number, constant or name.
        process: regular expression for ``pgrep -f`` instead. Optional on nodes of the sandbox, where the default is all
            processes. On the driver's own machine only processes that the test has started are selected.

    Raises:
        ValueError: no processes are named, or there is no such signal.
    """
    return Kill(target, signal, process)


def pause(target: Target, *, process: str | None = None, ttl: float = TTL_SEC) -> Pause:
    """Stop processes (``SIGSTOP``) until the fault is healed, like a long garbage collection.

    Args:
        target: a service with a method ``pids(node)``, or nodes.
        process: regular expression for ``pgrep -f`` instead; see :func:`kill`.
        ttl: seconds after which the nodes undo it by themselves unless the test renews it.

    Raises:
        ValueError: no processes are named.
    """
    return Pause(target, process, ttl)


def resume(target: Target, *, process: str | None = None) -> None:
    """Resume processes that are stopped for any reason; healing a :func:`pause` does so by itself.

    Args:
        target, process: as for :func:`pause`.
    """
    Kill(target, "CONT", process).inject().heal()


def restart(
    service: Restartable, node: Target | None = None, *, signal: int | str = "KILL", process: str | None = None
) -> Restart:
    """Kill a service, and start it again with its ``start_node`` when the fault is healed.

    Args:
        service: with ``start_node``, and with a method ``pids(node)`` unless ``process`` is given.
        node: some of its nodes only; a node or a list.
        signal: number, constant or name.
        process: regular expression for ``pgrep -f``.

    Raises:
        TypeError: it is not a service.
        ValueError: no processes are named.
    """
    if not callable(getattr(service, "start_node", None)):
        raise TypeError(f"{service!r} has no start_node: only services can be restarted")
    return Restart(service, nodes_of(service if node is None else node), signal, process)


def power_off(node: Target, *, lose_unsynced: bool = False) -> PowerOff:
    """Cut the power of nodes: all processes end at once. Healing restores it and starts nothing.

    Args:
        node: a node of the sandbox, a service, or a list.
        lose_unsynced: also lose the private files that were not synced to disk.
    """
    return PowerOff(nodes_of(node), lose_unsynced=lose_unsynced)
