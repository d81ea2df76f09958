# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ducktape.cluster.local.transport import LocalTransport
from ducktape.cluster.transport import CommandStream, Stdin, TransportWrapper
from ducktape.faults import clock
from ducktape.faults.engine.host import Host
from ducktape.faults.errors import FaultUnavailable


class WithOwnClock(TransportWrapper):
    """Runs commands that set the clock of nobody: their ``date`` only says what it was asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(LocalTransport())
        self.said = folder / "said"
        self.tools = folder / "tools"
        self.tools.mkdir()
        (self.tools / "date").write_text(f'#!/bin/sh\necho "$*" >>{self.said}\n')
        (self.tools / "date").chmod(0o755)

    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> CommandStream:
        inner = f'PATH="{self.tools}:$PATH" {command}'
        return self.inner.stream(inner, stdin=stdin, merge_stderr=merge_stderr, timeout=timeout)


def make_node(transport: Any) -> Any:
    account = SimpleNamespace(hostname="n1", transport=transport, logger=logging.getLogger("faults"))
    return SimpleNamespace(account=account)


def test_the_clock_of_a_machine_is_set_and_set_back_by_as_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = make_node(WithOwnClock(tmp_path))
    assert Host.of(node).run("command -v date").stdout.decode().strip() == f"{tmp_path}/tools/date"
    monkeypatch.setattr(clock, "_why_not_set", lambda host: "")
    monkeypatch.setattr(clock, "_USES_LIBRARY", "exit 1")
    with clock.skew_clock(node, -90.4):
        assert (tmp_path / "said").read_text() == "-s -90 seconds\n"
    assert (tmp_path / "said").read_text() == "-s -90 seconds\n-s +90 seconds\n"


def test_the_clock_of_the_driver_is_never_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_USES_LIBRARY", "exit 1")
    with pytest.raises(FaultUnavailable, match=r"n1: (its clock is that of the driver's machine|setting the clock)"):
        clock.skew_clock(make_node(LocalTransport()), 1).inject()
