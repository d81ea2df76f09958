# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os

import pytest

from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig

VAGRANT = """Host worker1
  HostName 127.0.0.1
  User vagrant
  Port 2222
  UserKnownHostsFile /dev/null
  IdentityFile "~/keys/first"
  IdentityFile /other
  ConnectTimeout 5
  Password hidden
"""


def test_missing_values_have_defaults() -> None:
    assert RemoteAccountSSHConfig().to_json() == {
        "host": None,
        "hostname": "localhost",
        "user": None,
        "port": 22,
        "password": None,
        "identityfile": None,
        "connecttimeout": None,
    }


@pytest.mark.parametrize(("given", "stored"), [("2222", 2222), (0, 22), (None, 22), ("0", 22)])
def test_ports_are_numbers(given: str | int | None, stored: int) -> None:
    assert RemoteAccountSSHConfig(port=given).port == stored


@pytest.mark.parametrize(("given", "stored"), [("30", 30), (0.5, 0.5), ("0.25", 0.25), (7, 7), (None, None)])
def test_timeouts_keep_their_fractions(given: str | float | None, stored: float | None) -> None:
    assert RemoteAccountSSHConfig(connecttimeout=given).connecttimeout == stored


def test_a_port_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="ssh"):
        RemoteAccountSSHConfig(port="ssh")


def test_the_text_of_vagrant_is_understood() -> None:
    assert RemoteAccountSSHConfig.from_string(VAGRANT) == RemoteAccountSSHConfig(
        host="worker1",
        hostname="127.0.0.1",
        user="vagrant",
        port=2222,
        password="hidden",
        identityfile=os.path.expanduser("~/keys/first"),
        connecttimeout=5,
    )


def test_the_address_falls_back_to_the_host_and_the_pattern_for_all_applies() -> None:
    config = RemoteAccountSSHConfig.from_string("Host a\n  Port 7\nHost *\n  User u\n")
    assert (config.host, config.hostname, config.port, config.user) == ("a", "a", 7, "u")


@pytest.mark.parametrize("text", ["", "Host *\n User x\n", "Host a\nHost b\n"])
def test_there_must_be_one_host(text: str) -> None:
    with pytest.raises(AssertionError, match="Expected hostnames to have single entry"):
        RemoteAccountSSHConfig.from_string(text)


def test_the_password_is_never_shown() -> None:
    config = RemoteAccountSSHConfig(host="a", password="s3cret")
    assert "s3cret" not in f"{config} {config!r}"
    assert config.to_json()["password"] == "s3cret"


def test_equality_tolerates_anything() -> None:
    config = RemoteAccountSSHConfig(host="a")
    assert config == RemoteAccountSSHConfig(host="a", other="ignored")
    assert config != RemoteAccountSSHConfig(host="b")
    assert (config == None, config == 1, config == "a") == (False, False, False)  # noqa: E711
    assert {config: 1}[RemoteAccountSSHConfig(host="a")] == 1
