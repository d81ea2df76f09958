# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class GlobOneTest(Test):
    def test_one(self) -> None:
        pass
