# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import builtins
import re
from pathlib import Path

from ducktape import errors
from ducktape.errors import DucktapeError, TimeoutError
from ducktape.utils import util


def test_the_root_is_a_runtime_error() -> None:
    assert DucktapeError.__bases__ == (RuntimeError,)


def test_the_timeout_of_waiting_is_not_the_builtin_one() -> None:
    assert TimeoutError.__bases__ == (DucktapeError,)
    assert not issubclass(TimeoutError, builtins.TimeoutError)


def test_util_offers_the_same_timeout_error() -> None:
    assert util.TimeoutError is errors.TimeoutError


def test_the_docstring_knows_every_public_error_and_its_home() -> None:
    root = Path(errors.__file__).parent
    told = dict(re.findall(r"─ (\w+) +(ducktape[\w.]*)", errors.__doc__ or ""))
    written = {
        name: ".".join(("ducktape", *path.relative_to(root).with_suffix("").parts))
        for path in root.rglob("*.py")
        for name in re.findall(r"^class ([A-Z]\w*)\([^)]*(?:Error|Exception|Warning)\b[^)]*\):", path.read_text(), re.M)
    }
    assert told == written
