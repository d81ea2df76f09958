# SPDX-License-Identifier: Apache-2.0
"""The loader: from what the user wrote to the ordered list of tests."""

from __future__ import annotations

import json
import logging
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ducktape.cluster.cluster import Cluster
from ducktape.tests.loading import selection
from ducktape.tests.loading.discovery import (
    DEFAULT_TEST_FILE_PATTERN,
    DEFAULT_TEST_FUNCTION_PATTERN,
    ImportFailure,
    ModuleAndFile,
    find_files,
    import_failure,
    import_test_module,
    module_name,
)
from ducktape.tests.loading.expansion import Expansion
from ducktape.tests.loading.expressions import Expression, select
from ducktape.tests.loading.suggestions import mistake_in, without_tests
from ducktape.tests.loading.suites import Suite, is_suite_file, read_suites
from ducktape.tests.loading.symbols import LoaderException, NoTestsError, TestSymbol, parse_symbol
from ducktape.tests.scheduling.durations import durations_of
from ducktape.tests.session import SessionContext
from ducktape.tests.test_context import TestContext
from ducktape.utils.process.exits import survived_exits
from ducktape.utils.support.files import read_text
from ducktape.utils.support.guard import tolerated, value_or
from ducktape.utils.support.parallel import Attempt

if TYPE_CHECKING:
    import requests

__all__ = [
    "DEFAULT_TEST_FILE_PATTERN",
    "DEFAULT_TEST_FUNCTION_PATTERN",
    "ImportFailure",
    "LoaderException",
    "ModuleAndFile",
    "NoTestsError",
    "TestLoader",
]

_SESSION = "_requests_session"


