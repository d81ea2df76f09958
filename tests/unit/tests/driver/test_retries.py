# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ducktape.tests.driver.retries import Plan, counted, keeps, outcome_of, run_summaries
from ducktape.tests.event import Attempt
from ducktape.tests.status import FAIL, FLAKY, IGNORE, PASS, TestStatus, status_named

REASONS = ("assertion", "error", "timeout", "crash", "infrastructure", "interrupted")
# One letter for what an attempt came to
_KINDS: dict[str, tuple[str, str | None]] = {
    "P": ("pass", None),
    "S": ("ignore", None),
    "A": ("fail", "assertion"),
    "E": ("fail", "error"),
    "T": ("fail", "timeout"),
    "C": ("fail", "crash"),
    "I": ("fail", "infrastructure"),
    "X": ("fail", "interrupted"),
}


def attempt(number: int, kind: str) -> Attempt:
    status, reason = _KINDS[kind]
    summary = {"pass": "", "ignore": "Skipped: not here"}.get(status, f"{reason} in run {number}")
    return Attempt(
        number=number,
        status=status,
        reason=reason,
        summary=summary,
        data=None,
        nodes_used=0,
        start_time=number * 10.0,
        stop_time=number * 10.0 + 5,
        nodes=[f"node{number}"],
        teardown_errors=[],
        services=[{"service_id": f"S-{number}"}],
        directory=f"attempt-{number}",
    )


def attempts(kinds: str) -> list[Attempt]:
    return [attempt(number, kind) for number, kind in enumerate(kinds, start=1)]


class Verdict(NamedTuple):
    """What attempts decide of an outcome."""

    status: TestStatus
    summary: str
    reason: str | None
    runs: dict[str, int] | None = None


def verdict(attempts: Sequence[Attempt], plan: Plan) -> Verdict:
    outcome = outcome_of(attempts, plan, stop_time=0)
    return Verdict(status_named(outcome.status), outcome.summary, outcome.reason, outcome.runs)


def found(kinds: str, **plan: object) -> tuple[TestStatus, str | None]:
    result = verdict(attempts(kinds), Plan(**plan))  # type: ignore[arg-type]
    return result.status, result.reason


def run_to_the_end(plan: Plan, kinds: Sequence[str]) -> str:
    """What a test is run to that comes to these, the last one again and again."""
    records: list[Attempt] = []
    most = plan.deflake + (plan.detect_flakes or 0) + plan.retry_infrastructure + 2
    done = ""
    while not records or plan.wants_more(records):
        kind = kinds[min(len(records), len(kinds) - 1)]
        records.append(attempt(len(records) + 1, kind))
        done += kind
        assert len(records) <= most, "it does not end"
    return done


# --- how often


@pytest.mark.parametrize(
    ("plan", "comes_to", "expected"),
    [
        (Plan(), "P", "P"),
        (Plan(), "A", "A"),
        (Plan(), "I", "I"),
        (Plan(deflake=0), "A", "A"),
        (Plan(deflake=3), "P", "P"),
        (Plan(deflake=3), "AP", "AP"),
        (Plan(deflake=3), "A", "AAA"),
        (Plan(deflake=3), "TCP", "TCP"),
        (Plan(deflake=3), "AS", "AS"),
        (Plan(deflake=3), "AX", "AX"),
        (Plan(deflake=3), "I", "III"),
        (Plan(deflake=3, expected_failure="known"), "A", "A"),
        (Plan(detect_flakes=4), "P", "PPPP"),
        (Plan(detect_flakes=4), "A", "AAAA"),
        (Plan(detect_flakes=4), "I", "IIII"),
        (Plan(detect_flakes=4), "PS", "PS"),
        (Plan(detect_flakes=4), "PX", "PX"),
        (Plan(detect_flakes=1), "P", "P"),
        (Plan(detect_flakes=3, deflake=5), "A", "AAA"),
        (Plan(retry_infrastructure=2), "P", "P"),
        (Plan(retry_infrastructure=2), "A", "A"),
        (Plan(retry_infrastructure=2), "IP", "IP"),
        (Plan(retry_infrastructure=2), "IA", "IA"),
        (Plan(retry_infrastructure=2), "I", "III"),
        (Plan(retry_infrastructure=2, expected_failure="known"), "IIA", "IIA"),
        (Plan(retry_infrastructure=1, deflake=2), "IAIP", "IAI"),
        (Plan(retry_infrastructure=1, deflake=3), "IAIP", "IAIP"),
        (Plan(retry_infrastructure=1, deflake=2), "I", "III"),
        (Plan(retry_infrastructure=2, deflake=2), "IAIP", "IAIP"),
        (Plan(retry_infrastructure=1, detect_flakes=3), "PIPP", "PIPP"),
        (Plan(retry_infrastructure=1, detect_flakes=2), "IX", "IX"),
    ],
    ids=str,
)
def test_a_test_is_run_as_often_as_its_plan_says(plan: Plan, comes_to: str, expected: str) -> None:
    assert run_to_the_end(plan, comes_to) == expected


