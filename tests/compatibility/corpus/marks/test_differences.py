# SPDX-License-Identifier: Apache-2.0
"""Stacks whose old outcome was a defect."""

from __future__ import annotations

from ducktape.mark import defaults, ignore, matrix, parametrize
from ducktape.tests.test import Test


class DifferencesTest(Test):
    @ignore()
    def test_ignore_with_parentheses(self) -> None:
        pass

    @defaults(z=[1, 2])
    @ignore
    @parametrize(x=1)
    def test_defaults_over_ignore(self, x: int, z: int) -> None:
        pass

    @matrix(x=[])
    def test_matrix_over_nothing(self, x: int) -> None:
        pass

    def test_beside(self) -> None:
        pass
