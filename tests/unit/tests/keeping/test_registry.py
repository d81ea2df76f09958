# SPDX-License-Identifier: Apache-2.0
"""The record of kept tests: who can read it, how a test is named, and when its holder counts as dead."""

from __future__ import annotations

import dataclasses
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ducktape.command_line.nodes import command as nodes
from ducktape.command_line.nodes.choice import choose_test
from ducktape.command_line.options.errors import CommandError
from ducktape.tests.keeping import registry
from ducktape.tests.keeping.registry import ClusterSource, KeptTest, kept_tests, matching, prepare, release
from ducktape.utils.process.proc import start_of

_RESISTS = """
import signal
signal.signal(signal.SIGTERM, lambda *_: print('asked', flush=True))
print('there', flush=True)
while True:
    signal.pause()
"""

pytestmark = pytest.mark.needs("linux")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def _test(index: int = 1, *, session: str = "2026-11-30--001", name: str = "T.test_it", pid: int = 0) -> KeptTest:
    return KeptTest(
        session_id=session,
        results_dir=f"/results/{session}",
        test_dir=f"/results/{session}/T/{index}",
        test_id=f"suite.{name}",
        test_index=index,
        since=100.0 + index,
        until=200.0,
        status="FAIL",
        reason="no leader",
        source=ClusterSource("json", "ducktape.cluster.json.JsonCluster", "/cluster.json"),
        nodes=[{"name": "w1"}, {"name": "w2"}],
        pid=pid,
        start=start_of(pid) if pid else "",
    )


def test_files_are_for_their_user_alone_and_are_read_in_order(home: Path) -> None:
    (home / ".ducktape" / "kept").mkdir(parents=True, mode=0o755)
    prepare()
    assert stat.S_IMODE((home / ".ducktape" / "kept").stat().st_mode) == 0o700
    tests = [_test(2), _test(1)]
    for test in tests:
        test.write()
        assert stat.S_IMODE(os.stat(test.path).st_mode) == 0o600
    for name, content in {"a.json": "[]", "b.json": "{", "c.json": '{"source": 1}', "d.txt": "{}"}.items():
        (home / ".ducktape" / "kept" / name).write_text(content)
    assert kept_tests() == [tests[1], tests[0]]
    assert tests[0].node_names == ["w1", "w2"]


def test_the_directory_cannot_be_a_file(home: Path) -> None:
    (home / ".ducktape").touch()
    with pytest.raises(OSError, match=r"ducktape"):
        prepare()
    assert kept_tests() == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1", [0, 3]),
        ("2026-11-30--001/1", [0]),
        ("2026-11-30--001/12", [2]),
        ("suite.T.test_it", [0, 3]),
        ("2026-11-30--002/suite.T.test_it", [3]),
        ("test_other", [1, 2]),
        ("2026-11-30--001/test_other", [1, 2]),
        ("test_other.x=1", [1]),
        ("2026-11-30--003/1", []),
        ("/results/2026-11-30--001/T/2", [1]),
        ("nothing", []),
        ("", []),
        ("2026-11-30--001/", []),
    ],
)
def test_a_test_is_named_by_its_number_its_id_or_a_part_of_that(text: str, found: list[int]) -> None:
    tests = [
        _test(1),
        _test(2, name="T.test_other.x=1"),
        _test(12, name="T.test_other.x=2"),
        _test(1, session="2026-11-30--002"),
    ]
    assert [tests.index(test) for test in matching(text, tests)] == found


def test_a_process_with_the_number_of_a_holder_is_not_its_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    own = _test(pid=os.getpid())
    assert own.is_alive
    prepare()
    other = dataclasses.replace(own, start="1")
    assert not other.is_alive
    other.write()
    monkeypatch.setattr(os, "kill", lambda pid, sig: pytest.fail("it got a signal"))
    assert release([other], wait_sec=10) == []
    assert kept_tests() == []


def test_a_release_waits_for_the_end_of_the_holder_and_no_longer_than_it_may() -> None:
    prepare()
    with subprocess.Popen([sys.executable, "-c", _RESISTS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        test = _test(pid=process.pid)
        test.write()
        begin = time.monotonic()
        assert release([test], wait_sec=0.2) == [test]
        assert 0.2 <= time.monotonic() - begin < 10
        assert process.stdout.readline() == "asked\n"
        assert kept_tests() == [test]
        process.send_signal(signal.SIGKILL)
        assert release([test], wait_sec=10) == []
    assert os.listdir(registry.directory()) == []


def test_the_table_of_kept_nodes_does_no_harm_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    prepare()
    reason = "\x1b[2J\x1b]0;title\x07\u202e" + "w" * 200
    dataclasses.replace(_test(), reason=reason, nodes=[{"name": "w\x1b[31m1"}]).write()
    assert nodes.main(["nodes"]) == 0
    header, row, *_ = capsys.readouterr().out.splitlines()
    assert row.startswith("w?[31m1  suite.T.test_it  2026-11-30--001/1  ")
    why = row[header.index("why") :]
    assert (why[:30], why[-5:], len(why)) == ("FAIL ?[2J?]0;title??wwwwwwwwww", "ww...", 80)


def test_a_kept_test_without_nodes_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    prepare()
    alive = dataclasses.replace(_test(), pid=os.getpid(), start=start_of(os.getpid()))
    dataclasses.replace(alive, nodes=[]).write()
    dataclasses.replace(alive, test_index=2).write()
    assert nodes.main(["nodes"]) == 0
    assert "look inside: ducktape shell 2026-11-30--001/2 w1\n" in capsys.readouterr().out


def test_of_runs_in_several_directories_with_one_number_that_of_this_one_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    other, here, third = (
        dataclasses.replace(_test(), test_dir=f"{place}/results/1", source=ClusterSource(directory=str(place)))
        for place in ("/other", tmp_path, "/third")
    )
    assert choose_test(here.name, [other, here, third]) is here
    assert choose_test("1", [other]) is other
    with pytest.raises(
        CommandError, match=f"^{here.name} names several kept tests: /other/results/1, /third/results/1$"
    ):
        choose_test(here.name, [other, third])
    assert choose_test("/third/results/1", [other, here, third]) is third
    again = dataclasses.replace(here, session_id="2026-11-30--002")
    with pytest.raises(
        CommandError, match=r"^1 names several kept tests: 2026-11-30--001/1 \(.*\), 2026-11-30--002/1 "
    ):
        choose_test("1", [here, again])
