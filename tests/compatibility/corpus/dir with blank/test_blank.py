# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class BlankTest(Test):
    def test_blank(self) -> None:
        pass
