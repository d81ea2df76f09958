# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class AloneTest(Test):
    def test_alone(self) -> None:
        pass
