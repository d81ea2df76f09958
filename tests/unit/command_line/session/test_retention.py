# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
from pathlib import Path

import pytest

from ducktape.command_line.options.options import Options
from ducktape.command_line.session.reports import remove_old_sessions
from ducktape.tests.keeping import registry
from ducktape.tests.recording.journal import Journal
from tests.support import recorded


def test_the_session_of_a_test_whose_nodes_are_kept_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    root = tmp_path / "results"
    for number in range(1, 5):
        journal = Journal(str(recorded.session_of(root, f"2026-11-22--00{number}")))
        recorded.begin(journal)
        recorded.end(journal)
        journal.close()
    registry.prepare()
    directory = str(root / "2026-11-22--002")
    source = registry.ClusterSource()
    kept = registry.KeptTest("2026-11-22--002", directory, f"{directory}/a", "a", 1, 1.0, 2.0, "FAIL", "", source, [])
    kept.write()

    options = Options(test_path=["x"], results_root=str(root), keep_sessions="1")
    remove_old_sessions(options, str(root / "2026-11-22--004"), logging.getLogger("retention"))

    assert sorted(path.name for path in root.iterdir()) == ["2026-11-22--002", "2026-11-22--004"]
