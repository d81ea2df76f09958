# SPDX-License-Identifier: Apache-2.0
"""What was probably meant by a symbol that names no test."""

from __future__ import annotations

import inspect
import os
import re
from types import ModuleType

from ducktape.tests.loading.symbols import TestSymbol
from ducktape.tests.test import Test
from ducktape.utils.support.similar import or_similar


def mistake_in(symbol: TestSymbol, module: ModuleType) -> str:
    """Say which part of a symbol a file does not have, and what resembles it; empty if that is not clear."""
    classes = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Test) and value is not Test
    }
    if "::" in symbol.cls_name:
        return f"there is no test class {symbol.cls_name} (write {symbol.cls_name.replace('::', '.')})"
    if symbol.cls_name and symbol.cls_name not in classes:
        return f"there is no test class {symbol.cls_name}{or_similar(symbol.cls_name, classes)}"
    chosen = [classes[symbol.cls_name]] if symbol.cls_name else list(classes.values())
    methods = {name for cls in chosen for name in dir(cls) if name.startswith("test") or name.endswith("test")}
    if symbol.method_name and symbol.method_name not in methods:
        owner = f"class {symbol.cls_name}" if symbol.cls_name else "the file"
        return f"{owner} has no test {symbol.method_name}{or_similar(symbol.method_name, methods)}"
    arguments = symbol.injected_args
    if not symbol.method_name or not isinstance(arguments, dict):
        return ""
    for cls in chosen:
        known = list(inspect.signature(inspect.unwrap(getattr(cls, symbol.method_name))).parameters)[1:]
        for name in arguments:
            if name not in known:
                return f"{symbol.method_name} has no parameter {name}{or_similar(name, known)}"
    return ""


def similar_file(path: str) -> str:
    """Return a hint at a file beside a missing one whose name resembles it; empty without one."""
    directory, name = os.path.split(path)
    try:
        return or_similar(name, os.listdir(directory or "."))
    except OSError:
        return ""


def without_tests(path: str, pattern: str) -> str:
    """Return a hint at why a path has no test files, or at a file whose name resembles that of a missing one."""
    if not os.path.exists(path):
        is_glob = any(letter in path for letter in "*?[")
        return similar_file(os.path.normpath(path)) or ("" if is_glob else " (there is nothing of that name)")
    try:
        tests = sorted(each for each in os.listdir(path) if re.match(pattern, each))
    except OSError:
        return ""
    if tests and not os.path.exists(os.path.join(path, "__init__.py")):
        return f" (it has {tests[0]}, but no __init__.py: create an empty one, or name the files)"
    return ""
