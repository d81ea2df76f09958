# SPDX-License-Identifier: Apache-2.0
"""Results as JSON: the ``report.json`` of a session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ducktape.json_serializable import jsonable, strict_dumps

if TYPE_CHECKING:
    from ducktape.tests.result import TestResults

_NO_PROCESSES = '\n  "client_status": {}'
_NO_RESULTS = '\n  "results": []'
_INSIDE = "\n    "
_EMPTY = '""'
# Line ends inside texts are escaped: what is on this level of indentation is the key of a result
_NO_SUMMARY = f'{_INSIDE}  "summary": {_EMPTY}'
_LONG = 1 << 20


def render(results: TestResults) -> str:
    """Return the text of the session's ``report.json``: sorted keys, indented by 2, without a final newline."""
    return "".join(pieces(results))


def pieces(results: TestResults) -> Iterator[str]:
    """Yield the same text result by result, so that a long session is never in memory as a whole."""
    frame = _indented({**results.totals_to_json(), "client_status": {}, "results": []})
    start, rest = frame.split(_NO_PROCESSES, 1)
    middle, end = rest.split(_NO_RESULTS, 1)
    processes = sorted((str(key), value) for key, value in results.client_status.items())
    yield f'{start}\n  "client_status": '
    statuses = (f"{strict_dumps(key)}: {_indented(jsonable(value), _INSIDE)}" for key, value in processes)
    yield from _filled("{}", statuses)
    yield f'{middle}\n  "results": '
    yield from _filled("[]", (_result(result.to_json()) for result in results))
    yield end


def _filled(brackets: str, items: Iterable[str | Iterable[str]]) -> Iterator[str]:
    """Yield a collection on the first level of the file."""
    separator = brackets[0]
    for item in items:
        yield f"{separator}{_INSIDE}"
        yield from [item] if isinstance(item, str) else item
        separator = ","
    yield f"\n  {brackets[1]}" if separator == "," else brackets


def _result(content: dict[str, Any]) -> Iterator[str]:
    """Yield one result; a very long summary, with its escapes several times as long, is not copied as a whole."""
    summary = content["summary"]
    if len(summary) <= _LONG:
        yield _indented(content, _INSIDE)
        return
    start, end = _indented({**content, "summary": ""}, _INSIDE).split(_NO_SUMMARY, 1)
    yield f'{start}{_NO_SUMMARY.removesuffix(_EMPTY)}"'
    for position in range(0, len(summary), _LONG):
        yield strict_dumps(summary[position : position + _LONG])[1:-1]
    yield f'"{end}'


def _indented(value: object, newline: str = "\n") -> str:
    # Line ends inside texts are escaped, so all of these belong to the indentation
    return strict_dumps(value, indent=2, sort_keys=True).replace("\n", newline)
