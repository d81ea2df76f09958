# SPDX-License-Identifier: Apache-2.0
"""Parametrizations whose escaped names coincide."""

from __future__ import annotations

from typing import Any

from ducktape.mark import matrix, parametrize
from ducktape.tests.test import Test


class CoincidingTest(Test):
    @parametrize(x="a b")
    @parametrize(x="ab")
    def test_blanks(self, x: str) -> None:
        pass

    @matrix(x=[1, "1", 1.0])
    def test_types(self, x: Any) -> None:
        pass

    @parametrize(x=1)
    @parametrize(x=1)
    def test_twice_the_same(self, x: int) -> None:
        pass

    @parametrize(x="a", y="b.y=b")
    @parametrize(x="a.y=b", y="b")
    def test_dots(self, x: str, y: str) -> None:
        pass
