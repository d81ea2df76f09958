# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ducktape.tests.reports import junit
from ducktape.tests.reports.session_details import Allocation, SessionDetails
from ducktape.tests.result import FAIL, IGNORE, PASS, TestResult, TestResults
from ducktape.tests.status import TestStatus
from tests.support.junit_schema import problems_of
from tests.unit.tests.reports.samples import (
    PROJECT,
    START,
    check_golden,
    demo_results,
    eventful_results,
    result,
    session,
)


def parsed(*results: TestResult) -> ElementTree.Element:
    collection = TestResults(session())
    for each in results:
        collection.append(each)
    return ElementTree.fromstring(junit.render(collection))


def failure(summary: str, status: TestStatus = FAIL) -> ElementTree.Element:
    found = parsed(result("test_fail", status=status, summary=summary)).find("testsuite/testcase/failure")
    assert found is not None
    return found


def test_the_report_of_a_session_is_as_agreed() -> None:
    check_golden("report.xml", junit.render(demo_results()))


def test_any_parser_reads_whatever_tests_put_into_their_summaries() -> None:
    every = "".join(map(chr, range(0x20))) + "\x7f\x85\ud800\udfff\ufffe\uffff\U0010ffff<&>\"']]>"
    text = failure(every).text
    assert text is not None
    assert text.startswith(r"\x00\x01\x02\x03\x04\x05\x06\x07\x08" + "\t\n" + r"\x0b\x0c\x0d")
    assert text.endswith(r"\x1f\x7f\x85" + "\ufffd\ufffd" + r"\ufffe\uffff" + "\U0010ffff<&>\"']]>")


def test_the_report_is_plain_ascii_without_a_declaration() -> None:
    rendered = junit.render(demo_results())
    assert rendered.isascii()
    assert rendered.startswith('<testsuites name="ducktape" time="61.5" tests="8" ')


def test_modules_come_in_the_order_of_their_first_result() -> None:
    of = session()
    broken = TestResult.from_import_failure("a.broken", None, "no", 1, of)
    root = parsed(result(), broken, result("test_data", 3))
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in root] == [
        ("demo_tests.test_demo", "2", "0"),
        ("a.broken", "1", "1"),
    ]


def test_a_parametrized_test_is_named_with_its_arguments() -> None:
    case = parsed(result("test_matrix", injected_args={"size": 1, "mode": "ab"})).find("testsuite/testcase")
    assert case is not None
    assert (case.get("classname"), case.get("name")) == ("DemoTest", "test_matrix.size=1.mode=ab")


def test_a_file_that_cannot_be_imported_is_a_case_of_its_own() -> None:
    broken = TestResult.from_import_failure("a.broken", None, "ImportError: no\nmore", 1, session())
    case = parsed(broken).find("testsuite/testcase")
    assert case is not None
    assert (case.get("classname"), case.get("name"), case.get("status")) == ("a.broken", "<import>", "fail")
    assert case[0].get("message") == "ImportError: no"


@pytest.mark.parametrize(
    ("summary", "message"),
    [
        ("", ""),
        ("AssertionError('x')\nTraceback", "AssertionError('x')"),
        ("run 1 summary:\nfirst\n\n~~~~\nrun 2 summary:\nsecond", "first"),
        ("runs 1, 2, 13 summary:\n\nboth", "both"),
        ("run 1 summary:", ""),
    ],
)
def test_the_message_is_the_first_line_that_says_something(summary: str, message: str) -> None:
    assert failure(summary).get("message") == message
    assert failure(summary).text == (summary or None)


def test_a_time_that_is_unknown_counts_as_none() -> None:
    never = result(status=PASS)
    never.start_time = -1
    root = parsed(never)
    assert root.get("time") == "0"
    assert root[0][0].get("time") == "0"


def test_the_report_of_an_eventful_session_is_as_agreed() -> None:
    check_golden("report-eventful.xml", junit.render(eventful_results()))


def test_a_failure_says_of_which_kind_it_is() -> None:
    found = parsed(result("test_fail", status=FAIL, summary="oh", reason="timeout")).find("testsuite/testcase/failure")
    assert found is not None
    assert found.attrib == {"message": "oh", "type": "timeout"}
    assert failure("oh").attrib == {"message": "oh"}


@pytest.mark.parametrize(
    ("summary", "message", "text"),
    [
        ("", None, None),
        ("Skipped: ", None, None),
        ("Skipped: no disk", "no disk", None),
        ("Skipped: no disk\non a node", "no disk", "Skipped: no disk\non a node"),
        ("Expected failure: why\n\nError", "Expected failure: why", "Expected failure: why\n\nError"),
    ],
)
def test_a_skipped_test_says_why(summary: str, message: str | None, text: str | None) -> None:
    skipped = parsed(result("test_skipped", status=IGNORE, summary=summary)).find("testsuite/testcase/skipped")
    assert skipped is not None
    assert (skipped.get("message"), skipped.text) == (message, text)


