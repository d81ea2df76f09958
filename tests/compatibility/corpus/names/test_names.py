# SPDX-License-Identifier: Apache-2.0
"""Names that match the pattern, and names that only look like it."""

from __future__ import annotations

from ducktape.mark import parametrize
from ducktape.tests.test import Test


class NamesTest(Test):
    def test(self) -> None:
        pass

    def testing(self) -> None:
        pass

    def test_(self) -> None:
        pass

    def latest(self) -> None:
        pass

    def b_test(self) -> None:
        pass

    def contest(self) -> None:
        pass

    def Test_x(self) -> None:
        pass

    def _test_x(self) -> None:
        pass

    def a_test_x(self) -> None:
        pass

    def atester(self) -> None:
        pass

    def TEST(self) -> None:
        pass

    def testété(self) -> None:
        pass


class AliasTest(Test):
    """The name of the function counts, not the name under which the class holds it."""

    def test_original(self) -> None:
        pass

    test_alias = test_original
    hidden_alias = test_original

    def _not_matching(self) -> None:
        pass

    test_of_another_name = _not_matching

    @parametrize(x=1)
    def _parametrized_but_not_matching(self, x: int) -> None:
        pass

    test_of_a_parametrized = _parametrized_but_not_matching


class LambdaTest(Test):
    test_value = 3
    test_lambda = lambda self: None  # noqa: E731

    @property
    def test_property(self) -> str:
        return "not a test"

    def test_a_real_one(self) -> None:
        pass