plans = st.builds(
    Plan,
    deflake=st.integers(0, 5),
    detect_flakes=st.none() | st.integers(1, 5),
    retry_infrastructure=st.integers(0, 4),
    expected_failure=st.none() | st.just("known"),
)
courses = st.text(alphabet=list(_KINDS), min_size=1, max_size=20)


@given(plans, courses)
def test_no_test_is_run_for_ever_whatever_it_comes_to(plan: Plan, course: str) -> None:
    done = run_to_the_end(plan, course)
    forgiven = min(done.count("I"), plan.retry_infrastructure)
    assert len(done) <= forgiven + (plan.detect_flakes or max(1, plan.deflake))


@given(plans, courses)
def test_only_the_last_attempt_was_passed_interrupted_or_skipped_in_a_plain_run(plan: Plan, course: str) -> None:
    done = run_to_the_end(plan, course)
    ends = "XS" if plan.detect_flakes is not None else "XSP"
    assert not set(done[:-1]) & set(ends)


@given(plans, courses)
def test_the_number_of_the_last_run_is_announced_correctly(plan: Plan, course: str) -> None:
    done = run_to_the_end(plan, course)
    records = attempts(done)
    for number in range(1, len(records) + 1):
        assert number <= plan.most_runs(records[: number - 1])


@given(plans, courses)
def test_a_verdict_is_a_status_with_a_reason_if_and_only_if_it_is_a_failure(plan: Plan, course: str) -> None:
    result = verdict(attempts(run_to_the_end(plan, course)), plan)
    assert (result.status == FAIL) == (result.reason is not None)
    assert result.summary
    assert (result.runs is None) == (plan.detect_flakes is None)


@given(plans, courses)
def test_a_single_failure_of_the_test_is_never_hidden(plan: Plan, course: str) -> None:
    done = run_to_the_end(plan, course)
    runs = counted(attempts(done), plan)
    if plan.expected_failure is None and any(run.status == FAIL for run in runs) and runs[-1].status != IGNORE:
        assert verdict(attempts(done), plan).status in (FAIL, FLAKY)


def test_one_run_is_all_there_is_unless_something_asks_for_more() -> None:
    assert Plan().is_single
    assert Plan(deflake=0).is_single
    assert Plan(expected_failure="known").is_single
    assert not Plan(deflake=2).is_single
    assert not Plan(detect_flakes=1).is_single
    assert not Plan(retry_infrastructure=1).is_single


def test_only_what_the_infrastructure_still_owes_is_its_fault() -> None:
    plan = Plan(deflake=5, retry_infrastructure=1)
    assert plan.blames_infrastructure(attempts("I"))
    assert not plan.blames_infrastructure(attempts("II"))
    assert not plan.blames_infrastructure(attempts("IA"))
    assert plan.blames_infrastructure(attempts("AI"))
    assert not Plan(deflake=5).blames_infrastructure(attempts("I"))


