# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class GlobFourTest(Test):
    def test_four(self) -> None:
        pass
