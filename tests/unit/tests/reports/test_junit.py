# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from xml.etree import ElementTree

import pytest

from ducktape.tests.reports import junit
from ducktape.tests.result import FAIL, PASS, TestResult, TestResults
from ducktape.tests.status import TestStatus
from tests.unit.tests.reports.samples import check_golden, demo_results, result, session


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
    assert text.endswith(r"\x1f\x7f\x85\ud800\udfff\ufffe\uffff" + "\U0010ffff<&>\"']]>")


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
