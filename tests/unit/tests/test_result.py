# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import enum
import json
import os
import pickle
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ducktape.json_serializable import DucktapeJSONEncoder
from ducktape.tests.reports import html, json_report, junit, rerun, summary, text
from ducktape.tests.result import FAIL, FLAKY, IGNORE, PASS, NotRun, TestResult, TestResults
from ducktape.tests.session import SessionContext
from ducktape.tests.status import TestStatus
from tests.unit.tests.reports.samples import (
    PROJECT,
    RESULTS_DIR,
    SERVICE,
    START,
    Cluster,
    Key,
    attempt,
    context,
    demo_results,
    eventful_results,
    result,
    session,
)


class Colour(enum.Enum):
    RED = 1


def test_a_result_takes_what_it_says_from_its_context() -> None:
    of = session()
    it = TestResult(context("test_data", {"a": 1}, of=of), 7, of, PASS, "Test Passed", [1], START, START + 2, 3, 2)
    assert it.to_json() == {
        "base_results_dir": f"{RESULTS_DIR}/",
        "cls_name": "DemoTest",
        "data": [1],
        "description": "Returns data.",
        "function_name": "test_data",
        "injected_args": {"a": 1},
        "module_name": "demo_tests.test_demo",
        "nodes_allocated": 3,
        "nodes_used": 2,
        "relative_results_dir": "DemoTest/test_data/a=1/7/",
        "results_dir": f"{RESULTS_DIR}/DemoTest/test_data/a=1/7/",
        "run_time_seconds": 2.0,
        "services": [],
        "start_time": START,
        "stop_time": START + 2,
        "summary": "Test Passed",
        "test_id": "demo_tests.test_demo.DemoTest.test_data.a=1",
        "test_status": "PASS",
    }
    assert it.file_name == f"{PROJECT}/demo_tests/test_demo.py"
    assert it.test_index == 7
    assert it.session_context is of


def test_a_description_of_any_length_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    it = context("test_data")
    monkeypatch.setattr(it.function, "__doc__", "begin " + "x" * 1_000_000 + " end")
    description = TestResult(it, 1, session()).description
    assert len(description) < 101_000
    assert (description[:8], description[-5:]) == ("begin xx", "x end")


def test_nothing_but_the_first_three_arguments_is_needed() -> None:
    it = TestResult(context(), 1, session())
    assert (it.test_status, it.summary, it.data) == (PASS, "", None)
    assert (it.start_time, it.stop_time, it.run_time_seconds) == (-1, -1, -1)
    assert (it.nodes_allocated, it.nodes_used) == (0, 0)


def test_node_counts_default_to_those_of_the_cluster() -> None:
    it = TestResult(context(cluster=Cluster()), 1, session())
    assert (it.nodes_allocated, it.nodes_used) == (5, 3)


def test_a_node_type_and_a_reason_are_told_only_if_there_is_one() -> None:
    of = session()
    plain = TestResult(context(of=of), 1, of).to_json()
    assert {"node_type", "reason"} & set(plain) == set()
    typed = TestResult(context(of=of, cluster_use_metadata={"node_type": "large"}), 1, of, FAIL, reason="timeout")
    assert (typed.to_json()["node_type"], typed.to_json()["reason"]) == ("large", "timeout")


def test_services_given_by_the_caller_win_over_those_of_the_context() -> None:
    assert result(services=[SERVICE]).services == [SERVICE]


def test_a_closed_context_has_no_services_to_tell_of() -> None:
    closed = context()
    closed.close()
    assert TestResult(closed, 1, session()).services == {}


def test_a_result_says_how_long_its_test_has_been_running() -> None:
    running = TestResult(context(), 1, session(), start_time=time.time() - 5)
    assert 5 <= running.run_time_seconds < 60


@pytest.mark.parametrize(
    ("value", "ready"),
    [
        ({"t": (1, 2), "k": {1: "x"}}, {"t": [1, 2], "k": {"1": "x"}}),
        ({"e": Colour.RED}, {"e": "Colour.RED"}),
        ({"s": {3}}, {"s": [3]}),
    ],
)
def test_arguments_and_data_are_json_ready_whatever_they_were(value: Any, ready: Any) -> None:
    it = result("test_matrix", injected_args=value, data=value)
    assert it.injected_args == ready
    assert it.data == ready
    assert json.loads(json.dumps(it.to_json()))["injected_args"] == ready


def test_arguments_that_cannot_be_pickled_do_not_hold_a_result_back() -> None:
    it = result("test_matrix", injected_args={"f": lambda: None}, data=open)
    assert pickle.loads(pickle.dumps(it)).to_json() == it.to_json()


