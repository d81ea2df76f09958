# SPDX-License-Identifier: Apache-2.0
"""The state of a session, read from its journal alone."""

from __future__ import annotations

import dataclasses
import os
from collections import ChainMap, Counter
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sized
from typing import Any

from ducktape.cluster.cluster import UnhealthyNode
from ducktape.cluster.pool.quarantine import unhealthy_nodes
from ducktape.errors import DucktapeError
from ducktape.tests.recording.journal import JOURNAL_NAME, JOURNAL_VERSION, Event, is_written, read_events
from ducktape.tests.recording.not_run import NotRun
from ducktape.tests.result import TestResult, TestResults
from ducktape.tests.session import UNREPORTED_OPTIONS, SessionContext
from ducktape.tests.status import FAIL, status_named

# Such a result says nothing about the test: when the session is resumed, the test runs, or the file is imported, again
_NO_VERDICT = ("interrupted", "import")
_NUMBERS = ("start_time", "stop_time", "nodes_allocated", "nodes_used")
_TEXTS = ("module_name", "cls_name", "function_name", "description", "summary", "relative_results_dir")
_PARTS = (("subset", 0), ("subsets", 1))
_NOT_UNDERSTOOD = (KeyError, TypeError, ValueError, AttributeError)
_WHY_CUT_OFF = ("was running when the run was cut off", "the run was cut off before it started")
_WHY_GOING_ON = ("was running when this report was made", "had not started when this report was made")


class RecordError(DucktapeError):
    """The record of a past session is missing or cannot be understood."""


@dataclasses.dataclass(frozen=True)
class RecordedCluster:
    """As much of a cluster as reports need: its size and its unhealthy nodes."""

    size: int
    unhealthy_nodes: list[UnhealthyNode]

    def __len__(self) -> int:
        return self.size


class _ContinuedCluster:
    """A cluster that remembers nodes that were in quarantine before the session was resumed."""

    def __init__(self, cluster: Sized, earlier: list[UnhealthyNode]) -> None:
        self._cluster = cluster
        self._earlier = earlier

    def __len__(self) -> int:
        return len(self._cluster)

    @property
    def unhealthy_nodes(self) -> list[UnhealthyNode]:
        return [*self._earlier, *unhealthy_nodes(self._cluster)]


