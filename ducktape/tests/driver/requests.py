# SPDX-License-Identifier: Apache-2.0
"""What the driver asks worker processes to do."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.finite_subcluster import FiniteSubcluster
from ducktape.services.support.record import of_run
from ducktape.tests.driver.allocator import names_of
from ducktape.tests.driver.job import Job, TestKey
from ducktape.tests.driver.retries import Plan
from ducktape.tests.driver.terminal import why_no_debugger
from ducktape.tests.recording.bounds import DEFAULT_DATA_BYTES
from ducktape.tests.session import SessionContext
from ducktape.tests.worker.request import CleanUpRequest, RunSettings, TestRequest


def test_request(
    job: Job, key: TestKey, nodes: Sequence[ClusterNode], session: SessionContext, deflake: int
) -> TestRequest:
    """Return the request to run a test on some nodes."""
    # Session contexts of library users may lack the newer options
    plan = Plan(
        deflake=deflake,
        detect_flakes=getattr(session, "detect_flakes", None),
        retry_infrastructure=getattr(session, "retry_infrastructure", 0),
        expected_failure=job.context.expected_failure,
    )
    settings = RunSettings(
        test_index=key.test_index,
        plan=plan,
        earlier=job.attempts,
        nodes=names_of(nodes),
        fail_bad_cluster_utilization=bool(session.fail_bad_cluster_utilization),
        mark=f"{session.session_id}.{key.test_index}.{os.getpid()}",
        driver_pid=os.getpid(),
        why_no_debugger=why_no_debugger(session.max_parallel),
        post_mortem=getattr(session, "pdb", False) is True,
        debugger=getattr(session, "debugger", None),
        max_data_bytes=getattr(session, "max_data_bytes", DEFAULT_DATA_BYTES),
        keep=keep_option(session) if nodes else None,
        keep_output=getattr(session, "keep_output", False) is True,
        node_metrics=getattr(session, "node_metrics", False) is True,
    )
    return TestRequest(job.context, FiniteSubcluster(nodes), settings)


test_request.__test__ = False  # type: ignore[attr-defined]


def keep_option(session: SessionContext) -> str | None:
    """Return when the nodes of tests are kept: ``on-failure``, ``always``, or ``None`` for never."""
    keep = getattr(session, "keep", None)
    return keep if isinstance(keep, str) else None  # session contexts of library users may be mocks


def clean_up_request(job: Job, mark: str) -> CleanUpRequest:
    """Return the request to end the services that the process of a test has left, or only to collect their logs."""
    services = list(job.services.values())
    if job.attempt > 1 or not job.plan.is_single:
        # The logs of each attempt have directories of their own
        services = [of_run(record, job.attempt) for record in services]
    settings = RunSettings(
        test_index=job.known_key.test_index,
        earlier=job.attempts,
        nodes=names_of(job.nodes),
        mark=mark,
        driver_pid=os.getpid(),
        keep_output=getattr(job.context.session_context, "keep_output", False) is True,
    )
    died = job.outcome is None
    # The driver may have been told late that the first attempt began
    begun = job.attempt_clock if job.attempts or job.worker is None else job.worker.clock
    return CleanUpRequest(
        job.context,
        FiniteSubcluster(job.nodes),
        settings,
        nodes=job.nodes,
        services=services,
        collect=died,
        keeps=job.is_kept,
        seconds_ago=begun.elapsed,
        dump=died and job.cause_of_end is not None and job.cause_of_end.reason == "timeout",
    )
