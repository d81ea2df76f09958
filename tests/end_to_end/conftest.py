# SPDX-License-Identifier: Apache-2.0
"""A browser for the tests of pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.browser import Browser, browser
from tests.support.needs import require


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One process for all tests of a module; each page is a tab of its own."""
    require("chromium")
    with browser() as started:
        yield started
