# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import builtins

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
