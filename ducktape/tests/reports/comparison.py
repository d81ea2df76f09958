# SPDX-License-Identifier: Apache-2.0
"""The words for what changed since earlier sessions, in every report the same."""

from __future__ import annotations

from collections.abc import Iterator

from ducktape.tests.recording.history import FIXED, FLAKY, KNOWN, NEW, Changes
from ducktape.tests.reports.text import verdict_text

_NAMES = {NEW: "new", KNOWN: "still failing", FLAKY: "flaky", FIXED: "fixed"}
_MOST = 10


def news(changes: Changes | None) -> str:
    """Return how many failures are new, such as ``3 of them new since 2026-11-29--001``; empty if that is unknown."""
    if changes is None or changes.new_failures is None:
        return ""
    failed, new = changes.session.count("FAIL"), changes.new_failures
    number = f"{new:,} of them" if 0 < new < failed else "none of them" if failed > 1 and not new else ""
    number = number or ("not" if not new else "all of them" if failed > 1 else "")
    return f"{number} new since {changes.since}".strip()


def session_verdict(changes: Changes) -> str:
    """Return in words how a session went, and how many failures are new."""
    session = changes.session
    return verdict_text(
        total=session.total,
        passed=session.count("PASS"),
        failed=session.count("FAIL"),
        flaky=session.count("FLAKY"),
        ignored=session.count("IGNORE"),
        news=news(changes),
    )


def label(changes: Changes | None, test_id: str) -> str:
    """Return the kind of a failure or of a flaky test in words; empty if there is nothing to compare it with."""
    if changes is None:
        return ""
    return "known, other cause" if changes.has_other_cause(test_id) else changes.kind(test_id)


def changed_tests(changes: Changes | None, most: int = _MOST) -> Iterator[tuple[str, str]]:
    """Yield a name for each kind of change, and a test; further tests of a kind have an empty name.

    Of each kind there are at most ``most``, and a last line that counts the others.
    """
    if changes is None or not changes.since:
        return
    for kind, name in _NAMES.items():
        tests = changes.of_kind(kind)
        for test_id in tests[:most]:
            yield name, f"{test_id} (other cause than before)" if test_id in changes.other_cause else test_id
            name = ""
        if len(tests) > most:
            yield "", f"… and {len(tests) - most:,} more"
