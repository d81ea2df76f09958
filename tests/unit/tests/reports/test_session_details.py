# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ducktape.tests.reports.session_details import Phase, SessionDetails, durations


def read(directory: Path, *events: dict[str, Any] | str) -> SessionDetails:
    lines = [event if isinstance(event, str) else json.dumps({"event": "", "time": 1.0, **event}) for event in events]
    (directory / "journal.jsonl").write_text("\n".join(lines))
    return SessionDetails.read(str(directory))


def test_the_command_and_the_nodes_and_phases_of_every_test_are_read(tmp_path: Path) -> None:
    versions = {"ducktape": "1.0"}
    details = read(
        tmp_path,
        {"event": "session", "argv": ["suite", "-v"], "configuration": {"cluster": "sandbox"}, "versions": versions},
        {"event": "nodes_given", "time": 10, "test_index": 1, "nodes": ["n1", "n2"]},
        {"event": "nodes_given", "time": 11, "test_index": 2, "nodes": ["n3"]},
        {"event": "phase", "time": 12, "test_index": 1, "attempt": 1, "phase": "setup", "since": 11.5},
        {"event": "nodes_returned", "time": 20, "test_index": 1},
        {"event": "nodes_given", "time": 21, "test_index": 1, "nodes": ["n2", "n4"]},
        {"event": "finished", "time": 22, "test_index": 1},
    )
    assert (details.argv, details.configuration, details.versions) == (
        ["suite", "-v"],
        {"cluster": "sandbox"},
        versions,
    )
    assert details.allocations == {1: [(("n1", "n2"), 10, 20), (("n2", "n4"), 21, None)], 2: [(("n3",), 11, None)]}
    assert details.phases == {1: [(1, "setup", 11.5)]}
    assert details.nodes_of(1) == ["n1", "n2", "n4"]
    assert (details.nodes_of(3), details.nodes_of(None)) == ([], [])


def test_lines_that_make_no_sense_are_passed_over(tmp_path: Path) -> None:
    details = read(
        tmp_path,
        "",
        "nonsense",
        '{"event": "session"',
        {"event": "session", "argv": "suite", "configuration": 3, "versions": ["x"]},
        {"event": "nodes_given", "test_index": "1", "nodes": ["n1"]},
        {"event": "nodes_given", "test_index": 4, "nodes": "n1"},
        {"event": "nodes_returned", "test_index": 5},
        {"event": "phase", "test_index": 1, "attempt": None, "phase": "setup", "since": 1},
        {"event": "phase", "test_index": 1, "attempt": 1, "phase": "setup", "since": "now"},
    )
    assert (details.argv, details.configuration, details.versions) == ([], {}, {})
    assert (details.allocations, details.phases) == ({4: [((), 1.0, None)]}, {})


def test_a_session_without_a_journal_has_no_details(tmp_path: Path) -> None:
    details = SessionDetails.read(str(tmp_path))
    assert details == SessionDetails(str(tmp_path))


def test_a_phase_lasts_until_the_next_one_and_never_less_than_nothing() -> None:
    phases = [Phase(1, "setup", 10), Phase(1, "test", 12.5), Phase(1, "stop", 12)]
    assert [(phase.name, took) for phase, took in durations(phases, 15)] == [("setup", 2.5), ("test", 0), ("stop", 3)]
