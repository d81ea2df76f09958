# SPDX-License-Identifier: Apache-2.0
"""What became of the tests: one value per test and the collection of a session."""

from __future__ import annotations

import copy
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from ducktape import __version__
from ducktape.cluster.health import UnhealthyNode, unhealthy_nodes
from ducktape.json_serializable import jsonable
from ducktape.tests.reports import text
from ducktape.tests.status import FAIL, FLAKY, IGNORE, PASS, TestStatus
from ducktape.utils.files import write_atomically

if TYPE_CHECKING:
    from ducktape.tests.session import SessionContext
    from ducktape.tests.test_context import TestContext

__all__ = ["FAIL", "FLAKY", "IGNORE", "PASS", "TestResult", "TestResults"]

_LONGEST_SHARED_TEXT = 256


class TestResult:
    """What became of one test, independent of the objects that took part in it.

    Args:
        test_context: the test; only texts and numbers are taken from it.
        test_index: the number of the test within the session, part of its directory.
        session_context: the session; shared by all its results.
        test_status: one of PASS, FLAKY, FAIL, IGNORE.
        summary: text for people, usually the exception and its traceback.
        data: what the test returned; anything that JSON cannot express is kept as text.
        start_time: Unix seconds; -1 if the test never started.
        stop_time: Unix seconds; -1 if it has not stopped.
        nodes_allocated: number of nodes; by default the size of the context's cluster.
        nodes_used: number of nodes; by default the most that the context's cluster had in use.
        services: JSON-ready description of every service; by default those that the context still knows.
        reason: why the test failed, one word such as ``timeout``.
    """

    __test__ = False

    def __init__(
        self,
        test_context: TestContext,
        test_index: int | None,
        session_context: SessionContext,
        test_status: TestStatus = PASS,
        summary: str = "",
        data: Any = None,
        start_time: float = -1,
        stop_time: float = -1,
        nodes_allocated: int | None = None,
        nodes_used: int | None = None,
        *,
        services: list[dict[str, Any]] | None = None,
        reason: str | None = None,
    ) -> None:
        cluster = test_context.cluster
        self.session_context = session_context
        self.test_id = test_context.test_id
        self.module_name = test_context.module_name
        self.cls_name = test_context.cls_name
        self.function_name = test_context.function_name
        self.injected_args: dict[str, Any] | None = jsonable(test_context.injected_args)
        self.description = test_context.description
        self.file_name = test_context.file
        self.test_index = test_index
        self.test_status: TestStatus = _shared(test_status)
        self.summary: str = _shared(summary)
        self.data = _shared(jsonable(data))
        self.start_time = start_time
        self.stop_time = stop_time
        self.nodes_allocated = _cluster_size(cluster) if nodes_allocated is None else nodes_allocated
        self.nodes_used: int = getattr(cluster, "max_used_nodes", 0) if nodes_used is None else nodes_used
        self.node_type: str | None = jsonable((test_context.cluster_use_metadata or {}).get("node_type"))
        self.services: Any = _shared(_services_of(test_context) if services is None else jsonable(services))
        self.reason: str | None = _shared(reason)
        directory = os.path.relpath(test_context.results_dir(test_context, test_index), session_context.results_dir)
        self.relative_results_dir = "" if directory == os.curdir else os.path.join(directory, "")

    @classmethod
    def from_import_failure(
        cls, module: str, file: str | None, summary: str, index: int | None, session_context: SessionContext
    ) -> TestResult:
        """Return the FAIL that stands for a test file whose tests nobody could see.

        It has no directory of its own: ``relative_results_dir`` is empty and ``report()`` writes nothing.

        Args:
            module: dotted name under which the file was to be imported.
            file: path of the file.
            summary: the exception and its traceback.
            index: number of the result within the session, if it has one.
            session_context: the session.
        """
        context = cast("TestContext", _BrokenFile(module, file, session_context.results_dir))
        now = time.time()
        return cls(
            context,
            index,
            session_context,
            FAIL,
            summary,
            start_time=now,
            stop_time=now,
            services=[],
            reason="import",
        )

    @property
    def base_results_dir(self) -> str:
        """The directory of the session, absolute, with a trailing separator."""
        return os.path.join(os.path.abspath(self.session_context.results_dir), "")

    @property
    def results_dir(self) -> str:
        """The directory of this test, absolute, with a trailing separator."""
        return os.path.join(os.path.normpath(os.path.join(self.base_results_dir, self.relative_results_dir)), "")

    @property
    def run_time_seconds(self) -> float:
        """Seconds from start to stop, or to now; -1 if the test never started."""
        if self.start_time < 0:
            return -1
        if self.stop_time < 0:
            return time.time() - self.start_time
        return self.stop_time - self.start_time

    def report(self) -> None:
        """Write ``report.json``, ``report.txt`` and, if there is data, ``data.json`` into the directory of the test.

        Raises:
            OSError: the directory or a file cannot be written.
        """
        if not self.relative_results_dir:
            return
        self.dump_json()
        write_atomically(os.path.join(self.results_dir, "report.txt"), text.result_report(self))
        if self.data is not None:
            write_atomically(os.path.join(self.results_dir, "data.json"), json.dumps(self.data))

    def dump_json(self) -> None:
        """Write ``report.json`` into the directory of the test, which is made if need be."""
        os.makedirs(self.results_dir, exist_ok=True)
        content = json.dumps(self.to_json(), indent=2, sort_keys=True)
        write_atomically(os.path.join(self.results_dir, "report.json"), content)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON-ready content of ``report.json``."""
        content = {
            "base_results_dir": self.base_results_dir,
            "cls_name": self.cls_name,
            "data": self.data,
            "description": self.description,
            "function_name": self.function_name,
            "injected_args": self.injected_args,
            "module_name": self.module_name,
            "nodes_allocated": self.nodes_allocated,
            "nodes_used": self.nodes_used,
            "relative_results_dir": self.relative_results_dir,
            "results_dir": self.results_dir,
            "run_time_seconds": self.run_time_seconds,
            "services": self.services,
            "start_time": self.start_time,
            "stop_time": self.stop_time,
            "summary": self.summary,
            "test_id": self.test_id,
            "test_status": str(self.test_status).upper(),
        }
        if self.node_type is not None:
            content["node_type"] = self.node_type
        if self.reason is not None:
            content["reason"] = self.reason
        return content

    def __repr__(self) -> str:
        return f"<TestResult - test_status:{self.test_status}, data:{self.data}>"


class TestResults:
    """The results of a session in the order in which they were appended.

    Args:
        session_context: the session.
        cluster: anything whose length is the number of nodes; ``None`` counts as no node.
        client_status: what became of the processes that ran the tests; kept by reference and read by every report.
    """

    __test__ = False

    def __init__(
        self, session_context: SessionContext, cluster: Any = None, client_status: Mapping[Any, Any] | None = None
    ) -> None:
        self.session_context = session_context
        self.cluster = cluster
        self.client_status: Mapping[Any, Any] = {} if client_status is None else client_status
        self.start_time: float = -1
        self.stop_time: float = -1
        self._results: list[TestResult] = []
        self._counts = {str(status): 0 for status in (PASS, FLAKY, FAIL, IGNORE)}
        self._run_times = _Statistics()
        self._nodes_used = _Statistics()
        self._nodes_allocated = _Statistics()
        self._node_seconds = 0.0

    def append(self, result: TestResult) -> None:
        """Add a result, which must not change any more: totals are kept up to date here."""
        # A result that has been pickled brings a copy of its own
        result.session_context = self.session_context
        self._results.append(result)
        status = str(result.test_status)
        self._counts[status] = self._counts.get(status, 0) + 1
        # A test that never started took no time
        run_time = max(result.run_time_seconds, 0)
        self._run_times.add(run_time)
        self._nodes_used.add(result.nodes_used)
        self._nodes_allocated.add(result.nodes_allocated)
        self._node_seconds += result.nodes_used * run_time

    def __len__(self) -> int:
        return len(self._results)

    def __iter__(self) -> Iterator[TestResult]:
        return iter(self._results)

    @property
    def num_passed(self) -> int:
        """The number of tests that passed at the first attempt."""
        return self._counts[str(PASS)]

    @property
    def num_failed(self) -> int:
        """The number of tests that failed."""
        return self._counts[str(FAIL)]

    @property
    def num_ignored(self) -> int:
        """The number of tests that were not run because they are marked so."""
        return self._counts[str(IGNORE)]

    @property
    def num_flaky(self) -> int:
        """The number of tests that passed after at least one failure."""
        return self._counts[str(FLAKY)]

    @property
    def unhealthy_nodes(self) -> list[UnhealthyNode]:
        """The nodes that the cluster put aside, those that are back included."""
        return unhealthy_nodes(self.cluster)

    @property
    def run_time_seconds(self) -> float:
        """Seconds the session took; its end is now if it has none yet. -1 if the session never started."""
        if self.start_time < 0:
            return -1
        if self.stop_time < 0:
            self.stop_time = time.time()
        return self.stop_time - self.start_time

    def get_aggregate_success(self) -> bool:
        """Return False if a test failed."""
        return self.num_failed == 0

    def so_far(self) -> TestResults:
        """Return a view that ends now, for reports about a session that goes on."""
        view = copy.copy(self)
        view.stop_time = time.time()
        return view

    def to_json(self) -> dict[str, Any]:
        """Return the JSON-ready content of the session's ``report.json``."""
        return {
            **self.totals_to_json(),
            "client_status": {str(key): jsonable(value) for key, value in self.client_status.items()},
            "results": [result.to_json() for result in self._results],
        }

    def totals_to_json(self) -> dict[str, Any]:
        """Return the same without what there is for every single test."""
        cluster_size = _cluster_size(self.cluster)
        session_time = self.run_time_seconds
        capacity = cluster_size * max(session_time, 0)
        content = {
            "ducktape_version": __version__,
            "session_context": jsonable(self.session_context.to_json()),
            "start_time": self.start_time,
            "stop_time": self.stop_time,
            "run_time_seconds": session_time,
            "num_passed": self.num_passed,
            "num_failed": self.num_failed,
            "num_ignored": self.num_ignored,
            "run_time_statistics": self._run_times.to_json(),
            "cluster_nodes_used": self._nodes_used.to_json(),
            "cluster_nodes_allocated": self._nodes_allocated.to_json(),
            "cluster_num_nodes": cluster_size,
            "cluster_utilization": self._node_seconds / capacity if capacity else 0,
            "parallelism": self._run_times.total / session_time if capacity else 0,
        }
        if self.num_flaky:
            content["num_flaky"] = self.num_flaky
        if self.unhealthy_nodes:
            content["unhealthy_nodes"] = [node.to_json() for node in self.unhealthy_nodes]
        return content


