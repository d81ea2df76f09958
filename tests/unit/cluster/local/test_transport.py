# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pwd
import warnings
from pathlib import Path

import pytest

from ducktape.cluster.local.transport import LocalTransport, home_directory, login_shell


def test_the_shell_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    assert login_shell() == "/bin/sh"
    own = pwd.getpwuid(os.getuid()).pw_shell
    for shell in ("/does/not/exist", ""):
        monkeypatch.setenv("SHELL", shell)
        assert login_shell() == (own if os.access(own, os.X_OK) else "/bin/sh")


def test_commands_start_at_home_or_at_the_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert LocalTransport().run("pwd").stdout.decode() == f"{tmp_path}\n"
    (tmp_path / "file").write_text("x")
    assert LocalTransport().files.stat("file").st_size == 1
    monkeypatch.setenv("HOME", f"{tmp_path}/absent")
    assert (home_directory(), LocalTransport().run("pwd").stdout) == ("/", b"/\n")


def test_the_drivers_environment_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_DRIVER", "a b")
    assert LocalTransport().run('echo "$OF_THE_DRIVER"').stdout == b"a b\n"


def test_a_command_is_a_session_of_its_own() -> None:
    pid, session = LocalTransport().run("echo $$; ps -o sid= -p $$").stdout.split()
    assert pid == session
    assert int(session) != os.getsid(0)


def test_dropping_everything_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transport = LocalTransport()
        transport.stream("echo a; echo b")
        transport.stream("true").close()
        assert transport.run("echo c").stdout == b"c\n"
        transport.close()
