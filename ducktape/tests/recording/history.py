# SPDX-License-Identifier: Apache-2.0
"""Sessions compared with earlier ones: which failures are new, which tests are flaky.

A *verdict* of a test is an outcome that says something about it: not that a mark skipped it, nor that the run was
interrupted. A failure is *known* if the verdict before was a failure, too, and *new* otherwise. A test is *flaky* if
one of its last 10 verdicts is FLAKY (or differs within a session), or if it changed between passing and failing three
times within these: a test that broke and was repaired has changed twice. The *flake rate* is the share of its last 20
verdicts that are FLAKY or different from the one before.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import logging
import os
import statistics
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ducktape.command_line.defaults import SESSION_ID
from ducktape.tests.recording.outcomes import PastOutcome, SessionOutcomes, bounded_id, outcomes_below
from ducktape.tests.recording.trends import Trend, Trends
from ducktape.utils.support.guard import tolerated
from ducktape.utils.support.text import short_text

if TYPE_CHECKING:
    from ducktape.tests.result import TestResults

logger = logging.getLogger(__name__)

NEW, KNOWN, FLAKY, FIXED = "new", "known", "flaky", "fixed"
KINDS = (NEW, KNOWN, FLAKY, FIXED)

_VERDICTS_FOR_FLAKINESS = 10
_CHANGES_OF_FLAKY = 3
_VERDICTS_FOR_RATE = 20
_SIGNS = {"PASS": ".", "FAIL": "F", "FLAKY": "f", "IGNORE": "-"}
_ABSENT = " "


@dataclasses.dataclass
class Changes:
    """A session compared with those before it.

    Attributes:
        since: id of the newest earlier session that ran some of the same tests; empty if there is none.
        kinds: of the tests that are worth a word, by id: all failures, flaky tests, and tests that pass again.
        other_cause: the known failures that had another cause before.
        trends: of the durations and metrics of its tests.
    """

    session: SessionOutcomes
    since: str = ""
    kinds: dict[str, str] = dataclasses.field(default_factory=dict)
    other_cause: set[str] = dataclasses.field(default_factory=set)
    trends: Trends = dataclasses.field(default_factory=Trends, repr=False, compare=False)

    def kind(self, test_id: str) -> str:
        """Return the kind of a test; empty if there is no session to compare with, or nothing to say."""
        return self.kinds.get(bounded_id(test_id), "") if self.since else ""

    def has_other_cause(self, test_id: str) -> bool:
        """Return whether a test failed before for another cause."""
        return bounded_id(test_id) in self.other_cause

    def of_kind(self, kind: str) -> list[str]:
        """Return the tests of a kind, in the order of their names."""
        return sorted(test_id for test_id, found in self.kinds.items() if found == kind)

    @functools.cached_property
    def beyond(self) -> dict[str, list[Trend]]:
        """The trends of tests that show a change, by test, the largest change first."""
        return self.trends.beyond(self.session.tests)

    @property
    def new_failures(self) -> int | None:
        """How many failures are new; ``None`` if there is no session to compare with."""
        return len(self.of_kind(NEW)) if self.since else None


@dataclasses.dataclass(frozen=True)
class TestHistory:
    """The outcomes of one test, oldest first, each with the number of its session."""

    __test__ = False

    test_id: str
    outcomes: Sequence[tuple[int, PastOutcome]]

    @property
    def verdicts(self) -> list[PastOutcome]:
        """The outcomes that say something about the test."""
        return [outcome for _, outcome in self.outcomes if outcome.is_verdict]

    @property
    def is_flaky(self) -> bool:
        """Whether the test is flaky by the definition above."""
        return _is_flaky(self.verdicts[-_VERDICTS_FOR_FLAKINESS:])

    @property
    def flake_rate(self) -> float:
        """The share of the last verdicts that are FLAKY or different from the one before; 0 without verdicts."""
        pairs = list(itertools.pairwise([None, *self.verdicts]))[-_VERDICTS_FOR_RATE:]
        flakes = [
            now is not None and (_is_flake(now) or (before is not None and before.is_failure != now.is_failure))
            for before, now in pairs
        ]
        return sum(flakes) / len(flakes) if flakes else 0.0

    @property
    def median_seconds(self) -> float | None:
        """The median duration of the last runs that passed."""
        passed = [outcome.seconds for outcome in self.verdicts if not outcome.is_failure]
        return statistics.median(passed[-_VERDICTS_FOR_RATE:]) if passed else None

    def signs(self, first: int, end: int) -> str:
        """Return a sign for each session from ``first`` to before ``end``: ``.`` passed, ``F`` failed, ``f`` flaky."""
        signs = {number: sign_of(outcome) for number, outcome in self.outcomes if first <= number < end}
        return "".join(signs.get(number, _ABSENT) for number in range(first, end))


class History:
    """Sessions, oldest first, each compared with those before it."""

    def __init__(self, sessions: Iterable[SessionOutcomes]) -> None:
        self.sessions = list(sessions)
        self._tests: dict[str, list[tuple[int, PastOutcome]]] = {}
        self._changes = {session.session_id: self._add(number, session) for number, session in enumerate(self.sessions)}

    def changes(self, session_id: str) -> Changes | None:
        """Return how a session compares with those before it; ``None`` if it is not among them."""
        return self._changes.get(session_id)

    def test(self, test_id: str) -> TestHistory:
        """Return the outcomes of a test; empty if it is not known."""
        return TestHistory(test_id, self._tests.get(test_id, []))

    def trends(self, test_id: str) -> list[Trend]:
        """Return the trends of a test up to the last session in which it took part."""
        past = self._tests.get(test_id)
        return Trends(self.sessions, past[-1][0], self._tests).of(test_id) if past else []

    @property
    def test_ids(self) -> list[str]:
        """The names of all tests, sorted."""
        return sorted(self._tests)

    def _add(self, number: int, session: SessionOutcomes) -> Changes:
        changes = Changes(session, trends=Trends(self.sessions, number, self._tests))
        newest = -1
        for test_id, outcome in session.tests.items():
            past = self._tests.setdefault(test_id, [])
            if past:
                newest = max(newest, past[-1][0])
            past.append((number, outcome))
            # Nearly all outcomes are like this, and there may be hundreds of thousands
            if outcome.status == "PASS" and (len(past) == 1 or past[-2][1].status == "PASS"):
                continue
            if outcome.is_verdict and (kind := _kind(past)):
                changes.kinds[test_id] = kind
                before = _before(past)
                if kind == KNOWN and before is not None and before.cause != outcome.cause:
                    changes.other_cause.add(test_id)
        if newest >= 0:
            changes.since = self.sessions[newest].session_id
        return changes


def remembered(
    results: TestResults, expected: int | None, seed: int | None, *, keep: bool = True, whole: bool = False
) -> History | None:
    """Compare a session that is over with those before it, and write its outcomes unless ``keep`` is false.

    Only its own tests are looked up in earlier sessions, unless the ``whole`` history is wanted. ``None`` if it ran
    nothing, if its directory does not have the name of a session, and so is not among others, or if something is wrong
    with the earlier ones: nothing there may cost the reports of this session.
    """
    found: list[History | None] = []
    with tolerated(lambda error: logger.warning("Could not compare with earlier sessions: %s", short_text(error))):
        found.append(_remembered(results, expected, seed, keep=keep, whole=whole))
    return found[0] if found else None


def _remembered(
    results: TestResults, expected: int | None, seed: int | None, *, keep: bool, whole: bool
) -> History | None:
    directory = results.session_context.results_dir
    outcomes = SessionOutcomes.of(results, expected, seed)
    if not outcomes.tests or not SESSION_ID.fullmatch(outcomes.session_id):
        return None
    if keep:
        with contextlib.suppress(OSError):  # they can be made again from the journal
            outcomes.write(directory)
    only = None if whole else outcomes.tests
    return History(outcomes_below(os.path.dirname(directory), outcomes, keep=keep, only=only))


def sign_of(outcome: PastOutcome) -> str:
    """Return one character for an outcome."""
    return _SIGNS[outcome.status] if not outcome.mixed else _SIGNS["FLAKY"]


def _kind(past: Sequence[tuple[int, PastOutcome]]) -> str:
    """Return the kind of the last outcome in a row, which is a verdict; empty if it is not worth a word."""
    outcome, before = past[-1][1], _before(past)
    recent = [each for _, each in past[-2 * _VERDICTS_FOR_FLAKINESS :] if each.is_verdict]
    is_flaky = _is_flaky(recent[-_VERDICTS_FOR_FLAKINESS:])
    if _is_flake(outcome) or (is_flaky and outcome.is_failure):
        return FLAKY
    if outcome.is_failure:
        return KNOWN if before is not None and before.is_failure else NEW
    return FIXED if before is not None and before.is_failure and not is_flaky else ""


def _before(past: Sequence[tuple[int, PastOutcome]]) -> PastOutcome | None:
    """Return the verdict before the last outcome."""
    return next((outcome for _, outcome in reversed(past[:-1]) if outcome.is_verdict), None)


def _is_flake(outcome: PastOutcome) -> bool:
    return outcome.status == "FLAKY" or outcome.mixed


def _is_flaky(verdicts: Sequence[PastOutcome]) -> bool:
    changes = sum(one.is_failure != other.is_failure for one, other in itertools.pairwise(verdicts))
    return changes >= _CHANGES_OF_FLAKY or any(map(_is_flake, verdicts))
