# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test


class WhateverTest(Test):
    def test_in_a_file_that_is_only_found_by_name(self) -> None:
        pass