class RecordedSession:
    """A session according to its journal; made by :meth:`read`."""

    def __init__(self, results_dir: str, event: Event) -> None:
        self.results_dir = os.path.abspath(results_dir)  # where the journal is now
        self.session_id = str(event["session_id"])
        self.configuration: dict[str, object] = {}  # the options, JSON-ready, by their names in the program
        self._context_values: dict[str, object] = {}
        self.versions: dict[str, str] = {}
        self.argv: list[str] = []
        self.secrets_left_out: list[str] = []  # options whose values are incomplete because they hold secrets
        self.directory = str(event.get("directory") or os.sep)
        # Names of tests depend on it
        self.first_of_search_path = str(event.get("first_of_search_path") or "")
        self.expected: int | None = None  # number of tests that were to run
        self._size = 0
        self._read_options(event)
        # Which part of the tests it runs; when it is resumed, the options do not say so any more
        self.subset, self.subsets = (_part(self.configuration.get(name), few) for name, few in _PARTS)
        self._queued: dict[int, NotRun] = {}
        self._finished: dict[object, TestResult] = {}
        self.client_status: dict[str, dict[str, object]] = {}
        self.unhealthy_nodes: list[UnhealthyNode] = []
        self.not_run: list[NotRun] = []  # those that the driver itself gave up
        self.running: dict[int, str] = {}
        self.ended = False  # whether the driver lived to write the end of the session
        self.going_on = False  # whether the driver seems to be alive
        self.start_time: float = event["time"]
        self.stop_time: float = event["time"]
        self.highest_test_index = 0
        self.damaged_lines = 0  # an unfinished one at the end does not count

    @classmethod
    def read(cls, results_dir: str) -> RecordedSession:
        """Read the journal of a session, which may still be going on; ``RecordError`` if that is impossible."""
        path = os.path.join(results_dir, JOURNAL_NAME)
        # Checked first: a driver that ends in between has then written its end
        going_on = is_written(path)
        try:
            recorded = cls._replay(path)
        except FileNotFoundError:
            if not os.path.isdir(results_dir):
                raise RecordError(
                    f"There is no directory {results_dir}: name that of a session, such as results/2026-11-22--001"
                ) from None
            raise RecordError(
                f"{results_dir} has no {JOURNAL_NAME}: it is not the directory of a session, or of one of an earlier "
                "ducktape, which wrote none: name one such as results/2026-11-22--001"
            ) from None
        except OSError as error:
            raise RecordError(f"Cannot read {path}: {error.strerror}") from error
        if recorded is None:
            raise RecordError(
                f"{path} does not say of which session it is: its first line is missing or damaged. "
                "Nothing can be made of it; run the tests again"
            )
        recorded.going_on = going_on and not recorded.ended
        return recorded

    @classmethod
    def _replay(cls, path: str) -> RecordedSession | None:
        recorded: RecordedSession | None = None
        damaged = 0
        last_was_damaged = False
        for event, is_complete in read_events(path):
            if recorded is None and event is not None and event["event"] == "session":
                _check_version(event, path)
                try:
                    recorded = cls(os.path.dirname(path), event)
                except _NOT_UNDERSTOOD as error:
                    raise RecordError(f"The first line of {path} is not that of a session: {error!r}") from error
                continue
            understood = recorded is not None and event is not None and recorded._take(event, path)
            if last_was_damaged and event is not None and event["event"] == "resumed":
                damaged -= 1  # it is what the driver was writing when it died
            last_was_damaged = not understood
            damaged += last_was_damaged and is_complete
        if recorded is not None:
            recorded.damaged_lines = damaged
        return recorded

    # --- questions

    @property
    def queued(self) -> list[NotRun]:
        """The tests that were to run, in order; one that was to run N times is there N times."""
        return [self._queued[position] for position in sorted(self._queued)]

    @property
    def next_position(self) -> int:
        """The position of a test that is queued after all others."""
        return max(self._queued, default=-1) + 1

    @property
    def finished(self) -> list[TestResult]:
        """The results, in order of arrival."""
        return list(self._finished.values())

    @property
    def kept(self) -> list[TestResult]:
        """The results that remain when the session is resumed: all but those of interruptions and failed imports."""
        return [result for result in self.finished if result.reason not in _NO_VERDICT]

    @property
    def failed_imports(self) -> list[TestResult]:
        """The results of files that could not be imported."""
        return [result for result in self.finished if result.reason == "import"]

    @property
    def failed_ids(self) -> frozenset[str]:
        """The ids of the tests that failed."""
        return frozenset(result.test_id for result in self.finished if result.test_status == FAIL)

    def missing(self) -> list[NotRun]:
        """Return the queued tests without a result, or only with that of an interruption."""
        return self._without(self.kept)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to run or to import, even if the end of the session is missing."""
        return not self.missing() and not self.failed_imports and len(self.kept) >= (self.expected or 0)

    def results(self) -> TestResults:
        """Return results that make the same reports as the run itself, and say how far every other test had got."""
        cluster = RecordedCluster(self._size, self.unhealthy_nodes)
        results = self._results(self.session_context, cluster, self.client_status, self.finished)
        results.stop_time = self.stop_time
        results.not_run = list(self.not_run)
        if self.ended:
            return results
        was_running, never_started = _WHY_GOING_ON if self.going_on else _WHY_CUT_OFF
        reported = Counter(test.test_id for test in self.not_run)
        running = Counter(self.running.values())
        for test in self._without(self.finished):
            if not _one_less(reported, test.test_id):
                why = was_running if _one_less(running, test.test_id) else never_started
                results.not_run.append(dataclasses.replace(test, why=why))
        results.not_run += [NotRun(name, "", "", "", None, None, was_running) for name in running.elements()]
        return results

    def continued(
        self, session_context: SessionContext, cluster: Sized, client_status: MutableMapping[Any, Any]
    ) -> TestResults:
        """Return the results with which the session continues when it is resumed."""
        statuses = ChainMap[Any, Any](client_status, dict(self.client_status))
        return self._results(session_context, _ContinuedCluster(cluster, self.unhealthy_nodes), statuses, self.kept)

    def _results(
        self,
        session_context: SessionContext,
        cluster: Sized,
        client_status: Mapping[Any, Any],
        finished: Iterable[TestResult],
    ) -> TestResults:
        results = TestResults(session_context, cluster, client_status)
        results.start_time = self.start_time
        for result in finished:
            results.append(result)
        return results

    def _without(self, results: Iterable[TestResult]) -> list[NotRun]:
        done = Counter(result.test_id for result in results)
        return [test for test in self.queued if not _one_less(done, test.test_id)]

    # --- events

    def _take(self, event: Event, path: str) -> bool:
        """Apply an event; return whether it could be understood."""
        if event["event"] == "resumed":
            _check_version(event, path)
        try:
            self.highest_test_index = max(self.highest_test_index, event.get("test_index") or 0)
            handler = _HANDLERS.get(event["event"])
            if handler is not None:
                handler(self, event)
        except _NOT_UNDERSTOOD:
            return False
        if not self.ended:
            self.stop_time = event["time"]
        return True

    def _read_options(self, event: Event) -> None:
        """Apply the fields that both the session and its resumptions have."""
        self.configuration = dict(event.get("configuration") or self.configuration)
        self._context_values = dict(event.get("session_context") or self._context_values)
        self.versions = dict(event.get("versions") or self.versions)
        self.secrets_left_out = [str(each) for each in event.get("secrets_left_out") or ()]
        self.argv = [str(each) for each in event.get("argv") or self.argv]
        self.expected = event.get("expected", self.expected)
        self._size = int(event.get("cluster_num_nodes", self._size))
        of_this = {"session_id": self.session_id, "results_dir": self.results_dir}
        self.session_context = SessionContext(**{**self.configuration, **of_this})
        known = vars(self.session_context).keys() - {"results_dir"} - UNREPORTED_OPTIONS
        vars(self.session_context).update(
            (name, value) for name, value in self._context_values.items() if name in known
        )

    def _take_resumed(self, event: Event) -> None:
        self._read_options(event)
        self._finished = {key: result for key, result in self._finished.items() if result.reason not in _NO_VERDICT}
        self.not_run.clear()
        self.running.clear()
        self.ended = False

    def _take_queued(self, event: Event) -> None:
        test = NotRun.from_json(event)
        self._queued[_integer(event["position"]) if "position" in event else self.next_position] = test

    def _take_started(self, event: Event) -> None:
        index, test_id = _integer(event["test_index"]), str(event["test_id"])
        self.running[index] = test_id
        self.client_status[_key(test_id, index)] = {
            "status": "RUNNING",
            "pid": event.get("pid"),
            "name": event.get("process"),
            "runner_start_time": event.get("start_time", event["time"]),
        }

    def _take_process(self, event: Event) -> None:
        key = _key(str(event["test_id"]), _integer(event["test_index"]))
        self.client_status[key] = dict(event["status"])

    def _take_finished(self, event: Event) -> None:
        record = event["result"]
        status_named(str(record["test_status"]))
        numbers = all(isinstance(record.get(name, 0), (int, float)) for name in _NUMBERS)
        texts = all(isinstance(record.get(name, ""), str) for name in _TEXTS)
        if not (numbers and texts and isinstance(record.get("test_index"), (int, type(None)))):
            raise TypeError("not the record of a result, for reports cannot use it")
        result = TestResult.from_record(record, self.session_context)
        key: object = result.test_id if result.test_index is None else result.test_index
        self._finished.pop(key, None)
        self._finished[key] = result
        if result.test_index is not None:
            self.running.pop(result.test_index, None)

    def _take_not_run(self, event: Event) -> None:
        self.not_run.append(NotRun.from_json(event))

    def _take_quarantined(self, event: Event) -> None:
        since = event.get("put_aside_at", event["time"])
        self.unhealthy_nodes.append(UnhealthyNode(str(event["name"]), str(event.get("reason", "")), float(since)))

    def _take_back(self, event: Event) -> None:
        quarantined = [node for node in self.unhealthy_nodes if node.name == event["name"] and node.back_at is None]
        if quarantined:
            quarantined[0].back_at = float(event.get("back_at", event["time"]))

    def _take_end(self, event: Event) -> None:
        self.start_time = float(event.get("start_time", self.start_time))
        self.stop_time = float(event.get("stop_time", event["time"]))
        self._size = int(event.get("cluster_num_nodes", self._size))
        self.ended = True


_HANDLERS: dict[str, Callable[[RecordedSession, Event], None]] = {
    "resumed": RecordedSession._take_resumed,
    "queued": RecordedSession._take_queued,
    "started": RecordedSession._take_started,
    "process": RecordedSession._take_process,
    "finished": RecordedSession._take_finished,
    "not_run": RecordedSession._take_not_run,
    "node_put_aside": RecordedSession._take_quarantined,
    "node_back": RecordedSession._take_back,
    "session_end": RecordedSession._take_end,
}


def _check_version(event: Event, path: str) -> None:
    version = event.get("version")
    major = str(version).partition(".")[0]
    if not major.isdecimal():
        raise RecordError(f"{path} has no version that could be understood: {version!r}")
    if int(major) > JOURNAL_VERSION:
        raise RecordError(
            f"{path} has version {version} of the format, and this ducktape knows {JOURNAL_VERSION}: "
            "use the version of ducktape that wrote it, or a newer one"
        )


def _key(test_id: str, test_index: int) -> str:
    return f"TestKey(test_id={test_id!r}, test_index={test_index!r})"


def _integer(value: int) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is not an integer")
    return value


def _part(value: object, otherwise: int) -> int:
    return value if type(value) is int and value >= otherwise else otherwise


def _one_less(counter: Counter[str], name: str) -> bool:
    """Take one away, and return whether there was one."""
    if counter[name] <= 0:
        return False
    counter[name] -= 1
    return True
