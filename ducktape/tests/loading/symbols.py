# SPDX-License-Identifier: Apache-2.0
"""Test symbols: how tests are named on the command line and in suite files.

``path``, ``path::Class``, ``path::Class.method``, ``path::.method`` and ``path::Class.method@JSON``.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass

from ducktape.json_serializable import jsonable_arguments
from ducktape.utils.support.masking import masked_word

_JSON = " (after @ comes a JSON object, in quotes for the shell: 'test_x.py::TestX.test_y@{\"size\": 3}')"


class LoaderException(Exception):
    """The requested tests cannot be understood, found or made."""


class NoTestsError(LoaderException):
    """Nothing is left to run."""

    def __init__(self, message: str = "No tests to run!") -> None:
        super().__init__(message)


@dataclass(frozen=True)
class TestSymbol:
    """What one symbol names; empty texts and ``None`` for parts that it leaves open."""

    __test__ = False

    path: str
    cls_name: str = ""
    method_name: str = ""
    injected_args: dict[str, object] | list[object] | None = None  # of one test, or of several

    @property
    def names_whole_files(self) -> bool:
        """Whether the symbol takes every test of the files that it finds."""
        return not self.cls_name and not self.method_name and self.injected_args is None

    def __str__(self) -> str:
        text = self.path
        if self.cls_name or self.method_name:
            text += f"::{self.cls_name}"
        if self.method_name:
            text += f".{self.method_name}"
        if self.injected_args is not None:
            text += f"@{json.dumps(jsonable_arguments(self.injected_args, {}))}"
        return text


def parse_symbol(text: str, base_dir: str | None = None) -> TestSymbol:
    """Split a symbol into its parts, after anchoring a relative path in a directory if one is given."""
    if base_dir is not None:
        text = os.path.join(base_dir, text)
    path, _, members = text.partition("::")
    cls_name, _, method = members.partition(".")
    method_name, at, encoded = method.partition("@")
    arguments: dict[str, object] | list[object] | None = None
    if at:
        with contextlib.suppress(ValueError):
            arguments = json.loads(encoded)
        if not isinstance(arguments, (dict, list)):
            raise LoaderException(f"Invalid discovery symbol: cannot parse params: {masked_word(encoded)}{_JSON}")
    return TestSymbol(path, cls_name, method_name, arguments)
