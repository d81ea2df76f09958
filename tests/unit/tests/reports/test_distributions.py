# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from typing import Any

from ducktape.tests.reports import html
from ducktape.tests.reports.distributions import Distributions, distributions
from ducktape.tests.result import FAIL, IGNORE, PASS, TestResult, TestResults
from tests.unit.tests.reports.samples import demo_results, result, session

OF = session()


def of(*found: TestResult) -> Distributions | None:
    results = TestResults(OF)
    for each in found:
        results.append(each)
    return distributions(results)


def run(index: int, arguments: dict[str, Any] | None = None, **metrics: Any) -> TestResult:
    method = "test_matrix" if arguments else "test_pass"
    return result(method, index, PASS, "", arguments, seconds=index, of=OF, metrics=metrics)


def value(*values: float, better: str | None = "lower") -> dict[str, Any]:
    return {"kind": "value", "unit": "ms", "better": better, "p50": sorted(values)[len(values) // 2], "values": values}


def test_each_parametrization_has_its_values() -> None:
    failure = result("test_matrix", 5, FAIL, "", {"x": 2}, of=OF, metrics={"took": value(30)})
    found = of(
        run(3, {"x": 10}, took=value(100)),
        run(1, {"x": 1}, took=value(10, 12, 20)),
        run(2, {"x": 2}, took=value(40, 50, 60)),
        run(4, {"x": 2}, took={"kind": "histogram", "unit": "ms", "better": "lower", "p50": 70}),
        failure,
        result("test_matrix", 6, IGNORE, "", {"x": 3}, of=OF, metrics={"took": value(1000)}),
        run(7, {"x": 4}, took={"kind": "series", "count": 0}),
    )
    assert found is not None
    [plot] = found.plots
    assert (plot.test, plot.metric, plot.better, plot.left_out) == ("DemoTest.test_matrix", "took", "lower", 0)
    assert plot.ticks == [("0%", "0"), ("20%", "20"), ("40%", "40"), ("60%", "60"), ("80%", "80"), ("100%", "100 ms")]
    assert [(strip.label, strip.median, strip.about) for strip in plot.strips] == [
        # All values of a single run, but the median of each of several
        ("x=1", "12%", "3 values from 10 ms to 20 ms, median 12 ms"),
        ("x=2", "50%", "3 runs from 30 ms to 70 ms, median 50 ms"),
        ("x=10", "100%", "100 ms"),
    ]
    assert [(strip.passed, strip.failed) for strip in plot.strips] == [
        ("M100 9h0M120 9h0M200 9h0", ""),
        ("M500 9h0M700 9h0", "M300 9h0"),
        ("M1000 9h0", ""),
    ]


def test_the_largest_spread_comes_first() -> None:
    calm = {"a": value(100), "b": {"kind": "counter", "total": 10}, "c": value(1), "d": value(0)}
    found = of(run(1, {"x": 1}, **calm), run(2, {"x": 2}, **{**calm, "a": value(110), "b": {"total": 30}}))
    assert found is not None
    assert [plot.metric for plot in found.plots] == ["b", "a", "c", "d"]


def test_repetitions_are_one_row() -> None:
    found = of(*(run(number, took=value(number)) for number in range(1, 201)))
    assert found is not None
    [plot] = found.plots
    [strip] = plot.strips
    assert (strip.label, strip.about) == ("200 runs", "200 runs from 1 ms to 200 ms, median 100 ms")
    assert (strip.passed.count("M"), strip.passed[:6], strip.passed[-9:]) == (51, "M5 9h0", "M1000 9h0")


def test_durations_stand_in_for_metrics() -> None:
    found = of(run(1, {"x": 1}), run(2, {"x": 3}), run(4), run(5))
    assert found is not None
    [plot] = found.plots
    assert (plot.metric, plot.better) == ("duration", "")
    assert [(strip.label, strip.median_text) for strip in plot.strips] == [("x=1", "1 s"), ("x=3", "2 s")]
    measuring = of(run(1, {"x": 1}, took=value(3)), run(2, {"x": 3}))
    assert measuring is None
    assert of() is None


def test_there_is_room_for_the_extremes() -> None:
    results = [run(number, {"x": number}, took=value(100 + (number - 20) ** 3)) for number in range(1, 41)]
    found = of(*results)
    assert found is not None
    [plot] = found.plots
    assert [strip.label for strip in plot.strips] == [f"x={number}" for number in (*range(1, 11), *range(31, 41))]
    assert plot.left_out == 20
    many = {f"m{number}": value(number + 1) for number in range(60)}
    crowded = of(run(1, {"x": 1}, **many), run(2, {"x": 2}, **many))
    assert crowded is not None
    assert (len(crowded.plots), crowded.left_out) == (50, 10)
    others = [run(number) for number in range(3, 1002)]
    large = of(run(1, {"x": 1}, **many), run(2, {"x": 2}, **many), *others)
    assert large is not None
    assert (len(large.plots), large.left_out) == (10, 50)


def test_metrics_that_make_no_sense_are_passed_over() -> None:
    odd = {"a": 3, "b": {"values": ["x", None]}, "c": {"p50": float("nan")}, "d": {"total": True}, "e": {"values": {}}}
    assert of(run(1, {"x": 1}, **odd), run(2, {"x": 2}, **odd)) is not None  # their durations
    large = of(run(1, {"x": 1}, a={"p50": 1e308}), run(2, {"x": 2}, a={"p50": -1e308}))
    assert large is not None
    assert [strip.passed for strip in large.plots[0].strips] == ["M1000 9h0", "M0 9h0"]


def test_the_page_links_to_the_tests_and_says_everything_in_words() -> None:
    nasty = "<script>alert(1)</script>"
    results = demo_results()
    for number in (21, 22):
        results.append(run(number, {"x": nasty}, **{nasty: {**value(number), "unit": nasty, "better": nasty}}))
    content = html.render(results)
    panel = content[content.index('id="metrics_panel"') : content.index('<div id="filter_panel"')]
    assert "<script>" not in panel
    assert '<a href="#t21" title="x=' in panel
    assert "2 runs from 21 &lt;script&gt;alert(1)&lt;/sc… to 22" in panel
    assert re.search(r'<svg[^>]* role="img" aria-label="2 runs from 21', panel)
