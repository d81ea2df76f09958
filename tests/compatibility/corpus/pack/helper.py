# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class HelperTest(Test):
    def test_in_a_file_that_does_not_match(self) -> None:
        pass
