# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ducktape.command_line.options.options import Options
from ducktape.command_line.session.resume import (
    NoEarlierSessionError,
    enter_directory,
    failed_among,
    find_session,
    last_failed,
    options_of,
    tests_to_run,
)
from ducktape.tests.recording.journal import Journal
from ducktape.tests.recording.state import RecordedSession, RecordError
from ducktape.tests.test_context import TestContext
from tests.support import recorded

tests_to_run.__test__ = False  # type: ignore[attr-defined]

FIRST, SECOND = "2026-11-22--001", "2026-11-22--002"


def session(root: Path, session_id: str = FIRST, **fields: Any) -> RecordedSession:
    directory = recorded.session_of(root, session_id)
    journal = Journal(str(directory))
    recorded.begin(journal, session_id=session_id, **fields)
    journal.close()
    return RecordedSession.read(str(directory))


# --- which session


def test_a_session_is_found_by_its_id_its_path_or_as_the_latest(tmp_path: Path) -> None:
    root = tmp_path / "results"
    session(root, FIRST)
    session(root, SECOND)
    (root / "latest").symlink_to(FIRST)
    assert find_session(str(root), "latest") == str(root / SECOND)
    assert find_session(str(root), FIRST) == str(root / FIRST)
    assert find_session("elsewhere", str(root / FIRST)) == str(root / FIRST)
    assert find_session("elsewhere", str(root / "latest") + "/") == str(root / FIRST)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("2026-11-22--009", f"There is no session 2026-11-22--009 in ROOT: the newest are {SECOND}, {FIRST}"),
        ("latest", "There is no session with a journal in ROOT: name its directory with --results-root"),
        (SECOND, f"ROOT/{SECOND} has no journal.jsonl: it is not the directory of a session, or of one of an earlier"),
        ("ROOT/x", "There is no directory ROOT/x: name that of a session, such as results/2026-11-22--001"),
        ("ROOT", "ROOT has no journal.jsonl: it is not the directory of a session"),
    ],
)
def test_what_is_not_found_is_told_in_one_line(wanted: str, message: str, tmp_path: Path) -> None:
    for name in (FIRST, SECOND):
        recorded.session_of(tmp_path, name)
    expected = re.escape(message.replace("ROOT", str(tmp_path)))
    with pytest.raises(RecordError, match=f"^{expected}[^\n]*$"):
        find_session(str(tmp_path), wanted.replace("ROOT", str(tmp_path)))


def test_an_empty_root_has_nothing_to_offer(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"There is no session 7 in .*: there are no sessions at all"):
        find_session(str(tmp_path), "7")
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match=r"Cannot read .*/file: Not a directory"):
        find_session(str(tmp_path / "file"), "latest")
    with pytest.raises(RecordError, match=r"Cannot read .*/file: Not a directory"):
        last_failed(str(tmp_path / "file"))


# --- its options


def test_a_session_goes_on_with_its_options_but_for_those_of_now(tmp_path: Path) -> None:
    configuration = {"max_parallel": 4, "deflake": 3, "debug": True, "cluster": "some.Cluster", "option_of_later": 1}
    options = options_of(session(tmp_path, configuration=configuration), {"max_parallel": 8, "resume": "latest"})
    assert options == Options(
        test_path=["/home/u/demo/suite"],
        max_parallel=8,
        deflake=3,
        debug=True,
        cluster="some.Cluster",
        resume="latest",
        results_root=str(tmp_path),
    )


def test_paths_mean_the_same_in_any_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = tmp_path / "start"
    start.mkdir()
    (start / "globals.json").write_text('{"a": 1}')
    configuration = {
        "test_path": ['suite/test_it.py::A.test_b@{"x":1}', "/abs/*.py", "."],
        "exclude": ["suite/slow"],
        "cluster_file": "cluster.json",
        "lease": "../leases",
        "historical_report": "https://host/report.json",
        "globals": "globals.json",
        "results_root": "./results",
    }
    of = session(tmp_path / "moved", configuration=configuration, directory=str(start))
    (tmp_path / "now").mkdir()
    monkeypatch.chdir(tmp_path / "now")
    options = options_of(of, {"exclude": ["other"]})
    assert {name: getattr(options, name) for name in configuration} == {
        "test_path": [f'{start}/suite/test_it.py::A.test_b@{{"x":1}}', "/abs/*.py", f"{start}/."],
        "exclude": [f"{tmp_path}/now/other"],
        "cluster_file": f"{start}/cluster.json",
        "lease": f"{start}/../leases",
        "historical_report": "https://host/report.json",
        "globals": f"{start}/globals.json",
        "results_root": f"{tmp_path}/moved",
    }


def test_values_come_in_the_form_that_the_parser_gives_them(tmp_path: Path) -> None:
    configuration = {"globals": {"a": [1]}, "parameters": {"x": "y"}, "exclude": None, "cluster_file": None}
    options = options_of(session(tmp_path, configuration=configuration), {})
    assert json.loads(options.globals) == {"a": [1]}
    assert json.loads(options.parameters) == {"x": "y"}
    assert (options.exclude, options.cluster_file) == (None, None)
    assert options_of(session(tmp_path, SECOND, configuration={"globals": '{"b": 2}'}), {}).globals == '{"b": 2}'


