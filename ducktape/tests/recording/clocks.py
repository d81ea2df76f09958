# SPDX-License-Identifier: Apache-2.0
"""The file with the offsets of the clocks of a test's nodes, beside their logs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import TypeGuard

from ducktape.cluster.health.clocks import Offset
from ducktape.json_serializable import strict_dumps
from ducktape.utils.support.files import read_start, write_atomically

CLOCKS_FILE = "clocks.json"
_MOST_BYTES = 1_000_000


def write_offsets(directory: str, offsets: Mapping[str, Offset]) -> None:
    """Write the offsets into the directory of a test."""
    clocks = {
        name: {"offset_seconds": round(each.seconds, 3), "uncertainty_seconds": round(each.uncertainty, 3)}
        for name, each in offsets.items()
    }
    write_atomically(os.path.join(directory, CLOCKS_FILE), strict_dumps({"clocks": clocks}, indent=1) + "\n")


def read_offsets(directory: str) -> dict[str, Offset]:
    """Return the offsets in the directory of a test; whatever makes no sense there is passed over."""
    try:
        content = json.loads(read_start(os.path.join(directory, CLOCKS_FILE), _MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    clocks = content.get("clocks") if isinstance(content, dict) else None
    found: dict[str, Offset] = {}
    for name, clock in clocks.items() if isinstance(clocks, dict) else ():
        fields = clock if isinstance(clock, dict) else {}
        seconds, uncertainty = (fields.get(f"{key}_seconds") for key in ("offset", "uncertainty"))
        if _is_number(seconds) and _is_number(uncertainty):
            found[name] = Offset(seconds, uncertainty)
    return found


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and math.isfinite(value)
