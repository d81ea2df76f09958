# SPDX-License-Identifier: Apache-2.0
"""The text of an IntEnum differs between Python 3.10 and later ones."""

from __future__ import annotations

import enum

from ducktape.mark import matrix
from ducktape.tests.test import Test


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class IntEnumTest(Test):
    @matrix(size=[Size.SMALL, Size.LARGE])
    def test_int_enum(self, size: Size) -> None:
        pass