def test_what_chose_among_the_tests_is_not_asked_again(tmp_path: Path) -> None:
    configuration = {
        "repeat": 5,
        "subsets": 3,
        "subset": 2,
        "sample": 7,
        "keyword": "a",
        "tags": "slow",
        "last_failed": True,
        "failed_first": True,
        "shuffle": 3,
        "until_failure": 4,
    }
    options = options_of(session(tmp_path, configuration=configuration), {})
    assert {name: getattr(options, name) for name in configuration} == {
        "repeat": 1,
        "subsets": 1,
        "subset": 0,
        "sample": None,
        "keyword": None,
        "tags": None,
        "last_failed": False,
        "failed_first": False,
        "shuffle": None,
        "until_failure": 4,
    }


def test_a_session_goes_on_where_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [])
    (tmp_path / "start").mkdir()
    enter_directory(session(tmp_path / "one", directory=str(tmp_path / "gone")))
    assert (os.getcwd(), sys.path) == (str(tmp_path), [])
    enter_directory(session(tmp_path / "two", directory=str(tmp_path / "start")))
    assert (os.getcwd(), sys.path) == (str(tmp_path / "start"), [str(tmp_path / "start")])


# --- its tests


class Named(TestContext):
    """A test of a given id."""

    def __init__(self, name: str, module: str = "m", copy_of: str = "") -> None:
        super().__init__(module=module)
        self.name = name
        self.copy_of = copy_of

    @property
    def test_id(self) -> str:
        return self.name


def went_so_far(root: Path, write: Callable[[Journal], object]) -> RecordedSession:
    directory = recorded.session_of(root)
    journal = Journal(str(directory))
    recorded.begin(journal)
    write(journal)
    journal.close()
    return RecordedSession.read(str(directory))


def test_what_is_missing_runs_in_its_old_order(tmp_path: Path) -> None:
    def write(journal: Journal) -> None:
        recorded.queue(journal, ["d", "a-2", "c", "b", "gone", "a"])
        recorded.run(journal, "c", 1)
        recorded.run(journal, "d", 2, "FAIL")
        recorded.start(journal, "b", 3)

    loaded = [Named(name) for name in ("a", "a-2", "b", "c", "d", "new")]
    tests, lost = tests_to_run(loaded, went_so_far(tmp_path, write))
    assert tests == [loaded[1], loaded[2], loaded[0]]
    assert [(test.test_id, test.why, test.file_name) for test in lost] == [
        ("gone", "was not found again when the session was resumed", "/home/u/demo/m.py")
    ]


def test_a_test_that_was_to_run_several_times_runs_as_often_as_results_are_missing(tmp_path: Path) -> None:
    def write(journal: Journal) -> None:
        recorded.queue(journal, ["a", "b", "a", "b", "a", "b"])
        recorded.run(journal, "a", 1)
        recorded.run(journal, "b", 2)
        recorded.run(journal, "b", 3)

    loaded = [Named("a"), Named("b")]
    tests, lost = tests_to_run(loaded, went_so_far(tmp_path, write))
    assert [test.test_id for test in tests] == ["a", "a", "b"]
    assert lost == []
    assert (tests[0] is loaded[0], tests[1] is loaded[0], tests[2] is loaded[1]) == (True, False, True)


def test_as_many_contexts_are_used_as_there_are(tmp_path: Path) -> None:
    loaded = [Named("a"), Named("a")]
    tests, _ = tests_to_run(loaded, went_so_far(tmp_path, lambda journal: recorded.queue(journal, "aa")))
    assert [id(test) for test in tests] == [id(test) for test in loaded]


def test_tests_of_a_file_that_can_be_imported_now_run_as_well(tmp_path: Path) -> None:
    def write(journal: Journal) -> None:
        recorded.queue(journal, ["a", "mended.old"])
        recorded.run(journal, "a", 1)
        recorded.run(journal, "mended.old", 2)
        recorded.finish(journal, "mended.<import>", 3, "FAIL", reason="import", module_name="mended")

    loaded = [Named("a"), Named("b"), Named("mended.old", "mended"), Named("mended.new", "mended")]
    tests, lost = tests_to_run(loaded, went_so_far(tmp_path, write))
    assert ([test.test_id for test in tests], lost) == (["mended.new"], [])


# --- what failed


def test_what_failed_is_found_in_the_last_session(tmp_path: Path) -> None:
    with pytest.raises(NoEarlierSessionError, match=r"No earlier session in .* has results: run the tests first"):
        last_failed(str(tmp_path))

    def write(journal: Journal) -> None:
        recorded.run(journal, "a", 1)
        recorded.run(journal, "b", 2, "FAIL")
        recorded.finish(journal, "broken.<import>", 3, "FAIL", reason="import", module_name="broken")

    went_so_far(tmp_path, write)
    session_id, failed = last_failed(str(tmp_path))
    assert (session_id, failed) == (FIRST, frozenset({"b", "broken.<import>"}))
    loaded = [Named("a"), Named("broken.x", "broken"), Named("b"), Named("c")]
    assert [test.test_id for test in failed_among(loaded, failed)] == ["broken.x", "b"]
