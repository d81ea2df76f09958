# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class BelowLooseTest(Test):
    def test_below_loose(self) -> None:
        pass
