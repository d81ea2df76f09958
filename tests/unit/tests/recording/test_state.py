# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ducktape.cluster.cluster import UnhealthyNode
from ducktape.tests.recording.journal import Journal
from ducktape.tests.recording.state import RecordedSession, RecordError
from ducktape.tests.reporter import write_session_reports
from ducktape.tests.session import SessionContext
from tests.support import recorded
from tests.unit.tests.reports.samples import START, Cluster


def read(folder: Path, write: Callable[[Journal], object] | None = None) -> RecordedSession:
    """Write a journal, and read it when its driver is dead."""
    if write is not None:
        journal = Journal(str(folder))
        write(journal)
        journal.close()
    return RecordedSession.read(str(folder))


def ids(tests: Any) -> list[str]:
    return [test.test_id for test in tests]


def whys(session: RecordedSession) -> dict[str, str]:
    return {test.test_id: test.why for test in session.results().not_run}


# --- a whole session


def test_the_reports_of_a_journal_are_those_of_the_run(tmp_path: Path) -> None:
    results = recorded.demo(tmp_path)
    assert write_session_reports(results, 8, partial=False, silent=True) == []
    names = ["report.css", "report.html", "report.json", "report.md", "report.txt", "report.xml", "rerun-failed.yml"]
    direct = {name: (tmp_path / name).read_bytes() for name in names}
    assert write_session_reports(read(tmp_path).results(), 8, partial=False, silent=True) == []
    assert {name: (tmp_path / name).read_bytes() for name in names} == direct
    assert b"m.C.late" in direct["report.json"]


def test_a_session_says_what_it_was(tmp_path: Path) -> None:
    recorded.demo(tmp_path)
    session = read(tmp_path)
    assert session.results_dir == str(tmp_path)
    assert session.session_id == "2026-11-22--001"
    assert session.configuration == {"test_path": ["suite"], "globals": {"env": "ci"}}
    assert session.versions == {"ducktape": "1.0", "python": "3.11.7", "platform": "Linux"}
    assert (session.argv, session.directory, session.expected) == (["suite"], "/home/u/demo", 8)
    assert (session.ended, session.going_on, session.running, session.damaged_lines) == (True, False, {}, 0)
    assert (session.start_time, session.stop_time, session.highest_test_index) == (START, START + 61.5, 8)
    assert session.failed_ids == {
        "demo_tests.test_demo.DemoTest.test_fail",
        "demo_tests.test_demo.DemoTest.test_matrix.x=2.s=c.d",
        "demo_tests.test_demo.DemoTest.test_matrix.x=3.s=it.s.script",
        "demo_tests.test_broken.<import>",
    }


def test_the_context_is_that_of_the_run_but_where_the_results_are_now(tmp_path: Path) -> None:
    of_run = SessionContext(session_id="s", results_dir="/old", max_parallel=4, globals={"a": 1}, default_num_nodes=2)
    configuration = {"fail_on_teardown_error": True, "max_parallel": "auto", "debug": True}
    session = read(
        tmp_path,
        lambda journal: recorded.begin(
            journal, session_id="s", session_context=of_run.to_json(), configuration=configuration
        ),
    )
    context = session.session_context
    assert context.to_json() == {**of_run.to_json(), "results_dir": str(tmp_path)}
    assert (context.globals, context.fail_on_teardown_error) == ({"a": 1}, True)


def test_a_journal_with_its_first_line_only_can_be_read(tmp_path: Path) -> None:
    session = read(tmp_path, recorded.begin)
    assert (session.queued, session.finished, session.missing(), session.next_position) == ([], [], [], 0)
    results = session.results()
    assert (list(results), len(results.cluster), results.start_time, results.stop_time) == ([], 5, START, START)


def test_nodes_that_were_put_aside_are_told(tmp_path: Path) -> None:
    def write(journal: Journal) -> None:
        recorded.begin(journal)
        journal.write("node_put_aside", name="n1", reason="dead", put_aside_at=1.5)
        journal.write("node_put_aside", name="n2", reason="slow", put_aside_at=2.5)
        journal.write("node_back", name="n1", back_at=3.5)
        journal.write("node_put_aside", name="n1", reason="dead again", put_aside_at=4.5)
        journal.write("node_back", name="never heard of")

    expected = [
        UnhealthyNode("n1", "dead", 1.5, 3.5),
        UnhealthyNode("n2", "slow", 2.5),
        UnhealthyNode("n1", "dead again", 4.5),
    ]
    session = read(tmp_path, write)
    assert session.unhealthy_nodes == expected
    assert session.results().unhealthy_nodes == expected


# --- a session without an end


