# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.mark import matrix
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test


class BaseForAll(Test):
    @cluster(num_nodes=2)
    @matrix(size=[1, 2])
    def test_inherited(self, size: int) -> None:
        """Described in the base class."""

    def test_overridden(self) -> None:
        pass


class ReadyLeafTest(Test):
    def test_ready(self) -> None:
        pass


class MixIn:
    def test_from_mix_in(self) -> None:
        pass
