# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.tests.test import Test
from inherit.base_for_all import BaseForAll

__all__ = ["BaseForAll", "Test"]
