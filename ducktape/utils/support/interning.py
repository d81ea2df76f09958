# SPDX-License-Identifier: Apache-2.0
"""Saves memory where thousands of values consist of copies of the same few texts."""

from __future__ import annotations

import sys
from typing import Any

_LONGEST_TEXT = 256


def interned(value: Any) -> Any:
    """Return an equal JSON value whose short texts exist once in this process."""
    if type(value) is str and len(value) <= _LONGEST_TEXT:
        return sys.intern(value)
    if isinstance(value, dict):
        return {interned(key): interned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [interned(item) for item in value]
    return value
