# SPDX-License-Identifier: Apache-2.0
"""The faults of a test whose process is dead: known from ``events.json``, and healed by another process."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ducktape.faults.engine.action import undo_now
from ducktape.faults.engine.host import Host
from ducktape.faults.engine.log import EVENTS_FILE, write_events
from ducktape.utils.support.files import read_start
from ducktape.utils.support.text import reason_of

HEALER = "clean-up"
_MOST_OF_FAULTS = 16 * 1024 * 1024
_TOKEN = re.compile(r"[0-9a-f]+n\d+")


def recorded_faults(directory: str) -> list[dict[str, Any]]:
    """Return what was noted of the faults of a test; nothing if there were none, or if it cannot be read.

    Args:
        directory: of the test's results.
    """
    with contextlib.suppress(OSError, ValueError, RecursionError):
        content = json.loads(read_start(os.path.join(directory, EVENTS_FILE), _MOST_OF_FAULTS))
        faults = content.get("faults") if isinstance(content, dict) else None
        return [fault for fault in faults if isinstance(fault, dict)] if isinstance(faults, list) else []
    return []


def heal_remaining(directory: str, nodes: Iterable[Any]) -> list[str]:
    """Heal what a dead test has left in force, the youngest first; blocks until the nodes have done so.

    Args:
        directory: of the test's results; what was healed is noted there.
        nodes: of the test.

    Returns:
        What went wrong, one line each. The nodes undo that by themselves when its time to live is over.
    """
    faults = recorded_faults(directory)
    by_name: dict[str, list[Any]] = {}
    for node in nodes:
        by_name.setdefault(str(node.account.hostname), []).append(node)
    problems: list[str] = []
    for fault in reversed(faults):
        if fault.get("injected") is None or fault.get("healed") is not None:
            continue
        try:
            _heal(fault, by_name)
        except Exception as error:
            nodes = ", ".join(map(str, fault.get("nodes") or ()))
            problems.append(f"healing {fault.get('fault')} of {nodes}: {reason_of(error)}")
            continue
        fault.update(healed=max(time.time(), float(fault["injected"])), healed_by=HEALER)
        fault.pop("undo", None)
    if faults:
        write_events(directory, faults)
    return problems


def _heal(fault: Mapping[str, Any], by_name: Mapping[str, list[Any]]) -> None:
    if fault.get("fault") == "power_off":
        for name in fault.get("nodes") or ():
            for node in by_name.get(name, ()):
                node.power_on()
    for name, token in fault.get("undo") or ():
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            continue  # nothing that this package has written
        # Nodes with the same name may be several machines: where there is no such script, nothing happens
        for node in by_name.get(name, ()):
            undo_now(Host.of(node), token)
