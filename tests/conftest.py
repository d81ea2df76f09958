# SPDX-License-Identifier: Apache-2.0
"""What holds for the whole run: signals, hypothesis, the order of the tests, and which may run beside others."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support.needs import require

# A shell that starts this in the background makes it ignore interrupts, and nohup makes it ignore hangups.
# The tests send both, and programs inherit that
for _signal, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, _handler)

# A machine that is busy is no mistake; newer releases decide like this by themselves, and only under CI
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

# The runs that tests start are not what a CI server that runs the tests wants to know of
for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "TEAMCITY_VERSION"):
    os.environ.pop(name, None)

LOCKS = "TESTS_OF_DUCKTAPE_LOCKS"

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


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder of the locks, in the process that has the workers."""
    if not hasattr(config, "workerinput") and config.getoption("dist", "no") != "no":
        folder = tempfile.TemporaryDirectory(prefix="tests-of-ducktape-")
        config.add_cleanup(folder.cleanup)
        os.environ[LOCKS] = folder.name


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let a test that is marked ``alone`` wait until no other worker runs one, and the others wait for it."""
    if not hasattr(item.config, "workerinput"):
        return (yield)
    alone = item.get_closest_marker("alone") is not None
    with contextlib.ExitStack() as held:
        # Taken first by all: one that wants the machine to itself would otherwise wait for ever
        with _locked("turn", exclusively=alone):
            held.enter_context(_locked("machine", exclusively=alone))
        return (yield)


@contextlib.contextmanager
def _locked(name: str, *, exclusively: bool) -> Iterator[None]:
    with Path(os.environ[LOCKS], name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX if exclusively else fcntl.LOCK_SH)
        try:
            yield
        finally:
            # Children that a test has forked may still have the descriptor
            fcntl.flock(file, fcntl.LOCK_UN)


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
