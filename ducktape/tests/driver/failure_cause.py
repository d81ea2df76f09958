# SPDX-License-Identifier: Apache-2.0
"""What the driver says of tests that did not end by themselves, or not in good order."""

from __future__ import annotations

import dataclasses
import signal

from ducktape.tests.event import Outcome
from ducktape.tests.status import FAIL


@dataclasses.dataclass(frozen=True)
class Cause:
    """Why a test was ended from outside, or died.

    Attributes:
        text: for people.
        reason: the one word that reports show.
    """

    text: str
    reason: str


def cause_of_death(exit_code: int | None) -> Cause:
    """Return what is to be said of a process that ended without a result.

    Args:
        exit_code: negative for a signal.
    """
    if exit_code is not None and exit_code < 0:
        return Cause(f"Test process was killed by {_signal_name(-exit_code)} before reporting a result", "crash")
    return Cause(f"Test process exited with code {exit_code} before reporting a result", "crash")


def _signal_name(number: int) -> str:
    try:
        return f"{signal.Signals(number).name} (signal {number})"
    except ValueError:
        return f"signal {number}"


def failed(cause: Cause, start_time: float, stop_time: float, *, nodes_used: int = 0, evidence: str = "") -> Outcome:
    """Return the outcome of a test that could not say anything itself.

    Args:
        cause: why it ended.
        start_time: Unix seconds.
        stop_time: Unix seconds.
        nodes_used: how many nodes it kept busy.
        evidence: text that helps to find out more, such as the stacks of its threads.
    """
    summary = paragraphs(cause.text, evidence)
    return Outcome(str(FAIL), summary, None, start_time, stop_time, nodes_used, [], cause.reason)


def paragraphs(*texts: str) -> str:
    """Return the texts that are not empty, with an empty line between them."""
    return "\n\n".join(text for text in texts if text)
