# SPDX-License-Identifier: Apache-2.0
"""Faults that are scripts on machines: injected in parallel, renewed while the test lives, undone otherwise."""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.faults.engine.action import Action, DeadManSwitch, Renewal
from ducktape.faults.engine.host import Host
from ducktape.faults.engine.validation import need_number
from ducktape.faults.errors import FaultUnavailable
from ducktape.faults.fault import Fault
from ducktape.utils.support.guard import OnError, tolerated
from ducktape.utils.support.parallel import run_parallel
from ducktape.utils.support.text import reason_of

TTL_SEC = 60.0
T = TypeVar("T")
R = TypeVar("R")


class ScriptedFault(Fault):
    """A fault that consists of scripts on machines, which undo it after ``ttl`` seconds unless a thread renews it."""

    def __init__(self, nodes: Sequence[ClusterNode], *, ttl: float = TTL_SEC, **details: object) -> None:
        if need_number(ttl, "ttl", "seconds") < 2:
            raise ValueError(f"a time to live of {ttl} seconds is too short: give 2 or more")
        super().__init__(nodes, **details)
        self.ttl = ttl
        self.token = secrets.token_hex(5)
        self._actions: list[Action] = []
        self._switches: list[DeadManSwitch] = []
        self._stopped = threading.Event()

    def to_json(self) -> dict[str, object]:
        """Return what the records say of it; while it is in force, also how others can undo it."""
        if not self.active:
            return super().to_json()
        undo = [[action.host.name, token] for token, action in self._actions_by_token().items()]
        return {**super().to_json(), "undo": undo}

    def _plan(self) -> list[Action]:
        """Look at the machines, and return the actions for them; by default one for each node."""
        return [self._action(host, node) for host, node in zip(self._hosts(), self.nodes, strict=True)]

    def _action(self, host: Host, node: ClusterNode) -> Action:
        """Return the action for one node."""
        raise NotImplementedError

    def _hosts(self) -> list[Host]:
        """Return the machines of the nodes; their facts are read in parallel."""
        hosts = [Host.of(node) for node in self.nodes]
        in_parallel(hosts, lambda host: host.facts)
        return hosts

    def _probe(self) -> None:
        self.token = secrets.token_hex(5)
        self._actions = self._plan()

    def _inject(self) -> None:
        self._switches = [DeadManSwitch(action, token, self.ttl) for token, action in self._actions_by_token().items()]
        self._stopped = threading.Event()
        with OnError(self._undo_after):
            in_parallel(self._switches, DeadManSwitch.inject)
        # The pid: a forked process has a copy of the object but not the thread
        threading.Thread(
            target=self._renew,
            args=(self._switches, self._stopped, os.getpid()),
            name=f"fault-{self.token}",
            daemon=True,
        ).start()

    def _actions_by_token(self) -> dict[str, Action]:
        # Machines may share the directory
        return {f"{self.token}n{number}": action for number, action in enumerate(self._actions)}

    def _heal(self) -> None:
        self._stopped.set()
        if not all(in_parallel(self._switches, DeadManSwitch.undo)):
            self.healed_by = "node"

    def _is_effective(self) -> bool:
        return all(in_parallel(self._switches, lambda switch: switch.is_effective))

    def _is_healed(self) -> bool:
        return not self.active and all(in_parallel(self._switches, lambda switch: switch.is_gone))

    def _undo_after(self, error: BaseException) -> None:
        """Undo a partial injection."""
        with tolerated() as undoing:
            in_parallel(self._switches, DeadManSwitch.undo)
        if undoing.error is not None:
            self._log(logging.WARNING, f"after {error!r} it could not be undone: {reason_of(undoing.error)}")

    def power_returned(self, node: ClusterNode) -> None:
        """Inject it again on a node that lost its rules when its power was cut; blocks until that is done."""
        name = str(node.account.hostname)
        with self._lock:
            for switch in self._switches:
                if switch.host.name != name:
                    continue
                if self.active:
                    self._renew_switch(switch, self._stopped)
                else:
                    switch.remove_leftovers()

    def _renew(self, switches: list[DeadManSwitch], stopped: threading.Event, pid: int) -> None:
        # The script on the machine counts whole seconds, so it may be one ahead
        while not stopped.wait((self.ttl - 1) / 4) and os.getpid() == pid:
            for switch in switches:
                with tolerated() as renewal:  # the node may be unreachable for a short time
                    self._renew_switch(switch, stopped)
                if renewal.error is not None:
                    reason = reason_of(renewal.error)
                    self._log(logging.WARNING, f"could not be renewed on {switch.host.name}: {reason}")

    def _renew_switch(self, switch: DeadManSwitch, stopped: threading.Event) -> None:
        found = switch.renew()
        if found is Renewal.GONE and not stopped.is_set():
            self.healed_by = "node"
            self._log(logging.WARNING, f"{switch.host.name} has undone it: it was not renewed in time")
        if found is not Renewal.ORPHANED:
            return
        with self._lock:
            # Another thread may have injected it again; doing so twice would interrupt the fault
            if stopped.is_set() or switch.renew() is not Renewal.ORPHANED:
                return
            switch.inject_again()
        self._log(logging.INFO, f"in force again on {switch.host.name}, which was off")


def in_parallel(items: Sequence[T], work: Callable[[T], R]) -> list[R]:
    """Call ``work(item)`` for all items in parallel; raises the first error, preferably that a fault is unavailable."""
    attempts = run_parallel(items, work)
    errors = [attempt.error for attempt in attempts if attempt.error is not None]
    if errors:
        raise next((error for error in errors if isinstance(error, FaultUnavailable)), errors[0])
    return [cast(R, attempt.result) for attempt in attempts]
