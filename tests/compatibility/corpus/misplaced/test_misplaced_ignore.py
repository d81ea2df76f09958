# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.mark import ignore, parametrize
from ducktape.tests.test import Test


class MisplacedIgnoreTest(Test):
    @parametrize(x=1)
    @ignore
    def test_with_nothing_below(self, x: int) -> None:
        pass
