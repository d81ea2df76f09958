# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ducktape.tests.reports.excerpt import excerpt, fitting_limit


@pytest.mark.parametrize("text", ["", "short", "x" * 100])
def test_a_text_that_fits_stays_as_it_is(text: str) -> None:
    assert excerpt(text, 100, "report.txt") == text


def test_a_long_text_keeps_its_ends_and_says_what_is_missing() -> None:
    text = "begin" + "-" * 1990 + "end.."
    assert excerpt(text, 20, "a/report.txt") == (
        "begin-----\n[... 1,980 characters are left out; all of them are in a/report.txt ...]\n-----end.."
    )


def test_lines_are_cut_between_each_other() -> None:
    lines = [f"line {number:03}" for number in range(1000)]
    shown = excerpt("\n".join(lines), 100, "report.txt").split("\n")
    assert shown[:5] == lines[:5]
    assert shown[5] == "[... 8,911 characters are left out; all of them are in report.txt ...]"
    assert shown[6:] == lines[-5:]


@given(st.text(alphabet="ab\n", max_size=300), st.integers(10, 200))
def test_no_character_is_shown_twice_or_uncounted(text: str, limit: int) -> None:
    shown = excerpt(text, limit, "report.txt")
    if len(text) <= limit:
        assert shown == text
        return
    start, rest = shown.split("\n[... ", 1)
    count, end = rest.split(" characters are left out; all of them are in report.txt ...]\n", 1)
    assert text.startswith(start)
    assert text.endswith(end)
    assert len(start) + int(count.replace(",", "")) + len(end) == len(text)
    assert len(start) + len(end) <= limit


@pytest.mark.parametrize(
    ("lengths", "limit"),
    [
        ([], 1000),
        ([900, 50], 1000),
        ([5000], 1000),
        ([5000, 5000], 100),
        ([5000] * 11, 10),
        ([5000] * 1000, 10),
    ],
)
def test_many_texts_share_what_there_is_room_for(lengths: list[int], limit: int) -> None:
    assert fitting_limit(lengths, 1050, (1000, 100, 10)) == limit
