# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class GlobInsideTest(Test):
    def test_inside(self) -> None:
        pass
