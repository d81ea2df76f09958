# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class SameTest(Test):
    def test_from_b(self) -> None:
        pass
