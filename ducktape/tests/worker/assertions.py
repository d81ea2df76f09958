# SPDX-License-Identifier: Apache-2.0
"""The values in the expression of a failed ``assert``."""

from __future__ import annotations

import ast
import linecache
import re
import reprlib
import traceback
from types import FrameType

from ducktape.utils.support.guard import value_or
from ducktape.utils.support.masking import MASK, is_secret_name, masked, masked_text
from ducktape.utils.support.text import one_line

_MOST_VALUES = 20
_LONGEST = 300
# Runs that fail in the same way are to have the same text
_ADDRESS = re.compile(r" at 0x[0-9a-f]+", re.IGNORECASE)


def values_in_assertion(error: BaseException) -> list[str]:
    """Return lines ``expression = value`` for a failed ``assert``, the whole ones first; empty for other errors.

    Only expressions without side effects are evaluated again: names, plain attributes, items of builtins, ``len(…)``.
    """
    if not isinstance(error, AssertionError):
        return []
    frames = list(traceback.walk_tb(error.__traceback__))
    return value_or([], _values_in, *frames[-1]) if frames else []


def _values_in(frame: FrameType, line: int) -> list[str]:
    # Imported on use: most tests pass
    from pure_eval import Evaluator

    source = "".join(linecache.getlines(frame.f_code.co_filename, frame.f_globals))
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert) and _covers(node, line)]
    if not found:
        return []
    [condition] = [found[-1].test]
    lines = []
    for nodes, value in Evaluator.from_frame(frame).interesting_expressions_grouped(condition):
        if nodes[0] is condition or isinstance(nodes[0], (ast.Compare, ast.BoolOp, ast.UnaryOp)):
            continue  # whether they hold follows from the others
        name = ast.unparse(nodes[0])
        secret = any(is_secret_name(part) for part in name.replace("[", ".").replace("'", "").split("."))
        lines.append(f"{one_line(name, 120)} = {MASK if secret else _shown(value)}")
    return lines[:_MOST_VALUES]


def _covers(node: ast.Assert, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def _shown(value: object) -> str:
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 200
    short.maxlist = short.maxtuple = short.maxdict = short.maxset = short.maxdeque = 8
    hidden = value_or(value, masked, value) if isinstance(value, (dict, list, tuple)) else value
    text = value_or(f"<{type(value).__name__}>", short.repr, hidden)
    return one_line(masked_text(_ADDRESS.sub("", text)), _LONGEST)
