# SPDX-License-Identifier: Apache-2.0
"""A test that dies, leaves processes behind or returns nonsense costs itself and nothing else."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.program import Program, finished, suite

SUITE = """
    import ctypes, os, subprocess, sys, threading, time
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class FineTest(Test):
        @cluster(num_nodes=1)
        def test_a_first(self):
            return {"answer": 42}

        @cluster(num_nodes=1)
        def test_b_kills_itself(self):
            os.kill(os.getpid(), 9)

        @cluster(num_nodes=1)
        def test_c_exits(self):
            os._exit(3)

        @cluster(num_nodes=1)
        def test_d_returns_an_object(self):
            return {"it": [1, object()]}

        @cluster(num_nodes=1)
        def test_e_forks(self):
            if os.fork() == 0:
                while True:
                    time.sleep(1000)

        @cluster(num_nodes=1)
        def test_f_leaves_a_daemon(self):
            subprocess.Popen(["sleep", "1000"], start_new_session=True)

        @cluster(num_nodes=1)
        def test_g_dies_with_a_daemon(self):
            subprocess.Popen(["sleep", "1000"], start_new_session=True)
            time.sleep(0.1)
            os.kill(os.getpid(), 9)

        @cluster(num_nodes=1)
        def test_h_forgets_a_yield(self):
            yield 1

        @cluster(num_nodes=1)
        def test_i_talks_nonsense(self):
            if os.environ["DUCKTAPE_START_METHOD"] == "forkserver":
                os._exit(5)  # the pipes of the fork server itself are open here too, and it would not survive this
            for fd in range(3, 64):
                try:
                    os.write(fd, b"nonsense\\n")
                except OSError:
                    pass

        @cluster(num_nodes=1)
        def test_j_crashes_in_c(self):
            ctypes.string_at(0)

        @cluster(num_nodes=1)
        def test_k_exits_softly(self):
            sys.exit(4)

        @cluster(num_nodes=1)
        def test_l_returns_from_a_fork(self):
            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)

        @cluster(num_nodes=1)
        def test_z_last(self):
            pass

    class UnmadeTest(Test):
        def __init__(self, test_context):
            raise ValueError("cannot be made")

        @cluster(num_nodes=1)
        def test_m_of_no_object(self):
            pass
"""


@pytest.fixture(scope="module", params=["fork", "forkserver", "spawn"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    with finished(folder, suite(folder, SUITE), extra={"DUCKTAPE_START_METHOD": request.param}) as program:
        program.start_method = request.param
        yield program


def test_every_other_test_passes(program: Program) -> None:
    assert program.statuses == {
        "test_a_first": "PASS",
        "test_b_kills_itself": "FAIL",
        "test_c_exits": "FAIL",
        "test_d_returns_an_object": "FAIL",
        "test_e_forks": "PASS",
        "test_f_leaves_a_daemon": "PASS",
        "test_g_dies_with_a_daemon": "FAIL",
        "test_h_forgets_a_yield": "FAIL",
        "test_i_talks_nonsense": "FAIL",
        "test_j_crashes_in_c": "FAIL",
        "test_k_exits_softly": "FAIL",
        "test_l_returns_from_a_fork": "PASS",
        "test_m_of_no_object": "FAIL",
        "test_z_last": "PASS",
    }


@pytest.mark.parametrize(
    ("name", "reason", "text"),
    [
        ("test_b_kills_itself", "crash", "killed by SIGKILL (signal 9) before reporting a result"),
        ("test_c_exits", "crash", "exited with code 3 before reporting a result"),
        ("test_d_returns_an_object", "error", "data['it'][1] is an object, which JSON cannot express"),
        ("test_g_dies_with_a_daemon", "crash", "killed by SIGKILL"),
        ("test_h_forgets_a_yield", "error", "contains 'yield'"),
        ("test_i_talks_nonsense", "crash", "sent something that is not a message"),
        ("test_j_crashes_in_c", "crash", "killed by SIGSEGV (signal 11)"),
        ("test_k_exits_softly", "error", "SystemExit(4)"),
        ("test_m_of_no_object", "error", "ValueError('cannot be made')"),
    ],
)
def test_each_failure_names_its_reason(program: Program, name: str, reason: str, text: str) -> None:
    if name == "test_i_talks_nonsense" and program.start_method == "forkserver":
        text = "exited with code 5"
    result = program.result(name)
    assert result["reason"] == reason
    assert text in result["summary"]


def test_a_crash_in_c_shows_where_it_was(program: Program) -> None:
    assert "in test_j_crashes_in_c" in program.result("test_j_crashes_in_c")["summary"]


def test_data_of_a_fine_test_arrives(program: Program) -> None:
    assert program.result("test_a_first")["data"] == {"answer": 42}


def test_the_exit_code_is_1(program: Program) -> None:
    assert program.process.returncode == 1


def test_no_process_is_left(program: Program) -> None:
    assert program.survivors() == []


def test_processes_are_described_in_the_report(program: Program) -> None:
    by_name = {key.split("'")[1].rsplit(".", 1)[1]: value for key, value in program.report["client_status"].items()}
    assert by_name["test_b_kills_itself"]["exitcode"] == -signal.SIGKILL
    assert by_name["test_b_kills_itself"]["status"] == "TERMINATED"
    assert by_name["test_c_exits"]["exitcode"] == 3
    assert by_name["test_a_first"]["exitcode"] == 0
    assert by_name["test_a_first"]["status"] == "FINISHED"


def test_a_dead_test_has_its_report_files_too(program: Program) -> None:
    directory = program.folder / "results" / "latest" / program.result("test_b_kills_itself")["relative_results_dir"]
    assert sorted(os.listdir(directory)) == ["report.json", "report.txt", "test_log.debug", "test_log.info"]
