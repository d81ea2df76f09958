# SPDX-License-Identifier: Apache-2.0
"""The engine: what a test is, how tests are chosen, run and reported.

The name is public API since the first release. The project's own tests live in the top-level folder ``tests``.
"""

from __future__ import annotations

from ducktape.tests.test import Test
from ducktape.tests.test_context import TestContext

__all__ = ["Test", "TestContext"]
