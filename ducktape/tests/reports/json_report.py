# SPDX-License-Identifier: Apache-2.0
"""Results as JSON: the ``report.json`` of a session."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ducktape.tests.result import TestResults

_encode = json.JSONEncoder().encode
_quoted = json.encoder.encode_basestring_ascii


def render(results: TestResults) -> str:
    """Return the text of the session's ``report.json``: sorted keys, indented by 2, without a final newline."""
    return indented(results.to_json())


def indented(value: Any) -> str:
    """Return what ``json.dumps(value, indent=2, sort_keys=True)`` returns, in half the time.

    The standard library leaves its fast path as soon as indentation is asked for, which shows when thousands of
    results are written again and again during a session.

    Args:
        value: JSON-ready: dicts with text as keys, lists, text, numbers, booleans and ``None``.
    """
    return _indented(value, "\n")


def _indented(value: Any, newline: str) -> str:
    kind = type(value)
    if kind is str:
        return _quoted(value)
    # A number that JSON has no form for is left to the library, like everything else that is rare
    if kind is int or (kind is float and math.isfinite(value)):
        return repr(value)
    inner = newline + "  "
    if kind is dict and value:
        items = [f"{_quoted(key)}: {_indented(value[key], inner)}" for key in sorted(value)]
        return f"{{{inner}{f',{inner}'.join(items)}{newline}}}"
    if kind is list and value:
        return f"[{inner}{f',{inner}'.join([_indented(item, inner) for item in value])}{newline}]"
    return _encode(value)
