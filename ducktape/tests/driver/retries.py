# SPDX-License-Identifier: Apache-2.0
"""What several attempts at one test come to: pure functions, used where the test ran and where it died."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from ducktape.tests.event import AttemptRecord, Outcome
from ducktape.tests.status import FAIL, FLAKY, IGNORE, PASS, TestStatus, status_named

PASSED = "Test Passed"
# A failure of these kinds is not what anybody expected of a test that is marked so.
_NEVER_EXPECTED = ("infrastructure", "interrupted")


@dataclasses.dataclass(frozen=True)
class Plan:
    """How often a test is to be run.

    Attributes:
        deflake: most runs while it keeps failing.
        detect_flakes: so many runs whatever comes of them; ``None`` for a plain run.
        retry_infrastructure: most further runs because of the infrastructure.
        expected_failure: why the test is expected to fail; ``None`` if it is not.
    """

    deflake: int = 1
    detect_flakes: int | None = None
    retry_infrastructure: int = 0
    expected_failure: str | None = None

    @property
    def is_single(self) -> bool:
        """Whether there can be but one run."""
        return self.deflake <= 1 and self.detect_flakes is None and self.retry_infrastructure == 0

    def wants_more(self, records: Sequence[AttemptRecord]) -> bool:
        """Return whether another attempt is to follow.

        Args:
            records: the attempts so far, one at least.
        """
        last = records[-1]
        if last.reason == "interrupted" or last.status == IGNORE:
            return False
        if self.blames_infrastructure(records):
            return True
        runs = len(counted(records, self))
        if self.detect_flakes is not None:
            return runs < self.detect_flakes
        return last.status == FAIL and runs < self.deflake and self.expected_failure is None

    def blames_infrastructure(self, records: Sequence[AttemptRecord]) -> bool:
        """Return whether the next attempt is owed to the infrastructure."""
        failures = sum(record.reason == "infrastructure" for record in records)
        return records[-1].reason == "infrastructure" and failures <= self.retry_infrastructure

    def most_runs(self, records: Sequence[AttemptRecord]) -> int:
        """Return the number of the last run that can follow, those included that are forgiven.

        Args:
            records: the attempts so far.
        """
        failures = sum(record.reason == "infrastructure" for record in records)
        return (self.detect_flakes or max(1, self.deflake)) + min(failures, self.retry_infrastructure)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What became of a test as a whole.

    Attributes:
        status: of the test.
        summary: text for people.
        reason: why it failed, ``None`` unless it did.
        runs: how many runs passed and failed, where that was asked for.
    """

    status: TestStatus
    summary: str
    reason: str | None
    runs: dict[str, int] | None = None


def counted(records: Sequence[AttemptRecord], plan: Plan) -> list[AttemptRecord]:
    """Return the attempts that say something of the test: all but those that were repeated for the infrastructure.

    Args:
        records: all attempts.
        plan: how often the test was to be run.
    """
    forgiven = plan.retry_infrastructure
    kept = []
    for record in records[:-1]:
        if record.reason == "infrastructure" and forgiven > 0:
            forgiven -= 1
        else:
            kept.append(record)
    return [*kept, *records[-1:]]


def verdict(records: Sequence[AttemptRecord], plan: Plan) -> Verdict:
    """Return what the attempts at a test come to.

    Args:
        records: all of them, in order, one at least.
        plan: how often the test was to be run.
    """
    runs = counted(records, plan)
    last = runs[-1]
    if plan.detect_flakes is not None:
        return _rate(runs, plan)
    status = status_named(last.status)
    if status == PASS and len(runs) > 1:
        status = FLAKY
    failed = [run for run in runs if run.status == FAIL]
    lines = run_summaries(
        [run.summary.split("\n") for run in failed],
        status,
        plan.deflake,
        numbers=[run.number for run in failed],
        passing=last.number,
    )
    if last.status == PASS and last.summary:
        lines = ([] if status == PASS else lines) + last.summary.split("\n")
    if status == IGNORE:
        lines = last.summary.split("\n")
    return _expected(Verdict(status, "\n".join(lines), last.reason if status == FAIL else None), plan)


