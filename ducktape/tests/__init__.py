# SPDX-License-Identifier: Apache-2.0
"""The engine: what a test is, how tests are chosen, run and reported.

The name is public API since the first release. The project's own tests live in the top-level folder ``tests``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ducktape.tests.test import Test
    from ducktape.tests.test_context import TestContext

__all__ = ["Test", "TestContext"]

_HOMES = {"Test": "ducktape.tests.test", "TestContext": "ducktape.tests.test_context"}


if not TYPE_CHECKING:  # which would take every misspelled name

    def __getattr__(name: str) -> object:
        # Only on demand: every import of a module in here passes through this one.
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_HOMES[name]), name)
