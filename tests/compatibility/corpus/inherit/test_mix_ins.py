# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test
from inherit.base_for_all import MixIn


class MixedTest(MixIn, Test):
    def test_own(self) -> None:
        pass


class MixedTheOtherWayTest(Test, MixIn):
    def helper(self) -> None:
        pass


class _UnderscoreTest(Test):
    def test_in_a_private_class(self) -> None:
        pass
