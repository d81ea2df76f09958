# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime
import logging
import os
import time
from pathlib import Path

import pytest

from ducktape.tests.recording.journal import Journal
from ducktape.tests.recording.retention import Limit, remove_old_sessions
from ducktape.utils.support.files import locked_directory
from tests.support import recorded

LOGGER = logging.getLogger("retention")
CURRENT = "2026-11-22--009"


def session(root: Path, name: str, *, ended: bool = True, size: int = 0) -> Path:
    directory = recorded.session_of(root, name)
    journal = Journal(str(directory))
    recorded.begin(journal, session_id=name)
    if ended:
        recorded.end(journal)
    journal.close()
    (directory / "ATest" / "1").mkdir(parents=True)
    (directory / "ATest" / "1" / "a.log").write_bytes(b"x" * size)
    return directory


def removed(root: Path, limit: str) -> list[str]:
    """Return the ids of the sessions that are removed, after checking that nothing else is."""
    before = {path.name for path in root.iterdir()}
    ids = remove_old_sessions(str(root), Limit.parse(limit), [str(root / CURRENT)], LOGGER)
    assert before - {path.name for path in root.iterdir()} == set(ids)
    return ids


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("20", Limit(sessions=20)),
        ("14d", Limit(days=14)),
        ("5GB", Limit(size=5_000_000_000)),
        ("1.5tb", Limit(size=1_500_000_000_000)),
        (" 500MB ", Limit(size=500_000_000)),
    ],
)
def test_a_limit_is_a_number_an_age_or_a_size(text: str, limit: Limit) -> None:
    assert Limit.parse(text) == limit


@pytest.mark.parametrize("text", ["", "0", "0d", "0GB", "-1", "1.5", "1.5d", "5 GB", "5G", "all", "٣", "1e3"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a number of sessions \(20\), days \(14d\) or bytes"):
        Limit.parse(text)


def test_the_oldest_sessions_beyond_a_number_are_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(1, 10):
        session(tmp_path, f"2026-11-22--{number:03d}")
    with caplog.at_level(logging.INFO):
        assert removed(tmp_path, "8") == ["2026-11-22--001"]
        assert removed(tmp_path, "2") == [f"2026-11-22--{number:03d}" for number in (7, 6, 5, 4, 3, 2)]
        assert removed(tmp_path, "2") == []
    assert [record.getMessage() for record in caplog.records] == [
        "Removed 1 old session: 2026-11-22--001",
        f"Removed 6 old sessions: {', '.join(f'2026-11-22--{number:03d}' for number in (7, 6, 5, 4, 3))} and 1 more",
    ]


def test_sessions_of_days_before_are_removed(tmp_path: Path) -> None:
    today = datetime.date.today()
    days = {age: (today - datetime.timedelta(days=age)).isoformat() for age in (0, 1, 2, 3, 400)}
    for day in days.values():
        session(tmp_path, f"{day}--001")
    assert removed(tmp_path, "2d") == [f"{days[3]}--001", f"{days[400]}--001"]
    assert removed(tmp_path, "99999999999999d") == []


def test_the_oldest_sessions_beyond_a_size_are_removed(tmp_path: Path) -> None:
    for number in (1, 2, 3, 9):
        session(tmp_path, f"2026-11-22--{number:03d}", size=40_000)
    (tmp_path / "2026-11-22--003" / "link").symlink_to("/")
    assert removed(tmp_path, "150KB") == ["2026-11-22--001"]
    assert removed(tmp_path, "10KB") == ["2026-11-22--003", "2026-11-22--002"]


def test_what_must_not_be_removed_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tmp_path / "results"
    session(root, CURRENT)
    session(root, "2026-11-21--001")
    (root / "latest").symlink_to("2026-11-21--001")
    (session(root, "2026-11-21--002") / "keep").touch()
    (session(root, "2026-11-21--003") / "keep").symlink_to("nowhere")
    session(root, "2026-11-21--004", ended=False)
    elsewhere = session(tmp_path / "elsewhere", "2026-11-21--005")
    (root / "2026-11-21--005").symlink_to(elsewhere)
    (root / "2026-11-21--006").write_text("a file")
    (root / "2026-11-21--007").mkdir()
    (root / "2026-11-21--007" / "data.txt").touch()
    (root / "2026-11-21--008").mkdir()
    (root / "2026-11-21--008" / "session_log.info").touch()  # it may be just beginning
    (root / "2026-11-21--009").mkdir()
    for name in ("2026-11-21--001-copy", "notes", ".hidden"):
        session(root, name)

    assert removed(root, "1") == []
    assert (elsewhere.is_dir(), caplog.text) == (True, "")

    for name in ("2026-11-21--004/journal.jsonl", "2026-11-21--008"):
        os.utime(root / name, times=(0, time.time() - 25 * 3600))
    assert removed(root, "1") == ["2026-11-21--004", "2026-11-21--008"]


def test_a_session_that_is_written_or_reported_stays(tmp_path: Path) -> None:
    old = session(tmp_path, "2026-11-21--001")
    session(tmp_path, CURRENT)
    journal = Journal(str(old), resume=True)
    os.utime(old / "journal.jsonl", times=(0, 0))
    assert removed(tmp_path, "1") == []
    journal.close()
    with locked_directory(str(old)):
        assert removed(tmp_path, "1") == []
    (old / "ATest" / "outside").symlink_to(tmp_path / CURRENT)
    assert removed(tmp_path, "1") == ["2026-11-21--001"]
    assert (tmp_path / CURRENT / "journal.jsonl").exists()


def test_a_session_that_cannot_be_removed_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    for name in ("2026-11-21--001", CURRENT):
        session(tmp_path, name)
    monkeypatch.setattr("shutil.rmtree", fail)
    assert removed(tmp_path, "1") == []
    assert "Could not remove the old session" in caplog.text
    assert remove_old_sessions(str(tmp_path / "absent"), Limit(1), [str(tmp_path / CURRENT)], LOGGER) == []
