# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class UserPackageTest(Test):
    def test_in_a_package_named_tests(self) -> None:
        pass
