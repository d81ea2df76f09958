# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import functools

from ducktape.tests.test import Test


def _worker(self: Test, size: int = 0) -> None:
    pass


class PartialTest(Test):
    test_partial = functools.partial(_worker, size=3)

    def test_beside_the_partial(self) -> None:
        pass