class TestLoader:
    """Finds tests, imports their files and makes the list of what is to run.

    Args:
        session_context: handed to every test.
        logger: receives messages about the search.
        repeat: number of runs of the whole list; at least 1.
        injected_args: arguments that replace the parametrizations of every test.
        cluster: handed to every test.
        subset: number of the part to run, from 0.
        subsets: number of parts.
        historical_report: URL or path of an earlier ``report.json``, or the directory of a session; makes parts that
            take about the same time. Nothing else does: the machines that share the work have to agree on the parts.
        ignore_import_errors: only log files that cannot be imported; by default what the session context says.
        keyword: what the id of a test must match.
        tags: what the tags of a test must match.

    Attributes:
        import_failures: what the last :meth:`load` could not import.

    Raises:
        ValueError: there is no such subset.
        LoaderException: the arguments to inject are no mapping.
    """

    __test__ = False

    def __init__(
        self,
        session_context: SessionContext | None,
        logger: logging.Logger,
        repeat: int = 1,
        injected_args: Mapping[str, Any] | None = None,
        cluster: Cluster | None = None,
        subset: int = 0,
        subsets: int = 1,
        historical_report: str | None = None,
        *,
        ignore_import_errors: bool | None = None,
        keyword: Expression | None = None,
        tags: Expression | None = None,
    ) -> None:
        assert logger is not None, "a loader needs a logger"
        assert repeat >= 1, f"tests cannot be repeated {repeat} times"
        if not 0 <= subset < subsets:
            raise ValueError("The subset to execute must be in the range [0, subsets-1]")
        if injected_args is not None and not isinstance(injected_args, Mapping):
            raise LoaderException(f"Test parameters must be an object of names and values, not {injected_args!r}")
        if ignore_import_errors is None:
            # Session contexts of library users may be mocks, whose attributes are all true
            ignore_import_errors = getattr(session_context, "ignore_import_errors", False) is True
        self.session_context = session_context
        self.logger = logger
        self.repeat = repeat
        self.injected_args = injected_args
        self.cluster = cluster
        self.subset = subset
        self.subsets = subsets
        self.historical_report = historical_report
        self.ignore_import_errors = ignore_import_errors
        self.keyword = keyword
        self.tags = tags
        self.test_file_pattern = DEFAULT_TEST_FILE_PATTERN
        self.test_function_pattern = DEFAULT_TEST_FUNCTION_PATTERN
        self.import_failures: list[ImportFailure] = []

    @survived_exits()
    def load(self, symbols: Iterable[str], excluded_test_symbols: Sequence[str] | None = None) -> list[TestContext]:
        """Return the tests to run, in order; files that cannot be imported are left in :attr:`import_failures`.

        Args:
            symbols: test symbols and suite files.
            excluded_test_symbols: symbols of tests that are dropped wherever they come from.

        Raises:
            NoTestsError: nothing is left to run.
            LoaderException: a symbol, a suite file, a mark or the historical report is wrong.
        """
        excluded = excluded_test_symbols or []
        if isinstance(symbols, str) or not isinstance(excluded, list):
            raise LoaderException("Expected test_discovery_symbols to be a list.")
        named = [os.fspath(symbol) for symbol in symbols]
        search = _Search(self, excluded)
        found: list[TestContext] = []
        for suite in read_suites(symbol for symbol in named if is_suite_file(symbol)):
            found += self._load_suite(search, suite)
        found += search.find(symbol for symbol in named if not is_suite_file(symbol))
        dropped = search.find(excluded, excluding=True)
        self.import_failures = search.failures
        identities = selection.disambiguate(search.expansion.siblings(found))
        if identities.renamed:
            shared = "; ".join(f"{old}: {', '.join(new)}" for old, new in identities.renamed.items())
            self.logger.warning("Different tests share an id, so they were numbered to keep them all: %s", shared)
        tests = selection.without(identities.settle(found), identities.distinct(dropped))
        search.expansion.check(tests)
        if not tests:
            raise NoTestsError
        tests = select(tests, keyword=self.keyword, tags=self.tags)
        if not tests:
            raise NoTestsError("No tests to run: none of those found matches -k or --tags")
        try:
            return selection.repeat(self._choose_subset(tests, identities.ids), self.repeat)
        except MemoryError as error:
            raise LoaderException(f"There is no room for {self.repeat} times as many tests") from error

    def discover(
        self,
        directory: str,
        module_name: str,
        cls_name: str | None,
        method_name: str | None,
        injected_args: dict[str, Any] | list[Any] | None = None,
    ) -> list[TestContext]:
        """Return the tests of one file.

        Args:
            directory: where the file is.
            module_name: name of the file, with its ending.
            cls_name: only this class; empty for all.
            method_name: only this method; empty for all.
            injected_args: only the test with these arguments, or those with one of these.
        """
        file = os.path.abspath(os.path.join(directory, module_name))
        search = _Search(self, ())
        symbol = TestSymbol(file, cls_name or "", method_name or "", injected_args)
        with survived_exits():
            tests = search.contexts(file, symbol, frozenset())
            search.expansion.check(tests)
        self.import_failures += search.failures
        return tests

    def _parse_discovery_symbol(
        self, discovery_symbol: str, base_dir: str | None = None
    ) -> tuple[str, str, str, dict[str, Any] | list[Any] | None]:
        symbol = self._parse(discovery_symbol, base_dir)
        return symbol.path, symbol.cls_name, symbol.method_name, symbol.injected_args

    def _parse(self, text: str, base_dir: str | None) -> TestSymbol:
        symbol = parse_symbol(text, base_dir)
        if symbol.injected_args is not None and self.injected_args:
            raise LoaderException("Cannot use both global and per-method test parameters")
        return symbol

    def _load_suite(self, search: _Search, suite: Suite) -> list[TestContext]:
        failures_before = len(search.failures)
        left_out = search.whole_files(suite.excluded, suite.base_dir)
        included = search.find(suite.included, suite.base_dir, left_out=left_out)
        excluded = search.find(suite.excluded, suite.base_dir, excluding=True)
        tests = selection.without(included, excluded)
        # A suite of nothing but broken files is not empty: the run goes on and reports them
        if not tests and len(search.failures) == failures_before:
            raise LoaderException(f"No tests found in  {suite.name}")
        return tests

    def _choose_subset(self, tests: list[TestContext], ids: Mapping[int, str]) -> list[TestContext]:
        self.logger.debug("Discovered these tests: %s", [ids[id(test)] for test in tests])
        if self.historical_report:
            durations = read_durations(self.historical_report)
            chosen = selection.balanced_subset(tests, durations, self.subset, self.subsets)
        else:
            chosen = selection.subset(tests, self.subset, self.subsets)
        self.logger.debug("Selected this subset of tests: %s", [ids[id(test)] for test in chosen])
        return chosen


