# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import pytest

from ducktape.tests.recording.history import Changes, History
from ducktape.tests.recording.outcomes import PastOutcome, SessionOutcomes
from ducktape.tests.recording.past_metrics import PastMetric
from ducktape.tests.recording.trends import Point, Range, Trend
from ducktape.tests.reports import html
from ducktape.tests.reports.comparison import change_text, usual_text
from ducktape.tests.result import TestResults
from ducktape.tests.status import FAIL, PASS
from tests.unit.tests.reports.samples import HOSTILE, result, session

STEADY = [10.0, 10.1, 9.9, 10.2, 9.8, 10.0]


def results_of(*seconds: float, failed: Sequence[int] = ()) -> TestResults:
    """Return results of tests that took so long."""
    found = TestResults(session())
    for number, each in enumerate(seconds):
        status = FAIL if number in failed else PASS
        found.append(result("test_matrix", number, status, "oh", {"x": number}, seconds=each))
    return found


def changes(results: TestResults, **metrics: Sequence[float]) -> Changes:
    """Return how results compare with six sessions, in the first of which the tests failed; metrics are the first's."""
    now = SessionOutcomes.of(results)
    first = next(iter(now.tests))
    names = {name.replace("__", HOSTILE): values for name, values in metrics.items()}
    sessions = []
    for number, seconds in enumerate([0.0, *STEADY, 0.0]):
        outcome = PastOutcome("PASS", seconds) if number else PastOutcome("FAIL", 1.0, 1, "timeout", "c")
        found = {name: PastMetric(values[number], "ms", "lower") for name, values in names.items()}
        past = dataclasses.replace(
            now, session_id=f"2026-11-1{number}--001", tests=dict.fromkeys(now.tests, outcome), metrics={first: found}
        )
        sessions.append(past if number < 7 else dataclasses.replace(now, metrics={first: found}))
    found_changes = History(sessions).changes(now.session_id)
    assert found_changes is not None
    return found_changes


def figures(content: str) -> list[str]:
    return re.findall('<figure class="trend.*?</figure>', content, re.DOTALL)


def test_the_largest_changes_are_among_what_to_look_at_first() -> None:
    results = results_of(10.0, 15.0, 30.0, 4.0)
    content = html.render(results, 4, None, changes(results, write_ms=[8.3] * 7 + [12.4]))
    assert "<p>Beyond the usual range of earlier sessions: 2 slower, 1 worse, 1 faster</p>" in content
    [shown] = re.findall('<ul id="beyond_usual">(.*?)</ul>', content, re.DOTALL)
    assert re.findall('<li><a href="(.*?)">(.*?)</a>: (.*?)</li>', shown) == [
        ("#t2", "DemoTest.test_matrix.x=2", "duration 10 s → 30 s (+200 %, usual 9.0 s to 11 s)"),
        ("#t3", "DemoTest.test_matrix.x=3", "duration 10 s → 4.0 s (-60 %, usual 9.0 s to 11 s)"),
        ("#t1", "DemoTest.test_matrix.x=1", "duration 10 s → 15 s (+50 %, usual 9.0 s to 11 s)"),
        ("#t0", "DemoTest.test_matrix.x=0", "write_ms 8.3 → 12.4 ms (+49 %, usual 7.89 to 8.71 ms)"),
    ]
    many = results_of(*[30.0] * 12)
    assert "<li>and 2 more</li>" in html.render(many, 12, None, changes(many))


