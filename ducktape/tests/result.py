# SPDX-License-Identifier: Apache-2.0
"""Results: one value per test, and the collection of a session."""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence, Sized
from typing import TYPE_CHECKING, Any

from ducktape import __version__
from ducktape.cluster.cluster import UnhealthyNode
from ducktape.cluster.pool.quarantine import unhealthy_nodes
from ducktape.json_serializable import jsonable, strict, strict_dumps
from ducktape.tests.event import Outcome
from ducktape.tests.recording.bounds import LONGEST_DESCRIPTION, bounded_text
from ducktape.tests.recording.not_run import NotRun
from ducktape.tests.recording.source_line import line_of
from ducktape.tests.recording.statistics import Totals
from ducktape.tests.reports import text
from ducktape.tests.status import FAIL, FLAKY, IGNORE, PASS, TestStatus, status_named
from ducktape.utils.support.files import write_atomically
from ducktape.utils.support.interning import interned
from ducktape.utils.support.times import Stopwatch

if TYPE_CHECKING:
    from ducktape.tests.session import SessionContext
    from ducktape.tests.test_context import TestContext

__all__ = ["FAIL", "FLAKY", "IGNORE", "PASS", "NotRun", "TestResult", "TestResults"]

# What is taken from a record as it stands there, and what stands for it in a record of another version
_RECORDED: dict[str, object] = {
    **dict.fromkeys(("test_id", "module_name", "cls_name", "function_name", "description", "summary"), ""),
    **dict.fromkeys(("injected_args", "file_name", "line", "test_index", "data", "node_type", "reason"), None),
    **dict.fromkeys(("start_time", "stop_time"), -1),
    **dict.fromkeys(("nodes_allocated", "nodes_used"), 0),
    "services": [],
    "relative_results_dir": "",
}
# What report.json always has, beside the status
_REPORTED = (
    *("base_results_dir", "cls_name", "data", "description", "function_name", "injected_args", "module_name"),
    *("nodes_allocated", "nodes_used", "relative_results_dir", "results_dir", "run_time_seconds", "services"),
    *("start_time", "stop_time", "summary", "test_id"),
)
# What few results have: the others share an empty value, of which there is one in the class
_REPORTED_RARE = ("attempts", "teardown_errors", "runs", "faults", "metrics", "findings", "node_metrics", "tags")
_RARE = (*_REPORTED_RARE, "symbol_arguments")


