# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class GlobThreeTest(Test):
    def test_three(self) -> None:
        pass
