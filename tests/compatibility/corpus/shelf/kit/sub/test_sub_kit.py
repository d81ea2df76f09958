# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class SubKitTest(Test):
    def test_sub_kit(self) -> None:
        pass
