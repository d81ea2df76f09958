# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class FineTest(Test):
    def test_fine(self) -> None:
        pass
