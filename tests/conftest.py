# SPDX-License-Identifier: Apache-2.0
"""The order of the whole run: what is cheap and says most comes first, what uses real servers last."""

from __future__ import annotations

from pathlib import Path

import pytest

ORDER = ("style", "architecture", "unit", "contract", "compatibility", "docs", "packaging", "end_to_end", "system")


def _rank(path: Path) -> int:
    relative = path.relative_to(Path(__file__).parent)
    # A folder that is not listed runs before the slow ones rather than not at all.
    return ORDER.index(relative.parts[0]) if relative.parts[0] in ORDER else ORDER.index("docs")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by folder; within one, the order stays."""
    items.sort(key=lambda item: _rank(item.path))
