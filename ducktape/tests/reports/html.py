# SPDX-License-Identifier: Apache-2.0
"""Results as a web page: the ``report.html`` of a session and its style sheet."""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import os
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from ducktape import __version__
from ducktape.json_serializable import strict_dumps
from ducktape.tests.recording.history import KINDS
from ducktape.tests.reports.axis import PLOT_HEIGHT
from ducktape.tests.reports.comparison import news
from ducktape.tests.reports.distributions import distributions
from ducktape.tests.reports.fault_view import clock_text
from ducktape.tests.reports.findings_view import findings_view
from ducktape.tests.reports.log_files import size_text
from ducktape.tests.reports.page_logs import PageLogs, Store
from ducktape.tests.reports.rows import Extent, Row, row, row_of_not_run, texts, texts_of_not_run
from ducktape.tests.reports.session_details import SessionDetails
from ducktape.tests.reports.text import fitting_limit, format_time, headline, verdict_text, visible
from ducktape.tests.reports.timeline import LANE_HEIGHT, timeline
from ducktape.tests.reports.traceback_view import cause_of_failure
from ducktape.tests.reports.trend_view import Pictures
from ducktape.tests.status import FAIL, FLAKY, IGNORE, PASS, TestStatus

if TYPE_CHECKING:
    from ducktape.tests.recording.history import Changes
    from ducktape.tests.recording.not_run import NotRun
    from ducktape.tests.result import TestResult, TestResults

T = TypeVar("T")

_SECTIONS: tuple[tuple[TestStatus, str, str], ...] = (
    (FAIL, "failed", "Failed Tests"),
    (IGNORE, "ignored", "Ignored Tests"),
    (FLAKY, "flaky", "Flaky Tests"),
    (PASS, "passed", "Passed Tests"),
)
# How much of each long text the page has: every text is in it twice, and a browser keeps all of it in memory
_LIMITS = (2_000_000, 200_000, 20_000, 4_000)
_BUDGET = 32_000_000
# What takes a browser long is the layout of rows, and it does not lay out what is folded
_ROWS_IN_BLOCK = 250
_MOST_GROUPS = 10
# Random faults may be hundreds in every test
_FAULT_LIMITS = (200, 50, 20, 10, 5, 3, 2, 1)
_FAULT_BUDGET = 20_000
# Of tests that passed: with more of them the page would be large, and nobody reads them one by one
_MOST_WITH_DETAILS = 1_000
_TAILS_BUDGET = 1_000_000
_SCRIPTS = ("report.js", "merged_log.js")


@dataclasses.dataclass(frozen=True)
class _Section(Generic[T]):
    """One part of the page: its name, such as ``failed``, its heading and tests, their rows and objects for scripts."""

    name: str
    title: str
    tests: Sequence[T]
    row: Callable[[T], Row]
    texts: Callable[[T], Mapping[str, object]]

    @property
    def constant(self) -> str:
        return f"{self.name.upper()}_TESTS"

    @property
    def blocks(self) -> list[tuple[int, Sequence[T]]]:
        """The tests in portions, each with the number of its first row."""
        starts = range(0, len(self.tests), _ROWS_IN_BLOCK)
        return [(start + 1, self.tests[start : start + _ROWS_IN_BLOCK]) for start in starts]


@dataclasses.dataclass
class Alike:
    """Failures of one reason that begin with the same words and arose at the same place."""

    reason: str
    text: str
    place: str
    tests: list[TestResult]


def render(
    results: TestResults,
    expected_test_count: int | None = None,
    details: SessionDetails | None = None,
    changes: Changes | None = None,
) -> str:
    """Return the text of ``report.html``: complete in itself, readable without scripts and without a network."""
    return "".join(pieces(results, expected_test_count, details, changes))