class _BrokenFile:
    """Stands where a result expects a test, for a file that has none because it cannot be imported."""

    cls_name = ""
    function_name = "<import>"
    description = ""
    injected_args = None
    cluster = None
    cluster_use_metadata = None

    def __init__(self, module: str, file: str | None, session_results_dir: str) -> None:
        self.module_name = module
        self.file = file
        self.test_id = f"{module}.<import>"
        self._session_results_dir = session_results_dir

    def results_dir(self, test_context: object, test_index: int | None) -> str:
        return self._session_results_dir


class _Statistics:
    """Smallest, largest and mean of numbers that come one by one."""

    def __init__(self) -> None:
        self.total: float = 0
        self._count = 0
        self._min: float | None = None
        self._max: float | None = None

    def add(self, number: float) -> None:
        self.total += number
        self._count += 1
        self._min = number if self._min is None else min(self._min, number)
        self._max = number if self._max is None else max(self._max, number)

    def to_json(self) -> dict[str, float | None]:
        mean = self.total / self._count if self._count else None
        return {"max": self._max, "mean": mean, "min": self._min}


def _cluster_size(cluster: Any) -> int:
    return 0 if cluster is None else len(cluster)


def _services_of(test_context: TestContext) -> Any:
    """Return what a context says of its services, or an empty mapping once it has been closed."""
    registry = getattr(test_context, "services", None)
    return {} if registry is None else jsonable(registry.to_json())


def _shared(value: Any) -> Any:
    """Return an equal value whose short texts exist once in this process.

    What child processes report consists of copies of the same few texts.
    """
    if isinstance(value, str):
        return sys.intern(value) if type(value) is str and len(value) <= _LONGEST_SHARED_TEXT else value
    if isinstance(value, dict):
        return {_shared(key): _shared(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shared(item) for item in value]
    if isinstance(value, TestStatus):
        return next((status for status in (PASS, FLAKY, FAIL, IGNORE) if status == value), value)
    return value