def test_a_result_looks_like_its_status_and_data() -> None:
    assert repr(result(data={"a": 1})) == "<TestResult - test_status:pass, data:{'a': 1}>"


def test_the_encoder_of_the_project_knows_results() -> None:
    it = result()
    assert json.loads(json.dumps([it], cls=DucktapeJSONEncoder)) == [it.to_json()]


def test_the_report_of_a_test_goes_into_its_directory(tmp_path: Path) -> None:
    it = result("test_data", 2, data={"b": 1, "a": 0.5}, of=session(tmp_path))
    it.report()
    directory = tmp_path / "DemoTest" / "test_data" / "2"
    assert str(directory) + "/" == it.results_dir
    assert sorted(os.listdir(directory)) == ["data.json", "report.json", "report.txt"]
    assert (directory / "data.json").read_text() == '{"b": 1, "a": 0.5}'
    assert (directory / "report.json").read_text() == json.dumps(it.to_json(), indent=2, sort_keys=True)
    assert (directory / "report.txt").read_text().split("\n")[0] == "=" * 100
    assert (directory / "report.txt").read_text().endswith('\n{"b": 1, "a": 0.5}')


def test_a_test_without_data_has_no_data_file(tmp_path: Path) -> None:
    it = result(of=session(tmp_path))
    it.report()
    assert sorted(os.listdir(it.results_dir)) == ["report.json", "report.txt"]


def test_halves_of_characters_do_not_keep_a_report_from_being_written(tmp_path: Path) -> None:
    it = result(status=FAIL, summary="\udc80 \U0001f986", data="\udc80", of=session(tmp_path))
    it.report()
    text = Path(it.results_dir, "report.txt").read_text(encoding="utf-8")
    assert text.endswith('    \ufffd \U0001f986\n"\\ufffd"')
    assert json.loads(Path(it.results_dir, "report.json").read_text())["data"] == "\ufffd"


def test_a_file_that_cannot_be_imported_is_a_failure_without_a_directory(tmp_path: Path) -> None:
    of = session(tmp_path)
    it = TestResult.from_import_failure("pkg.test_x", "/p/pkg/test_x.py", "ImportError: no", 4, of)
    assert (it.test_id, it.test_status, it.reason) == ("pkg.test_x.<import>", FAIL, "import")
    assert (it.module_name, it.cls_name, it.function_name) == ("pkg.test_x", "", "<import>")
    assert (it.file_name, it.summary, it.test_index) == ("/p/pkg/test_x.py", "ImportError: no", 4)
    assert (it.relative_results_dir, it.results_dir) == ("", f"{tmp_path}/")
    assert (it.nodes_allocated, it.nodes_used, it.services, it.run_time_seconds) == (0, 0, [], 0)
    it.report()
    assert os.listdir(tmp_path) == []


def test_a_result_survives_the_way_from_a_child_process() -> None:
    sent = result("test_matrix", 3, FLAKY, "x", {"a": 1}, data={"b": 2}, services=[SERVICE], reason=None)
    received = pickle.loads(pickle.dumps(sent))
    assert received.to_json() == sent.to_json()
    assert received.test_status == FLAKY


def test_the_totals_follow_every_result() -> None:
    results = demo_results()
    assert (results.num_passed, results.num_flaky, results.num_failed, results.num_ignored) == (2, 1, 4, 1)
    assert len(results) == 8
    assert [each.test_index for each in results] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert results.get_aggregate_success() is False


def test_only_a_failure_spoils_the_success() -> None:
    results = TestResults(session(), Cluster(), {})
    for status in (PASS, FLAKY, IGNORE):
        results.append(result(status=status))
    assert results.get_aggregate_success() is True
    results.append(result(status=FAIL))
    assert results.get_aggregate_success() is False


def test_the_statistics_are_those_of_all_results() -> None:
    results = TestResults(session(), Cluster(), {})
    results.start_time, results.stop_time = START, START + 10
    results.append(result(seconds=1, nodes=(4, 2)))
    results.append(result(seconds=5, nodes=(2, 1)))
    content = results.to_json()
    assert content["run_time_statistics"] == {"max": 5.0, "mean": 3.0, "min": 1.0}
    assert content["cluster_nodes_allocated"] == {"max": 4, "mean": 3.0, "min": 2}
    assert content["cluster_nodes_used"] == {"max": 2, "mean": 1.5, "min": 1}
    assert content["cluster_num_nodes"] == 5
    assert content["cluster_utilization"] == (2 * 1 + 1 * 5) / (5 * 10)
    assert content["parallelism"] == 0.6


def test_a_test_that_never_started_took_no_time() -> None:
    results = TestResults(session(), Cluster(), {})
    results.append(TestResult(context(), 1, session(), FAIL))
    assert results.to_json()["run_time_statistics"] == {"max": 0, "mean": 0.0, "min": 0}


