# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class AlsoPlainTest(Test):
    def test_named_the_other_way(self) -> None:
        pass
