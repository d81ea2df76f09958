# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle
import threading

from ducktape.cluster.remoteaccount import RemoteAccountError, RemoteCommandError
from ducktape.errors import DucktapeError


class Account:
    def __init__(self) -> None:
        self.password = "s3cret"
        self.connection = threading.Lock()

    def __str__(self) -> str:
        return "user@host"


def test_the_text_says_who_what_and_how() -> None:
    error = RemoteCommandError(Account(), "false", 3, b"oops\n")
    assert str(error) == (
        "user@host: Command 'false' returned non-zero exit status 3. Remote error message: b'oops\\n'"
    )
    assert str(RemoteCommandError(Account(), "false", 1, b"")) == (
        "user@host: Command 'false' returned non-zero exit status 1."
    )
    assert str(RemoteAccountError(Account(), "gone")) == "user@host: gone"
    assert isinstance(error, DucktapeError)


def test_death_by_a_signal_is_said() -> None:
    assert str(RemoteCommandError(Account(), "x", -1, b"")).endswith("exit status -1. A signal ended it.")


def test_the_attributes_are_kept() -> None:
    error = RemoteCommandError("anything", "cmd", 7, b"bytes")
    assert (error.account_str, error.cmd, error.exit_status, error.msg) == ("anything", "cmd", 7, b"bytes")


def test_errors_travel_and_show_no_account() -> None:
    for error in (RemoteCommandError(Account(), "cmd", 7, b"bytes"), RemoteAccountError(Account(), "gone")):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
        assert "s3cret" not in f"{error.args} {error!r}"


def test_the_representation_is_short() -> None:
    assert len(repr(RemoteCommandError("a", "x" * 10_000, 1, b"y" * 10_000))) < 300
