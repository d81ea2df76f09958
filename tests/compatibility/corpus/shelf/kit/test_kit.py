# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class KitTest(Test):
    def test_kit(self) -> None:
        pass
