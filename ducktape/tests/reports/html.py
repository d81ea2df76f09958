# SPDX-License-Identifier: Apache-2.0
"""Results as a web page: the ``report.html`` of a session and its style sheet."""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from ducktape import __version__
from ducktape.tests.reports.text import format_time, visible
from ducktape.tests.status import FAIL, FLAKY, IGNORE, PASS, TestStatus

if TYPE_CHECKING:
    from ducktape.tests.result import TestResult, TestResults

_SECTIONS: tuple[tuple[TestStatus, str, str], ...] = (
    (FAIL, "failed", "Failed Tests"),
    (IGNORE, "ignored", "Ignored Tests"),
    (FLAKY, "flaky", "Flaky Tests"),
    (PASS, "passed", "Passed Tests"),
)


def render(results: TestResults, expected_test_count: int | None = None) -> str:
    """Return the text of ``report.html``: complete in itself, readable without scripts and without a network.

    Args:
        results: the results of the session.
        expected_test_count: how many tests were to run; by default as many as there are results.
    """
    return "".join(pieces(results, expected_test_count))


def pieces(results: TestResults, expected_test_count: int | None = None) -> Iterator[str]:
    """Yield the same text piece by piece, so that a long session is never in memory as a whole.

    Args:
        results: the results of the session.
        expected_test_count: how many tests were to run; by default as many as there are results.
    """
    heading = {"session": str(results.session_context.session_id), "version": __version__}
    summary = {
        "expected": len(results) if expected_test_count is None else expected_test_count,
        "run": len(results),
        "passes": results.num_passed,
        "flaky": results.num_flaky,
        "failures": results.num_failed,
        "ignored": results.num_ignored,
        "time": format_time(results.run_time_seconds),
    }
    unhealthy = [str(node) for node in results.unhealthy_nodes]
    color_keys = [str(status) for status in (PASS, FAIL, IGNORE, FLAKY)]
    of_status: dict[str, list[TestResult]] = {str(status): [] for status, _, _ in _SECTIONS}
    for result in results:
        of_status[str(result.test_status)].append(result)
    sections = [(name, title, of_status[str(status)]) for status, name, title in _SECTIONS]
    constants = {"HEADING": heading, "SUMMARY": summary, "COLOR_KEYS": color_keys}
    stream = _template().stream(
        heading=heading,
        summary=summary,
        color_keys=color_keys,
        sections=sections,
        unhealthy=unhealthy,
        view=_view,
        constants={name: _script_constant(value) for name, value in constants.items()},
        script_constant=_script_constant,
        css=Markup(style_sheet()),
    )
    stream.enable_buffering(200)
    return stream


@functools.cache
def style_sheet() -> str:
    """Return the text of ``report.css``."""
    return _packaged("report.css")


def _view(result: TestResult) -> dict[str, str]:
    return {
        "test_name": _name_block(result),
        "test_result": str(result.test_status),
        "reason": result.reason or "",
        "description": result.description,
        "run_time": format_time(result.run_time_seconds),
        "data": "" if result.data is None else json.dumps(result.data, indent=2),
        "summary": result.summary,
        "test_log": "" if result.test_status == IGNORE else result.relative_results_dir.rstrip("/\\"),
    }


def _name_block(result: TestResult) -> str:
    lines = [
        f"Module:      {result.module_name}",
        f"Class:       {result.cls_name}",
        f"Method:      {result.function_name}",
        f"Nodes (used/allocated): {result.nodes_used}/{result.nodes_allocated}",
    ]
    if result.injected_args:
        lines += ["Arguments:", json.dumps(result.injected_args, indent=2)]
    return "\n".join(lines)


def _script_constant(value: Any) -> Markup:
    """Return JSON in which nothing can end the script block or open a comment in it."""
    encoded = json.dumps(value).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(encoded)


def _link(path: str) -> str:
    return quote(path.replace("\\", "/"), safe="/=,", errors="backslashreplace")


def _packaged(name: str) -> str:
    folder = importlib.resources.files("ducktape").joinpath("templates").joinpath("report")
    return folder.joinpath(name).read_text(encoding="utf-8")


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["visible"] = visible
    environment.filters["link"] = _link
    return environment.from_string(_packaged("report.html"))