class TestResult:
    """The result of one test, independent of the objects that took part in it.

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
        attempts: JSON-ready description of every attempt, if there was more than one.
        teardown_errors: what went wrong after the test itself, each a string.
        runs: how many runs ``passed`` and ``failed``, if the test was run again and again to find that out.
        faults: what was done to its nodes, and when.
        metrics: summaries of what it measured, by name.
        findings: what was found in logs and on nodes that should not be there.
        node_metrics: largest and mean values of what its nodes did, by node and metric.

    Attributes:
        tags: the words of ``@tag`` in alphabetical order.
        symbol_arguments: the arguments as a symbol has them, where strict JSON cannot say it (NaN, for example).
    """

    __test__ = False

    attempts: Sequence[dict[str, object]] = ()
    teardown_errors: Sequence[str] = ()
    runs: dict[str, int] | None = None
    faults: Sequence[dict[str, object]] = ()
    metrics: Mapping[str, object] | None = None
    findings: Sequence[dict[str, object]] = ()
    node_metrics: Mapping[str, object] | None = None
    tags: Sequence[str] = ()
    symbol_arguments: str | None = None

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
        services: list[dict[str, object]] | None = None,
        reason: str | None = None,
        attempts: Sequence[dict[str, object]] = (),
        teardown_errors: Sequence[str] = (),
        runs: Mapping[str, int] | None = None,
        faults: Sequence[dict[str, object]] = (),
        metrics: Mapping[str, object] | None = None,
        findings: Sequence[dict[str, object]] = (),
        node_metrics: Mapping[str, object] | None = None,
    ) -> None:
        cluster = test_context.cluster
        self.session_context = session_context
        self.test_id: str = interned(test_context.test_id)
        self.module_name = test_context.module_name
        self.cls_name = test_context.cls_name
        self.function_name = test_context.function_name
        arguments = test_context.json_arguments
        self.injected_args: dict[str, Any] | None = strict(arguments)
        exact = json.dumps(arguments, separators=(",", ":"))
        if exact != json.dumps(self.injected_args, separators=(",", ":")):
            self.symbol_arguments = exact
        self.description: str = bounded_text(strict(test_context.description), LONGEST_DESCRIPTION)
        self.file_name = test_context.file
        self.line = line_of(test_context.function, self.file_name)
        self.test_index = test_index
        self.test_status = _the_one(test_status)
        self.summary: str = interned(strict(summary))
        ready = _ready(data)
        # Not a number is data all the same: the file says null
        self.data = data if ready is None else ready
        self.start_time = start_time
        self.stop_time = stop_time
        self.nodes_allocated = len(cluster or ()) if nodes_allocated is None else nodes_allocated
        self.nodes_used: int = getattr(cluster, "max_used_nodes", 0) if nodes_used is None else nodes_used
        self.node_type: str | None = _ready((test_context.cluster_use_metadata or {}).get("node_type"))
        if services is None and (registry := getattr(test_context, "services", None)) is not None:
            services = registry.to_json()
        # The context has no services any more once it has been closed
        self.services: Any = {} if services is None else _ready(services)
        self.reason: str | None = _ready(reason)
        directory = os.path.relpath(test_context.results_dir(test_context, test_index), session_context.results_dir)
        self.relative_results_dir = "" if directory == os.curdir else os.path.join(directory, "")
        tags = sorted(test_context.tags)
        rare = (attempts, teardown_errors, runs, faults, metrics, findings, node_metrics, tags)
        self._set_rare(dict(zip(_REPORTED_RARE, rare, strict=True)))

    def _set_rare(self, values: Mapping[str, object]) -> None:
        for name in filter(values.get, _RARE):
            setattr(self, name, _ready(values[name]))

    @classmethod
    def from_outcome(
        cls, context: TestContext, test_index: int, outcome: Outcome, *, nodes_allocated: int
    ) -> TestResult:
        """Return the result of a test, with its number within the session, whose outcome is known."""
        fields = {name: value for name, value in vars(outcome).items() if name != "status"}
        status, session = status_named(outcome.status), context.session_context
        return cls(context, test_index, session, status, nodes_allocated=nodes_allocated, **fields)

    @classmethod
    def from_record(cls, record: Mapping[str, object], session_context: SessionContext) -> TestResult:
        """Return a result of which every report is the same as of the one that was asked for its record.

        Args:
            record: what :meth:`to_record` returned, or that after a way through JSON. What is missing in a record of
                another version is empty; what is unknown is passed over.
            session_context: the session; the directories of the result are below its ``results_dir``.

        Raises:
            ValueError: the record has no ``test_id`` or no ``test_status``.
        """
        for name in ("test_id", "test_status"):
            if not isinstance(record.get(name), str):
                raise ValueError(f"not the record of a result: it has no {name}")
        result = cls.__new__(cls)
        result.session_context = session_context
        for name, default in _RECORDED.items():
            setattr(result, name, interned(record.get(name, default)))
        result.test_status = _the_one(TestStatus(str(record["test_status"])))
        result._set_rare(record)
        return result

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
        record = {
            "test_id": f"{module}.<import>",
            "test_index": index,
            "test_status": str(FAIL),
            "module_name": module,
            "function_name": "<import>",
            "file_name": file,
            "summary": summary,
            **dict.fromkeys(("start_time", "stop_time"), time.time()),
            "reason": "import",
        }
        return cls.from_record(record, session_context)

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
            return max(0.0, time.time() - self.start_time)
        return self.stop_time - self.start_time

    def report(self) -> None:
        """Write ``report.json``, ``report.txt`` and, if there is data, ``data.json`` into the directory of the test.

        Raises:
            OSError: the directory or a file cannot be written.
        """
        if not self.relative_results_dir:
            return
        self.dump_json()
        write_atomically(os.path.join(self.results_dir, "report.txt"), text.result_report_pieces(self))
        if self.data is not None:
            write_atomically(os.path.join(self.results_dir, "data.json"), strict_dumps(self.data))

    def dump_json(self) -> None:
        """Write ``report.json`` into the directory of the test, which is made if need be."""
        os.makedirs(self.results_dir, exist_ok=True)
        content = strict_dumps(self.to_json(), indent=2, sort_keys=True)
        write_atomically(os.path.join(self.results_dir, "report.json"), content)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON-ready content of ``report.json``."""
        content = {name: getattr(self, name) for name in _REPORTED}
        content["test_status"] = str(self.test_status).upper()
        optional = {name: getattr(self, name) for name in ("node_type", "reason")}
        content |= {name: value for name, value in optional.items() if value is not None}
        return content | {name: value for name in _REPORTED_RARE if (value := getattr(self, name))}

    def to_record(self) -> dict[str, Any]:
        """Return the JSON-ready content of ``report.json`` and whatever else :meth:`from_record` needs."""
        optional = {name: value for name in ("line", "symbol_arguments") if (value := getattr(self, name))}
        return {**self.to_json(), "file_name": self.file_name, "test_index": self.test_index, **optional}

    def __repr__(self) -> str:
        return f"<TestResult - test_status:{self.test_status}, data:{self.data}>"


class TestResults:
    """The results of a session in the order in which they were appended.

    Args:
        session_context: the session.
        cluster: anything whose length is the number of nodes; ``None`` counts as no node.
        client_status: states of the processes that ran the tests; kept by reference and read by every report.

    Attributes:
        not_run: the tests that were to run and did not; to be filled by whoever knows.
        logs_root: directory of the session as seen from that of the reports, where these are two.
    """

    __test__ = False

    def __init__(
        self,
        session_context: SessionContext,
        cluster: Sized | None = None,
        client_status: Mapping[Any, object] | None = None,
    ) -> None:
        self.session_context = session_context
        self.cluster: Any = cluster
        self.client_status: Mapping[Any, object] = {} if client_status is None else client_status
        self.start_time: float = -1
        self.stop_time: float = -1
        self.not_run: list[NotRun] = []
        self.logs_root = ""
        self._results: list[TestResult] = []
        self._totals = Totals()
        self._clock: Stopwatch | None = None

    def begin(self) -> None:
        """Note that the session begins, or goes on, now."""
        self._clock = Stopwatch()
        if self.start_time < 0:
            self.start_time = self._clock.start_time

    def now(self) -> float:
        """Return this moment in seconds since the epoch, never before the beginning of the session."""
        return max(self.start_time, time.time() if self._clock is None else self._clock.now())

    def append(self, result: TestResult) -> None:
        """Add a result, which must not change any more: totals are kept up to date here."""
        # A result that has been pickled brings a copy of its own
        result.session_context = self.session_context
        self._results.append(result)
        self._totals.add(result.test_status, result.run_time_seconds, result.nodes_used, result.nodes_allocated)

    def __len__(self) -> int:
        return len(self._results)

    def __iter__(self) -> Iterator[TestResult]:
        return iter(self._results)

    @property
    def num_passed(self) -> int:
        """The number of tests that passed at the first attempt."""
        return self._totals.count(PASS)

    @property
    def num_failed(self) -> int:
        """The number of tests that failed."""
        return self._totals.count(FAIL)

    @property
    def num_ignored(self) -> int:
        """The number of tests that were not run because they are marked so."""
        return self._totals.count(IGNORE)

    @property
    def num_flaky(self) -> int:
        """The number of tests that passed after at least one failure."""
        return self._totals.count(FLAKY)

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
            self.stop_time = self.now()
        return self.stop_time - self.start_time

    def get_aggregate_success(self) -> bool:
        """Return False if a test failed."""
        return self.num_failed == 0

    def so_far(self) -> TestResults:
        """Return a view that ends now, for reports about a session that goes on."""
        view = copy.copy(self)
        view.stop_time = self.now()
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
        session_time = self.run_time_seconds
        content = {
            "ducktape_version": __version__,
            "session_context": jsonable(self.session_context.to_json()),
            "start_time": self.start_time,
            "stop_time": self.stop_time,
            "run_time_seconds": session_time,
            "num_passed": self.num_passed,
            "num_failed": self.num_failed,
            "num_ignored": self.num_ignored,
            **self._totals.to_json(len(self.cluster or ()), session_time),
        }
        if self.num_flaky:
            content["num_flaky"] = self.num_flaky
        if self.unhealthy_nodes:
            content["unhealthy_nodes"] = [node.to_json() for node in self.unhealthy_nodes]
        if self.not_run:
            content["tests_not_run"] = [test.to_json() for test in self.not_run]
        return content


def _the_one(status: TestStatus) -> TestStatus:
    """Return the constant that equals a status, if there is one."""
    return next((each for each in (PASS, FLAKY, FAIL, IGNORE) if each == status), status)


def _ready(value: object) -> Any:
    """Return a copy of any value that reports can have."""
    return interned(strict(jsonable(value)))
