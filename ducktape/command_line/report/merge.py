# SPDX-License-Identifier: Apache-2.0
"""``ducktape report --merge``: one report of sessions that ran parts of the same tests."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ducktape.command_line.report.files import counts, locked_target, write_files
from ducktape.errors import DucktapeError
from ducktape.tests.recording.history import Changes, remembered
from ducktape.tests.recording.merged import merge
from ducktape.tests.recording.outcomes import seed_of
from ducktape.tests.recording.past_sessions import has_journal
from ducktape.tests.recording.state import RecordedSession
from ducktape.tests.reports.session_details import SessionDetails


def merge_to(target: str, directories: Sequence[str]) -> list[str]:
    """Write the reports of several sessions as one, and return a line for each failure."""
    if has_journal(target):
        raise DucktapeError(f"{target} is the directory of a session: name another one for --merge")
    os.makedirs(target, exist_ok=True)
    with locked_target(target):
        parts = [RecordedSession.read(directory) for directory in directories]
        merged = merge(parts, target)
        changes: Changes | None = None
        if not any(part.going_on for part in parts):
            # Below a root of their own, merged reports are compared like sessions
            history = remembered(merged.results, merged.expected, seed_of(parts[0].configuration))
            changes = None if history is None else history.changes(os.path.basename(target))
        details = SessionDetails.merged([part.results_dir for part in parts], merged.offsets, target)
        written, failures = write_files(target, merged.results, merged.expected, details, changes)
    number = "1 session" if len(parts) == 1 else f"{len(parts)} sessions"
    print("\n    ".join([f"Merged {number}: {counts(merged.results)}", *written]))
    return [*merged.problems, *failures]
