# SPDX-License-Identifier: Apache-2.0
"""The outcome of a test from its attempts: pure functions, used where the test ran and where it died."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ducktape.tests.event import Attempt, Outcome
from ducktape.tests.status import FAIL, FLAKY, IGNORE, PASS, TestStatus, status_named

PASSED = "Test Passed"
# A failure of these kinds is not what anybody expected of a test that is marked so.
_NEVER_EXPECTED = ("infrastructure", "interrupted")


@dataclasses.dataclass(frozen=True)
class Plan:
    """How often a test is to be run."""

    deflake: int = 1  # most runs while it keeps failing
    detect_flakes: int | None = None  # number of runs, whatever their outcomes
    retry_infrastructure: int = 0  # most further runs because of the infrastructure
    expected_failure: str | None = None  # why the test is expected to fail

    @property
    def is_single(self) -> bool:
        """Whether there can be but one run."""
        return self.deflake <= 1 and self.detect_flakes is None and self.retry_infrastructure == 0

    def wants_more(self, records: Sequence[Attempt]) -> bool:
        """Return whether another attempt is to follow."""
        last = records[-1]
        if last.reason == "interrupted" or last.status == IGNORE:
            return False
        if self.blames_infrastructure(records):
            return True
        runs = len(counted(records, self))
        if self.detect_flakes is not None:
            return runs < self.detect_flakes
        return last.status == FAIL and runs < self.deflake and self.expected_failure is None

    def blames_infrastructure(self, records: Sequence[Attempt]) -> bool:
        """Return whether the next attempt is owed to the infrastructure."""
        failures = sum(record.reason == "infrastructure" for record in records)
        return records[-1].reason == "infrastructure" and failures <= self.retry_infrastructure

    def most_runs(self, records: Sequence[Attempt]) -> int:
        """Return the number of the last run that can follow, those included that are forgiven."""
        failures = sum(record.reason == "infrastructure" for record in records)
        return (self.detect_flakes or max(1, self.deflake)) + min(failures, self.retry_infrastructure)


def keeps(keep: str | None, status: str, reason: str | None, earlier: Sequence[Attempt], plan: Plan) -> bool:
    """Return whether the nodes of a test are kept if its next attempt ends like this; ``keep`` is the option."""
    if keep is None:
        return False
    last = Attempt(status, "", None, 0, 0, 0, [], reason, number=len(earlier) + 1)
    attempts = [*earlier, last]
    if plan.wants_more(attempts):
        return False
    outcome = outcome_of(attempts, plan, stop_time=0)
    return outcome.status == FAIL or (keep == "always" and outcome.status in (PASS, FLAKY))


def counted(records: Sequence[Attempt], plan: Plan) -> list[Attempt]:
    """Return the attempts that say something of the test: all but those that were repeated for the infrastructure."""
    forgiven = plan.retry_infrastructure
    kept = []
    for record in records[:-1]:
        if record.reason == "infrastructure" and forgiven > 0:
            forgiven -= 1
        else:
            kept.append(record)
    return [*kept, *records[-1:]]


def outcome_of(
    attempts: Sequence[Attempt],
    plan: Plan,
    *,
    stop_time: float,
    data: object = None,
    nodes_used: int = 0,
    faults: Sequence[dict[str, object]] = (),
) -> Outcome:
    """Return the outcome of a test from its attempts."""
    outcome = Outcome(
        status=attempts[-1].status,
        summary=attempts[-1].summary,
        data=data,
        start_time=attempts[-1].start_time,
        stop_time=stop_time,
        nodes_used=nodes_used,
        services=[service for attempt in attempts for service in attempt.services],
        reason=attempts[-1].reason,
        teardown_errors=[error for attempt in attempts for error in attempt.teardown_errors],
        attempts=[attempt.to_json() for attempt in attempts] if len(attempts) > 1 else [],
        faults=list(faults),
        metrics=attempts[-1].metrics,
        node_metrics=attempts[-1].node_metrics,
        findings=[finding for attempt in attempts for finding in attempt.findings],
    )
    runs = counted(attempts, plan)
    if plan.detect_flakes is not None:
        return _rated(outcome, runs, plan)
    return _expected(_deflaked(outcome, runs, plan), plan)


def _deflaked(outcome: Outcome, runs: Sequence[Attempt], plan: Plan) -> Outcome:
    """Return the outcome of a test that is run until it passes."""
    last = runs[-1]
    if last.status == IGNORE:
        return dataclasses.replace(outcome, reason=None)
    if last.status == FAIL or len(runs) == 1:
        status = status_named(last.status)
    else:
        status = FLAKY
    lines = _summaries_of(runs, status, plan.deflake, passing=last.number)
    if last.status == PASS and last.summary:
        lines = ([] if status == PASS else lines) + last.summary.split("\n")
    reason = last.reason if status == FAIL else None
    return dataclasses.replace(outcome, status=str(status), summary="\n".join(lines), reason=reason)


def _rated(outcome: Outcome, runs: Sequence[Attempt], plan: Plan) -> Outcome:
    """Return the outcome of a test that is run again and again to see how often it passes."""
    failed = [run for run in runs if run.status == FAIL]
    passed = sum(run.status == PASS for run in runs)
    if outcome.reason == "interrupted":
        # What was cut off has no rate
        return dataclasses.replace(outcome, runs={"passed": passed, "failed": len(failed) - 1})
    outcome = dataclasses.replace(outcome, reason=None, runs={"passed": passed, "failed": len(failed)})
    rate = f"passed {passed} of {len(runs)} runs"
    if not failed:
        if passed:
            outcome = dataclasses.replace(outcome, status=str(PASS), summary=rate)
        return _expected(outcome, plan)
    summary = "\n".join([rate, "", *_summaries_of(runs, FAIL, len(runs))])
    if passed:
        return _expected(dataclasses.replace(outcome, status=str(FLAKY), summary=summary), plan)
    return _expected(dataclasses.replace(outcome, status=str(FAIL), summary=summary, reason=failed[-1].reason), plan)


def _expected(outcome: Outcome, plan: Plan) -> Outcome:
    """Turn the outcome of a test that is expected to fail around."""
    why = plan.expected_failure
    if why is not None and outcome.status == FAIL and outcome.reason not in _NEVER_EXPECTED:
        summary = f"Expected failure: {why}\n\n{outcome.summary}"
        return dataclasses.replace(outcome, status=str(IGNORE), summary=summary, reason=None)
    if why is not None and outcome.status == PASS:
        summary = f"The test passed, and is marked as one that is expected to fail: {why}"
        return dataclasses.replace(outcome, status=str(FAIL), summary=summary, reason="assertion")
    return outcome


def _summaries_of(
    runs: Sequence[Attempt], status: TestStatus, most_runs: int, *, passing: int | None = None
) -> list[str]:
    failed = [run for run in runs if run.status == FAIL]
    texts = [run.summary.split("\n") for run in failed]
    return run_summaries(texts, status, most_runs, numbers=[run.number for run in failed], passing=passing)


def run_summaries(
    summaries: Sequence[Sequence[str]],
    status: TestStatus,
    most_runs: int,
    *,
    numbers: Sequence[int] | None = None,
    passing: int | None = None,
) -> list[str]:
    """Combine what the failed runs of a test said."""
    if not summaries:
        return [PASSED]
    if most_runs <= 1:
        return list(summaries[0])
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, lines in zip(numbers or range(1, len(summaries) + 1), summaries, strict=True):
        groups.setdefault(tuple(lines), []).append(number)
    paragraphs = [
        [f"run{'s' if len(found) > 1 else ''} {', '.join(map(str, found))} summary:", *lines]
        for lines, found in groups.items()
    ]
    if status == FLAKY:
        paragraphs.append([f"run {passing or len(summaries) + 1}: PASSED"])
    text: list[str] = []
    for paragraph in paragraphs:
        if text:
            text.append("~" * max(len(line) for line in text))
        text.extend(paragraph)
    return text
