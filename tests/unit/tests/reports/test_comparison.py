# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from ducktape.tests.recording.history import Changes
from ducktape.tests.recording.outcomes import SessionOutcomes
from ducktape.tests.reports.comparison import label, news, session_verdict

SINCE = "2026-11-29--001"


def changes(failed: int, new: int, since: str = SINCE) -> Changes:
    counts = {"FAIL": failed, "PASS": 300 - failed}
    session = SessionOutcomes("2026-11-30--001", 1.0, 1.0, 301, counts, {})
    kinds = {f"t{number}": "new" if number < new else "known" for number in range(failed)}
    return Changes(session, since, kinds, {"t9"})


@pytest.mark.parametrize(
    ("failed", "new", "words"),
    [
        (7, 3, f"3 of them new since {SINCE}"),
        (7, 7, f"all of them new since {SINCE}"),
        (7, 0, f"none of them new since {SINCE}"),
        (1, 1, f"new since {SINCE}"),
        (1, 0, f"not new since {SINCE}"),
    ],
)
def test_how_many_failures_are_new(failed: int, new: int, words: str) -> None:
    assert news(changes(failed, new)) == words
    name = "tests" if failed else "test"
    assert session_verdict(changes(failed, new)) == f"{failed} of 301 {name} failed, {words}, 1 did not run"


def test_without_an_earlier_session_nothing_is_new() -> None:
    first = changes(7, 7, since="")
    assert (news(first), news(None), label(first, "t1"), label(None, "t1")) == ("", "", "", "")
    assert session_verdict(first) == "7 of 301 tests failed, 1 did not run"


def test_the_label_of_a_test() -> None:
    found = changes(10, 1)
    assert [label(found, name) for name in ("t0", "t1", "t9", "x")] == ["new", "known", "known, other cause", ""]
