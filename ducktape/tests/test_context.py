# SPDX-License-Identifier: Apache-2.0
"""What a test knows about itself: its code, its arguments, its cluster, its services, its log and its directory."""

from __future__ import annotations

import copy
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.faults.engine.log import FaultLog
from ducktape.json_serializable import jsonable, jsonable_arguments
from ducktape.mark.consts import CLUSTER_NODE_TYPE_KEYWORD, CLUSTER_SIZE_KEYWORD, CLUSTER_SPEC_KEYWORD
from ducktape.metrics import Metrics
from ducktape.services.service_registry import ServiceRegistry
from ducktape.tests.loggermaker import FileLoggerMaker, close_logger
from ducktape.utils.persistence import PDict
from ducktape.utils.support.guard import tolerated, value_or
from ducktape.utils.support.stable_text import Numbers, stable_argument, stable_text

if TYPE_CHECKING:
    from ducktape.cluster.cluster import Cluster
    from ducktape.cluster.finite_subcluster import FiniteSubcluster
    from ducktape.tests.session import SessionContext

_OF_ONE_RUN = {
    "services",
    "fault_log",
    "metrics",
    "attempt_dir",
    "log_collect",
    "disambiguator",
    "test_index",
    "_logger",
    "_local_scratch_dir",
    "_closed",
}
_LONGEST_PATH_COMPONENT = 255  # bytes, on every file system in use


def _escape_pathname(s: str) -> str:
    """Turn any text into one harmless path component; words, ``.``, ``-``, ``=`` and ``_`` stay."""
    s = re.sub(r"\s+", "", s)
    s = re.sub(r"[^.\-=\w]+", ".", s)
    s = re.sub(r"\.+", ".", s)
    return s.removeprefix(".").removesuffix(".")


