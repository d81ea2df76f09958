# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class ParentTest(Test):
    def test_in_the_parent(self) -> None:
        pass


class LeafTest(ParentTest):
    def test_in_the_leaf(self) -> None:
        pass


class EmptyLeafTest(Test):
    pass
