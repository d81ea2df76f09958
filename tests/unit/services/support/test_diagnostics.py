# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import signal
import threading
from typing import Any

import pytest

from ducktape.services.support.diagnostics import dump_services
from tests.unit.services.fakes import FakeContext, RecordingService


def test_errors_of_dumps_are_logged_before_an_interrupt_ends_the_wait() -> None:
    logged: list[str] = []
    has_logged, may_end = threading.Event(), threading.Event()

    def log(level: int, line: str) -> None:
        assert level == logging.WARNING
        logged.append(line)
        has_logged.set()

    class Failing(RecordingService):
        def dump(self, node: Any) -> None:
            raise OSError("no state")

    class Interrupted(RecordingService):
        def dump(self, node: Any) -> None:
            has_logged.wait(2)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            may_end.wait(10)

    context = FakeContext(num_nodes=2)
    services = [Interrupted(context, 1), Failing(context, 1)]
    with pytest.raises(KeyboardInterrupt):
        dump_services(services, log, seconds=20)
    may_end.set()
    assert logged == [f"Error dumping the state of service {services[1].service_id} on host1: OSError: no state"]
