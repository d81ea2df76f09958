# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from inherit.base_for_all import ReadyLeafTest
from inherit.test_children import ChildTwoTest

__all__ = ["ChildTwoTest", "ReadyLeafTest"]
