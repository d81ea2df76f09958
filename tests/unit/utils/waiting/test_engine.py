# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextvars
import pickle
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from ducktape.utils.support.times import Deadline
from ducktape.utils.waiting.conditions import Single, wait_for
from ducktape.utils.waiting.engine import NotReadyError, Standing
from ducktape.utils.waiting.probes import Answer


@pytest.fixture
def hang() -> Iterator[Callable[[Deadline], Answer]]:
    """Asked, it does not answer before the test is over."""
    over = threading.Event()

    def ask(deadline: Deadline) -> Answer:
        over.wait(60)
        return Answer(True, "at last")

    yield ask
    over.set()


def always(holds: bool | None) -> Single:
    return Single(f"always {holds}", lambda deadline: Answer(holds, "as ever"))


def test_one_that_hangs_does_not_hold_up_the_others(hang: Callable[[Deadline], Answer]) -> None:
    asked: list[float] = []

    def third_time(deadline: Deadline) -> Answer:
        asked.append(time.monotonic())
        return Answer(len(asked) > 2, "")

    began = time.monotonic()
    wait_for(Single("hangs", hang) | Single("third time", third_time), "30s", poll="10ms")
    assert (len(asked) >= 3, time.monotonic() - began < 10) == (True, True)


def test_one_that_hangs_makes_the_time_no_longer(hang: Callable[[Deadline], Answer]) -> None:
    began = time.monotonic()
    with pytest.raises(NotReadyError) as caught:
        wait_for(always(True) & Single("hangs", hang), 0.5)
    assert 0.45 < time.monotonic() - began < 5
    yes, hanging = caught.value.standings
    assert (yes.answer, yes.silent_sec < 0.5) == (Answer(True, "as ever"), True)
    assert (hanging.answer, hanging.asked, hanging.silent_sec > 0.4) == (None, 1, True)


def test_what_held_before_it_hung_does_not_count_for_ever(hang: Callable[[Deadline], Answer]) -> None:
    first = threading.Event()

    def once(deadline: Deadline) -> Answer:
        if first.is_set():
            return hang(deadline)
        first.set()
        return Answer(True, "it was so")

    began = time.monotonic()
    late = Single("late", lambda deadline: Answer(time.monotonic() - began > 2.5, ""))
    with pytest.raises(NotReadyError) as caught:
        wait_for(Single("hangs later", once) & late, "3500ms")
    assert "\n?   " not in str(caught.value)
    assert str(caught.value).splitlines()[1].startswith("yes hangs later: it was so; then no answer since ")


def test_parts_that_take_different_times_meet() -> None:
    def slow(seconds: float) -> Single:
        def ask(deadline: Deadline) -> Answer:
            time.sleep(seconds)
            return Answer(True, "")

        return Single(f"takes {seconds} s", ask)

    wait_for(slow(0.3) & slow(0.01) & slow(0.23), "20s", poll="1ms")


def test_all_have_to_hold_at_the_same_time() -> None:
    turn = [0]

    def by_turns(wanted: int) -> Single:
        def ask(deadline: Deadline) -> Answer:
            return Answer(turn[0] == wanted, "")

        return Single(f"turn {wanted}", ask)

    with pytest.raises(NotReadyError):
        wait_for(by_turns(0) & by_turns(1), "300ms", poll="1ms")


def test_no_question_is_asked_after_the_end() -> None:
    asked = [0]

    def ask(deadline: Deadline) -> Answer:
        asked[0] += 1
        return Answer(False, "")

    with pytest.raises(NotReadyError):
        wait_for(Single("never", ask), "200ms", poll="1ms")
    mine = [each for each in threading.enumerate() if each.name == "waiting for never"]
    for thread in mine:
        thread.join(10)
    before = asked[0]
    assert before > 1
    time.sleep(0.05)
    assert asked[0] == before


def test_the_end_of_the_time_does_not_cut_the_last_answer_short() -> None:
    left: list[float] = []

    def ask(deadline: Deadline) -> Answer:
        left.append(deadline.left() or 0.0)
        return Answer(False, "")

    with pytest.raises(NotReadyError):
        wait_for(Single("never", ask), "300ms", poll="10ms")
    assert min(left) > 1


def test_what_ends_a_program_ends_the_wait() -> None:
    def ask(deadline: Deadline) -> Answer:
        raise SystemExit(3)

    with pytest.raises(SystemExit, match="3"):
        wait_for(Single("leaves", ask), "20s")


def test_questions_know_the_context_of_the_caller() -> None:
    variable = contextvars.ContextVar("variable", default="nothing")
    variable.set("something")
    wait_for(Single("context", lambda deadline: Answer(variable.get() == "something", "")), "20s")


def test_the_same_condition_twice_is_asked_once_at_a_time() -> None:
    busy = threading.Lock()

    def ask(deadline: Deadline) -> Answer:
        if not busy.acquire(blocking=False):
            raise SystemExit("asked twice")
        time.sleep(0.02)
        busy.release()
        return Answer(False, "")

    one = Single("one", ask)
    with pytest.raises(NotReadyError) as caught:
        wait_for(one & one, "200ms", poll="1ms")
    assert [each.name for each in caught.value.standings] == ["one"]


def test_the_error_travels_between_processes() -> None:
    def ask(deadline: Deadline) -> Answer:
        return Answer(None, "lost", error=ValueError(threading.Lock()))

    with pytest.raises(NotReadyError) as caught:
        wait_for(Single("cannot be sent", ask), "50ms")
    assert isinstance(caught.value.__cause__, ValueError)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.timeout_sec, copy.standings) == (str(caught.value), 0.05, caught.value.standings)


@pytest.mark.parametrize(
    ("standing", "text"),
    [
        (Standing("x", Answer(True, "open"), 1, 0.2), "yes x: open (asked once)"),
        (Standing("x", Answer(False, "shut", ("a", "b")), 7, 0), "no  x: shut (asked 7 times)\n    | a\n    | b"),
        (Standing("x", Answer(None, "lost"), 2, 4.06), "?   x: lost; then no answer since 4.1 s (asked 2 times)"),
        (Standing("x", None, 1, 0.3), "?   x: no answer since 0.3 s (asked once)"),
    ],
)
def test_how_it_stands_is_told(standing: Standing, text: str) -> None:
    assert str(standing) == text