def cut_off(journal: Journal) -> None:
    recorded.begin(journal)
    recorded.queue(journal, ["a", "b", "c", "d", "d"])
    recorded.run(journal, "a", 1)
    recorded.run(journal, "b", 2, "FAIL")
    recorded.start(journal, "d", 3)
    recorded.start(journal, "c", 4)
    journal.write("nodes_returned", test_index=1, nodes=["n1"], time=START + 100)


def test_a_run_that_was_cut_off_says_how_far_every_test_had_got(tmp_path: Path) -> None:
    session = read(tmp_path, cut_off)
    assert (session.ended, session.going_on, session.running) == (False, False, {3: "d", 4: "c"})
    assert ids(session.missing()) == ["c", "d", "d"]
    running = "was running when the run was cut off"
    assert [(test.test_id, test.why) for test in session.results().not_run] == [
        ("c", running),
        ("d", running),
        ("d", "the run was cut off before it started"),
    ]
    assert session.results().not_run[0].file_name == "/home/u/demo/m.py"
    assert session.results().stop_time == START + 100
    statuses = session.results().client_status
    assert statuses["TestKey(test_id='c', test_index=4)"] == {
        "status": "RUNNING",
        "pid": 14766,
        "name": "Process-4",
        "runner_start_time": START,
    }


