# SPDX-License-Identifier: Apache-2.0
"""Why a test failed: its exception, or why its process was ended or died."""

from __future__ import annotations

import dataclasses
import signal
import traceback

from ducktape.cluster.cluster import Cluster
from ducktape.cluster.pool.quarantine import unhealthy_nodes
from ducktape.cluster.ssh.errors import came_from_ssh
from ducktape.errors import InfrastructureError
from ducktape.tests.driver.deadlines import SETUP, TEST
from ducktape.tests.event import Outcome
from ducktape.tests.recording.bounds import LONGEST_SUMMARY, bounded_text
from ducktape.tests.status import FAIL
from ducktape.tests.test_context import TestContext
from ducktape.utils.support.parallel import Attempt

_TRACEBACK_LIMIT = 16
# Begins the first paragraph of a summary
UNENDED = "Commands that had not ended:"


@dataclasses.dataclass(frozen=True)
class Cause:
    """Why a test was ended from outside, or died: a text for people, and the one word that reports show."""

    text: str
    reason: str


def cause_of_death(exit_code: int | None) -> Cause:
    """Return what is to be said of a process that ended without a result."""
    if exit_code is None or exit_code >= 0:
        return Cause(f"Test process exited with code {exit_code} before reporting a result", "crash")
    try:
        name = f"{signal.Signals(-exit_code).name} (signal {-exit_code})"
    except ValueError:
        name = f"signal {-exit_code}"
    return Cause(f"Test process was killed by {name} before reporting a result", "crash")


def too_large(context: TestContext, cluster: Cluster) -> Cause:
    """Return why a test can never run on the nodes of a cluster."""
    detail = cluster.all().nodes.attempt_remove_spec(context.expected_cluster_spec)
    bad = ", ".join(str(node) for node in unhealthy_nodes(cluster) if node.back_at is None)
    detail += f"Nodes put aside: {bad}. " if bad else ""
    text = f"Test {context.test_id} requires more resources than are available in the whole cluster. {detail}"
    return Cause(text, "unschedulable")


def failed(cause: Cause, start_time: float, stop_time: float) -> Outcome:
    """Return the outcome of a test that could not say anything itself."""
    return Outcome(str(FAIL), cause.text, None, start_time, stop_time, 0, [], cause.reason)


def paragraphs(*texts: str) -> str:
    """Return the texts that are not empty, with an empty line between them."""
    return "\n\n".join(text for text in texts if text)


def describe_exception(error: BaseException) -> str:
    """Return the text of a failure: the exception in one line, then its traceback; never raises, never empty."""
    # What these calls raise, interrupts too, is shown and not obeyed
    headline: Attempt[BaseException, str] = Attempt(error)
    headline.run(lambda error: bounded_text(str.__str__(repr(error)), LONGEST_SUMMARY // 2))
    if headline.error is not None:
        second = type(headline.error).__name__
        headline.result = f"{type(error).__name__} (its text cannot be shown: its repr raised {second})"
    frames: Attempt[BaseException, list[str]] = Attempt(error)
    frames.run(lambda error: traceback.format_exception(error, limit=_TRACEBACK_LIMIT))
    if frames.error is not None:
        frames.result = [f"(no traceback: formatting it raised {type(frames.error).__name__})"]
    return bounded_text(f"{headline.result}\n{''.join(frames.result or ())}")


def failure_reason(error: BaseException, phase: str = TEST) -> str:
    """Return why a test failed, as the one word that reports show."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, InfrastructureError) or (phase == SETUP and came_from_ssh(error)):
        return "infrastructure"
    return "assertion" if isinstance(error, AssertionError) else "error"
