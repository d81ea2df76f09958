# SPDX-License-Identifier: Apache-2.0
import sub

from ducktape.tests.test import Test


class HiddenByItsNameTest(Test):
    def test_never(self):
        sub
