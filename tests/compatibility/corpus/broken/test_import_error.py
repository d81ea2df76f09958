# SPDX-License-Identifier: Apache-2.0
import a_module_that_does_not_exist

from ducktape.tests.test import Test


class ImportErrorTest(Test):
    def test_never(self):
        a_module_that_does_not_exist