def test_a_session_without_results_has_nothing_to_count() -> None:
    content = TestResults(session(), None, {}).to_json()
    nothing = {"max": None, "mean": None, "min": None}
    assert content["run_time_statistics"] == content["cluster_nodes_used"] == nothing
    assert (content["cluster_utilization"], content["parallelism"], content["results"]) == (0, 0, [])
    assert "num_flaky" not in content


def test_the_flaky_are_counted_in_the_report_once_there_are_any() -> None:
    assert demo_results().to_json()["num_flaky"] == 1


def test_client_processes_are_told_apart_by_test_and_index() -> None:
    status: dict[Any, Any] = {}
    results = TestResults(session(), Cluster(), status)
    status[Key("a.B.c", 1)] = {"status": "RUNNING", "pid": 5}
    expected = {"TestKey(test_id='a.B.c', test_index=1)": {"status": "RUNNING", "pid": 5}}
    assert results.to_json()["client_status"] == expected


def test_a_session_ends_when_its_duration_is_first_asked_for() -> None:
    results = TestResults(session(), Cluster())
    assert results.run_time_seconds == -1
    results.start_time = time.time() - 5
    first = results.run_time_seconds
    assert 5 <= first < 60
    assert results.run_time_seconds == first
    assert results.stop_time == results.start_time + first


def test_a_view_of_the_results_so_far_does_not_end_the_session() -> None:
    results = TestResults(session(), Cluster())
    results.start_time = time.time() - 5
    results.append(result())
    view = results.so_far()
    assert 5 <= view.run_time_seconds < 60
    assert [each.test_id for each in view] == [each.test_id for each in results]
    assert results.stop_time == -1


def received(index: int, of: SessionContext) -> TestResult:
    """A result made from what a child process has sent."""
    status, services, summary = pickle.loads(pickle.dumps((FAIL, [SERVICE], "AssertionError")))
    return result("test_matrix", index, status, summary, {"x": index}, services=services, of=of)


def test_results_share_what_they_have_in_common() -> None:
    of = session()
    one, other = received(1, of), received(2, of)
    assert one.session_context is other.session_context is of
    assert one.module_name is other.module_name
    assert one.description is other.description
    assert one.summary is other.summary
    assert one.test_status is other.test_status is FAIL
    assert [id(key) for key in one.services[0]] == [id(key) for key in other.services[0]]


def test_a_pickled_result_gives_up_its_copy_of_the_session() -> None:
    of = session()
    results = TestResults(of, Cluster())
    results.append(pickle.loads(pickle.dumps(result(of=of))))
    assert [each.session_context is of for each in results] == [True]


def test_a_result_holds_no_object_that_took_part_in_the_test() -> None:
    kept = {type(value) for value in vars(result(services=[SERVICE])).values()}
    assert kept == {SessionContext, TestStatus, str, int, float, list, type(None)}


def test_ten_thousand_results_cost_little_memory() -> None:
    of = session()
    results = TestResults(of, Cluster())
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for index in range(500):
        results.append(received(index, of))
    per_result = (tracemalloc.get_traced_memory()[0] - before) / 500
    tracemalloc.stop()
    # Some 2 kB
    assert per_result < 4096


def as_recorded(results: TestResults) -> TestResults:
    """The same results, each made again from its record after a way through JSON."""
    again = TestResults(results.session_context, results.cluster, results.client_status)
    again.start_time, again.stop_time = results.start_time, results.stop_time
    for each in results:
        again.append(TestResult.from_record(json.loads(json.dumps(each.to_record())), results.session_context))
    again.not_run += [NotRun.from_json(json.loads(json.dumps(test.to_json()))) for test in results.not_run]
    return again


def reports(results: TestResults) -> dict[str, Any]:
    """Every report of a session, those of the single tests included."""
    return {
        "report.txt": summary.session_report(results),
        "stdout": "".join(summary.console_pieces(results, 80)),
        "report.html": html.render(results, 50),
        "report.json": json_report.render(results),
        "report.xml": junit.render(results),
        "rerun-failed.yml": rerun.suite(results, RESULTS_DIR),
        "symbols": rerun.console(results, PROJECT, "rerun-failed.yml", 80),
        "tests": [(text.result_report(each), json.dumps(each.to_json()), each.file_name) for each in results],
    }


@pytest.mark.parametrize("made", [demo_results, eventful_results])
def test_results_made_again_from_their_records_give_the_same_reports(made: Any) -> None:
    results = made()
    assert reports(as_recorded(results)) == reports(results)


