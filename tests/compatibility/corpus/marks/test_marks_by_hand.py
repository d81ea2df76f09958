# SPDX-License-Identifier: Apache-2.0
"""Marks that are put on without the decorator."""

from __future__ import annotations

from typing import Any

from ducktape.mark import parametrize
from ducktape.mark._mark import Ignore, Mark, Matrix, Parametrize
from ducktape.mark.resource import ClusterUseMetadata
from ducktape.tests.test import Test


def three_nodes(function: Any) -> Any:
    Mark.mark(function, ClusterUseMetadata(num_nodes=3))
    return function


class ByHandTest(Test):
    @three_nodes
    @parametrize(x=1)
    def test_cluster_by_hand(self, x: int) -> None:
        pass

    def test_marked_later(self, x: int, y: int = 0) -> None:
        pass

    def test_cleared(self) -> None:
        pass


Mark.mark(ByHandTest.test_marked_later, Parametrize(x=1))
Mark.mark(ByHandTest.test_marked_later, Matrix(x=[2], y=[3, 4]))
Mark.mark(ByHandTest.test_marked_later, Ignore(x=1))
Mark.mark(ByHandTest.test_cleared, Parametrize(x=1))
Mark.clear_marks(ByHandTest.test_cleared)
