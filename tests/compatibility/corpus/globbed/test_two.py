# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class GlobTwoTest(Test):
    def test_two(self) -> None:
        pass
