# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ducktape.tests.recording.history import History, remembered
from ducktape.tests.recording.outcomes import FILE_NAME, PastOutcome, SessionOutcomes
from tests.support import recorded
from tests.unit.tests.reports.samples import START, demo_results

STATUSES = {".": "PASS", "F": "FAIL", "f": "FLAKY", "-": "IGNORE", "i": "FAIL", "m": "FAIL"}


def outcome(sign: str, cause: str = "c") -> PastOutcome:
    """Return an outcome; ``i`` is an interrupted run, ``m`` one that failed and passed in the same session."""
    reason = "interrupted" if sign == "i" else "assertion" if sign in "Fm" else ""
    return PastOutcome(STATUSES[sign], 1.0, 1, reason, cause if sign in "Fim" else "", sign == "m")


def history(**tests: str) -> History:
    """Return the history of tests, each with a sign for every session; a blank if it did not take part."""
    [length] = {len(signs) for signs in tests.values()}
    sessions = []
    for number in range(length):
        found = {name: outcome(signs[number]) for name, signs in tests.items() if signs[number] != " "}
        sessions.append(a_session(number, found))
    return History(sessions)


def a_session(number: int, tests: Mapping[str, PastOutcome]) -> SessionOutcomes:
    return SessionOutcomes(f"2026-11-{number + 1:02d}--001", START + number, 10.0, len(tests), {}, tests)


@pytest.mark.parametrize(
    ("signs", "kind"),
    [
        (".F", "new"),
        (" F", "new"),
        ("-F", "new"),
        (".F-F", "known"),
        ("FF", "known"),
        ("F F", "known"),
        (".FiF", "known"),  # an interruption says nothing about the test
        (".Fi", ""),
        ("FFFi.", "fixed"),
        ("F-.", "fixed"),
        ("..", ""),
        (".-", ""),
        ("F", "new"),
        (".f", "flaky"),
        ("f.", ""),
        ("fF", "flaky"),
        (".m", "flaky"),
        ("F.F", "new"),  # broken, repaired, and broken again
        (".F.F", "flaky"),
        ("F.F.", ""),
        ("f.........F", "new"),  # the tenth verdict before does not count any more
        ("f........F", "flaky"),
    ],
)
def test_the_kind_of_a_test(signs: str, kind: str) -> None:
    found = history(a=signs, other="." * len(signs))
    newest = found.changes(found.sessions[-1].session_id)
    assert newest is not None
    assert newest.kinds == ({"a": kind} if kind else {})


def test_each_session_is_compared_with_the_newest_before_it_that_ran_some_of_its_tests() -> None:
    found = history(a=".FF ", b="F.. ", c="   F")
    since = [(each.since, each.new_failures) for each in map(found.changes, names(found)) if each is not None]
    assert since == [("", None), ("2026-11-01--001", 1), ("2026-11-02--001", 0), ("", None)]
    second = found.changes("2026-11-02--001")
    assert second is not None
    assert (second.of_kind("new"), second.of_kind("fixed"), second.session) == (["a"], ["b"], found.sessions[1])
    assert found.changes("2026-12-01--001") is None


def test_a_known_failure_with_another_cause_than_before_is_marked() -> None:
    tests = [{"a": outcome("F", "x"), "b": outcome("F", "y")}, {"a": outcome("F", "z"), "b": outcome("F", "y")}]
    newest = History(a_session(number, each) for number, each in enumerate(tests)).changes("2026-11-02--001")
    assert newest is not None
    assert (newest.of_kind("known"), newest.other_cause) == (["a", "b"], {"a"})


@pytest.mark.parametrize(
    ("signs", "rate", "is_flaky"),
    [
        ("....", 0, False),
        ("..FF", 0.25, False),
        (".F.F", 0.75, True),
        ("fffff", 1, True),
        ("-i ", 0, False),
        ("." + "F." * 15, 1, True),
        ("F" + "." * 20, 0.05, False),
        ("F." + "." * 20, 0, False),
    ],
)
def test_the_flake_rate_is_the_share_of_flaky_and_changed_verdicts(signs: str, rate: float, is_flaky: bool) -> None:
    test = history(a=signs).test("a")
    assert (test.flake_rate, test.is_flaky) == (rate, is_flaky)


def test_the_course_of_a_test_has_a_sign_for_each_session() -> None:
    found = history(a=".Ff- m", b="......")
    assert found.test("a").signs(0, 6) == ".Ff- f"
    assert found.test("a").signs(4, 6) == " f"
    assert (found.test("x").signs(0, 3), found.test("x").median_seconds, found.test_ids) == ("   ", None, ["a", "b"])


def test_the_median_is_that_of_runs_that_passed() -> None:
    times = [PastOutcome("PASS", 1.0), PastOutcome("FAIL", 100.0), PastOutcome("PASS", 3.0), PastOutcome("FLAKY", 7.0)]
    found = History(a_session(number, {"a": each}) for number, each in enumerate(times))
    assert found.test("a").median_seconds == 3.0


def test_a_session_that_is_over_is_kept_and_replaces_what_was_kept_of_it(tmp_path: Path) -> None:
    results = demo_results(recorded.session_of(tmp_path, "2026-11-22--001"))
    for seed in (1, 2):
        found = remembered(results, None, seed)
    assert found is not None
    assert [(each.session_id, each.seed) for each in found.sessions] == [("2026-11-22--001", 2)]
    assert SessionOutcomes.read(results.session_context.results_dir) == found.sessions[0]


def test_a_directory_that_does_not_have_the_name_of_a_session_is_not_among_others(tmp_path: Path) -> None:
    (tmp_path / "copied").mkdir()
    results = demo_results(tmp_path / "copied")
    assert remembered(results, None, None) is None
    assert not (tmp_path / "copied" / FILE_NAME).exists()


def names(found: History) -> list[str]:
    return [session.session_id for session in found.sessions]


def test_nothing_in_earlier_sessions_costs_the_reports_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("unexpected")

    monkeypatch.setattr("ducktape.tests.recording.history.outcomes_below", fail)
    assert remembered(demo_results(recorded.session_of(tmp_path, "2026-11-22--001")), None, None) is None
    assert caplog.messages == ["Could not compare with earlier sessions: RuntimeError: unexpected"]


def test_of_earlier_sessions_only_the_same_tests_are_looked_up_unless_all_are_wanted(tmp_path: Path) -> None:
    earlier = tmp_path / "2026-11-21--001"
    earlier.mkdir()
    results = demo_results(recorded.session_of(tmp_path, "2026-11-22--001"))
    failed = next(result.test_id for result in results if result.test_status == "FAIL")
    tests = {failed: outcome("F"), "another": outcome("F")}
    SessionOutcomes(earlier.name, START, 1.0, 2, {"FAIL": 2}, tests).write(str(earlier))
    for whole in (False, True):
        found = remembered(results, None, None, whole=whole)
        assert found is not None
        changes = found.changes("2026-11-22--001")
        assert changes is not None
        assert (changes.since, changes.kind(failed)) == (earlier.name, "known")
        assert ("another" in found.test_ids) is whole