@pytest.mark.parametrize(
    ("kinds", "retries", "numbers"),
    [
        ("P", 0, [1]),
        ("I", 3, [1]),
        ("IP", 3, [2]),
        ("IP", 0, [1, 2]),
        ("II", 1, [2]),
        ("III", 1, [2, 3]),
        ("AIP", 1, [1, 3]),
        ("AIIP", 1, [1, 3, 4]),
        ("IAIA", 2, [2, 4]),
    ],
)
def test_what_the_infrastructure_spoilt_does_not_count_as_often_as_it_is_forgiven(
    kinds: str, retries: int, numbers: list[int]
) -> None:
    runs = counted(attempts(kinds), Plan(retry_infrastructure=retries))
    assert [run.number for run in runs] == numbers


# --- what it comes to


@pytest.mark.parametrize("kind", "AETCIX")
def test_a_single_failure_is_the_verdict(kind: str) -> None:
    _, reason = _KINDS[kind]
    assert verdict(attempts(kind), Plan()) == Verdict(FAIL, f"{reason} in run 1", reason)


def test_a_single_pass_has_a_summary_for_people() -> None:
    assert verdict(attempts("P"), Plan()) == Verdict(PASS, "Test Passed", None)
    noticed = dataclasses.replace(attempt(1, "P"), summary="\n\nS: noticed")
    assert verdict([noticed], Plan()) == Verdict(PASS, "\n\nS: noticed", None)


def test_a_skipped_test_is_ignored_with_its_reason() -> None:
    assert verdict(attempts("S"), Plan()) == Verdict(IGNORE, "Skipped: not here", None)
    assert verdict(attempts("AS"), Plan(deflake=3)) == Verdict(IGNORE, "Skipped: not here", None)


@pytest.mark.parametrize(
    ("kinds", "status", "reason"),
    [
        ("P", PASS, None),
        ("AP", FLAKY, None),
        ("CP", FLAKY, None),
        ("TCP", FLAKY, None),
        ("AAA", FAIL, "assertion"),
        ("AEC", FAIL, "crash"),
        ("CTA", FAIL, "assertion"),
        ("AX", FAIL, "interrupted"),
        ("IP", FLAKY, None),
        ("III", FAIL, "infrastructure"),
        ("AS", IGNORE, None),
    ],
)
def test_with_deflake_the_last_run_decides(kinds: str, status: TestStatus, reason: str | None) -> None:
    assert found(kinds, deflake=3) == (status, reason)


@pytest.mark.parametrize(
    ("kinds", "status", "reason"),
    [
        ("IP", PASS, None),
        ("IIP", PASS, None),
        ("IIA", FAIL, "assertion"),
        ("III", FAIL, "infrastructure"),
        ("IX", FAIL, "interrupted"),
        ("IC", FAIL, "crash"),
        ("IS", IGNORE, None),
    ],
)
def test_what_the_infrastructure_spoilt_does_not_make_a_test_flaky(
    kinds: str, status: TestStatus, reason: str | None
) -> None:
    assert found(kinds, retry_infrastructure=2) == (status, reason)


def test_a_forgiven_failure_is_not_told_in_the_summary_of_a_plain_run() -> None:
    plan = Plan(retry_infrastructure=2)
    assert verdict(attempts("IP"), plan).summary == "Test Passed"
    assert verdict(attempts("III"), plan).summary == "infrastructure in run 3"


