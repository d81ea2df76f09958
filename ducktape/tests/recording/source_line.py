# SPDX-License-Identifier: Apache-2.0
"""Where the method of a test is written."""

from __future__ import annotations

import os
import types

_MOST_WRAPPERS = 100


def line_of(function: object, file: str | None) -> int | None:
    """Return the line of a file where a function begins, decorators included; ``None`` if it is not from there."""
    for _ in range(_MOST_WRAPPERS):
        wrapped = getattr(function, "__dict__", {}).get("__wrapped__")
        if wrapped is None:
            break
        function = wrapped
    code = getattr(function, "__code__", None)
    if not isinstance(code, types.CodeType) or os.path.abspath(code.co_filename) != file:
        return None
    return code.co_firstlineno
