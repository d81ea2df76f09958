# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.mark import parametrize
from inherit.base_for_all import BaseForAll


class ChildOneTest(BaseForAll):
    pass


class ChildTwoTest(BaseForAll):
    @parametrize(x=1)
    def test_overridden(self, x: int) -> None:  # type: ignore[override]
        pass

    def test_inherited(self) -> None:  # type: ignore[override]
        """Overriding replaces the marks."""