class _Search:
    """One search: imports each file once and remembers what it found."""

    def __init__(self, loader: TestLoader, excluded: Iterable[str]) -> None:
        self._loader = loader
        self._logger = loader.logger
        # Names must not depend on what the files before put there
        self._search_path = tuple(sys.path)
        self._imported: dict[str, ModuleAndFile | ImportFailure] = {}
        self._reported: set[str] = set()
        self.failures: list[ImportFailure] = []
        self.expansion = Expansion(
            loader.session_context, loader.cluster, loader.injected_args, loader.test_function_pattern
        )
        self._left_out = self.whole_files(excluded)

    def whole_files(self, symbols: Iterable[str], base_dir: str | None = None) -> frozenset[str]:
        """Return the files that the symbols name as a whole."""
        parsed = [self._loader._parse(symbol, base_dir) for symbol in symbols]
        return frozenset(
            file
            for symbol in parsed
            if symbol.names_whole_files
            for file in find_files(symbol.path, self._loader.test_file_pattern)
        )

    def find(
        self,
        symbols: Iterable[str],
        base_dir: str | None = None,
        *,
        left_out: frozenset[str] = frozenset(),
        excluding: bool = False,
    ) -> list[TestContext]:
        """Return the tests that symbols name; import failures of the files in ``left_out`` are ignored."""
        tests: list[TestContext] = []
        for text in symbols:
            symbol = self._loader._parse(text, base_dir)
            skipped: list[str] = []
            files = find_files(symbol.path, self._loader.test_file_pattern, skipped)
            if skipped:
                self._logger.debug("Skipped %d directories that hold no tests: %s", len(skipped), ", ".join(skipped))
            if not files and not excluding:
                self._logger.warning(
                    "No test files found for %s (of a directory only packages are searched)%s",
                    os.path.abspath(symbol.path),
                    without_tests(symbol.path, self._loader.test_file_pattern),
                )
            unimportant = frozenset(files) if excluding else left_out | self._left_out
            # All imports first: whether a class has subclasses must not depend on the order of the files
            for file in files:
                self._import(file, unimportant)
            for file in files:
                tests += self.contexts(file, symbol, unimportant)
        return selection.unique(tests)

    def contexts(self, file: str, symbol: TestSymbol, unimportant: frozenset[str]) -> list[TestContext]:
        """Return the tests of one file that a symbol names."""
        imported = self._import(file, unimportant)
        tests = [] if isinstance(imported, ImportFailure) else self._expanded(imported, symbol, file in unimportant)
        if not tests and file not in unimportant:
            directory, name = os.path.split(file)
            parts = (directory, name, symbol.cls_name, symbol.method_name, symbol.injected_args)
            self._logger.warning("No tests loaded for %s - %s - %s - %s - %s", *parts)
            self._logger.warning("Didn't find any tests in %s ", file)
            mistake = "" if isinstance(imported, ImportFailure) else value_or("", mistake_in, symbol, imported.module)
            if mistake:
                self._logger.warning("%s: %s", file, mistake)
        return tests

    def _expanded(self, source: ModuleAndFile, symbol: TestSymbol, is_unimportant: bool) -> list[TestContext]:
        with tolerated() as expanding:  # what classes are made of is the user's, too
            return self.expansion.contexts(source, symbol)
        error = expanding.error
        if isinstance(error, LoaderException):
            raise error
        if error is not None and not is_unimportant:
            failure = import_failure(source.file, source.module.__name__, error)
            self._logger.error("The tests of %s cannot be told: %s", source.file, failure.error)
            self.failures.append(failure)
        return []

    def _import(self, file: str, unimportant: frozenset[str]) -> ModuleAndFile | ImportFailure:
        imported = self._imported.get(file)
        if imported is None:
            imported = self._imported[file] = self._try_import(file)
        if isinstance(imported, ImportFailure) and file not in unimportant and file not in self._reported:
            self._reported.add(file)
            text = "Failed to import %s, which may indicate a broken test that cannot be loaded: %s"
            self._logger.error(text, imported.module, imported.error)
            if not self._loader.ignore_import_errors:
                self.failures.append(imported)
        return imported

    def _try_import(self, file: str) -> ModuleAndFile | ImportFailure:
        name = module_name(file, self._search_path)
        # The code is the user's, and may raise what is no Exception; the other tests still run
        attempt: Attempt[str, ModuleAndFile] = Attempt(file)
        attempt.run(lambda file: import_test_module(file, self._search_path))
        if isinstance(attempt.error, KeyboardInterrupt):
            raise attempt.error
        if attempt.error is not None:
            failure = import_failure(file, name, attempt.error)
            self._logger.debug("Failed to import %s:\n%s", name, failure.summary)
            return failure
        assert attempt.result is not None
        self._logger.debug("Successfully imported %s", name)
        return attempt.result


def read_durations(report: str) -> dict[str, float]:
    """Return how long the tests of an earlier session took, in seconds by test id.

    ``report`` is the URL or path of its ``report.json``, or the path of its directory or journal.

    Raises:
        LoaderException: the report cannot be fetched or understood.
    """
    try:
        if os.path.isdir(report) or report.endswith(".jsonl"):
            return durations_of(report)
        results = json.loads(_read_report(report))["results"]
        times = {result["test_id"]: result.get("run_time_seconds") for result in results}
    except (KeyError, TypeError, AttributeError) as e:
        raise LoaderException(f"Cannot use {report} as historical report: it is not a report.json of a run") from e
    except (OSError, ValueError) as e:
        raise LoaderException(f"Cannot use {report} as historical report: {type(e).__name__}: {e}") from e
    # A test that never started has -1
    return {
        test_id: float(seconds)
        for test_id, seconds in times.items()
        if isinstance(seconds, (int, float)) and math.isfinite(seconds) and seconds >= 0
    }


def _read_report(report: str) -> str | bytes:
    parts = urlsplit(report)
    session = globals().get(_SESSION)
    is_url = bool(parts.scheme) and "://" in report
    if is_url and report.startswith("file:"):
        # Users may have taught the session to fetch files
        is_url = any(report.startswith(prefix) for prefix in getattr(session, "adapters", ()))
    if not is_url:
        return read_text(unquote(parts.path) if parts.scheme == "file" else report)
    response = (session or __getattr__(_SESSION)).get(report)
    if response.status_code and response.status_code >= 400:
        raise OSError(f"the server answered {response.status_code}")
    return response.content


def __getattr__(name: str) -> requests.Session:
    # The session is public enough for users to mount adapters on it, but few runs need one
    if name != _SESSION:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import requests

    session: requests.Session = globals().setdefault(_SESSION, requests.Session())
    return session