@pytest.mark.parametrize(
    ("kinds", "status", "reason", "runs"),
    [
        ("PPP", PASS, None, {"passed": 3, "failed": 0}),
        ("AAA", FAIL, "assertion", {"passed": 0, "failed": 3}),
        ("AAC", FAIL, "crash", {"passed": 0, "failed": 3}),
        ("PAP", FLAKY, None, {"passed": 2, "failed": 1}),
        ("PPA", FLAKY, None, {"passed": 2, "failed": 1}),
        ("APPP", FLAKY, None, {"passed": 3, "failed": 1}),
        ("S", IGNORE, None, {"passed": 0, "failed": 0}),
        ("IPPP", FLAKY, None, {"passed": 3, "failed": 1}),
    ],
)
def test_many_runs_have_rates(kinds: str, status: TestStatus, reason: str | None, runs: dict[str, int]) -> None:
    result = verdict(attempts(kinds), Plan(detect_flakes=3))
    assert (result.status, result.reason, result.runs) == (status, reason, runs)


def test_a_forgiven_failure_is_not_in_the_rates() -> None:
    result = verdict(attempts("IPPP"), Plan(detect_flakes=3, retry_infrastructure=1))
    assert result == Verdict(PASS, "passed 3 of 3 runs", None, {"passed": 3, "failed": 0})


def test_the_summary_of_many_runs_says_how_many_passed_and_what_the_others_said() -> None:
    result = verdict(attempts("PAPA"), Plan(detect_flakes=4))
    assert result.summary.split("\n") == [
        "passed 2 of 4 runs",
        "",
        "run 2 summary:",
        "assertion in run 2",
        "~" * len("assertion in run 2"),
        "run 4 summary:",
        "assertion in run 4",
    ]


@pytest.mark.parametrize("kind", "AETC")
@pytest.mark.parametrize("plan", [{}, {"deflake": 3}, {"retry_infrastructure": 2}, {"detect_flakes": 1}], ids=str)
def test_a_failure_that_is_expected_is_ignored_with_the_reason(kind: str, plan: dict[str, int]) -> None:
    result = verdict(attempts(kind), Plan(expected_failure="bug 7", **plan))
    assert (result.status, result.reason) == (IGNORE, None)
    first, *_, last = result.summary.split("\n")
    assert (first, last) == ("Expected failure: bug 7", f"{_KINDS[kind][1]} in run 1")


@pytest.mark.parametrize("kind", "IX")
def test_nobody_expected_the_infrastructure_to_fail_or_the_user_to_stop_it(kind: str) -> None:
    reason = _KINDS[kind][1]
    assert verdict(attempts(kind), Plan(expected_failure="bug 7")) == Verdict(FAIL, f"{reason} in run 1", reason)


@pytest.mark.parametrize("plan", [{}, {"deflake": 3}, {"retry_infrastructure": 2}, {"detect_flakes": 1}], ids=str)
def test_a_pass_where_a_failure_is_expected_is_a_failure(plan: dict[str, int]) -> None:
    result = verdict(attempts("P"), Plan(expected_failure="bug 7", **plan))
    assert (result.status, result.reason) == (FAIL, "assertion")
    assert result.summary == "The test passed, and is marked as one that is expected to fail: bug 7"


def test_a_skip_is_a_skip_whatever_was_expected() -> None:
    assert verdict(attempts("S"), Plan(expected_failure="bug 7")) == Verdict(IGNORE, "Skipped: not here", None)


def test_the_rates_of_an_expected_failure_are_kept() -> None:
    result = verdict(attempts("AA"), Plan(detect_flakes=2, expected_failure="bug 7"))
    assert (result.status, result.runs) == (IGNORE, {"passed": 0, "failed": 2})


# --- summaries


def test_the_summary_of_a_flaky_test_names_the_run_that_passed() -> None:
    assert verdict(attempts("ACP"), Plan(deflake=3)).summary.split("\n") == [
        "run 1 summary:",
        "assertion in run 1",
        "~" * len("assertion in run 1"),
        "run 2 summary:",
        "crash in run 2",
        "~" * len("assertion in run 1"),
        "run 3: PASSED",
    ]


