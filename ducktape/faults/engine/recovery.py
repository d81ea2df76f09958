# SPDX-License-Identifier: Apache-2.0
"""Heals the faults of a test whose process is dead, as recorded in ``events.json``."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.faults.engine.action import extend, undo_now
from ducktape.faults.engine.host import Host
from ducktape.faults.engine.log import EVENTS_FILE, write_events
from ducktape.faults.engine.validation import power_switch_of
from ducktape.utils.support.files import read_start
from ducktape.utils.support.guard import tolerated
from ducktape.utils.support.text import reason_of

HEALER = "clean-up"
_MOST_OF_FAULTS = 16 * 1024 * 1024
_TOKEN = re.compile(r"[0-9a-f]+n\d+")


def recorded_faults(directory: str) -> list[dict[str, Any]]:
    """Return the records of faults in a test's results directory; empty if there are none or they are unreadable."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        content = json.loads(read_start(os.path.join(directory, EVENTS_FILE), _MOST_OF_FAULTS))
        faults = content.get("faults") if isinstance(content, dict) else None
        return [fault for fault in faults if isinstance(fault, dict)] if isinstance(faults, list) else []
    return []


def heal_remaining(directory: str, nodes: Iterable[ClusterNode]) -> list[str]:
    """Heal the faults that a dead test left in force, the newest first, and record that; returns the errors as lines.

    The nodes undo a fault that could not be healed by themselves, at the end of its time to live.
    """
    faults = recorded_faults(directory)
    by_name = _by_name(nodes)
    problems: list[str] = []
    for fault in reversed(faults):
        if not _is_in_force(fault):
            continue
        with tolerated() as healing:
            _heal(fault, by_name)
            fault.update(healed=max(time.time(), float(fault["injected"])), healed_by=HEALER)
            fault.pop("undo", None)
        if healing.error is not None:
            names = ", ".join(map(str, fault.get("nodes") or ()))
            problems.append(f"healing {fault.get('fault')} of {names}: {reason_of(healing.error)}")
    if faults:
        write_events(directory, faults)
    return problems


def extend_remaining(directory: str, nodes: Iterable[ClusterNode], seconds: float) -> list[str]:
    """Let the faults that a test left in force stay so for some time; returns the errors as lines.

    The nodes undo them by themselves afterwards, if nobody has healed them.
    """
    by_name = _by_name(nodes)
    problems: list[str] = []
    for fault in recorded_faults(directory):
        if not _is_in_force(fault):
            continue
        with tolerated() as extension:
            for host, token in _scripts(fault, by_name):
                extend(host, token, seconds)
        if extension.error is not None:
            problems.append(f"extending {fault.get('fault')}: {reason_of(extension.error)}")
    return problems


def _is_in_force(fault: Mapping[str, Any]) -> bool:
    return fault.get("injected") is not None and fault.get("healed") is None


def _by_name(nodes: Iterable[ClusterNode]) -> dict[str, list[ClusterNode]]:
    by_name: dict[str, list[ClusterNode]] = {}
    for node in nodes:
        by_name.setdefault(str(node.account.hostname), []).append(node)
    return by_name


def _heal(fault: Mapping[str, Any], by_name: Mapping[str, list[ClusterNode]]) -> None:
    if fault.get("fault") == "power_off":
        for name in fault.get("nodes") or ():
            for node in by_name.get(name, ()):
                power_switch_of(node).power_on()
    for host, token in _scripts(fault, by_name):
        undo_now(host, token)


def _scripts(fault: Mapping[str, Any], by_name: Mapping[str, list[ClusterNode]]) -> Iterator[tuple[Host, str]]:
    """Yield where a fault has scripts that would undo it, and their tokens."""
    for name, token in fault.get("undo") or ():
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            continue  # not written by this package
        # Several machines may have the same name; without the script nothing happens
        for node in by_name.get(name, ()):
            yield Host.of(node), token
