# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest

from ducktape.tests.driver.deadlines import (
    CLEAN,
    COLLECT,
    DUMP,
    SETUP,
    STOP,
    TEARDOWN,
    TEST,
    Limits,
    Step,
    Watch,
    limits_of,
)
from ducktape.tests.session import SessionContext
from ducktape.tests.test_context import TestContext

STACKS_SEC = 0.3
ANSWER_SEC = 5.0
Happening = Callable[[Watch, float], object]


def enter(phase: str) -> Happening:
    return lambda watch, now: watch.entered(phase, now)


def heartbeat(watch: Watch, now: float) -> None:
    watch.heartbeat(now)


def told(watch: Watch, now: float) -> None:
    watch.interrupted(now)


def let_end(watch: Watch, now: float) -> None:
    watch.ending = True


def course(limits: Limits, happenings: dict[float, Happening], until: float = 2000) -> list[tuple[float, str]]:
    """What is done to a test, and when, with a clock that stands still between one deadline and the next."""
    watch = Watch(limits, 0)
    waiting = sorted(happenings)
    done: list[tuple[float, str]] = []
    now = 0.0
    while now < until:
        now = min([watch.deadline, *waiting[:1], until])
        if waiting and waiting[0] == now:
            happenings[waiting.pop(0)](watch, now)
            continue
        step = watch.due(now)
        if step is not None:
            done.append((round(now, 3), step.name))
        assert len(done) < 100, "it does not end"
    return done


ASK, INTERRUPT, KILL = Step.ASK.name, Step.INTERRUPT.name, Step.KILL.name


@dataclasses.dataclass
class Case:
    limits: Limits
    happenings: dict[float, Happening]
    expected: list[tuple[float, str]]


