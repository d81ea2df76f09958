# SPDX-License-Identifier: Apache-2.0
"""``index.html`` of a results root: all its sessions, and how every test went in the last of them."""

from __future__ import annotations

import contextlib
import errno
import functools
import importlib.resources
import itertools
import os
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import jinja2
from markupsafe import Markup

from ducktape.tests.recording.history import KINDS, History, TestHistory
from ducktape.tests.recording.trends import CHANGES
from ducktape.tests.reports.comparison import session_verdict, short_change_text
from ducktape.tests.reports.fault_view import clock_text
from ducktape.tests.reports.html import style_sheet
from ducktape.tests.reports.text import visible
from ducktape.tests.reports.timeline import seconds_text
from ducktape.tests.reports.trend_view import Picture, has_range, picture
from ducktape.utils.support.files import read_start, write_atomically

FILE_NAME = "index.html"
_SESSIONS_OF_TEST = 40
_SESSIONS_OPEN = 30
_MOST_TESTS = 2000
_MOST_TRENDS = 500
_MOST_CHANGES = 3
_KINDS = (*KINDS, "")
_CLASSES = {".": "p", "F": "x", "f": "y", "-": "i", " ": "n"}
# In the first bytes of a page of ours, since others may have a page of that name
_MARK = '<meta name="generator" content="ducktape history">'
_MARK_WITHIN = 400


class _SessionRow(NamedTuple):
    session_id: str
    started: str
    took: str
    verdict: str
    is_good: bool
    counts: list[int]


class _TestRow(NamedTuple):
    test_id: str
    kind: str
    urgency: int
    kinds: list[str]  # also "slower" and so on
    signs: list[tuple[str, str]]
    failures: int
    rate: float
    seconds: float | str
    median: str
    trend: Picture | None
    change: float | str
    words: str


def write(results_root: str, history: History) -> str:
    """Write the page and return its path; raises ``FileExistsError`` instead of replacing another one."""
    path = os.path.join(results_root, FILE_NAME)
    if os.path.lexists(path) and not is_ours(results_root):
        raise FileExistsError(errno.EEXIST, "ducktape did not write the one that is there, move it away first", path)
    write_atomically(path, pieces(history))
    return path


def is_ours(results_root: str) -> bool:
    """Return whether a results root has such a page, which its sessions keep up to date."""
    with contextlib.suppress(OSError):
        return _MARK in read_start(os.path.join(results_root, FILE_NAME), _MARK_WITHIN)
    return False


def pieces(history: History) -> Iterator[str]:
    """Yield the text of the page: complete in itself, readable without scripts and without a network."""
    sessions = [_session_row(history, number) for number in reversed(range(len(history.sessions)))]
    first = max(0, len(history.sessions) - _SESSIONS_OF_TEST)
    tests = [_test_row(history, test, first) for test in map(history.test, history.test_ids) if _ran_since(test, first)]
    tests.sort(key=lambda row: (-row.urgency, not row.words, row.test_id))
    shown = [
        _with_trend(history, row) if number < _MOST_TRENDS or row.kinds else row
        for number, row in enumerate(tests[:_MOST_TESTS])
    ]
    kinds = Counter(kind for row in shown for kind in row.kinds)
    stream = _template().stream(
        mark=Markup(_MARK),
        css=Markup(style_sheet()),
        newest=sessions[0] if sessions else None,
        sessions=sessions[:_SESSIONS_OPEN],
        older=sessions[_SESSIONS_OPEN:],
        tests=shown,
        kinds={kind: kinds[kind] for kind in (*KINDS, *CHANGES) if kinds[kind]},
        tests_left_out=max(0, len(tests) - _MOST_TESTS),
        number_of_signs=len(history.sessions) - first,
        script=Markup(_packaged("index.js")),
    )
    stream.enable_buffering(200)
    return stream


def _session_row(history: History, number: int) -> _SessionRow:
    session = history.sessions[number]
    changes = history.changes(session.session_id)
    assert changes is not None  # it is of this session
    counts = [session.count(status) for status in ("PASS", "FAIL", "FLAKY", "IGNORE")]
    is_good = not session.count("FAIL") and sum(counts) >= session.total
    started = clock_text(session.start_time) if session.start_time > 0 else ""
    return _SessionRow(
        session.session_id, started, seconds_text(session.seconds), session_verdict(changes), is_good, counts
    )


def _test_row(history: History, test: TestHistory, first: int) -> _TestRow:
    newest = history.changes(history.sessions[-1].session_id)
    assert newest is not None  # it is of this session
    signs = test.signs(first, len(history.sessions))
    kind = newest.kind(test.test_id)
    changed = newest.beyond.get(test.test_id, []) if newest.since else []
    seconds = test.median_seconds
    return _TestRow(
        test.test_id,
        kind,
        len(KINDS) - _KINDS.index(kind),
        [*filter(None, [kind]), *dict.fromkeys(trend.change for trend in changed)],
        [(_CLASSES[sign], "".join(equal)) for sign, equal in itertools.groupby(signs)],
        len(signs.replace(".", "").replace("-", "").replace(" ", "")),
        round(test.flake_rate, 4),
        "" if seconds is None else round(seconds, 3),
        "" if seconds is None else seconds_text(seconds),
        None,
        # Numbers of JavaScript include no infinity that is spelled like that of Python
        min(abs(changed[0].share), 1e9) if changed else "",
        ", ".join(map(short_change_text, changed[:_MOST_CHANGES])),
    )


def _with_trend(history: History, row: _TestRow) -> _TestRow:
    """Return a row with the picture of the test's duration, if there is enough to show."""
    newest = history.changes(history.sessions[-1].session_id)
    assert newest is not None  # it is of this session
    duration = newest.trends.of_duration(row.test_id)
    if duration is None or not has_range(duration):
        return row
    return row._replace(trend=picture(duration, newest.trends))


def _ran_since(test: TestHistory, first: int) -> bool:
    return bool(test.outcomes) and test.outcomes[-1][0] >= first


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["visible"] = visible
    environment.filters["number"] = "{:,}".format
    return environment.from_string(_packaged("index.html"))


def _packaged(name: str) -> str:
    folder = importlib.resources.files("ducktape").joinpath("templates").joinpath("report")
    return folder.joinpath(name).read_text(encoding="utf-8")