def _path_component(name: str) -> str:
    """Shorten a name that no file system would take, always to the same text."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        # Where file names have an encoding that lacks the characters
        name = name.encode("ascii", "backslashreplace").decode().replace("\\", "_")
    encoded = name.encode()
    if len(encoded) <= _LONGEST_PATH_COMPONENT:
        return name
    import hashlib  # costs milliseconds, for names that few suites have

    digest = hashlib.sha256(encoded).hexdigest()[:16]
    kept = encoded[: _LONGEST_PATH_COMPONENT - len(digest) - 1].decode(errors="ignore")
    return f"{kept}-{digest}"


def shown(value: object) -> str:
    """Return the text of any value, whatever its own code does when it is asked for one."""
    text = value_or(None, lambda: str.__str__(str(value)))
    if text is None:
        text = value_or(f"<{type(value).__name__} without a text>", lambda: str(jsonable(value)))
    return text


class TestLoggerMaker(FileLoggerMaker):
    """Makes the logger of a test: ``test_log.info``, ``test_log.debug`` and the console.

    Args:
        logger_name: name of the logger.
        log_dir: directory of the two files, made when needed.
        debug: show DEBUG lines on the console; otherwise WARNING and above.
    """

    __test__ = False

    stem = "test_log"
    line_format = ConsoleDefaults.TEST_LOG_FORMATTER
    console_level = logging.WARNING


def test_logger(logger_name: str, log_dir: str, debug: bool) -> logging.Logger:
    """Return the configured logger of a test; see :class:`TestLoggerMaker`."""
    return TestLoggerMaker(logger_name, log_dir, debug).logger


test_logger.__test__ = False  # type: ignore[attr-defined]


class TestContext:
    """Everything that surrounds one test method with one set of arguments.

    Args:
        **kwargs: ``session_context``, ``cluster``, ``module``, ``file``, ``cls``, ``function``, ``injected_args``,
            ``ignore``, ``cluster_use_metadata``, ``timeouts``, ``expected_failure``, ``tags``; all optional, unknown
            keywords are ignored. Without a session context everything that would need one takes a neutral default.

    Attributes:
        timeouts: limits in seconds by ``test``, ``setup`` and ``teardown``, as far as ``@timeout`` gives them.
        expected_failure: why the test is expected to fail; ``None`` if it is not.
        tags: the words of ``@tag``.
        allowed_logs: the patterns of ``@allow_logs``.
    """

    __test__ = False

    services: ServiceRegistry
    fault_log: FaultLog
    metrics: Metrics
    log_collect: dict[object, bool]
    # Tells apart tests whose names come out the same; set by the loader
    disambiguator: str = ""
    # Tell apart arguments that have no text of their own; set when the marks are expanded
    argument_numbers: Numbers = {}
    test_index: int | None = None
    # Where an attempt among several writes its own files, if not into the directory of the test
    attempt_dir: str | None = None
    timeouts: Mapping[str, float] = {}
    expected_failure: str | None = None
    tags: frozenset[str] = frozenset()
    allowed_logs: tuple[str, ...] = ()
    _logger: logging.Logger | None = None
    _local_scratch_dir: str | None = None
    _closed: bool = False

    if TYPE_CHECKING:
        # A plain attribute, which type checkers see as follows

        @property
        def cluster(self) -> FiniteSubcluster:
            """The nodes of this test; before it runs, those of the session."""

        @cluster.setter
        def cluster(self, cluster: Cluster | None) -> None: ...

    def __init__(self, **kwargs: Any) -> None:
        # Every test has one, but suites also make contexts without
        self.session_context = cast("SessionContext", kwargs.get("session_context"))
        self.cluster = kwargs.get("cluster")
        self.module: str | None = kwargs.get("module")
        self.test_suite_name: str | None = kwargs.get("test_suite_name")
        file = kwargs.get("file")
        self.file: str | None = None if file is None else os.path.abspath(file)
        self.cls: Any = kwargs.get("cls")
        self.function: Any = kwargs.get("function")
        self.injected_args: Any = kwargs.get("injected_args")
        self.ignore: bool = kwargs.get("ignore", False)
        self.cluster_use_metadata: dict[str, Any] = copy.copy(kwargs.get("cluster_use_metadata") or {})
        # Most tests have none of these, but to an instance that got them later they would cost hundreds of bytes
        self.timeouts = kwargs.get("timeouts") or self.timeouts
        self.expected_failure = kwargs.get("expected_failure")
        self.tags = kwargs.get("tags") or self.tags

    if not TYPE_CHECKING:  # lest every misspelled attribute be one

        def __getattr__(self, name):
            return self._made_at_first_use(name)

    def _made_at_first_use(self, name: str) -> object:
        # Made at first use, never again after close(): most of the thousands of contexts in a driver never get that far
        if name == "services" and not self._closed:
            enable_jvm_logs = bool(getattr(self.session_context, "enable_jvm_logs", False))
            self.services = ServiceRegistry(enable_jvm_logs=enable_jvm_logs)
            return self.services
        if name == "fault_log" and not self._closed:
            self.fault_log = FaultLog(TestContext.results_dir(self, self.test_index))
            return self.fault_log
        if name == "metrics" and not self._closed:
            directory = self.attempt_dir or TestContext.results_dir(self, self.test_index)
            self.metrics = Metrics(directory, lambda text: self.logger.warning("%s", text))
            return self.metrics
        if name == "log_collect":
            self.log_collect = {}
            return self.log_collect
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        return (
            f"<module={self.module}, cls={self.cls_name}, function={self.function_name}, "
            f"injected_args={stable_text(self.injected_args, self.argument_numbers)}, "
            f"file={self.file}, ignore={self.ignore}, cluster_spec={self.expected_cluster_spec}>"
        )

    def copy(self, **kwargs: Any) -> TestContext:
        """Return a fresh context of the same test, with the given attributes changed.

        Args:
            **kwargs: attributes to set on the copy. Services, collected logs, index and logger start anew.
        """
        duplicate = type(self).__new__(type(self))
        for name, value in vars(self).items():  # what a user's subclass added comes along
            if name not in _OF_ONE_RUN:
                setattr(duplicate, name, value)
        duplicate.cluster_use_metadata = copy.copy(self.cluster_use_metadata)
        for name, value in kwargs.items():
            setattr(duplicate, name, value)
        return duplicate

    @property
    def local_scratch_dir(self) -> str:
        """A temporary directory of this test on the driver, made at first use and removed by :meth:`close`."""
        if self._local_scratch_dir is None:
            self._local_scratch_dir = tempfile.mkdtemp()
        return self._local_scratch_dir

    @property
    def test_metadata(self) -> dict[str, Any]:
        """What finds this test again: directory, file, class, method and arguments."""
        directory, file_name = os.path.split(self.file or "")
        return {
            "directory": directory,
            "file_name": file_name,
            "cls_name": self.cls_name,
            "method_name": self.function_name,
            "injected_args": self.injected_args,
        }

    @staticmethod
    def logger_name(test_context: TestContext, test_index: int | None) -> str:
        """Return the name of a test's logger."""
        if test_index is None:
            return test_context.test_id
        return f"{test_context.test_id}-{test_index}"

    @staticmethod
    def results_dir(test_context: TestContext, test_index: int | None) -> str:
        """Return the directory of a test's results.

        Args:
            test_context: the test.
            test_index: number of the run within the session; ``None`` leaves the last level out.
        """
        session_context = test_context.session_context
        root = getattr(session_context, "results_dir", None)
        # Not in any case: a test may have removed the current directory
        parts = [os.path.abspath(ConsoleDefaults.RESULTS_ROOT_DIRECTORY) if root is None else root]
        if test_context.cls is not None:
            parts.append(_path_component(test_context.cls.__name__))
        if test_context.function is not None:
            parts.append(_path_component(test_context.function.__name__))
        arguments: Mapping[str, object] | None = test_context.injected_args
        if arguments is not None and getattr(session_context, "nested_result_dirs", False):
            names = [_escape_pathname(test_context._argument_text(key)) for key in sorted(arguments)]
        else:
            names = [] if arguments is None else [test_context.injected_args_name]
        parts.extend(_path_component(name) for name in names if name)
        if test_index is not None:
            parts.append(str(test_index))
        return os.path.join(*parts)

    @property
    def expected_num_nodes(self) -> int:
        """How many nodes the test is going to be given."""
        spec = self.expected_cluster_spec
        return spec.size() if spec is not None else 0

    @property
    def expected_cluster_spec(self) -> ClusterSpec | None:
        """The nodes that the test is going to be given; ``None`` if it does not say and would have to."""
        ignore_node_type = bool(getattr(self.session_context, "ignore_node_type", False))
        metadata = self.cluster_use_metadata or {}
        cluster_spec = metadata.get(CLUSTER_SPEC_KEYWORD)
        if cluster_spec is not None:
            return cluster_spec.without_node_types() if ignore_node_type else cluster_spec  # type: ignore[no-any-return]
        num_nodes = metadata.get(CLUSTER_SIZE_KEYWORD)
        if num_nodes is not None:
            node_type = None if ignore_node_type else metadata.get(CLUSTER_NODE_TYPE_KEYWORD)
            return ClusterSpec.simple_linux(num_nodes, node_type)
        if not self.cluster:  # a cluster without nodes counts as none
            return ClusterSpec.empty()
        if getattr(self.session_context, "fail_greedy_tests", False):
            return None
        return self.cluster.all()

    @property
    def globals(self) -> Any:
        """What the user passed as ``--globals``."""
        return PDict() if self.session_context is None else self.session_context.globals

    @property
    def module_name(self) -> str:
        """Dotted name of the module, or an empty text."""
        return "" if self.module is None else self.module

    @property
    def cls_name(self) -> str:
        """Name of the class, or an empty text."""
        return "" if self.cls is None else str(self.cls.__name__)

    @property
    def function_name(self) -> str:
        """Name of the method, or an empty text."""
        return "" if self.function is None else str(self.function.__name__)

    @property
    def description(self) -> str:
        """The docstring of the method, or else of the class, or else an empty text."""
        if self.function is not None and self.function.__doc__:
            return str(self.function.__doc__)
        if self.cls is not None and self.cls.__doc__ is not None:
            return str(self.cls.__doc__)
        return ""

    @property
    def injected_args_name(self) -> str:
        """The arguments as a path component, in the order in which they were injected."""
        if self.injected_args is None:
            return ""
        return _escape_pathname(".".join(self._argument_text(key) for key in self.injected_args))

    def _argument_text(self, key: str) -> str:
        value = self.injected_args[key]
        return f"{stable_text(key)}={stable_argument(key, value, self.argument_numbers)}"

    @property
    def json_arguments(self) -> Any:
        """The arguments as symbols and reports have them: the same in every process, without secrets."""
        return jsonable_arguments(self.injected_args, self.argument_numbers)

    @property
    def test_id(self) -> str:
        """What names the test in logs and reports."""
        return self.test_name

    @property
    def test_name(self) -> str:
        """Module, class, method and arguments, joined by dots."""
        parts = [self.module_name, self.cls_name, self.function_name, self.injected_args_name]
        return ".".join(part for part in parts if part) + self.disambiguator

    @property
    def logger(self) -> logging.Logger:
        """The log of this test; its directory is made at first use."""
        if self._logger is None:
            self._logger = test_logger(
                TestContext.logger_name(self, self.test_index),
                TestContext.results_dir(self, self.test_index),
                bool(getattr(self.session_context, "debug", False)),
            )
        return self._logger

    def renew_services(self) -> None:
        """Start another attempt of the test: no services yet, no choice of logs."""
        for name in ("services", "log_collect"):
            vars(self).pop(name, None)

    def end_metrics(self) -> dict[str, object]:
        """Close the metrics of an attempt and return their summaries by name."""
        metrics = vars(self).get("metrics")
        if not isinstance(metrics, Metrics):  # a suite may have an attribute of this name
            return {}
        del self.metrics
        return metrics.close()

    def close(self) -> None:
        """Release what the test holds on the driver: services, scratch directory and log files; twice is fine."""
        self._closed = True
        self.end_metrics()
        # A closed context may live as long as the run does; its services must not
        for service in vars(self).pop("services", ()):
            with tolerated() as closing:
                service.close()
            if closing.error is not None:
                self.logger.warning("Error closing service %s", service, exc_info=closing.error)
        if self._local_scratch_dir is not None:
            shutil.rmtree(self._local_scratch_dir, ignore_errors=True)
            self._local_scratch_dir = None
        close_logger(self._logger)