def outcome_of(
    found: Verdict, records: Sequence[AttemptRecord], *, data: Any, stop_time: float, nodes_used: int
) -> Outcome:
    """Return a verdict in the form in which it travels and is recorded.

    Args:
        found: the verdict.
        records: the attempts that it is about.
        data: what the test returned.
        stop_time: Unix seconds.
        nodes_used: largest number of nodes that services held at one time.
    """
    return Outcome(
        status=str(found.status),
        summary=found.summary,
        data=data,
        start_time=records[-1].start_time,
        stop_time=stop_time,
        nodes_used=nodes_used,
        services=[service for record in records for service in record.services],
        reason=found.reason,
        teardown_errors=[error for record in records for error in record.teardown_errors],
        attempts=[record.to_json() for record in records] if len(records) > 1 else [],
        runs=found.runs,
    )


def _rate(runs: Sequence[AttemptRecord], plan: Plan) -> Verdict:
    """Return what many runs of one test say about it."""
    failed = [run for run in runs if run.status == FAIL]
    passed = sum(run.status == PASS for run in runs)
    if runs[-1].reason == "interrupted":
        # What was cut off has no rate
        return Verdict(FAIL, runs[-1].summary, "interrupted", _rates(passed, failed[:-1]))
    if not failed:
        status = PASS if passed else IGNORE
        summary = f"passed {passed} of {len(runs)} runs" if passed else runs[-1].summary
        return _expected(Verdict(status, summary, None, _rates(passed, failed)), plan)
    status = FLAKY if passed else FAIL
    lines = [f"passed {passed} of {len(runs)} runs", ""]
    lines += run_summaries(
        [run.summary.split("\n") for run in failed], FAIL, len(runs), numbers=[run.number for run in failed]
    )
    reason = failed[-1].reason if status == FAIL else None
    return _expected(Verdict(status, "\n".join(lines), reason, _rates(passed, failed)), plan)


def _rates(passed: int, failed: Sequence[AttemptRecord]) -> dict[str, int]:
    return {"passed": passed, "failed": len(failed)}


def _expected(found: Verdict, plan: Plan) -> Verdict:
    """Turn the verdict on a test that is expected to fail around."""
    why = plan.expected_failure
    if why is None:
        return found
    if found.status == FAIL and found.reason not in _NEVER_EXPECTED:
        return Verdict(IGNORE, f"Expected failure: {why}\n\n{found.summary}", None, found.runs)
    if found.status == PASS:
        text = f"The test passed, and is marked as one that is expected to fail: {why}"
        return Verdict(FAIL, text, "assertion", found.runs)
    return found


def run_summaries(
    summaries: Sequence[Sequence[str]],
    status: TestStatus,
    most_runs: int,
    *,
    numbers: Sequence[int] | None = None,
    passing: int | None = None,
) -> list[str]:
    """Combine what the failed runs of a test said.

    Args:
        summaries: the lines of every failed run, in order.
        status: of the test as a whole.
        most_runs: how many runs there could be; with one there is nothing to tell apart.
        numbers: of these runs; 1, 2, … by default.
        passing: number of the run that passed, if the test is flaky; the next one by default.

    Returns:
        The lines of one text; runs that said the same share a paragraph.
    """
    if not summaries:
        return [PASSED]
    if most_runs <= 1:
        return list(summaries[0])
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, lines in zip(numbers or range(1, len(summaries) + 1), summaries, strict=True):
        groups.setdefault(tuple(lines), []).append(number)
    paragraphs = [[_runs_heading(found), *lines] for lines, found in groups.items()]
    if status == FLAKY:
        paragraphs.append([f"run {passing or len(summaries) + 1}: PASSED"])
    text: list[str] = []
    for paragraph in paragraphs:
        if text:
            text.append("~" * max(len(line) for line in text))
        text.extend(paragraph)
    return text


def _runs_heading(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"run {numbers[0]} summary:"
    return f"runs {', '.join(str(number) for number in numbers)} summary:"
