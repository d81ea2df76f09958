# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ducktape.tests.reports.log_clocks import Placed, Skew, placed
from ducktape.tests.reports.log_times import Level, Stamp

HOUR = 3600
START, END = 1_000_000.0, 1_000_300.0
# In effect half a second after the injection
LONG = Skew(START + 100, START + 100.5, START + 200, 30.0)
SHORT = Skew(START + 100, START + 100.5, START + 110, 30.0)
SLOW = Skew(START + 100, START + 100.5, START + 200, -30.0)
AGAIN = Skew(START + 240, START + 240.5, START + 270, 30.0)


def place(seconds: Iterable[float], *skews: Skew, has_zone: bool = True) -> Placed:
    """Where lines are placed that have written times of some seconds after the start of the test."""
    stamps = [Stamp(START + each, has_zone, Level.INFO) for each in seconds]
    return placed(stamps, START, END, skews)


def times(found: Placed) -> list[float | None]:
    return [each and each.time - START for each in found.places]


def written(true: Sequence[float], *skews: Skew) -> list[float]:
    """What a program writes at some seconds after the start of the test."""
    offsets = [
        sum(skew.seconds for skew in skews if skew.start + 0.2 <= START + each < skew.end - 0.2) for each in true
    ]
    return [each + offset for each, offset in zip(true, offsets, strict=True)]


def test_times_without_a_zone_are_moved_into_the_test() -> None:
    for quarters in (0, 4, -20, 23, -14, 56):
        shifted = place([1 + quarters * 900, 20 + quarters * 900, 290 + quarters * 900], has_zone=False)
        assert (times(shifted), shifted.zone_shift) == ([1, 20, 290], -quarters * 900)
    assert times(place([1 + HOUR, 290 + HOUR])) == [None, None]
    # Those of an earlier test do not count
    assert times(place([-HOUR, -HOUR + 1, 5, 6, 7], has_zone=False)) == [None, None, 5, 6, 7]


def test_a_time_that_goes_back_does_not_change_the_order() -> None:
    assert times(place([1, 3, 2.9, 4])) == [1, 3, 3, 4]
    assert times(place([1, 2, 200, 3, 4, 5])) == [1, 2, 2, 3, 4, 5]
    assert times(place([250, 1, 2, 9000, 3])) == [1, 1, 2, None, 3]
    assert times(place([5, 4])) in ([5, 5], [4, 4])
    assert times(place([])) == []


@pytest.mark.parametrize("skews", [(LONG,), (SHORT,), (SLOW,), (LONG, AGAIN), (SLOW, AGAIN)])
@pytest.mark.parametrize("step", [0.25, 1.0, 7.0])
def test_the_clock_of_a_program_that_a_fault_made_wrong_is_corrected(skews: tuple[Skew, ...], step: float) -> None:
    true = [number * step for number in range(int(300 / step))]
    found = place(written(true, *skews), *skews)
    assert times(found) == pytest.approx(true, abs=1e-6)
    corrections = [each.correction for each in found.places if each]
    assert corrections == [
        -sum(skew.seconds for skew in skews if skew.start + 0.2 <= START + each < skew.end - 0.2) for each in true
    ]


@pytest.mark.parametrize("skews", [(LONG,), (SHORT,), (SLOW,), (LONG, AGAIN)])
def test_the_clock_of_a_program_that_the_fault_did_not_affect_is_right(skews: tuple[Skew, ...]) -> None:
    true = [float(number) for number in range(300)]
    found = place(true, *skews)
    assert times(found) == true
    assert {each and each.correction for each in found.places} == {0.0}


def test_a_few_lines_are_enough() -> None:
    assert times(place([99, 135, 232], LONG)) == [99, 105, 232]
    assert times(place([229, 201], LONG)) == [199, 201]
    assert times(place([10, 150], SLOW)) == [10, 180]
    assert times(place([99, 105, 136, 137], LONG)) == [99, 105, 106, 107]
    # Written during the fault, or a little later: the fault is there to be seen
    assert times(place([10, 220], LONG)) == [10, 190]
    assert times(place([10, 220, 260], LONG)) == [10, 190, 260]


def test_lines_that_threads_wrote_in_another_order_do_not_mislead() -> None:
    true = [99.0, 101.0, 102.0, 101.2, 102.1, 103.2, 101.5, 103.3, 104.0]
    for skew, rest in itertools.product([LONG, SHORT], [[], [250.0, 251.0]]):
        found = place(written([*true, *rest], skew), skew)
        expected = [99.0, 101.0, 102.0, 102.0, 102.1, 103.2, 103.2, 103.3, 104.0, *rest]
        assert times(found) == pytest.approx(expected, abs=1e-6)


def test_lines_after_the_end_of_the_test_are_unlikely() -> None:
    # With a fault that takes its time to come into effect
    late = Skew(START + 280, START + 280.5, START + 290, 30.0)
    true = [270.0, 281.0, 282.0, 283.0, 283.2, 283.3, 283.6, 283.8, 284.0, 285.0, 286.0, 289.0]
    found = place([*true[:-4], *(each + 30 for each in true[-4:])], late)
    assert times(found) == pytest.approx(true, abs=1e-6)


def test_a_skew_of_hours_and_another_zone_are_told_apart() -> None:
    skew = Skew(START + 100, START + 100.5, START + 200, 2.0 * HOUR)
    true = [float(number) for number in range(90, 220)]
    found = place([each + HOUR for each in written(true, skew)], skew, has_zone=False)
    assert (times(found), found.zone_shift) == (true, -HOUR)


def test_a_fault_that_took_long_to_come_into_effect_hides_no_line() -> None:
    true = [float(number) for number in range(90, 220)]
    late = Skew(START + 100, START + 140, START + 200, 30.0)
    assert times(place([each + (30 if 139 < each < 200 else 0) for each in true], late)) == true


@given(
    st.lists(st.floats(-1e6, 1e6) | st.sampled_from([1e300, -1e300, 2.5e11]), max_size=30),
    st.lists(st.sampled_from([LONG, SHORT, SLOW, AGAIN]), max_size=3),
    st.booleans(),
)
def test_whatever_is_written_the_order_of_lines_stays(seconds: list[float], skews: list[Skew], has_zone: bool) -> None:
    found = times(place(seconds, *skews, has_zone=has_zone))
    known = [each for each in found if each is not None]
    assert len(found) == len(seconds)
    assert known == sorted(known)
    assert all(-61 <= each <= 361 for each in known)
