# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class BottomTest(Test):
    def test_bottom(self) -> None:
        pass

    def bottom_test(self) -> None:
        pass
