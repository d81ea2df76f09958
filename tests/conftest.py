# SPDX-License-Identifier: Apache-2.0
"""What holds for the whole run: signals, hypothesis, and the order of the tests."""

from __future__ import annotations

import signal
from pathlib import Path

import hypothesis
import pytest

from tests.support.needs import require

# A shell that starts this in the background has it ignore interrupts, which the tests send and programs inherit
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine that is busy is no mistake; newer releases decide like this by themselves, and only under CI
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

# One by one: what is cheap and says most comes first
CHEAPEST_FIRST = (
    "style",
    "architecture",
    "unit",
    "contract",
    "compatibility",
    "docs",
    "packaging",
    "end_to_end",
    "system",
)
# Side by side: no worker has to finish a long file while the others have nothing left to do
LONGEST_FIRST = (
    "style",
    "system",
    "end_to_end",
    "compatibility",
    "packaging",
    "docs",
    "contract",
    "unit",
    "architecture",
)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test if the machine lacks what its marks say that it needs."""
    for mark in item.iter_markers("needs"):
        require(*mark.args)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort by folder; within one, the order stays."""
    order = CHEAPEST_FIRST if config.getoption("dist", "no") == "no" else LONGEST_FIRST
    here = Path(__file__).parent
    # A folder that is not listed runs in the middle rather than not at all
    ranks = {name: rank for rank, name in enumerate(order)}
    items.sort(key=lambda item: ranks.get(item.path.relative_to(here).parts[0], len(order) // 2))