def test_runs_have_the_numbers_of_their_directories() -> None:
    lines = verdict(attempts("IAP"), Plan(deflake=2, retry_infrastructure=1)).summary.split("\n")
    assert (lines[0], lines[-1]) == ("run 2 summary:", "run 3: PASSED")


def test_what_a_run_that_passed_after_failures_has_to_say_comes_last() -> None:
    records = [attempt(1, "A"), dataclasses.replace(attempt(2, "P"), summary="\n\nS: noticed")]
    lines = verdict(records, Plan(deflake=2)).summary.split("\n")
    assert lines[-4:] == ["run 2: PASSED", "", "", "S: noticed"]


def test_runs_that_said_the_same_share_a_paragraph() -> None:
    same = [["no route"], ["no route"], ["other"]]
    assert run_summaries(same, FAIL, 3, numbers=[2, 4, 5]) == [
        "runs 2, 4 summary:",
        "no route",
        "~" * len("runs 2, 4 summary:"),
        "run 5 summary:",
        "other",
    ]


def test_numbers_of_runs_are_counted_where_nobody_gives_them() -> None:
    assert run_summaries([["a"], ["b"]], FLAKY, 3)[-1] == "run 3: PASSED"
    assert run_summaries([["a"]], FLAKY, 3, numbers=[2], passing=5)[-1] == "run 5: PASSED"
    assert run_summaries([], PASS, 3) == ["Test Passed"]
    assert run_summaries([["a", "b"]], FAIL, 1) == ["a", "b"]


# --- in the form in which it travels


def test_an_outcome_has_everything_of_all_attempts() -> None:
    records = attempts("AP")
    records[0].teardown_errors.append("late")
    outcome = outcome_of(records, Plan(deflake=2), data={"x": 1}, stop_time=30, nodes_used=2)
    assert (outcome.status, outcome.reason, outcome.data) == ("flaky", None, {"x": 1})
    assert (outcome.start_time, outcome.stop_time, outcome.nodes_used) == (20, 30, 2)
    assert outcome.services == [{"service_id": "S-1"}, {"service_id": "S-2"}]
    assert outcome.teardown_errors == ["late"]
    assert outcome.attempts == [record.to_json() for record in records]


def test_a_single_attempt_is_not_listed() -> None:
    records = attempts("P")
    outcome = outcome_of(records, Plan(), stop_time=30)
    assert (outcome.attempts, outcome.runs) == ([], None)
    assert status_named(outcome.status) == PASS


@pytest.mark.parametrize(
    ("plan", "attempts", "kept"),
    [
        # The letter of an attempt, or of several, the last of which is to be judged; then on failure, and always
        (Plan(), "P", (False, True)),
        (Plan(), "E", (True, True)),
        (Plan(), "T", (True, True)),
        (Plan(), "S", (False, False)),
        (Plan(deflake=2), "E", (False, False)),
        (Plan(deflake=2), "EE", (True, True)),
        (Plan(deflake=2), "EP", (False, True)),
        (Plan(detect_flakes=2), "E", (False, False)),
        (Plan(retry_infrastructure=1), "I", (False, False)),
        (Plan(retry_infrastructure=1), "II", (True, True)),
    ],
)
def test_the_last_attempt_is_kept_by_what_the_test_has_come_to(
    plan: Plan, attempts: str, kept: tuple[bool, bool]
) -> None:
    earlier = [attempt(number, kind) for number, kind in enumerate(attempts[:-1], 1)]
    status, reason = _KINDS[attempts[-1]]
    assert (keeps("on-failure", status, reason, earlier, plan), keeps("always", status, reason, earlier, plan)) == kept
    assert not keeps(None, status, reason, earlier, plan)


def test_the_findings_of_all_attempts_are_those_of_the_test() -> None:
    several = [dataclasses.replace(attempt(number, "AP"[number - 1]), findings=[{"line": number}]) for number in (1, 2)]
    assert outcome_of(several, Plan(deflake=2), stop_time=0).findings == [{"line": 1}, {"line": 2}]
