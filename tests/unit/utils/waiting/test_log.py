# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.errors import DucktapeError
from ducktape.utils.support.times import Deadline
from ducktape.utils.wait import log
from ducktape.utils.waiting.log import LogProbe
from ducktape.utils.waiting.probes import Answer


class Counting:
    """An account that notes how much output its commands had."""

    hostname = "counting"

    def __init__(self, account: Any) -> None:
        self._account = account
        self.read: list[int] = []

    def ssh_capture(self, cmd: str, **kwargs: Any) -> Iterator[str]:
        lines = list(self._account.ssh_capture(cmd, **kwargs))
        self.read.append(sum(map(len, lines)))
        return iter(lines)


@pytest.fixture
def account() -> Iterator[Counting]:
    cluster = LocalhostCluster(num_nodes=1)
    [node] = cluster.alloc(ClusterSpec.simple_linux(1))
    yield Counting(node.account)
    cluster.free(node)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "server.log"


def probe(account: Any, path: object, pattern: str = "ready", since: int | None = 0) -> LogProbe:
    return LogProbe(account, str(path), re.compile(pattern), since)


def ask(looker: LogProbe) -> Answer:
    return looker(Deadline(20))


def append(path: Path, text: str | bytes) -> None:
    with path.open("ab") as file:
        file.write(text.encode() if isinstance(text, str) else text)


def test_a_line_is_found_as_soon_as_it_is_there(account: Counting, path: Path) -> None:
    looker = probe(account, path, "^now ready$")
    assert ask(looker) == Answer(False, "there is no such file")
    path.touch()
    assert ask(looker) == Answer(False, "nothing was written")
    append(path, "starting\n")
    assert ask(looker) == Answer(False, "no line matches", ("starting",))
    append(path, "now rea")
    assert ask(looker) == Answer(False, "no line matches", ("starting", "now rea"))
    append(path, "dy")
    assert ask(looker) == Answer(True, "has the line 'now ready'", ("starting", "now ready"))
    append(path, "\r\nworking\n")
    assert ask(looker) == Answer(True, "has the line 'now ready'", ("starting", "now ready", "working"))


def test_nothing_is_fetched_twice(account: Counting, path: Path) -> None:
    looker = probe(account, path)
    path.write_text("x" * 30_000)
    for _ in range(3):
        ask(looker)
    assert account.read[0] > 30_000
    assert [size < 100 for size in account.read] == [False, True, True]


def test_a_long_log_is_fetched_in_pieces(account: Counting, path: Path) -> None:
    line = "0123456789abcdef" * 4
    path.write_text(f"{line}\n" * 20_000 + "ready\n")
    assert ask(probe(account, path)) == Answer(True, "has the line 'ready'", (*[line] * 19, "ready"))
    assert len(account.read) == 3


def test_bytes_that_are_no_text_and_letters_of_several_bytes_are_read(account: Counting, path: Path) -> None:
    looker = probe(account, path, "größer")
    before, after = "größer".encode()[:3], "größer".encode()[3:]
    append(path, b"\x00\xff broken\n" + before)
    assert ask(looker).tail == ("\x00\ufffd broken", "gr")
    append(path, after + b"\n")
    assert ask(looker) == Answer(True, "has the line 'größer'", ("\x00\ufffd broken", "größer"))


@pytest.mark.parametrize("since", [None, 6])
def test_what_was_written_before_does_not_count(account: Counting, path: Path, since: int | None) -> None:
    path.write_text("ready\n")
    looker = probe(account, path, since=since)
    assert ask(looker) == Answer(False, "nothing was written")
    append(path, "again ready\n")
    assert ask(looker) == Answer(True, "has the line 'again ready'", ("again ready",))


def test_from_now_on_means_from_the_moment_in_which_the_condition_is_made(account: Counting, path: Path) -> None:
    path.write_text("ready 1\n")
    condition = log(account, str(path), "ready", since="now")
    append(path, "ready 2\n")
    condition.wait("10s")
    [single] = condition.singles()
    assert single.answer(Deadline(10)).text == "has the line 'ready 2'"


def test_a_file_that_is_not_there_yet_is_new_from_its_first_line_on(account: Counting, path: Path) -> None:
    looker = probe(account, path, since=None)
    path.write_text("ready\n")
    assert ask(looker).holds is True


@pytest.mark.parametrize("way", ["emptied", "replaced", "removed"])
def test_a_log_that_begins_anew_is_read_from_its_begin(account: Counting, path: Path, way: str) -> None:
    path.write_text("one\ntwo\nthr")
    looker = probe(account, path)
    ask(looker)
    if way == "emptied":
        path.write_text("ready\n")
    if way == "replaced":
        append(new := path.with_name("new"), "a long line of the new file\nready\n")
        os.replace(new, path)
    if way == "removed":
        path.unlink()
        assert ask(looker) == Answer(False, "there is no such file", ("one", "two", "thr"))
        append(path, "a long line of the new file\nready\n")
    found = ask(looker)
    assert (found.holds, found.tail[:3], found.tail[-1]) == (True, ("one", "two", "thr"), "ready")


def test_the_shell_expands_the_path(account: Counting, path: Path) -> None:
    path.write_text("ready\n")
    assert ask(probe(account, f"{path.parent}/serv*.log")).holds is True
    named = path.with_name("it's mine.log")
    named.write_text("ready\n")
    assert ask(probe(account, f'"{named}"')).holds is True


def test_a_folder_cannot_be_read(account: Counting, path: Path) -> None:
    assert ask(probe(account, path.parent)) == Answer(None, "the file cannot be read")


def test_a_machine_that_greets_is_understood(account: Counting, path: Path) -> None:
    class Greeting(Counting):
        def ssh_capture(self, cmd: str, **kwargs: Any) -> Iterator[str]:
            return super().ssh_capture(f"echo Welcome; {cmd}", **kwargs)

    path.write_text("ready\n")
    assert ask(probe(Greeting(account), path)).holds is True


def test_a_machine_that_cannot_read_logs_is_told(path: Path) -> None:
    class Strange:
        def ssh_capture(self, cmd: str, **kwargs: Any) -> Iterator[str]:
            return iter(["what?\n"])

        def __str__(self) -> str:
            return "strange"

    with pytest.raises(DucktapeError, match=rf"^strange: {path} cannot be read: status 0, 'what\?'$"):
        ask(probe(Strange(), path))


@pytest.mark.parametrize("since", ["later", -1, True, None])
def test_since_is_one_of_few_things(account: Counting, since: Any) -> None:
    with pytest.raises(ValueError, match="since is "):
        log(account, "x", "y", since=since)


def test_a_wrong_pattern_is_told_at_once(account: Counting) -> None:
    with pytest.raises(re.error):
        log(account, "x", "(")
