# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.mark import parametrize
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test


class MisplacedClusterTest(Test):
    @parametrize(x=1)
    @cluster(num_nodes=1)
    def test_with_nothing_below(self, x: int) -> None:
        pass
