# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime
import json
import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ducktape.tests.loggermaker import close_logger
from ducktape.tests.session import SessionContext, SessionLoggerMaker, generate_results_dir, generate_session_id
from tests.support.program import CHECKOUT

DEFAULTS = {
    "session_id": "2026-11-22--001",
    "results_dir": "/r/2026-11-22--001",
    "debug": False,
    "compress": False,
    "nested_result_dirs": False,
    "exit_first": False,
    "no_teardown": False,
    "max_parallel": 1,
    "default_expected_num_nodes": None,
    "fail_bad_cluster_utilization": None,
    "fail_greedy_tests": False,
    "ignore_node_type": False,
    "test_runner_timeout": None,
    "enable_jvm_logs": False,
    "_globals": None,
}


def today(number: str) -> str:
    return f"{datetime.date.today().isoformat()}--{number}"


def test_defaults_are_those_of_the_documented_json() -> None:
    context = SessionContext(session_id="2026-11-22--001", results_dir="/r/2026-11-22--001")
    assert context.to_json() == DEFAULTS


def test_every_option_is_kept_and_unknown_ones_are_not() -> None:
    options = {
        "debug": True,
        "compress": True,
        "nested_result_dirs": True,
        "exit_first": True,
        "no_teardown": True,
        "max_parallel": 7,
        "fail_bad_cluster_utilization": True,
        "fail_greedy_tests": True,
        "ignore_node_type": True,
        "test_runner_timeout": 5,
        "enable_jvm_logs": True,
    }
    context = SessionContext(
        session_id="s", results_dir="/r/s", default_num_nodes=3, globals={"a": 1}, unheard_of=1, **options
    )
    rest = {"session_id": "s", "results_dir": "/r/s", "default_expected_num_nodes": 3, "_globals": {"a": 1}}
    assert context.to_json() == {**options, **rest}
    assert context.globals == {"a": 1}
    assert not hasattr(context, "unheard_of")


@pytest.mark.parametrize(
    ("option", "default", "value"),
    [
        ("skip_nodes_allocation", False, True),
        ("ignore_import_errors", False, True),
        ("collect_timeout", None, 7.5),
        ("test_timeout", None, 90.0),
        ("session_timeout", None, 7200.0),
        ("fail_on_teardown_error", False, True),
        ("detect_flakes", None, 5),
        ("retry_infrastructure", 0, 3),
        ("node_metrics", False, True),
    ],
)
def test_newer_options_are_attributes_but_not_in_the_report(option: str, default: object, value: object) -> None:
    plain = SessionContext(session_id="s", results_dir="/r")
    assert getattr(plain, option) == default
    context = SessionContext(session_id="s", results_dir="/r", **{option: value})
    assert getattr(context, option) == value
    assert option not in json.dumps(context.to_json())


def test_the_results_directory_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert SessionContext(session_id="s", results_dir="results/s").results_dir == str(tmp_path / "results" / "s")


@pytest.mark.parametrize("missing", ["session_id", "results_dir"])
def test_id_and_directory_are_required(missing: str) -> None:
    given = {"session_id": "s", "results_dir": "/r"}
    del given[missing]
    with pytest.raises(KeyError, match=missing):
        SessionContext(**given)


def test_a_session_context_can_be_pickled() -> None:
    context = SessionContext(session_id="s", results_dir="/r", globals={"a": [1]}, skip_nodes_allocation=True)
    copied = pickle.loads(pickle.dumps(context))
    assert copied.to_json() == context.to_json()
    assert copied.skip_nodes_allocation is True


@pytest.mark.parametrize(
    ("previous", "expected"),
    [
        (None, "001"),
        ("{today}--001", "002"),
        ("{today}--009\n", "010"),
        ("{today}--099", "100"),
        ("{today}--999", "1000"),
        ("{today}--1000", "1001"),
        ("2001-01-01--057", "001"),
    ],
)
def test_the_next_number_of_the_day(tmp_path: Path, previous: str | None, expected: str) -> None:
    file = tmp_path / "session_id"
    if previous is not None:
        file.write_text(previous.format(today=datetime.date.today().isoformat()), encoding="utf-8")
    assert generate_session_id(str(file)) == today(expected)
    assert file.read_bytes() == today(expected).encode()
    assert os.listdir(tmp_path) == ["session_id"]


@pytest.mark.parametrize("garbage", [b"", b"what is this?", b"\xff\xfe\x00", b"2026-11-22--", b"2026-11-22"])
def test_garbage_is_started_afresh_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, garbage: bytes
) -> None:
    file = tmp_path / "session_id"
    file.write_bytes(garbage)
    assert generate_session_id(str(file)) == today("001")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert str(file) in caplog.text


def test_sessions_counted_at_the_same_moment_get_different_numbers(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom ducktape.tests.session import generate_session_id\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "for _ in range(25): print(generate_session_id(sys.argv[1]))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "session_id")]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    counters = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    for counter in counters:
        assert counter.stdout is not None and counter.stdin is not None
        assert counter.stdout.readline() == "ready\n"
    for counter in counters:
        assert counter.stdin is not None
        counter.stdin.write("go\n")
        counter.stdin.flush()
    ids = [line for counter in counters for line in counter.communicate()[0].split()]
    assert sorted(ids) == [today(f"{number:03d}") for number in range(1, 51)]


def test_the_directory_of_a_session_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert generate_results_dir("./results", "s--001") == str(tmp_path / "results" / "s--001")
    assert generate_results_dir("/elsewhere", "s--001") == "/elsewhere/s--001"
    assert generate_results_dir("~/r", "s") == str(tmp_path / "~" / "r" / "s")


@pytest.fixture
def session_in(tmp_path: Path) -> Iterator[SessionContext]:
    context = SessionContext(session_id=f"session-of-{tmp_path.name}", results_dir=str(tmp_path))
    yield context
    close_logger(logging.getLogger(f"{context.session_id}.session_logger"))


def test_the_log_of_a_session_goes_to_two_files_and_the_console(
    session_in: SessionContext, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = SessionLoggerMaker(session_in).logger
    assert logger.name == f"{session_in.session_id}.session_logger"
    assert SessionLoggerMaker(session_in).logger.handlers == logger.handlers
    logger.debug("small")
    logger.info("middle")
    assert sorted(os.listdir(tmp_path)) == ["session_log.debug", "session_log.info"]
    out = capsys.readouterr().out
    assert out.startswith("[INFO:") and out.endswith("]: middle\n") and out.count("\n") == 1
    assert (tmp_path / "session_log.info").read_text() == out
    assert (tmp_path / "session_log.debug").read_text().splitlines()[0].endswith("]: small")


def test_a_debug_session_shows_debug_lines_on_the_console(
    session_in: SessionContext, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session_in.debug = True
    SessionLoggerMaker(session_in).logger.debug("small")
    assert capsys.readouterr().out.endswith("]: small\n")
    assert (tmp_path / "session_log.info").read_text() == ""
