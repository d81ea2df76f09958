# SPDX-License-Identifier: Apache-2.0
"""Results of a session that never happened, with something of everything."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ducktape import __version__
from ducktape.tests.recording.not_run import NotRun
from ducktape.tests.result import FAIL, FLAKY, IGNORE, PASS, TestResult, TestResults
from ducktape.tests.session import SessionContext
from ducktape.tests.status import TestStatus
from ducktape.tests.test_context import TestContext

GOLDEN = Path(__file__).parent / "golden"
PROJECT = "/home/u/demo"
MODULE = "demo_tests.test_demo"
RESULTS_DIR = f"{PROJECT}/results/2026-11-22--001"
START = 1795360460.5
TRACEBACK = "AssertionError('a <b>')\nTraceback (most recent call last):\n  ...\nAssertionError: a <b>"
HOSTILE = "Error('</script><!-- & \x00 \x1b[31mred\x1b[0m \U0001f986 \udc80 \u2028 \ufffe \r')\nnext line ]]>"
SERVICE = {
    "cls_name": "EchoService",
    "module_name": "demo_tests.test_demo",
    "service_id": "EchoService-0-139707473729104",
    "nodes": ["ducker@node-1"],
    "lifecycle": {
        "init_time": 1795360460.5,
        "start_time": 1795360460.75,
        "start_duration_seconds": 0.25,
        "stop_time": -1,
        "stop_duration_seconds": -1,
        "clean_time": -1,
    },
}


class DemoTest:
    def test_pass(self) -> None:
        """Passes."""

    def test_data(self) -> None:
        """Returns data."""

    def test_fail(self) -> None: ...

    def test_matrix(self) -> None: ...

    def test_flaky(self) -> None: ...

    def test_skipped(self) -> None: ...


class Key(NamedTuple):
    test_id: str
    test_index: int


Key.__name__ = "TestKey"


class Cluster:
    """Five nodes of which three have been used at once."""

    max_used_nodes = 3

    def __len__(self) -> int:
        return 5


def session(results_dir: str | os.PathLike[str] = RESULTS_DIR) -> SessionContext:
    return SessionContext(
        session_id="2026-11-22--001",
        results_dir=os.fspath(results_dir),
        globals={"env": "ci"},
        fail_bad_cluster_utilization=False,
        test_runner_timeout=1800000,
    )


def context(
    method: str = "test_pass",
    injected_args: Any = None,
    *,
    of: SessionContext | None = None,
    file: str = f"{PROJECT}/demo_tests/test_demo.py",
    **kwargs: Any,
) -> TestContext:
    return TestContext(
        session_context=of or session(),
        module="demo_tests.test_demo",
        file=file,
        cls=DemoTest,
        function=getattr(DemoTest, method),
        injected_args=injected_args,
        **kwargs,
    )


def result(
    method: str = "test_pass",
    index: int = 1,
    status: TestStatus = PASS,
    summary: str = "Test Passed",
    injected_args: Any = None,
    *,
    data: Any = None,
    seconds: float = 0.5,
    of: SessionContext | None = None,
    file: str = f"{PROJECT}/demo_tests/test_demo.py",
    nodes: tuple[int, int] = (0, 0),
    services: list[dict[str, Any]] | None = None,
    reason: str | None = None,
    attempts: Sequence[dict[str, Any]] = (),
    teardown_errors: Sequence[str] = (),
    runs: dict[str, int] | None = None,
    faults: Sequence[dict[str, Any]] = (),
    metrics: Mapping[str, object] | None = None,
    tags: Sequence[str] = (),
) -> TestResult:
    of = of or session()
    return TestResult(
        context(method, injected_args, of=of, file=file, tags=frozenset(tags)),
        index,
        of,
        status,
        summary,
        data,
        START,
        START + seconds,
        *nodes,
        services=services,
        reason=reason,
        attempts=attempts,
        teardown_errors=teardown_errors,
        runs=runs,
        faults=faults,
        metrics=metrics,
    )


def fault(kind: str, *nodes: str, injected: float = 1, lasts: float | None = 2, **more: Any) -> dict[str, Any]:
    """What was done to nodes, as results have it; seconds are those since the start of the test."""
    effective = START + injected + 0.25
    healed = None if lasts is None else START + injected + lasts
    times = {"injected": START + injected, "effective": effective, "healed": healed}
    by = None if lasts is None else "test"
    return {"fault": kind, "nodes": list(nodes), "details": {}, **times, "healed_by": by, **more}


def attempt(
    number: int,
    status: str = "pass",
    reason: str | None = None,
    summary: str = "",
    nodes: Sequence[str] = ("worker1",),
    directory: str = "",
) -> dict[str, Any]:
    """What one of several attempts at a test came to, as results have it."""
    return {
        "number": number,
        "status": status,
        "reason": reason,
        "summary": summary,
        "start_time": START,
        "stop_time": START + number,
        "nodes": list(nodes),
        "teardown_errors": [],
        "directory": directory,
    }


def not_run(method: str, why: str, injected_args: dict[str, Any] | None = None, module: str = MODULE) -> NotRun:
    """A test that never ran."""
    file = f"{PROJECT}/{module.replace('.', '/')}.py"
    return NotRun(f"{module}.DemoTest.{method}", module, "DemoTest", method, injected_args, file, why)


def eventful_results(results_dir: str | os.PathLike[str] = RESULTS_DIR) -> TestResults:
    """Nine results and three tests that did not run, with everything that is not in every session."""
    of = session(results_dir)
    results = TestResults(of, Cluster(), {})
    results.start_time = START
    results.stop_time = START + 61.5
    late = "Test aborted: TimeoutError: nothing was heard for 30 seconds (on worker3)"
    lost = [
        attempt(
            1, "fail", "infrastructure", "SSHException('no route to worker1')\nTraceback", ["worker1"], "attempt-1"
        ),
        attempt(2, "fail", "infrastructure", "SSHException('no route to worker2')", ["worker2", "worker<3>"]),
    ]
    rate = "passed 3 of 5 runs\n\nrun 2 summary:\nAssertionError('x')"
    tries = [attempt(1), attempt(2, "fail", "assertion", "AssertionError('x')\nmore", directory="attempt-2")]
    stuck = ["Error running teardown method: OSError('</script> \x1b[0m')\nTraceback", "Error stopping services: no"]
    results.append(result("test_fail", 1, FAIL, late, reason="timeout", of=of))
    results.append(result("test_matrix", 2, FAIL, late.replace("3", "4"), {"x": 1}, reason="timeout", of=of))
    results.append(
        result(
            "test_fail", 3, FAIL, "SSHException('no route to worker2')", reason="infrastructure", attempts=lost, of=of
        )
    )
    results.append(result("test_skipped", 4, IGNORE, "Skipped: needs <3> disks", of=of))
    results.append(result("test_fail", 5, IGNORE, f"Expected failure: ISSUE-1\n\n{TRACEBACK}", of=of))
    results.append(result("test_skipped", 6, IGNORE, "", of=of))
    results.append(
        result("test_flaky", 7, FLAKY, rate, runs={"passed": 3, "failed": 2}, attempts=tries, data=[1], of=of)
    )
    results.append(result("test_pass", 8, teardown_errors=stuck, of=of))
    results.append(result("test_data", 9, FAIL, "oh", data={"a": 1}, teardown_errors=stuck[1:], of=of))
    results.not_run += [
        not_run("test_matrix", "the run was interrupted", {"x": 5}),
        not_run("test_pass", "its end <was> not seen"),
        not_run("test_other", "the run was interrupted", module="demo_tests.test_late"),
    ]
    return results


def demo_results(results_dir: str | os.PathLike[str] = RESULTS_DIR) -> TestResults:
    """Eight results: two passed, one flaky, four failed, one ignored."""
    of = session(results_dir)
    client = {"status": "FINISHED", "pid": 14766, "name": "Process-3", "exitcode": 0}
    client |= {"runner_start_time": START, "runner_end_time": START + 1}
    results = TestResults(of, Cluster(), {Key("demo_tests.test_demo.DemoTest.test_fail", 3): client})
    results.start_time = START
    results.stop_time = START + 61.5
    flaky = "runs 1, 2 summary:\nAssertionError('flaky')\n\n~~~~~~\nrun 3: PASSED"
    results.append(result(index=1, nodes=(2, 1), services=[SERVICE], of=of))
    results.append(result("test_data", 2, data={"mb_per_sec": 3.5, "unit": "<MB>"}, seconds=1.25, of=of))
    results.append(result("test_fail", 3, FAIL, TRACEBACK, reason="assertion", of=of))
    results.append(result("test_matrix", 4, FAIL, "it's", {"x": 2, "s": "c/d"}, seconds=60.25, nodes=(3, 3), of=of))
    results.append(result("test_matrix", 5, FAIL, HOSTILE, {"x": 3, "s": "it's </script>"}, of=of))
    results.append(result("test_flaky", 6, FLAKY, flaky, of=of))
    results.append(result("test_skipped", 7, IGNORE, "", of=of))
    broken = f"{PROJECT}/demo_tests/test_broken.py"
    failure = TestResult.from_import_failure("demo_tests.test_broken", broken, "ImportError: no module", 8, of)
    failure.start_time = failure.stop_time = START
    results.append(failure)
    return results


def check_golden(name: str, content: str) -> None:
    """Compare with a golden file; with ``UPDATE_GOLDEN=1`` in the environment rewrite it instead."""
    file = GOLDEN / name
    placed = content.replace(__version__, "@VERSION@")
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_bytes(placed.encode("utf-8", "backslashreplace"))
    assert placed.encode("utf-8", "backslashreplace") == file.read_bytes()