def test_a_test_shows_its_measures_in_earlier_sessions() -> None:
    results = results_of(10.0, 15.0)
    worse, steady = [8.0] * 7 + [16.0], [5.0] * 8
    content = html.render(
        results, 2, None, changes(results, steady=steady, a_ms=worse, **{f"m{n}": steady for n in range(9)})
    )
    pictures = figures(content)
    assert [re.findall("<b>(.*?)</b>", each)[0] for each in pictures] == [
        *("a_ms", "duration", "steady", "m0", "m1", "m2"),  # changes first, and six at most
        "duration",
    ]
    assert [re.findall("<strong>(.*?)</strong>", each) for each in pictures] == [["worse"], *[[]] * 5, ["slower"]]
    slower = pictures[-1]
    assert (
        'role="img" aria-label="duration in 7 earlier sessions: usual 9.0 s to 11 s, now 15 s: slower +50 %"' in slower
    )
    titles = re.findall("<title>(.*?)</title>", slower)
    assert (titles[0], titles[1], titles[-1]) == (
        "2026-11-10--001: 1.0 s, did not pass",
        "2026-11-11--001: 10 s",
        "2026-11-22--001: 15 s",
    )
    assert re.findall('<path class="(.*?)"', slower) == ["median", "failed", "newest"]
    assert (slower.count("<circle"), len(titles)) == (6, 8)
    assert 'class="failed" d="M77.0 ' in slower  # few sessions are not drawn far apart
    [band] = re.findall('<rect class="band" width="260" y="(.*?)" height="(.*?)"', slower)
    top, bottom = float(band[0]), float(band[0]) + float(band[1])
    heights = [float(point.split(",")[1]) for point in re.findall('points="(.*?)"', slower)[0].split()]
    assert all(top < height < bottom for height in heights[:-1])
    assert heights[-1] == 5 < top  # the largest value, at the edge of the picture
    quiet = results_of(10.0)
    assert len(figures(html.render(quiet, 1, None, changes(quiet, steady=steady)))) == 1


def test_a_failed_test_shows_what_is_usual_and_its_own_value_apart() -> None:
    results = results_of(60.0, failed=[0])
    [shown] = figures(html.render(results, 1, None, changes(results)))
    assert "duration in 7 earlier sessions: usual 9.0 s to 11 s, now 1:00 min when it did not pass" in shown
    assert shown.count('<path class="failed"') == 2
    assert "newest" not in shown


def test_nothing_is_shown_without_enough_earlier_sessions() -> None:
    results = results_of(10.0)
    now = SessionOutcomes.of(results)
    past = [dataclasses.replace(now, session_id=f"2026-11-1{number}--001") for number in range(4)]
    found = History([*past, now]).changes(now.session_id)
    content = html.render(results, 1, None, found)
    assert (figures(content), "Beyond the usual" in content) == ([], False)


def test_no_name_of_a_metric_can_act_as_markup() -> None:
    results = results_of(10.0)
    content = html.render(results, 1, None, changes(results, __=[8.0] * 7 + [16.0], a=[1.0] * 8))
    assert len(figures(content)) == 3
    assert "Error(&#39;&lt;/script&gt;&lt;!-- &amp;" in figures(content)[0]
    assert content.count("</script>") == 1


def test_the_pictures_of_a_page_are_bounded_and_changes_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ducktape.tests.reports.trend_view._ROOM", (3_700, 1_900))
    results = results_of(10.0, 10.0, 15.0, 10.0, 30.0, 20.0, failed=[3])
    content = html.render(results, 6, None, changes(results))
    shown = {
        name: len(figures(row))
        for name, row in re.findall('(?s)<tr class="\\w+" id="(t.)"(.*?)</details></td>', content)
    }
    assert shown == {"t3": 1, "t0": 1, "t1": 0, "t2": 0, "t4": 1, "t5": 1}


@pytest.mark.parametrize(
    ("usual", "value", "unit", "text"),
    [
        ((7.9, 8.3, 8.8), 12.4, "ms", "m 8.3 → 12.4 ms (+49 %, usual 7.9 to 8.8 ms)"),
        ((0, 0, 0), 3, "", "m 0 → 3 (usual 0)"),
        ((90_000, 100_000, 110_000), 12_345.6, "B", "m 100,000 → 12,346 B (-88 %, usual 90,000 to 110,000 B)"),
        ((-2, -1, 0), -1e-9, "", "m -1 → -1e-09 (+100 %, usual -2 to 0)"),
        ((1e14, 1e15, 2e15), 1e99, "", "m 1e+15 → 1e+99 (usual 1e+14 to 2e+15)"),
    ],
)
def test_a_change_in_words(usual: tuple[float, float, float], value: float, unit: str, text: str) -> None:
    points = [Point(0, value, True)]
    assert change_text(Trend("m", False, unit, "", points, Range(*usual), "higher", points[0])) == text
    assert usual_text(Trend("m", False, unit, "", points)) == ""
