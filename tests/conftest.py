# SPDX-License-Identifier: Apache-2.0
"""What holds for the whole run; its order: what is cheap and says most comes first, what uses real servers last."""

from __future__ import annotations

import signal
from pathlib import Path

import hypothesis
import pytest

# A shell that starts this in the background has it ignore interrupts, which the tests send and programs inherit
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine that is busy is no mistake; newer releases decide like this by themselves, and only under CI
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

ORDER = ("style", "architecture", "unit", "contract", "compatibility", "docs", "packaging", "end_to_end", "system")


def _rank(path: Path) -> int:
    relative = path.relative_to(Path(__file__).parent)
    # A folder that is not listed runs before the slow ones rather than not at all.
    return ORDER.index(relative.parts[0]) if relative.parts[0] in ORDER else ORDER.index("docs")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by folder; within one, the order stays."""
    items.sort(key=lambda item: _rank(item.path))
