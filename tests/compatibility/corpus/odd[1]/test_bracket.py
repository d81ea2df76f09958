# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class BracketTest(Test):
    def test_bracket(self) -> None:
        pass
