# SPDX-License-Identifier: Apache-2.0
"""The verbs of an account, over every transport."""

from __future__ import annotations

import os
import shlex
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.remoteaccount import LogMonitor, RemoteCommandError
from ducktape.cluster.transport import CommandStream, Stdin, TransportWrapper
from ducktape.errors import TimeoutError as FrameworkTimeoutError

ODD_NAMES = ["with blank", "it's", 'double"quote', "new\nline", "grün 日本", "-dash", "$HOME", "a*b"]


def test_a_failing_command_raises_with_its_error_output(account: LinuxRemoteAccount) -> None:
    with pytest.raises(RemoteCommandError) as caught:
        account.ssh("echo trouble >&2; exit 3")
    assert (caught.value.exit_status, caught.value.msg) == (3, b"trouble\n")
    assert account.ssh("exit 3", allow_fail=True) == 3
    assert account.ssh("true") == 0


def test_death_by_a_signal_is_said(account: LinuxRemoteAccount) -> None:
    with pytest.raises(RemoteCommandError, match="signal") as caught:
        account.ssh("kill -9 $$")
    assert caught.value.exit_status == -1


def test_output_is_bytes_and_merged_on_demand(account: LinuxRemoteAccount) -> None:
    assert sorted(account.ssh_output("echo a; echo b >&2").split()) == [b"a", b"b"]
    assert account.ssh_output("echo a; echo b >&2", combine_stderr=False) == b"a\n"
    assert sorted(account.ssh_capture("echo a; echo b >&2")) == ["a\n", "b\n"]
    assert list(account.ssh_capture("echo a; echo b >&2", combine_stderr=False)) == ["a\n"]


def test_captured_lines_keep_their_newline(account: LinuxRemoteAccount) -> None:
    assert list(account.ssh_capture("printf 'a\\r\\nb\\fc\\n\\nü'")) == ["a\r\n", "b\x0cc\n", "\n", "ü"]
    assert list(account.ssh_capture("seq 3", callback=int)) == [1, 2, 3]


def test_a_million_lines_are_streamed(account: LinuxRemoteAccount) -> None:
    total = 0
    for line in account.ssh_capture("seq 1000000"):
        total += int(line)
    assert total == 500_000_500_000


def test_a_failure_comes_after_the_last_line(account: LinuxRemoteAccount) -> None:
    lines = account.ssh_capture("echo a; exit 4")
    assert lines.next() == "a\n"
    with pytest.raises(RemoteCommandError) as caught:
        lines.has_next()
    assert caught.value.exit_status == 4
    assert not lines.has_next()
    assert list(account.ssh_capture("echo a; exit 4", allow_fail=True)) == ["a\n"]


