# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time

from ducktape.utils.support.deadline import Deadline


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