PLAIN = Limits(silence=100, ending=50)
CASES = {
    "nothing is limited": Case(Limits(), {0: enter(SETUP), 1: enter(TEST)}, []),
    "silence before the first phase": Case(PLAIN, {}, [(100, ASK), (100.3, INTERRUPT), (105.3, KILL)]),
    "silence in the test": Case(
        PLAIN, {1: enter(SETUP), 10: enter(TEST)}, [(110, ASK), (110.3, INTERRUPT), (115.3, KILL)]
    ),
    "signs of life put silence off": Case(
        PLAIN, {1: enter(TEST), 90: heartbeat, 180: heartbeat}, [(280, ASK), (280.3, INTERRUPT), (285.3, KILL)]
    ),
    "signs of life do not put a limit off": Case(
        Limits(test=30, silence=100),
        {1: enter(TEST), 20: heartbeat, 30.5: heartbeat},
        [(31, ASK), (31.3, INTERRUPT), (36.3, KILL)],
    ),
    "constructor and setup have one limit": Case(
        Limits(setup=7, test=1000), {1: enter(SETUP)}, [(8, ASK), (8.3, INTERRUPT), (13.3, KILL)]
    ),
    "the limit of the setup ends with it": Case(
        Limits(setup=7, test=20), {1: enter(SETUP), 7: enter(TEST)}, [(27, ASK), (27.3, INTERRUPT), (32.3, KILL)]
    ),
    "an answered interrupt gives the time of a teardown": Case(
        Limits(test=10, teardown=20, ending=50),
        {0: enter(TEST), 11: heartbeat},
        [(10, ASK), (10.3, INTERRUPT), (30.3, KILL)],
    ),
    "an answered interrupt gives the general time where the teardown has no limit": Case(
        Limits(test=10, ending=50), {0: enter(TEST), 11: heartbeat}, [(10, ASK), (10.3, INTERRUPT), (60.3, KILL)]
    ),
    "an answer that comes too late is none": Case(
        Limits(test=10, ending=50), {0: enter(TEST), 15.4: heartbeat}, [(10, ASK), (10.3, INTERRUPT), (15.3, KILL)]
    ),
    "who does not answer has no more than the general time": Case(
        Limits(test=10, ending=2), {0: enter(TEST)}, [(10, ASK), (10.3, INTERRUPT), (12.3, KILL)]
    ),
    "a test that ends in time is left alone": Case(
        Limits(test=10, teardown=20, ending=50),
        {0: enter(TEST), 9.9: enter(TEARDOWN), 25: enter(STOP)},
        [(45, ASK), (45.3, INTERRUPT), (50.3, KILL)],
    ),
    "each step of an ending after an interrupt has its own time": Case(
        Limits(test=10, collect=30, ending=50),
        {0: enter(TEST), 11: enter(DUMP), 12: enter(TEARDOWN), 60: enter(STOP), 100: enter(COLLECT), 120: enter(CLEAN)},
        [(10, ASK), (10.3, INTERRUPT), (170, ASK), (170.3, INTERRUPT), (175.3, KILL)],
    ),
    "a teardown that hangs is interrupted, and the next step begins": Case(
        Limits(teardown=20),
        {0: enter(TEST), 5: enter(TEARDOWN), 25.4: enter(STOP), 30: enter(COLLECT)},
        [(25, ASK), (25.3, INTERRUPT), (330, ASK), (330.3, INTERRUPT), (335.3, KILL)],
    ),
    "every step that hangs is interrupted": Case(
        Limits(teardown=20, ending=50),
        {0: enter(TEST), 5: enter(TEARDOWN), 26: enter(STOP), 47: enter(COLLECT), 50: enter(CLEAN)},
        [(25, ASK), (25.3, INTERRUPT), (46, ASK), (46.3, INTERRUPT), (70, ASK), (70.3, INTERRUPT), (75.3, KILL)],
    ),
    "a collection is not limited in a test that ends by itself": Case(
        Limits(teardown=20, collect=30), {0: enter(TEARDOWN), 10: enter(COLLECT)}, []
    ),
    "a collection is limited in a test that was asked to end": Case(
        Limits(test=10, teardown=20, collect=30),
        {0: enter(TEST), 11: enter(COLLECT)},
        [(10, ASK), (10.3, INTERRUPT), (41, ASK), (41.3, INTERRUPT), (46.3, KILL)],
    ),
    "a dump is limited like a collection": Case(
        Limits(test=10, collect=30),
        {0: enter(TEST), 11: enter(DUMP)},
        [(10, ASK), (10.3, INTERRUPT), (41, ASK), (41.3, INTERRUPT), (46.3, KILL)],
    ),
    "a teardown is not limited by itself": Case(
        PLAIN, {0: enter(TEARDOWN), 90: heartbeat, 180: heartbeat}, [(280, ASK), (280.3, INTERRUPT), (285.3, KILL)]
    ),
    "who is told from outside has the time to answer": Case(Limits(ending=50), {0: enter(TEST), 3: told}, [(8, KILL)]),
    "who is told from outside and answers has the time of a teardown": Case(
        Limits(teardown=20), {0: enter(TEST), 3: told, 4: heartbeat}, [(23, KILL)]
    ),
    "who is told from outside goes through its steps": Case(
        Limits(ending=50), {0: enter(TEST), 3: told, 4: enter(TEARDOWN)}, [(54, ASK), (54.3, INTERRUPT), (59.3, KILL)]
    ),
    "who ends already and is to end has limits from then on": Case(
        Limits(ending=50), {0: enter(TEARDOWN), 30: let_end}, [(50, ASK), (50.3, INTERRUPT), (55.3, KILL)]
    ),
    "another attempt has its own time": Case(
        Limits(test=10),
        {0: enter(TEST), 9: enter(TEARDOWN), 10: enter(SETUP), 11: enter(TEST)},
        [(21, ASK), (21.3, INTERRUPT), (26.3, KILL)],
    ),
    "a phase that nobody knows has the limit on silence alone": Case(
        PLAIN, {0: enter("unheard of")}, [(100, ASK), (100.3, INTERRUPT), (105.3, KILL)]
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_done_to_a_test_and_when(name: str) -> None:
    case = CASES[name]
    assert course(case.limits, case.happenings) == case.expected


@pytest.mark.parametrize("name", CASES)
def test_nobody_is_killed_twice(name: str) -> None:
    case = CASES[name]
    assert [step for _, step in course(case.limits, case.happenings, until=100_000)].count(KILL) <= 1


def test_nothing_is_due_before_its_time_and_everything_once() -> None:
    watch = Watch(Limits(test=10), 0)
    watch.entered(TEST, 5)
    assert watch.deadline == 15
    assert watch.due(14.99) is None
    assert watch.due(15) is Step.ASK
    assert watch.due(15.1) is None
    assert watch.due(15.3) is Step.INTERRUPT
    assert watch.due(15.4) is None
    assert watch.due(20.3) is Step.KILL
    assert (watch.due(1e9), watch.deadline) == (None, math.inf)


def test_a_driver_that_was_busy_goes_through_all_steps_nevertheless() -> None:
    watch = Watch(Limits(test=10), 0)
    watch.entered(TEST, 0)
    assert [watch.due(1000), watch.due(1000), watch.due(1001), watch.due(1001), watch.due(1006)] == [
        Step.ASK,
        None,
        Step.INTERRUPT,
        None,
        Step.KILL,
    ]


def test_who_takes_too_long_is_told_which_limit_it_was() -> None:
    watch = Watch(Limits(setup=5, test=10, silence=60, origin={TEST: "@timeout"}), 0)
    watch.entered(SETUP, 0)
    assert watch.describe(5) == "its setup took longer than 5 seconds"
    watch.entered(TEST, 6)
    assert watch.describe(16) == "its test took longer than 10 seconds (@timeout)"


def test_who_is_silent_is_told_so() -> None:
    watch = Watch(Limits(test=1000, silence=1.5), 0)
    watch.entered(TEST, 0)
    assert watch.describe(1.5) == "nothing was heard of the test for 1.5 seconds"


# --- where limits come from


def limits(
    timeouts: dict[str, float] | None = None, *, silence: float = 1800, ending: float = 300, **options: Any
) -> Limits:
    session = SessionContext(session_id="s", results_dir="/r", **options)
    return limits_of(TestContext(session_context=session, timeouts=timeouts or {}), silence=silence, ending=ending)


def test_without_marks_and_options_there_is_the_limit_on_silence_alone() -> None:
    assert limits() == Limits(setup=None, test=None, teardown=None, collect=300, silence=1800, ending=300, origin={})


def test_an_option_limits_the_test_and_its_setup_but_not_its_teardown() -> None:
    found = limits(test_timeout=60)
    assert (found.setup, found.test, found.teardown) == (60, 60, None)
    assert found.origin == {SETUP: "--test-timeout", TEST: "--test-timeout"}


def test_a_mark_goes_before_the_option_phase_by_phase() -> None:
    found = limits({"test": 5, "teardown": 7}, test_timeout=60)
    assert (found.setup, found.test, found.teardown) == (60, 5, 7)
    assert found.origin == {SETUP: "--test-timeout", TEST: "@timeout", TEARDOWN: "@timeout"}


def test_the_limit_of_the_teardown_is_said_to_be_that_of_the_mark() -> None:
    watch = Watch(limits({"teardown": 7}), 0)
    watch.entered(TEARDOWN, 0)
    assert watch.describe(7) == "its teardown took longer than 7 seconds (@timeout)"


def test_the_collection_has_the_time_of_its_option() -> None:
    assert limits(collect_timeout=11).collect == 11
    assert limits(ending=20).collect == 20
    assert limits(ending=20, collect_timeout=30).collect == 30


@pytest.mark.parametrize(
    ("phase", "by_itself", "told"),
    [
        (SETUP, 1, 1),
        (TEST, 2, 2),
        (TEARDOWN, 3, 3),
        (STOP, 3, 3),
        (CLEAN, 3, 3),
        (COLLECT, math.inf, 4),
        (DUMP, math.inf, 4),
        ("", math.inf, math.inf),
    ],
)
def test_each_phase_has_the_limit_of_its_kind(phase: str, by_itself: float, told: float) -> None:
    given = Limits(setup=1, test=2, teardown=3, collect=4)
    assert (given.of(phase, ending=False), given.of(phase, ending=True)) == (by_itself, told)


@pytest.mark.parametrize("phase", [TEARDOWN, STOP, CLEAN])
def test_an_ending_without_limit_gets_one_once_the_test_was_told_to_end(phase: str) -> None:
    assert Limits(ending=9).of(phase, ending=False) == math.inf
    assert Limits(ending=9).of(phase, ending=True) == 9


def paused(watch: Watch, now: float) -> None:
    watch.paused(now)


def resumed(watch: Watch, now: float) -> None:
    watch.resumed(now)


def test_the_time_in_a_debugger_counts_for_no_limit() -> None:
    limits = Limits(test=10, silence=20)
    happenings: dict[float, Happening] = {1: enter(TEST), 4: paused, 1000: resumed}
    assert course(limits, happenings)[0] == (1007, "ASK")


def test_a_test_in_a_debugger_is_ended_on_request() -> None:
    happenings: dict[float, Happening] = {1: enter(TEST), 4: paused, 100: told}
    assert course(Limits(test=10), happenings) == [(100 + ANSWER_SEC, "KILL")]


def test_a_debugger_does_not_stop_the_ending_of_a_late_test() -> None:
    happenings: dict[float, Happening] = {1: enter(TEST), 11.1: paused}
    assert course(Limits(test=10), happenings)[1] == (11 + STACKS_SEC, "INTERRUPT")
    assert course(Limits(test=10), {1: enter(TEST), 5: resumed})[0] == (11, "ASK")


def test_a_session_with_an_editor_has_no_limits() -> None:
    context = TestContext(session_context=SessionContext(session_id="s", results_dir="r", debugger="debugpy"))
    assert limits_of(context, silence=10, ending=20) == Limits(ending=20)