def test_a_run_that_goes_on_is_told_as_such(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    cut_off(journal)
    journal.flush()
    session = read(tmp_path)
    assert session.going_on
    assert whys(session) == {
        "c": "was running when this report was made",
        "d": "had not started when this report was made",
    }
    recorded.end(journal)
    journal.flush()
    assert not read(tmp_path).going_on
    journal.close()


def test_tests_that_the_driver_gave_up_are_told_in_its_own_words(tmp_path: Path) -> None:
    def write(journal: Journal) -> None:
        recorded.begin(journal)
        recorded.queue(journal, ["a", "b", "c"])
        recorded.run(journal, "a", 1)
        for name in ("b", "c")[: 2 if ended else 1]:
            journal.write("not_run", test_id=name, why="the run was stopped")
        if ended:
            recorded.end(journal)

    ended = False
    session = read(recorded.session_of(tmp_path, "cut"), write)
    assert whys(session) == {"b": "the run was stopped", "c": "the run was cut off before it started"}
    assert ids(session.missing()) == ["b", "c"]
    ended = True
    session = read(recorded.session_of(tmp_path, "ended"), write)
    assert whys(session) == {"b": "the run was stopped", "c": "the run was stopped"}
    assert ids(session.missing()) == ["b", "c"]


def test_a_running_test_that_nobody_queued_is_not_lost(tmp_path: Path) -> None:
    def write(journal: Journal) -> None:
        recorded.begin(journal)
        recorded.start(journal, "a", 7)

    session = read(tmp_path, write)
    assert whys(session) == {"a": "was running when the run was cut off"}
    assert session.highest_test_index == 7


def test_the_last_word_about_a_test_holds(tmp_path: Path) -> None:
    def write(journal: Journal) -> None:
        recorded.begin(journal)
        recorded.queue(journal, ["a", "b"])
        recorded.run(journal, "a", 1, "FAIL")
        recorded.run(journal, "b", 2)
        recorded.start(journal, "a", 1, pid=5)
        recorded.finish(journal, "a", 1, "PASS")
        journal.write("process", test_id="a", test_index=1, status={"status": "FINISHED", "pid": 5})

    session = read(tmp_path, write)
    assert [(result.test_id, str(result.test_status)) for result in session.finished] == [("b", "pass"), ("a", "pass")]
    assert session.client_status["TestKey(test_id='a', test_index=1)"] == {"status": "FINISHED", "pid": 5}
    assert (session.missing(), session.running) == ([], {})


# --- resumed


def interrupted(journal: Journal) -> None:
    recorded.begin(journal)
    recorded.queue(journal, ["a", "b", "c", "d"])
    journal.write("node_put_aside", name="n1", reason="dead", put_aside_at=1.5)
    recorded.run(journal, "a", 1)
    recorded.run(journal, "b", 2, "FAIL", reason="interrupted")
    recorded.start(journal, "c", 3)
    journal.write("not_run", test_id="d", why="the run was interrupted")
    recorded.finish(journal, "m2.<import>", 4, "FAIL", reason="import", module_name="m2")
    recorded.end(journal, start_time=START - 1)


def test_interrupted_tests_and_broken_files_have_no_result_that_stands(tmp_path: Path) -> None:
    session = read(tmp_path, interrupted)
    assert ids(session.finished) == ["a", "b", "m2.<import>"]
    assert ids(session.kept) == ["a"]
    assert ids(session.failed_imports) == ["m2.<import>"]
    assert ids(session.missing()) == ["b", "c", "d"]


def test_a_session_that_goes_on_begins_with_what_stands(tmp_path: Path) -> None:
    session = read(tmp_path, interrupted)

    class Unwell(Cluster):
        unhealthy_nodes = [UnhealthyNode("n2", "slow", 2.5)]

    fresh = SessionContext(session_id="2026-11-22--001", results_dir=str(tmp_path), debug=True)
    statuses: dict[Any, Any] = {}
    results = session.continued(fresh, Unwell(), statuses)
    statuses["new"] = {"status": "RUNNING"}
    assert ids(results) == ["a"]
    assert [result.session_context for result in results] == [fresh]
    assert (results.start_time, results.stop_time, results.not_run) == (START - 1, -1, [])
    assert [node.name for node in results.unhealthy_nodes] == ["n1", "n2"]
    assert len(results.cluster) == 5
    assert set(results.to_json()["client_status"]) == {
        "new",
        "TestKey(test_id='a', test_index=1)",
        "TestKey(test_id='b', test_index=2)",
        "TestKey(test_id='c', test_index=3)",
    }


def test_the_reports_of_a_resumed_session_are_those_of_the_run(tmp_path: Path) -> None:
    first = read(tmp_path, interrupted)
    fresh = SessionContext(session_id="2026-11-22--001", results_dir=str(tmp_path), debug=True)
    results = first.continued(fresh, Cluster(), {})
    journal = Journal(str(tmp_path), resume=True)
    recorded.begin(journal, event="resumed", session_context=fresh.to_json(), configuration={"debug": True})
    for index, name in enumerate("bcd", start=first.highest_test_index + 1):
        recorded.finish(journal, name, index)
    recorded.end(journal, start_time=results.start_time, stop_time=START + 500)
    journal.close()
    session = read(tmp_path)
    assert (session.missing(), session.ended, session.highest_test_index) == ([], True, 7)
    for result in session.finished[1:]:
        results.append(result)
    results.stop_time = START + 500
    assert session.results().to_json() == results.to_json()
    assert [result.test_index for result in results] == [1, 5, 6, 7]


def test_a_resumed_session_that_is_cut_off_as_well_can_be_told(tmp_path: Path) -> None:
    def write(journal: Journal) -> None:
        interrupted(journal)
        recorded.begin(journal, event="resumed", expected=4)
        recorded.run(journal, "d", 4)
        recorded.start(journal, "b", 5)

    session = read(tmp_path, write)
    assert not session.ended
    assert ids(session.missing()) == ["b", "c"]
    assert whys(session) == {
        "b": "was running when the run was cut off",
        "c": "the run was cut off before it started",
    }
    assert session.expected == 4


# --- damage


def test_what_cannot_be_understood_is_counted_and_passed_over(tmp_path: Path) -> None:
    recorded.demo(tmp_path)
    path = tmp_path / "journal.jsonl"
    good = path.read_bytes().splitlines(keepends=True)
    bad = [
        b"\x00\x00\xff\n",
        b"[1]\n",
        b'{"event": "queued", "time": 1}\n',
        b'{"event": "queued", "time": 1, "test_id": "x", "position": "first"}\n',
        b'{"event": "started", "time": 1, "test_id": "x"}\n',
        b'{"event": "started", "time": 1, "test_id": "x", "test_index": "1"}\n',
        b'{"event": "finished", "time": 1, "test_index": 99, "result": "PASS"}\n',
        b'{"event": "finished", "time": 1, "test_index": 99, "result": {"test_id": "x", "test_status": "GREAT"}}\n',
        b'{"event": "finished", "time": 1, "result": {"test_id": "x", "test_status": "PASS", "start_time": "1"}}\n',
        b'{"event": "process", "time": 1, "test_id": "x", "test_index": 9, "status": 7}\n',
        b'{"event": "node_put_aside", "time": 1}\n',
        b'{"event": "session", "time": 1}\n'[:20] + b"\n",
    ]
    expected = read(tmp_path).results().to_json()
    path.write_bytes(b"".join([*good[:3], *bad, *good[3:]]))
    session = read(tmp_path)
    assert session.damaged_lines == len(bad)
    assert session.results().to_json() == expected


def test_events_and_fields_of_newer_versions_are_passed_over(tmp_path: Path) -> None:
    def write(journal: Journal) -> None:
        recorded.begin(journal, version="1.7", flags=["new"])
        journal.write("weather", sky={"blue": True})
        recorded.queue(journal, ["a"])
        recorded.run(journal, "a", 1, mood="good")

    session = read(tmp_path, write)
    assert (ids(session.finished), session.missing(), session.damaged_lines) == (["a"], [], 0)


def test_what_the_driver_was_writing_when_it_died_is_no_damage(tmp_path: Path) -> None:
    read(tmp_path, cut_off)
    path = tmp_path / "journal.jsonl"
    path.write_bytes(path.read_bytes() + b'{"event": "fini')
    assert read(tmp_path).damaged_lines == 0
    journal = Journal(str(tmp_path), resume=True)
    recorded.begin(journal, event="resumed")
    journal.close()
    assert read(tmp_path).damaged_lines == 0


@pytest.mark.parametrize("version", [2, "2.1", 17])
def test_a_newer_format_is_refused(version: Any, tmp_path: Path) -> None:
    message = rf"journal\.jsonl has version {version} of the format, and this ducktape knows 1: use the version"
    with pytest.raises(RecordError, match=message):
        read(tmp_path, lambda journal: recorded.begin(journal, version=version))


def test_a_session_that_a_newer_program_resumed_is_refused(tmp_path: Path) -> None:
    def write(journal: Journal) -> None:
        recorded.begin(journal)
        recorded.begin(journal, event="resumed", version=2)

    with pytest.raises(RecordError, match="has version 2 of the format"):
        read(tmp_path, write)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b'{"event": "sess', b'{"event": "queued", "time": 1, "test_id": "a"}\n']
)
def test_a_journal_that_does_not_say_whose_it_is_is_of_no_use(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_bytes(content)
    with pytest.raises(RecordError, match="does not say of which session it is: its first line is missing or damaged"):
        read(tmp_path)


@pytest.mark.parametrize(
    "fields", [{}, {"version": None}, {"version": 1}, {"version": 1, "session_id": "x", "argv": 3}]
)
def test_a_first_line_that_is_none_is_told_in_one_line(fields: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(RecordError) as raised:
        read(tmp_path, lambda journal: journal.write("session", **fields))
    assert str(tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
def test_a_journal_that_is_no_file_is_refused_and_never_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / "journal.jsonl"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        monkeypatch.chdir(tmp_path)  # the path of a socket must be short
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
            listener.bind("journal.jsonl")
    with pytest.raises(RecordError, match=r"^Cannot read .*/journal\.jsonl: [^\n]+$"):
        read(tmp_path)


def test_a_session_without_a_journal_is_told_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"has no journal\.jsonl: it is not the directory of a session, or"):
        read(tmp_path)
    with pytest.raises(RecordError, match=r"There is no directory .*/absent: name that of a session"):
        read(tmp_path / "absent")
    (tmp_path / "journal.jsonl").mkdir()
    with pytest.raises(RecordError, match=r"Cannot read .*/journal\.jsonl: Is a directory"):
        read(tmp_path)


# --- any journal, cut anywhere

_NAMES = st.sampled_from(["a", "b", "c"])
_LIVES = st.lists(
    st.tuples(_NAMES, st.sampled_from(["waits", "runs", "passes", "fails", "interrupted", "not_run"])), max_size=8
)
_COUNTER = itertools.count()


def _live(journal: Journal, index: int, name: str, life: str) -> None:
    if life == "not_run":
        journal.write("not_run", test_id=name, why="the run was stopped")
    elif life == "runs":
        recorded.start(journal, name, index)
    elif life != "waits":
        reason = {"interrupted": "interrupted", "fails": "error"}.get(life)
        recorded.run(journal, name, index, "PASS" if life == "passes" else "FAIL", reason=reason)


@given(lives=_LIVES, resumed=st.booleans(), share=st.floats(0, 1))
def test_whatever_was_written_can_be_read_and_no_test_is_lost(
    lives: list[tuple[str, str]], resumed: bool, share: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cut", numbered=True)
    journal = Journal(str(folder))
    recorded.begin(journal)
    journal.flush()
    path = folder / "journal.jsonl"
    begun = path.stat().st_size
    recorded.queue(journal, [name for name, _ in lives])
    for index, (name, life) in enumerate(lives, start=1):
        _live(journal, index, name, life)
    if resumed:
        recorded.begin(journal, event="resumed")
        for index, (name, life) in enumerate(lives, start=len(lives) + 1):
            if life not in ("passes", "fails"):
                recorded.run(journal, name, index)
        recorded.end(journal)
    journal.close()
    content = path.read_bytes()
    whole = read(folder)
    assert Counter(ids(whole.missing())) + Counter(ids(whole.kept)) == Counter(name for name, _ in lives)
    if resumed:
        assert whole.missing() == []
    path.write_bytes(content[: begun + round(share * (len(content) - begun))])
    session = read(folder)
    assert session.damaged_lines == 0
    assert Counter(ids(session.missing())) + Counter(ids(session.kept)) == Counter(ids(session.queued))
    results = session.results()
    told = Counter(ids(results)) + Counter(ids(results.not_run))
    assert told == Counter(ids(session.queued))
    json.dumps(results.to_json())
