# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ducktape.utils.support.times import Deadline, seconds_of


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (5, 5.0),
        (0.25, 0.25),
        ("5", 5.0),
        ("1.5", 1.5),
        (".5", 0.5),
        (" 5 ", 5.0),
        ("90s", 90.0),
        ("20m", 1200.0),
        ("2h", 7200.0),
        ("1.5h", 5400.0),
        ("500ms", 0.5),
        ("1h30m", 5400.0),
        ("1h2m3s4ms", 3723.004),
        ("0h5s", 5.0),
        ("100m", 6000.0),
    ],
)
def test_spans_of_time_are_read(written: Any, seconds: float) -> None:
    assert seconds_of(written) == seconds


HOW = 'write seconds (90) or a number with a unit ("500ms", "90s", "20m", "2h", "1h30m")'
RANGE = "it must be finite and more than zero"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", HOW),
        ("soon", HOW),
        ("5 m", HOW),
        ("5d", HOW),
        ("5S", HOW),
        ("-5", HOW),
        ("1e3", HOW),
        ("inf", HOW),
        ("nan", HOW),
        ("٣", HOW),
        ("1h30", HOW),
        ("30m1h", HOW),
        ("1s1s", HOW),
        ("5\nm", HOW),
        (None, HOW),
        (True, HOW),
        ([5], HOW),
        (b"5", HOW),
        (0, RANGE),
        (-1, RANGE),
        ("0", RANGE),
        ("0h0s", RANGE),
        (math.nan, RANGE),
        (math.inf, RANGE),
        (10**400, RANGE),
        ("9" * 400, RANGE),
    ],
)
def test_anything_else_is_told_in_one_short_line(written: Any, why: str) -> None:
    with pytest.raises(ValueError, match="is not a span of time") as error:
        seconds_of(written)
    message = str(error.value)
    assert message.endswith(f"is not a span of time: {why}")
    assert "\n" not in message
    assert len(message) < 200


def test_the_message_begins_with_what_was_written() -> None:
    with pytest.raises(ValueError, match=r"^'20 minutes' is not"):
        seconds_of("20 minutes")


@given(st.integers(0, 100), st.integers(0, 59), st.integers(1, 59))
def test_the_parts_of_a_span_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert seconds_of(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds


@given(st.text() | st.floats() | st.integers())
def test_whatever_is_written_gives_a_usable_number_or_a_value_error(written: Any) -> None:
    try:
        seconds = seconds_of(written)
    except ValueError:
        return
    assert 0 < seconds < math.inf


def test_without_seconds_only_the_limit_counts() -> None:
    never = Deadline(None)
    assert (never.left(), never.left(3.0), never.is_over, never.seconds) == (None, 3.0, False, None)


def test_what_is_left_becomes_less_and_never_negative() -> None:
    deadline = Deadline(0.05)
    first = deadline.left()
    assert first is not None
    assert 0 < first <= 0.05
    assert deadline.left(0.001) == 0.001
    time.sleep(0.06)
    assert (deadline.left(), deadline.left(3.0), deadline.is_over, deadline.seconds) == (0.0, 0.0, True, 0.05)
