# SPDX-License-Identifier: Apache-2.0
"""What was probably meant by a symbol that names no test."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Iterable
from types import ModuleType

from ducktape.tests.loading.symbols import TestSymbol
from ducktape.tests.test import Test


def mistake_in(symbol: TestSymbol, module: ModuleType) -> str:
    """Say which part of a symbol a file does not have, and what resembles it; empty if that is not clear."""
    classes = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Test) and value is not Test
    }
    if symbol.cls_name and symbol.cls_name not in classes:
        return f"there is no test class {symbol.cls_name}{_or(symbol.cls_name, classes)}"
    chosen = [classes[symbol.cls_name]] if symbol.cls_name else list(classes.values())
    methods = {name for cls in chosen for name in dir(cls) if name.startswith("test") or name.endswith("test")}
    if symbol.method_name and symbol.method_name not in methods:
        owner = f"class {symbol.cls_name}" if symbol.cls_name else "the file"
        return f"{owner} has no test {symbol.method_name}{_or(symbol.method_name, methods)}"
    arguments = symbol.injected_args
    if not symbol.method_name or not isinstance(arguments, dict):
        return ""
    for cls in chosen:
        known = list(inspect.signature(inspect.unwrap(getattr(cls, symbol.method_name))).parameters)[1:]
        for name in arguments:
            if name not in known:
                return f"{symbol.method_name} has no parameter {name}{_or(name, known)}"
    return ""


def similar_file(path: str) -> str:
    """Return a hint at a file beside a missing one whose name resembles it; empty without one."""
    directory, name = os.path.split(path)
    try:
        return _or(name, os.listdir(directory or "."))
    except OSError:
        return ""


def _or(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = (
        difflib.get_close_matches(name, names, n=1) or [each for each in names if name and each.startswith(name)][:1]
    )
    return f" (did you mean {close[0]}?)" if close else ""