def test_looking_ahead_ends_at_its_timeout_and_keeps_partial_lines(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    go = tmp_path / "go"
    lines = account.ssh_capture(f"printf par; while [ ! -e '{go}' ]; do sleep 0.01; done; echo tial; echo more")
    begin = time.monotonic()
    assert not lines.has_next(timeout_sec=0.25)
    assert 0.24 <= time.monotonic() - begin < 1
    go.touch()
    assert lines.has_next(timeout_sec=20)
    assert list(lines) == ["partial\n", "more\n"]
    assert not lines.has_next(timeout_sec=20)


def test_a_silent_capture_ends_with_the_builtin_timeout(account: LinuxRemoteAccount) -> None:
    account.ssh("true")  # connects, which the limit would include
    lines = account.ssh_capture("echo a; sleep 3", timeout_sec=0.5)
    assert next(lines) == "a\n"
    with pytest.raises(TimeoutError):
        next(lines)
    assert list(lines) == []


def test_invalid_text_raises_after_the_good_lines(account: LinuxRemoteAccount) -> None:
    lines = account.ssh_capture("printf 'good\\n\\377\\n'")
    assert next(lines) == "good\n"
    with pytest.raises(UnicodeDecodeError):
        next(lines)
    assert list(lines) == []


def test_a_raising_callback_ends_the_iteration(account: LinuxRemoteAccount) -> None:
    lines = account.ssh_capture("echo 1; echo x; echo 3", callback=int)
    assert next(lines) == 1
    with pytest.raises(ValueError, match="x"):
        next(lines)
    assert list(lines) == []


def test_a_capture_that_nobody_reads_runs(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    for number in range(20):
        account.ssh_capture(f"touch '{tmp_path}/{number}'; exit 1")
    deadline = time.monotonic() + 20
    while len(os.listdir(tmp_path)) < 20:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_capture_that_nobody_reads_may_write(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    account.ssh_capture(f"sleep 0.1; echo a; head -c 150000 /dev/zero; echo b >&2; touch '{tmp_path}/done'")
    deadline = time.monotonic() + 20
    while not account.exists(f"{tmp_path}/done"):
        assert time.monotonic() < deadline
        account.ssh("sleep 0.01")


def test_a_capture_that_is_left_early_ends_a_command_that_goes_on_writing(
    account: LinuxRemoteAccount, tmp_path: Path
) -> None:
    for line in account.ssh_capture(f"echo $$; while echo x; do sleep 0.01; done 2>/dev/null; touch '{tmp_path}/end'"):
        pid = int(line)
        break
    _until(lambda: not account.alive(pid))


def test_input_for_all_three(account: LinuxRemoteAccount) -> None:
    assert account.ssh("grep -q needle", stdin="a needle") == 0
    assert account.ssh_output("tr a b", stdin=b"aaa") == b"bbb"
    assert list(account.ssh_capture("cat", stdin="x\ny\n")) == ["x\n", "y\n"]


def test_processes_are_found_and_ended(account: LinuxRemoteAccount) -> None:
    token = f"31{os.getpid()}"
    account.ssh(f"sleep {token} >/dev/null 2>&1 &")
    pids = [int(pid) for pid in account.ssh_capture(f"pgrep -x -f 'sleep {token}'")]
    assert account.alive(pids[0])
    account.kill_process(f'"sleep {token}"')
    _until(lambda: not account.alive(pids[0]))
    account.kill_process(f'"sleep {token}"')


_OLD = b"old line\n" * 20
_GROWN = b"more\n" * 100
_CHANGES: dict[str, tuple[bytes | None, Any, str]] = {
    "appended": (_OLD, lambda log: _append(log, b"ready\n"), "^ready$"),
    "begins with a dash": (_OLD, lambda log: _append(log, b"--READY\n"), "--READY"),
    "truncated": (_OLD, lambda log: log.write_bytes(b"ready\n"), "ready"),
    "truncated and grown": (_OLD, lambda log: log.write_bytes(b"ready\n" + _GROWN), "ready"),
    "rotated": (_OLD, lambda log: (log.rename(f"{log}.1"), log.write_bytes(b"ready\n" + _GROWN)), "ready"),
    "unfinished line": (b"old\nserver is re", lambda log: _append(log, b"ady\n"), "server is ready"),
    "not text": (_OLD, lambda log: _append(log, b"\0\xff ready now\0\n"), "ready now"),
    "very long line": (_OLD + b"x" * 100_000, lambda log: _append(log, b"x" * 100_000 + b"ready\n"), "ready$"),
    "made later": (None, lambda log: log.write_bytes(b"ready\n"), "ready"),
}


def _append(log: Path, data: bytes) -> None:
    with log.open("ab") as file:
        file.write(data)


@pytest.mark.parametrize("change", list(_CHANGES))
def test_a_monitor_sees_what_comes_to_a_log(account: LinuxRemoteAccount, tmp_path: Path, change: str) -> None:
    before, write, pattern = _CHANGES[change]
    log = tmp_path / "log"
    if before is not None:
        log.write_bytes(before)
    with account.monitor_log(str(log)) as monitor:
        write(log)
        monitor.wait_until(pattern, timeout_sec=20, backoff_sec=0.02)


def test_a_monitor_does_not_see_what_was_there(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "nothing": lambda log: None,
        "end of line": lambda log: _append(log, b"\nmore\n"),
        "gone": lambda log: log.unlink(),
    }
    for name, change in changes.items():
        log = tmp_path / name.replace(" ", "_")
        log.write_bytes(b"old\nready")
        with account.monitor_log(str(log)) as monitor:
            change(log)
            with pytest.raises(FrameworkTimeoutError, match="still not"):
                monitor.wait_until("ready", timeout_sec=0.1, backoff_sec=0.05, err_msg="still not")


def test_a_rotated_log_is_followed_from_its_begin(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(_OLD)
    with account.monitor_log(str(log)) as monitor:
        log.write_bytes(b"begin\n")
        monitor.wait_until("begin", timeout_sec=20)
        with pytest.raises(FrameworkTimeoutError):
            monitor.wait_until("ready", timeout_sec=0.05, backoff_sec=0.05)
        _append(log, _GROWN * 2 + b"ready\n")
        monitor.wait_until("^ready", timeout_sec=20)
        monitor.wait_until("begin", timeout_sec=20)
    built = LogMonitor(account, str(log), 3)
    built.wait_until("^in$", timeout_sec=20)
    built.offset = 6
    with pytest.raises(FrameworkTimeoutError):
        built.wait_until("begin", timeout_sec=0.05, backoff_sec=0.05)


_TEXTS = [
    "two words",
    "it's",
    'say "hi',
    "{'id': 7}",
    "java (Kafka",
    "[kafka",
    "a|b",
    "a;b && c > d",
    "back\\slash",
    "$HOME `true`",
    "gr*p ^end$",
    "50% # of it",
    "pré 日本",
]


def test_processes_are_ended_by_any_text_of_their_command_line_and_no_others(account: LinuxRemoteAccount) -> None:
    token = f"ducktape{os.getpid()}"
    program = f"exec -a {token}-innocent sleep 60 & exec -a {{name}} sleep 60"
    texts = [f"{token} {text}" for text in _TEXTS] + [f"-D{token}=1", f"--{token}", f"{token}grep", f"#{token}"]

    def innocents() -> int:
        return sum(args.startswith(f"{token}-innocent") for args in _arguments(account))

    for number, text in enumerate(texts, start=1):
        script = program.format(name=shlex.quote(f"{text} end"))
        account.ssh(f"bash -c {shlex.quote(script)} >/dev/null 2>&1 &")
        _until(lambda text=text: any(f"{text} end" in args for args in _arguments(account)))
        # Until then its command line is that of the shell, in which the text is, too
        _until(lambda number=number: innocents() == number)
        account.kill_process(text)
        _until(lambda text=text: not any(f"{text} end" in args for args in _arguments(account)))
    left = innocents()
    account.kill_process(f"{token}-innocent", clean_shutdown=False)
    assert left == len(texts)


def _arguments(account: LinuxRemoteAccount) -> list[str]:
    listing = account.ssh_output("LC_ALL=C.UTF-8 ps axww -o args=").decode()
    return [line for line in listing.splitlines() if "exec -a" not in line]


def test_the_search_for_processes_does_not_find_itself(account: LinuxRemoteAccount) -> None:
    for text in ("ps axww -o pid=", "awk '{print $1}'", "grep -i grep -v"):
        account.kill_process(text)


@pytest.mark.parametrize("text", ["", " ", "''", "-e ''", "two\nlines"])
def test_a_text_that_every_process_or_no_listing_has_is_refused(account: LinuxRemoteAccount, text: str) -> None:
    with pytest.raises(ValueError, match=r"would match every process|has control characters"):
        account.kill_process(text)


def test_a_search_that_cannot_be_made_is_an_error(account: LinuxRemoteAccount) -> None:
    # A path without these programs, which the shell's own commands do not need
    real = account.transport
    account.transport = _EmptyPath(real)
    for verb in (account.kill_process, account.kill_java_processes):
        for text in ("nobody-has-this", "nobody (has this"):
            with pytest.raises(RemoteCommandError):
                verb(text)
            verb(text, allow_fail=True)
    with pytest.raises(RemoteCommandError):
        account.java_pids("nobody-has-this")


class _EmptyPath(TransportWrapper):
    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> CommandStream:
        script = f"mkdir -p bin_of_test; ln -sf /bin/sh bin_of_test/sh; PATH=$PWD/bin_of_test; {command}"
        return self.inner.stream(script, stdin=stdin, merge_stderr=merge_stderr, timeout=timeout)


def test_a_process_of_another_user_is_alive(account: LinuxRemoteAccount) -> None:
    if account.ssh("command -v setpriv", allow_fail=True) != 0 or account.ssh_output("id -u").strip() != b"0":
        pytest.skip("needs root and setpriv, to be an ordinary user for a moment")
    account.transport = _OrdinaryUser(account.transport)
    gone = account.ssh_output("sh -c 'echo $$'").decode().strip()
    assert (account.alive(1), account.alive("1\n"), account.alive(gone), account.alive("")) == (
        True,
        True,
        False,
        False,
    )


class _OrdinaryUser(TransportWrapper):
    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> CommandStream:
        command = f"setpriv --reuid 65534 --clear-groups sh -c {shlex.quote(command)}"
        return self.inner.stream(command, stdin=stdin, merge_stderr=merge_stderr, timeout=timeout)


def test_signals_by_number_and_name(account: LinuxRemoteAccount) -> None:
    for sig in (15, "TERM", "SIGKILL"):
        account.ssh("sleep 30 >/dev/null 2>&1 & echo $! > pid_of_test")
        pid = account.open("pid_of_test").read().decode().strip()
        account.signal(pid, sig)
        _until(lambda pid=pid: not account.alive(pid))
    account.remove("pid_of_test")
    with pytest.raises(RemoteCommandError):
        account.signal(pid, 15)
    account.signal(pid, 15, allow_fail=True)


def test_predicates(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.symlink("file", tmp_path / "link")
    os.symlink("nowhere", tmp_path / "dangling")
    answers = {
        name: [check(f"{tmp_path}/{name}") for check in (account.exists, account.isfile, account.isdir, account.islink)]
        for name in ("file", "link", "dangling", "absent", "", "file/below")
    }
    assert answers == {
        "file": [True, True, False, False],
        "link": [True, True, False, True],
        "dangling": [True, False, False, True],
        "absent": [False, False, False, False],
        "": [True, False, True, False],
        "file/below": [False, False, False, False],
    }


def test_directories_and_removal(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    account.mkdirs(f"{tmp_path}/a/b", mode=0o700)
    account.mkdirs(f"{tmp_path}/a/b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o755
    account.mkdir(f"{tmp_path}/c")
    account.create_file(f"{tmp_path}/c/file", "text ü")
    account.create_file(f"{tmp_path}/c/file", b"bytes")
    assert (tmp_path / "c" / "file").read_bytes() == b"bytes"
    with pytest.raises(FileNotFoundError):
        account.create_file(f"{tmp_path}/absent/file", "")
    account.remove(f"{tmp_path}/a {tmp_path}/c*")
    assert os.listdir(tmp_path) == []
    with pytest.raises(RemoteCommandError):
        account.remove(f"{tmp_path}/a")
    account.remove(f"{tmp_path}/a", allow_fail=True)


def _make_tree(root: Path) -> dict[str, bytes]:
    (root / "deep" / "er").mkdir(parents=True)
    (root / "empty").mkdir()
    contents = {name: name.encode() for name in ODD_NAMES} | {"deep/er/file": b"x" * 100_000, "deep/nothing": b""}
    for name, content in contents.items():
        (root / name).write_bytes(content)
    os.symlink("-dash", root / "link")
    os.symlink("deep", root / "linked directory")
    os.symlink("nowhere", root / "dangling")
    os.symlink("..", root / "deep" / "back")
    os.mkfifo(root / "fifo")
    return contents | {
        "link": b"-dash",
        "linked directory/er/file": b"x" * 100_000,
        "linked directory/nothing": b"",
    }


def _read_tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_tree_is_copied_both_ways(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    expected = _make_tree(tmp_path / "tree")
    (tmp_path / "into").mkdir()
    account.copy_from(f"{tmp_path}/tree", f"{tmp_path}/renamed")
    account.copy_from(f"{tmp_path}/tree/", f"{tmp_path}/into")
    account.copy_to(f"{tmp_path}/tree", f"{tmp_path}/there")
    for name in ("renamed", "into/tree", "there"):
        assert _read_tree(tmp_path / name) == expected, name
        assert (tmp_path / name / "empty").is_dir()
        assert not any(path.is_symlink() for path in (tmp_path / name).rglob("*"))


def test_copying_again_merges(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "new").write_bytes(b"new")
    (tmp_path / "into" / "source").mkdir(parents=True)
    (tmp_path / "into" / "source" / "old").write_bytes(b"old")
    (tmp_path / "into" / "source" / "new").write_bytes(b"older and longer")
    for copy in (account.copy_from, account.copy_to):
        copy(f"{tmp_path}/source", f"{tmp_path}/into")
        assert _read_tree(tmp_path / "into") == {"source/new": b"new", "source/old": b"old"}


def test_what_does_not_exist_is_not_copied(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    account.copy_from(f"{tmp_path}/absent", f"{tmp_path}/x")
    account.copy_to(f"{tmp_path}/absent", f"{tmp_path}/x")
    assert os.listdir(tmp_path) == []


def test_a_missing_target_directory_is_an_error(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError):
        account.copy_from(f"{tmp_path}/file", f"{tmp_path}/absent/file")
    with pytest.raises(FileNotFoundError):
        account.copy_to(f"{tmp_path}/file", f"{tmp_path}/absent/file")


def test_one_file_that_cannot_be_copied_costs_only_itself(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / "tree" / name).mkdir(parents=True)
        (tmp_path / "tree" / name / "file").write_bytes(b"x")
    # A directory in the place of a file cannot be replaced, not even by root.
    (tmp_path / "copy" / "b" / "file").mkdir(parents=True)
    (tmp_path / "copy" / "tree" / "b" / "file").mkdir(parents=True)
    with pytest.raises(OSError, match="file"):
        account.copy_from(f"{tmp_path}/tree", f"{tmp_path}/copy")
    assert _read_tree(tmp_path / "copy") == {"tree/a/file": b"x", "tree/c/file": b"x"}


@pytest.mark.needs("ordinary user")
def test_an_unreadable_file_costs_only_itself(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "tree" / name).write_bytes(b"x")
    (tmp_path / "tree" / "b").chmod(0)
    with pytest.raises(PermissionError):
        account.copy_from(f"{tmp_path}/tree", f"{tmp_path}/copy")
    assert _read_tree(tmp_path / "copy") == {"a": b"x", "c": b"x"}


def test_copying_between_two_nodes(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    expected = _make_tree(tmp_path / "tree")
    account.copy_between(f"{tmp_path}/tree", f"{tmp_path}/copy", SimpleNamespace(account=account))
    assert _read_tree(tmp_path / "copy") == expected


def test_a_log_is_watched_from_here_on(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    with account.monitor_log(str(log)) as monitor:
        with pytest.raises(FrameworkTimeoutError, match="not seen"):
            monitor.wait_until("before", timeout_sec=0.3, backoff_sec=0.05, err_msg="not seen")
        with log.open("a") as file:
            file.write("it's af.er\n")
        monitor.wait_until("it's af[.]er$", timeout_sec=10, backoff_sec=0.05)
        monitor.offset = 0
        monitor.wait_until("before", timeout_sec=10)
        assert monitor.offset == 0
        with pytest.raises(RemoteCommandError):
            monitor.wait_until("[", timeout_sec=10)


def test_a_log_may_come_later(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    with account.monitor_log(f"{tmp_path}/log") as monitor:
        (tmp_path / "log").write_text("first\n")
        assert monitor.offset == 0
        monitor.wait_until("first", timeout_sec=10)


def test_an_http_service_is_awaited(account: LinuxRemoteAccount) -> None:
    account.externally_routable_ip = "127.0.0.1"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answer() -> None:
            for reply in (b"HTTP/1.0 503 x\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"):
                connection, _ = server.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        account.wait_for_http_service(port, {}, timeout=20)
        thread.join()
    with pytest.raises(FrameworkTimeoutError, match=f"http://127.0.0.1:{port}/x. Either the service failed to start"):
        account.wait_for_http_service(port, None, timeout=0.3, path="/x")


def test_network_devices_of_the_machine(account: LinuxRemoteAccount) -> None:
    listed = account.ssh_output("ls /sys/class/net").decode().split()
    assert sorted(account.get_network_devices()) == sorted(listed)


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
