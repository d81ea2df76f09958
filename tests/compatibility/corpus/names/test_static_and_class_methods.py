# SPDX-License-Identifier: Apache-2.0
"""Things with matching names that are no plain functions."""

from __future__ import annotations

from ducktape.tests.test import Test


class StaticTest(Test):
    @staticmethod
    def test_static() -> None:
        pass

    @classmethod
    def test_class_method(cls) -> None:
        pass

    class test_nested:
        pass

    def test_plain_function(self) -> None:
        pass
