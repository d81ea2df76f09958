# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os

import pytest

import ducktape
from ducktape.tests.reports.traceback_view import is_frame_of_framework, last_own_frame, parts

PACKAGE = os.path.dirname(os.path.abspath(ducktape.__file__))
FRAME = (
    f'  File "{PACKAGE}/tests/worker/lifecycle.py", line 123, in _decide\n    data = function()\n           ^^^^^^^^^^'
)
OTHER_FRAME = f'  File "{PACKAGE}/services/service.py", line 7, in start\n    self.start_node(node)'
OWN = '  File "/suite/test_a.py", line 9, in test_a\n    service.start()'
INSIDE = '  File "/suite/service.py", line 3, in start_node\n    raise ValueError(3)'
SUMMARY = "\n".join(
    ["ValueError(3)", "Traceback (most recent call last):", FRAME, OWN, OTHER_FRAME, INSIDE, "ValueError: 3"]
)


def test_frames_of_the_framework_are_apart() -> None:
    assert parts(SUMMARY) == [
        ("ValueError(3)\nTraceback (most recent call last):", 0),
        (FRAME, 1),
        (OWN, 0),
        (OTHER_FRAME, 1),
        (f"{INSIDE}\nValueError: 3", 0),
    ]


def test_frames_in_a_row_are_one_part() -> None:
    summary = "\n".join(["oh", FRAME, OTHER_FRAME, "  [Previous line repeated 3 more times]", OWN])
    repeated = f"{FRAME}\n{OTHER_FRAME}\n  [Previous line repeated 3 more times]"
    assert parts(summary) == [("oh", 0), (repeated, 2), (OWN, 0)]


@pytest.mark.parametrize(
    "summary",
    [
        "",
        "oh",
        "oh\n\n",
        f"oh\nTraceback (most recent call last):\n{FRAME}\n{OTHER_FRAME}\nValueError",
        f"oh\n{OWN}",
        '  File "\n  File "',
    ],
)
def test_a_summary_without_both_kinds_stays_whole(summary: str) -> None:
    assert parts(summary) == [(summary, 0)]


@pytest.mark.parametrize("summary", [SUMMARY, f"{FRAME}\n{OWN}\n", f"\n{OWN}\n{FRAME}\n\n{FRAME}\nlast"])
def test_no_line_is_lost(summary: str) -> None:
    assert "\n".join(part.text for part in parts(summary)) == summary


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (FRAME, True),
        ('  File "/usr/lib/python3/dist-packages/ducktape/tests/x.py", line 1, in f', True),
        ('  File "C:\\venv\\Lib\\site-packages\\ducktape\\tests\\x.py", line 1, in f', True),
        ('  File "/venv/lib/python3.12/site-packages/ducktape_extras/x.py", line 1, in f', False),
        ('  File "/home/u/ducktape/tests/x.py", line 1, in f', False),
        (f'File "{PACKAGE}/x.py", line 1, in f', False),
    ],
)
def test_frames_of_any_installation_are_known(line: str, expected: bool) -> None:
    assert is_frame_of_framework(line) is expected


def test_the_last_frame_of_users_says_where_a_failure_arose() -> None:
    assert last_own_frame(SUMMARY) == 'File "/suite/service.py", in start_node'
    assert last_own_frame(f"oh\n{OWN}\n{OTHER_FRAME}") == 'File "/suite/test_a.py", in test_a'
    assert last_own_frame(f"oh\n{FRAME}") == ""