TEXTS = st.text(alphabet=st.characters(), max_size=30) | st.sampled_from(
    ["\x00\udc80", "</script>", "a\r\nb", "\ufffe"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(TEXTS, inside, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    status=st.sampled_from([PASS, FAIL, FLAKY, IGNORE]),
    summary=TEXTS,
    arguments=st.none() | st.dictionaries(TEXTS, VALUES, max_size=3),
    data=VALUES,
    reason=st.none() | TEXTS,
    runs=st.none() | st.fixed_dictionaries({"passed": st.integers(0, 9), "failed": st.integers(0, 9)}),
    teardown_errors=st.lists(TEXTS, max_size=2),
    summaries=st.lists(TEXTS, max_size=3),
    tags=st.lists(TEXTS, max_size=2),
)
def test_any_result_is_made_again_from_its_record(
    status: TestStatus,
    summary: str,
    arguments: dict[str, Any] | None,
    data: Any,
    reason: str | None,
    runs: dict[str, int] | None,
    teardown_errors: list[str],
    summaries: list[str],
    tags: list[str],
) -> None:
    results = TestResults(session(), Cluster(), {})
    results.start_time, results.stop_time = START, START + 10
    attempts = [attempt(number, "fail", "error", said) for number, said in enumerate(summaries, start=1)]
    more: dict[str, Any] = {"runs": runs, "teardown_errors": teardown_errors, "attempts": attempts, "tags": tags}
    results.append(result("test_matrix", 3, status, summary, arguments, data=data, reason=reason, **more))
    assert reports(as_recorded(results)) == reports(results)


def test_what_few_results_have_is_told_only_where_it_is() -> None:
    rare = {"attempts", "teardown_errors", "runs", "tags"}
    assert rare & set(result().to_json()) == set()
    assert rare & set(vars(result())) == set()
    one = result(attempts=[attempt(1), attempt(2)], teardown_errors=["oh"], runs={"passed": 2, "failed": 0}, tags="ba")
    told = one.to_json()
    assert told["attempts"] == [attempt(1), attempt(2)]
    assert (told["teardown_errors"], told["runs"], told["tags"]) == (["oh"], {"passed": 2, "failed": 0}, ["a", "b"])


def test_the_tests_that_did_not_run_are_in_the_report_once_there_are_any() -> None:
    assert "tests_not_run" not in demo_results().to_json()
    assert eventful_results().to_json()["tests_not_run"][1] == {
        "test_id": "demo_tests.test_demo.DemoTest.test_pass",
        "module_name": "demo_tests.test_demo",
        "cls_name": "DemoTest",
        "function_name": "test_pass",
        "injected_args": None,
        "file_name": f"{PROJECT}/demo_tests/test_demo.py",
        "why": "its end <was> not seen",
    }


def test_a_record_without_a_name_or_an_outcome_is_no_result() -> None:
    with pytest.raises(ValueError, match="not the record of a result: it has no test_status"):
        TestResult.from_record({"test_id": "a.B.c"}, session())
    with pytest.raises(ValueError, match="not the record of a result: it has no test_id"):
        TestResult.from_record({"test_status": "PASS"}, session())


def test_a_record_of_another_version_may_lack_the_rest() -> None:
    it = TestResult.from_record({"test_id": "a.B.c", "test_status": "FAIL", "unheard_of": 1}, session())
    assert (it.test_id, it.test_status, it.summary, it.data, it.services) == ("a.B.c", FAIL, "", None, [])
    assert (it.run_time_seconds, it.attempts, it.file_name) == (-1, (), None)


def test_a_result_keeps_nothing_of_the_record_that_it_is_made_from() -> None:
    record = result(data={"a": [1]}, services=[SERVICE], attempts=[attempt(1), attempt(2)]).to_record()
    it = TestResult.from_record(record, session())
    record["data"]["a"].append(2)
    record["attempts"].clear()
    assert (it.data, len(it.attempts)) == ({"a": [1]}, 2)


def test_records_share_what_they_have_in_common() -> None:
    of = session()
    one, other = (
        TestResult.from_record(json.loads(json.dumps(result(index=index, services=[SERVICE], of=of).to_record())), of)
        for index in (1, 2)
    )
    assert one.session_context is other.session_context is of
    assert (one.module_name is other.module_name, one.summary is other.summary) == (True, True)
    assert one.test_status is other.test_status is PASS
    assert [id(key) for key in one.services[0]] == [id(key) for key in other.services[0]]


def test_a_number_that_is_none_is_data_all_the_same(tmp_path: Path) -> None:
    it = result(data=float("nan"), of=session(tmp_path))
    it.report()
    assert Path(it.results_dir, "data.json").read_text() == "null"
    assert json.loads(Path(it.results_dir, "report.json").read_text(), parse_constant=pytest.fail)["data"] is None
