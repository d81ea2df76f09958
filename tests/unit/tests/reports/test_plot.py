# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import random

import pytest

from ducktape.tests.reports import plot
from ducktape.tests.reports.plot import Point, Scale, dots, finite, percent, quantity, scale, segments, tick_texts


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        *[(0, "s", "0 s"), (0.25, "s", "250 ms"), (12.34, "s", "12.3 s"), (3000, "seconds", "3,000 s")],
        *[(-3.2e-5, "s", "-32 µs"), (999.9, "ms", "1,000 ms"), (1500, "ms", "1.5 s"), (40, "ns", "40 ns")],
        *[(512, "bytes", "512 B"), (1_500_000, "B", "1.5 MB"), (2.5, "GB", "2.5 GB"), (1e6, "bytes/s", "1 MB/s")],
        *[(12_345, "messages", "12,345 messages"), (1_234_567, "messages", "1.23 M messages")],
        *[(0, "", "0"), (0.1 + 0.2, "", "0.3"), (1e7, "", "10 M"), (5e-324, "", "4.94e-324"), (1e300, "B", "1e300 B")],
        *[(2, "x" * 50, f"2 {'x' * 20}…"), (2, "/", "2 /"), (2, "<b>", "2 <b>")],
    ],
)
def test_numbers_have_few_characters(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


@pytest.mark.parametrize(
    ("low", "high", "unit", "texts"),
    [
        (0, 97, "bytes", ["0", "50", "100 B"]),
        (3, 58e6, "bytes", ["0", "20", "40", "60 MB"]),
        (0, 0.0011, "s", ["0", "0.5", "1", "1.5 ms"]),
        (0, 40_000, "messages", ["0", "20", "40 k"]),
        (-7, 961, "", ["-500", "0", "500", "1,000"]),
        # What hardly changes is not drawn from zero, since it would look as if it did not change at all
        (9e8, 9.1e8, "bytes", ["900", "905", "910 MB"]),
        # What does not change at all is
        (5, 5, "", ["0", "2", "4", "6"]),
        (-5, -5, "", ["-6", "-4", "-2", "0"]),
        (0, 0, "", ["0", "0.5", "1"]),
        (1e15, 1e15 + 1e-3, "", ["0", "500", "1,000 T"]),
    ],
)
def test_scales_have_round_numbers(low: float, high: float, unit: str, texts: list[str]) -> None:
    found = scale((low, high))
    assert tick_texts(found.ticks, unit) == texts
    assert (found.low, found.high) == (found.ticks[0], found.ticks[-1])
    assert 0 <= found.share(low) <= found.share(high) <= 1


def test_of_many_points_the_peaks_are_kept() -> None:
    noise = random.Random(1)
    points = [(number / 100, noise.random()) for number in range(50_000)]
    points[31_415] = (314.15, 7.0)
    points[41_000] = (410.0, -3.0)
    noise.shuffle(points)
    [line] = segments(points)
    assert len(line) <= 200
    assert line == sorted(line)
    assert {(314.15, 7.0), (410.0, -3.0)} <= set(line)
    assert {(314.15, 7.0), (410.0, -3.0)} <= set(dots(points))
    assert len(dots(points)) <= 200
    assert segments([]) == []


def test_a_line_ends_where_nothing_was_recorded() -> None:
    times = [0.0, 1.0, 2.0, 3.0, 6.0, 7.0, 17.0, 18.0, 40.0]
    lines = segments([(time, 5.0) for time in times], 3)
    assert [[time for time, _ in line] for line in lines] == [[0, 1, 2, 3, 6, 7], [17, 18], [40]]
    across, up = Scale(0, 40, ()), Scale(0, 10, ())
    assert plot.line_path(lines, across, up) == "M0 200 25 200 50 200 75 200 150 200 175 200M425 200 450 200M1000 200h0"
    # A slow rhythm is not a gap
    assert len(segments([(time * 10.0, 1.0) for time in range(20)], 3)) == 1
    # Gaps are bounded, and the longest ones are kept
    many = [(time * 10.0 + each, 1.0) for time in range(5_000) for each in (0, 1, 2)]
    parts = segments([*many, (90_000.0, 2.0)], 3)
    assert (len(parts), parts[-1]) == (41, [(90_000.0, 2.0)])
    assert sum(map(len, parts)) <= 200


def test_dots_are_lines_without_length() -> None:
    path = plot.dot_path([(0, 0), (5, 10), (5, 10), (10, 5)], Scale(0, 10, ()), Scale(0, 10, ()))
    assert path == "M0 400h0M500 0h0M1000 200h0"


def test_numbers_that_are_none_are_no_numbers() -> None:
    no_numbers: list[object] = [math.nan, math.inf, -math.inf, True, None, "1", [1], {}]
    assert [finite(each) for each in no_numbers] == [None] * 8
    assert [finite(each) for each in (3, -0.5, 10**400, -(10**400), 1.7e308)] == [3.0, -0.5, 1e300, -1e300, 1e300]


@pytest.mark.parametrize("large", [1e300, 5e-324, 1e-300, 1e16])
def test_extreme_numbers_are_drawn_all_the_same(large: float) -> None:
    points: list[Point] = [(-large, large), (0.0, -large), (large, 0.0), (large, large)]
    found = scale([value for _, value in points])
    assert 2 <= len(found.ticks) <= 10
    assert all(map(math.isfinite, found.ticks))
    assert all(len(text) < 30 for text in tick_texts(found.ticks, "B"))
    path = plot.line_path(segments(points, large), Scale(0, 10, ()), found)
    numbers = [float(each) for each in path.replace("M", " ").replace("h0", " ").split()]
    assert all(0 <= each <= 1000 for each in numbers)


def test_shares_are_written_in_per_cent() -> None:
    assert [percent(each) for each in (0, 1, 0.125, 1 / 3)] == ["0%", "100%", "12.5%", "33.33%"]