def test_tests_that_did_not_run_are_counted_as_skipped() -> None:
    root = ElementTree.fromstring(junit.render(eventful_results()))
    assert (root.get("tests"), root.get("failures")) == ("12", "4")
    assert [(suite.get("name"), suite.get("tests"), suite.get("skipped")) for suite in root] == [
        ("demo_tests.test_demo", "11", "5"),
        ("demo_tests.test_late", "1", "1"),
    ]
    assert len(root.findall("testsuite/testcase")) == 12
    [late] = root[1]
    assert (late.get("classname"), late.get("name"), late.get("status")) == ("DemoTest", "test_other", "notrun")
    assert [(child.tag, child.attrib) for child in late] == [
        ("skipped", {"message": "not run: the run was interrupted"}),
        ("properties", {}),
    ]


def test_errors_of_the_teardown_are_on_standard_error() -> None:
    found = parsed(result(teardown_errors=["one \x00", "two"])).find("testsuite/testcase/system-err")
    assert found is not None
    assert found.text == "one \\x00\n\ntwo"


def test_a_very_long_text_is_cut() -> None:
    found = failure("first\n" + "x" * 5_000_000 + "\nlast")
    assert found.get("message") == "first"
    assert found.text is not None
    assert 1_900_000 < len(found.text) < 2_010_000
    assert found.text.startswith("first\nxxx")
    assert found.text.endswith("xxx\nlast")
    assert "all of them are in DemoTest/test_fail/1/report.txt" in found.text


def test_reports_follow_the_common_schema() -> None:
    for results in (demo_results(), eventful_results()):
        assert problems_of(junit.render(results, PROJECT, SessionDetails())) == []
    hostile = "]]> <![CDATA[ \x00 \ud800\n::error::x"
    several = TestResults(session())
    several.append(result("test_fail", status=FAIL, summary=hostile, reason=hostile, injected_args={hostile: hostile}))
    several.append(result("test_skipped", status=IGNORE, summary=hostile, teardown_errors=[hostile]))
    details = SessionDetails(allocations={1: [Allocation((hostile,), START, None)]})
    assert problems_of(junit.render(several, "/", details)) == []


def test_the_schema_finds_what_is_wrong() -> None:
    right = junit.render(demo_results(), PROJECT)
    assert problems_of(right.replace(' name="test_pass"', "", 1)) == ["testcase: no name"]
    assert problems_of(right.replace('timestamp="2026-11-22T', 'timestamp="22 Nov ', 1)) == [
        "testsuites: timestamp='22 Nov 15:14:20'"
    ]
    assert problems_of(right.replace("<skipped />", "<skip />")) == [
        "testcase: skip is unknown",
        "testsuite: skipped is 1, not 0",
    ]


def test_a_test_says_where_it_is_and_on_what_it_ran(tmp_path: Path) -> None:
    of = session(tmp_path / "results")
    one = result("test_fail", status=FAIL, summary="oh", reason="timeout", of=of, file=__file__)
    one.line = 17
    logs = Path(one.results_dir)
    (logs / "Echo-0" / "node]]1").mkdir(parents=True)
    for name in ("test_log.info", "report.txt", "Echo-0/echo.log", "Echo-0/node]]1/no.log", "Echo-0/a\nb.log"):
        (logs / name).write_text("x")
    several = TestResults(of)
    several.append(one)
    details = SessionDetails(os.fspath(tmp_path / "results"), allocations={1: [Allocation(("w1", "w2"), START, None)]})
    case = ElementTree.fromstring(junit.render(several, os.fspath(tmp_path), details)).find("testsuite/testcase")
    assert case is not None
    assert (case.get("file"), case.get("line"), case.get("timestamp")) == (__file__, "17", "2026-11-22T15:14:20")
    properties = {each.get("name"): each.get("value") for each in case.iter("property")}
    module = "demo_tests.test_demo"
    assert properties == {"module": module, "nodes": "w1, w2", "reason": "timeout", "attempts": "1"}
    assert case.findtext("system-out") == (
        "logs in results/DemoTest/test_fail/1\n"
        "[[ATTACHMENT|results/DemoTest/test_fail/1/test_log.info]]\n"
        "[[ATTACHMENT|results/DemoTest/test_fail/1/Echo-0/echo.log]]"
    )
    below = junit.render(several, os.path.dirname(__file__), details)
    assert f' file="{os.path.basename(__file__)}" line="17"' in below
