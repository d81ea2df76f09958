# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class TopTest(Test):
    def test_top(self) -> None:
        pass
