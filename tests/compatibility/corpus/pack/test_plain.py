# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class PlainTest(Test):
    def test_b(self) -> None:
        pass

    def test_a(self) -> None:
        pass

    def helper(self) -> None:
        pass
