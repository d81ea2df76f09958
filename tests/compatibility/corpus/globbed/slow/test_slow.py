# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class GlobSlowTest(Test):
    def test_slow(self) -> None:
        pass
