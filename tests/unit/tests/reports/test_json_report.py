# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import time

import pytest

from ducktape.tests.reports import json_report
from ducktape.tests.result import FAIL
from tests.unit.tests.reports.samples import check_golden, demo_results, eventful_results, result


def test_the_report_of_a_session_is_as_agreed() -> None:
    check_golden("report.json", json_report.render(demo_results()))


def test_the_report_reads_back_as_the_results() -> None:
    results = demo_results()
    assert json.loads(json_report.render(results)) == results.to_json()


def test_what_json_has_no_form_for_is_written_as_every_parser_takes_it() -> None:
    results = demo_results()
    odd = [float("inf"), float("-inf"), float("nan"), "\u00e9 \U0001f986 \u2028 \x00\n"]
    results.client_status = {"a": {"odd": odd, chr(0xD800): chr(0xDFFF), chr(0xD801): 1}}
    assert json.loads(json_report.render(results), parse_constant=pytest.fail)["client_status"]["a"] == {
        "odd": [None, None, None, "\u00e9 \U0001f986 \u2028 \x00\n"],
        "\ufffd": "\ufffd",
        "\ufffd (2)": 1,
    }


def test_thousands_of_results_are_rendered_at_once() -> None:
    results = demo_results()
    for _ in range(250):
        for each in list(demo_results()):
            results.append(each)
    started = time.process_time()
    json_report.render(results)
    assert len(results) == 2008
    # Some 0.05 s; the margin is for slow and busy machines
    assert time.process_time() - started < 1


def test_the_report_of_an_eventful_session_is_as_agreed() -> None:
    check_golden("report-eventful.json", json_report.render(eventful_results()))
    assert json.loads(json_report.render(eventful_results())) == eventful_results().to_json()


@pytest.mark.parametrize("length", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 20])
def test_a_text_of_any_length_is_there_to_its_end(length: int) -> None:
    results = demo_results()
    results.append(result("test_fail", 9, FAIL, ('"\n\ud83d\ude00\U0001f986<' * length)[:length], data={"summary": ""}))
    assert json_report.render(results) == json.dumps(results.to_json(), indent=2, sort_keys=True)
