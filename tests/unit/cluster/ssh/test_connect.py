# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket

import paramiko
import pytest

from ducktape.cluster.ssh.connect import parse_jump
from ducktape.cluster.ssh.errors import connecting, is_ssh_failure


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gate", (None, "gate", 22)),
        ("me@gate", ("me", "gate", 22)),
        ("me@gate:2222", ("me", "gate", 2222)),
        ("me@domain@gate", ("me@domain", "gate", 22)),
        ("[::1]:2222", (None, "::1", 2222)),
        ("me@[::1]", ("me", "::1", 22)),
    ],
)
def test_jump_hosts_are_understood(text: str, expected: tuple[str | None, str, int]) -> None:
    assert parse_jump(text) == expected


@pytest.mark.parametrize("text", ["", "me@", "gate:", "gate:ssh", "@:22"])
def test_other_texts_are_no_jump_hosts(text: str) -> None:
    with pytest.raises(ValueError, match="is no jump host"):
        parse_jump(text)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (paramiko.SSHException("no banner"), "worker1: no banner"),
        (TimeoutError("too late"), "worker1: too late"),
        (FileNotFoundError(2, "No such file", "key"), "[Errno 2] No such file (logging in to worker1): 'key'"),
        (socket.gaierror(-2, "unknown name"), "[Errno -2] unknown name (logging in to worker1)"),
        (
            paramiko.BadAuthenticationType("Bad type", ["publickey"]),
            "worker1: Bad type; allowed types: ['publickey']",
        ),
        (ValueError(1, 2), "(1, 2)"),
    ],
)
def test_errors_while_connecting_name_the_node_and_are_ssh_failures(error: Exception, text: str) -> None:
    with pytest.raises(type(error)) as caught, connecting("worker1"):
        raise error
    assert caught.value is error
    assert str(error) == text
    assert is_ssh_failure(error)
