# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class LooseTest(Test):
    def test_loose(self) -> None:
        pass
