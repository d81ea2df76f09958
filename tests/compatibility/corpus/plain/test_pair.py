# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class PairTest(Test):
    def test_pair_one(self) -> None:
        pass

    def test_pair_two(self) -> None:
        pass
