# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

import pytest

from ducktape.tests.reports.build_servers import annotations_of, junit_import, warning
from ducktape.tests.result import FAIL, TestResult, TestResults
from tests.unit.tests.reports.samples import PROJECT, eventful_results, result, session

NASTY = "a::b,c=%0A\r\n::error file=x::gotcha\n##[error]x \x1b[31m"


def several(*failed: TestResult) -> TestResults:
    results = TestResults(session())
    for each in failed:
        results.append(each)
    return results


def as_github_reads(line: str) -> tuple[str, dict[str, str], str]:
    """Return name, properties and message of a workflow command."""
    match = re.fullmatch(r"::(\w+) ([^:]*)::(.*)", line)
    assert match is not None, line

    def plain(text: str) -> str:
        for code, mark in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            text = text.replace(code, mark)
        return text

    properties = dict(each.split("=", 1) for each in match[2].split(","))
    return match[1], {name: plain(value) for name, value in properties.items()}, plain(match[3])


def test_a_failure_is_shown_where_it_arose() -> None:
    summary = f'AssertionError(1)\nTraceback:\n  File "{PROJECT}/demo_tests/test_demo.py", line 12, in test_fail\n'
    [line] = annotations_of(several(result("test_fail", 3, FAIL, summary, reason="assertion")), PROJECT)
    assert line == (
        "::error file=demo_tests/test_demo.py,line=12,title=demo_tests.test_demo.DemoTest.test_fail::"
        "AssertionError(1) (assertion)%0Alogs in results/2026-11-22--001/DemoTest/test_fail/3"
    )


def test_a_failure_without_a_place_or_a_text_is_shown_all_the_same() -> None:
    broken = TestResult.from_import_failure("a.broken", None, "", 1, session())
    assert list(annotations_of(several(broken))) == ["::error title=a.broken.<import>::failed (import)"]


def test_hostile_texts_stay_within_their_annotation() -> None:
    nasty = result("test_matrix", 1, FAIL, NASTY, {"x": NASTY}, file=f"/a,b:c%/{'x' * 9}.py", reason=NASTY)
    nasty.test_id = NASTY
    [line] = annotations_of(several(nasty), "/elsewhere")
    assert "\n" not in line and "\x1b" not in line
    name, properties, message = as_github_reads(line)
    shown = NASTY.replace("\r\n", "\n").replace("\x1b", r"\x1b")
    assert (name, properties) == ("error", {"file": "/a,b:c%/xxxxxxxxx.py", "title": shown})
    assert message.startswith(f"a::b,c=%0A\\x0d ({shown})\nlogs in ")


@pytest.mark.parametrize(("failures", "lines"), [(0, 0), (1, 1), (10, 10), (11, 10), (5000, 10)])
def test_no_more_annotations_than_github_shows(failures: int, lines: int) -> None:
    failed = result("test_fail", status=FAIL, summary="x" * 5000)
    found = list(annotations_of(several(*[failed] * failures)))
    assert len(found) == lines
    assert all(len(line) < 2000 for line in found)
    if failures > lines:
        assert found[-1] == f"::error title=ducktape::{failures - 9:,} more tests failed"


def test_what_did_not_fail_is_not_annotated() -> None:
    assert len(list(annotations_of(eventful_results()))) == 4


def test_a_warning_is_a_workflow_command() -> None:
    assert warning("100 %\nfull") == "::warning title=ducktape::100 %25%0Afull"


def test_teamcity_reads_the_path_of_the_report() -> None:
    assert junit_import("/r/it's|[a]\n\u00e4\U0001f986/report.xml") == (
        "##teamcity[importData type='junit' path='/r/it|'s|||[a|]|n|0x00e4|0xd83e|0xdd86/report.xml' "
        "parseOutOfDate='true']"
    )
