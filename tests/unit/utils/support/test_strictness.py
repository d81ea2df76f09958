# SPDX-License-Identifier: Apache-2.0
"""What is tolerated is shown once, and not tolerated by those who want to know."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ducktape.errors import CompatibilityWarning
from ducktape.utils.support import strictness


@pytest.fixture(autouse=True)
def own_register(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(strictness, "_register", strictness._Register())
    yield


def test_each_place_and_text_is_shown_once() -> None:
    shown: list[str] = []
    strictness.begin(strict=False, show=shown.append)
    for line in (3, 3, 4):
        strictness.tolerate("odd\nthing", "a.py", line)
    strictness.show_once("a.py:4: odd thing")
    strictness.tolerate("kept", "a.py", 5, once_for="word")
    strictness.tolerate("kept", "b.py", 6, once_for="word")
    strictness.tolerate("somewhere", "c.json")
    assert shown == ["a.py:3: odd thing", "a.py:4: odd thing", "a.py:5: kept", "c.json: somewhere"]


def test_everything_is_an_error_each_time_when_strict() -> None:
    shown: list[str] = []
    strictness.begin(strict=True, show=shown.append)
    for _ in range(2):
        with pytest.raises(CompatibilityWarning, match=r"^a\.py:3: odd$"):
            strictness.tolerate("odd", "a.py", 3)
    assert shown == []


def test_what_is_held_is_shown_when_there_is_a_log() -> None:
    shown: list[str] = []
    strictness.hold()
    strictness.tolerate("odd", "a.py", 3)
    strictness.begin(strict=False, show=shown.append)
    strictness.tolerate("odd", "a.py", 3)
    assert shown == ["a.py:3: odd"]


def test_users_of_the_library_get_warnings_of_the_standard_library() -> None:
    with pytest.warns(CompatibilityWarning, match="^odd$") as warned:
        strictness.tolerate("odd", "a.py", 3)
    assert [(each.filename, each.lineno) for each in warned] == [("a.py", 3)]


def test_what_no_terminal_should_get_is_spelled_out() -> None:
    shown: list[str] = []
    with pytest.warns(CompatibilityWarning) as warned:
        strictness.tolerate("half \ud800, \x1b[2J, ä\n\x85line", "a.py", 3)
    strictness.begin(strict=False, show=shown.append)
    strictness.show_once("half \ud800, \x1b[2J, ä\n\x85line")
    assert [str(each.message) for each in warned] == [r"half \ud800, \x1b[2J, ä line"]
    assert shown == [r"half \ud800, \x1b[2J, ä line"]


def test_no_test_can_flood_the_log() -> None:
    shown: list[str] = []
    strictness.begin(strict=False, show=shown.append)
    for number in range(1100):
        strictness.show_once(f"{number} {'x' * 5000}")
    assert [len(shown), max(map(len, shown))] == [1000, 1003]
