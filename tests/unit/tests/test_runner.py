# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import signal
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.localhost import LocalhostCluster
from ducktape.tests.runner import TestRunner
from ducktape.tests.session import SessionContext
from ducktape.utils.process.proc import adopts_orphans


class InterruptedAtTheEnd(LocalhostCluster):
    """A cluster about which the runner asks last of all, when somebody presses Ctrl-C."""

    is_running = False

    def __getattribute__(self, name: str) -> Any:
        if name == "unhealthy_nodes" and self.is_running:
            signal.raise_signal(signal.SIGINT)
        return super().__getattribute__(name)


def test_an_interrupt_while_the_last_events_are_noted_does_not_lose_the_results(tmp_path: Path) -> None:
    session = SessionContext(session_id="s", results_dir=str(tmp_path))
    cluster = InterruptedAtTheEnd(num_nodes=1)
    before = signal.getsignal(signal.SIGINT)
    cluster.is_running = True
    results = TestRunner(cluster, session, logging.getLogger("unit.runner"), [], 1).run_all_tests()
    assert results.stop_time >= results.start_time > 0
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.needs("linux")
def test_after_a_run_the_process_adopts_no_orphans_any_more(tmp_path: Path) -> None:
    session = SessionContext(session_id="s", results_dir=str(tmp_path))
    assert not adopts_orphans()
    TestRunner(LocalhostCluster(num_nodes=1), session, logging.getLogger("unit.runner"), [], 1).run_all_tests()
    assert not adopts_orphans()