def pieces(
    results: TestResults,
    expected_test_count: int | None = None,
    details: SessionDetails | None = None,
    changes: Changes | None = None,
    store: Store | None = None,
) -> Iterator[str]:
    """Yield the same text in pieces, so that a long session is never in memory as a whole.

    What is too large for the page is stored as files beside it; without ``store`` it is left out.
    """
    details = details or SessionDetails()
    heading = {"session": str(results.session_context.session_id), "version": __version__}
    summary = _summary(results, expected_test_count)
    color_keys = [str(status) for status in (PASS, FAIL, IGNORE, FLAKY)]
    failures = [result for result in results if result.test_status == FAIL]
    groups = alike(failures)
    pictures = Pictures(changes, len(results))
    constants = {"HEADING": heading, "SUMMARY": summary, "COLOR_KEYS": color_keys}
    stream = _template().stream(
        heading=heading,
        verdict=verdict(results, expected_test_count, changes),
        is_good=not failures and not results.not_run,
        facts=_facts(results, details),
        summary=summary,
        color_keys=color_keys,
        sections=_sections(results, details, changes, pictures),
        since="" if changes is None else changes.since,
        changes=_numbers(changes, [result.test_id for result in results]),
        beyond=pictures.beyond(list(results)),
        unhealthy=[str(node) for node in results.unhealthy_nodes],
        reasons=counted(reason_of(result) for result in failures),
        groups=groups[:_MOST_GROUPS] if len(failures) > 1 else [],
        of_group=lambda group: _numbers(changes, [result.test_id for result in group.tests]),
        with_tags=any(result.tags for result in results),
        groups_left_out=max(len(groups) - _MOST_GROUPS, 0),
        not_run_reasons=counted(test.why for test in results.not_run),
        with_teardown_errors=sum(bool(each.teardown_errors) and each.test_status != FAIL for each in results),
        timeline=timeline(results, details),
        lane_height=LANE_HEIGHT,
        plot_height=PLOT_HEIGHT,
        distributions=distributions(results),
        session_logs=[
            os.path.join(place, name)
            for place in details.parts or [results.logs_root]
            for name in ("session_log.info", "session_log.debug")
        ],
        several_sessions=len(details.parts) > 1,
        utilization=results.totals_to_json()["cluster_utilization"],
        anchors=_anchors(results),
        key=id,
        findings=findings_view(results),
        logs=PageLogs(details, _script_constant, store),
        constants={name: _script_constant(value) for name, value in constants.items()},
        # There may be thousands of them: spaces would be a fiftieth of the page
        script_constant=functools.partial(_script_constant, separators=(",", ":")),
        css=Markup(style_sheet()),
        script=Markup(scripts()),
    )
    stream.enable_buffering(200)
    return stream


def verdict(results: TestResults, expected_test_count: int | None = None, changes: Changes | None = None) -> str:
    """Return in words how a session went, such as ``2 of 300 tests failed, 1 did not run``."""
    total = len(results) + len(results.not_run)
    total = total if expected_test_count is None else max(total, expected_test_count)
    return verdict_text(
        total=total,
        passed=results.num_passed,
        failed=results.num_failed,
        flaky=results.num_flaky,
        ignored=results.num_ignored,
        news=news(changes),
    )


@functools.cache
def style_sheet() -> str:
    """Return the text of ``report.css``."""
    return _packaged("report.css")


@functools.cache
def scripts() -> str:
    """Return the scripts of the page."""
    return "".join(map(_packaged, _SCRIPTS))


def reason_of(result: TestResult) -> str:
    """Return the reason under which a failure is counted."""
    return result.reason or "other"


def counted(texts: Iterable[str]) -> dict[str, int]:
    """Return how often each text occurs, the most frequent first."""
    return dict(Counter(texts).most_common())


def alike(failures: Iterable[TestResult]) -> list[Alike]:
    """Return groups of similar failures, the largest group first."""
    groups: dict[tuple[str, str, str], Alike] = {}
    for result in failures:
        key = reason, _, place = cause_of_failure(reason_of(result), result.summary)
        groups.setdefault(key, Alike(reason, headline(result.summary), place, [])).tests.append(result)
    return sorted(groups.values(), key=lambda group: -len(group.tests))


