# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class FirstTest(Test):
    """Described by its class."""

    def test_shared_name(self) -> None:
        pass

    def test_first_only(self) -> None:
        """Described by itself."""


class SecondTest(Test):
    def test_shared_name(self) -> None:
        pass


class NotATest:
    def test_shared_name(self) -> None:
        pass
