# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class InnerTest(Test):
    def test_inner(self) -> None:
        pass