def _facts(results: TestResults, details: SessionDetails) -> list[tuple[str, str]]:
    """Return what is known of a session as names and values."""
    nodes = len(results.cluster or ())
    cluster = str(details.configuration.get("cluster") or "")
    shuffle = details.configuration.get("shuffle")
    found = [
        ("Started", clock_text(results.start_time) if results.start_time > 0 else ""),
        ("Command", shlex.join(["ducktape", *details.argv]) if details.argv else ""),
        ("Cluster", f"{cluster} {nodes:,} {'node' if nodes == 1 else 'nodes'}".strip() if nodes else cluster),
        ("Seed", "" if shuffle is None else str(shuffle)),
        ("Versions", ", ".join(f"{name} {version}" for name, version in details.versions.items())),
    ]
    return [(name, value) for name, value in found if value]


def _numbers(changes: Changes | None, test_ids: Iterable[str]) -> dict[str, int]:
    """Return how many tests there are of each kind of change."""
    if changes is None:
        return {}
    numbers = Counter(map(changes.kind, test_ids))
    return {kind: numbers[kind] for kind in KINDS if numbers[kind]}


def _anchors(results: TestResults) -> dict[int, str]:
    """Return the name by which each result can be linked to: that of its index, which hardly ever two have."""
    anchors: dict[int, str] = {}
    taken: set[str] = set()
    for number, result in enumerate(results):
        name = f"t{result.test_index}"
        if result.test_index is None or name in taken:
            name = f"r{number}"
        taken.add(name)
        anchors[id(result)] = name
    return anchors


def _summary(results: TestResults, expected_test_count: int | None) -> dict[str, object]:
    summary: dict[str, object] = {
        "expected": len(results) if expected_test_count is None else expected_test_count,
        "run": len(results),
        "passes": results.num_passed,
        "flaky": results.num_flaky,
        "failures": results.num_failed,
        "ignored": results.num_ignored,
        "time": format_time(results.run_time_seconds),
    }
    if results.not_run:
        summary["not_run"] = len(results.not_run)
    return summary


def _sections(
    results: TestResults, details: SessionDetails, changes: Changes | None, pictures: Pictures
) -> list[_Section[TestResult] | _Section[NotRun]]:
    of_status: dict[str, list[TestResult]] = {str(status): [] for status, _, _ in _SECTIONS}
    for result in results:
        of_status[str(result.test_status)].append(result)
    lengths = [len(result.summary) for result in results]
    lengths += [len(error) for result in results for error in result.teardown_errors]
    lengths += [len(strict_dumps(result.data)) for result in results if result.data is not None]
    extent = Extent(
        text=fitting_limit(lengths, _BUDGET, _LIMITS),
        faults=fitting_limit([len(result.faults) for result in results], _FAULT_BUDGET, _FAULT_LIMITS),
        passed=len(results) <= _MOST_WITH_DETAILS,
        tails=[_TAILS_BUDGET],
    )
    logs_root = results.logs_root
    row_of = functools.partial(
        row, extent=extent, details=details, logs_root=logs_root, changes=changes, pictures=pictures
    )
    texts_of = functools.partial(texts, extent=extent, logs_root=logs_root)
    sections: list[_Section[TestResult] | _Section[NotRun]] = [
        _Section(name, title, of_status[str(status)], row_of, texts_of) for status, name, title in _SECTIONS
    ]
    if results.not_run:
        sections.insert(1, _Section("not_run", "Tests Not Run", results.not_run, row_of_not_run, texts_of_not_run))
    return sections


def _script_constant(value: object, separators: tuple[str, str] | None = None) -> Markup:
    """Return JSON in which nothing can end the script block or open a comment in it."""
    spaced = strict_dumps(value, separators=separators)
    encoded = spaced.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(encoded)


def _link(path: str) -> str:
    return quote(path.replace("\\", "/"), safe="/=,", errors="backslashreplace")


def _packaged(name: str) -> str:
    folder = importlib.resources.files("ducktape").joinpath("templates").joinpath("report")
    return folder.joinpath(name).read_text(encoding="utf-8")


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(_packaged),
    )
    environment.filters["visible"] = visible
    environment.filters["link"] = _link
    environment.filters["number"] = "{:,}".format
    environment.filters["size"] = size_text
    return environment.get_template("report.html")
