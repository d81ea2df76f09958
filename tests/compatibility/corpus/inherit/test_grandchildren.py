# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from inherit.test_children import ChildOneTest


class GrandchildTest(ChildOneTest):
    """Makes its parent, which lives in another module, no leaf any more."""
