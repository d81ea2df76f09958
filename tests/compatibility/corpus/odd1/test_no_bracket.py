# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class NoBracketTest(Test):
    def test_no_bracket(self) -> None:
        pass
