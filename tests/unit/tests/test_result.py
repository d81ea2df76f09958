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

from ducktape.json_serializable import DucktapeJSONEncoder
from ducktape.tests.result import FAIL, FLAKY, IGNORE, PASS, TestResult, TestResults
from ducktape.tests.session import SessionContext
from ducktape.tests.status import TestStatus
from tests.unit.tests.reports.samples import (
    PROJECT,
    RESULTS_DIR,
    SERVICE,
    START,
    Cluster,
    Key,
    context,
    demo_results,
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
    assert text.endswith('    \\udc80 \U0001f986\n"\\udc80"')
    assert json.loads(Path(it.results_dir, "report.json").read_text())["data"] == "\udc80"


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
