# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.mark import matrix
from ducktape.tests.test import Test


class NotIterableTest(Test):
    @matrix(x=3)
    def test_of_a_number(self, x: int) -> None:
        pass
