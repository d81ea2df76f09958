# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pickle

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
        identityfile=[os.path.expanduser("~/keys/first"), "/other"],
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


def test_newer_settings_are_shown_only_when_they_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_A", "s3cret")
    config = RemoteAccountSSHConfig(host="a", maxsessions="3", proxyjump="gate", password_env="SECRET_OF_A")
    shown = config.to_json()
    newer = {"maxsessions": 3, "proxyjump": "gate", "password_env": "SECRET_OF_A"}
    assert shown == {**RemoteAccountSSHConfig(host="a").to_json(), **newer}
    again = RemoteAccountSSHConfig(**shown)
    assert (again, again.password, hash(again)) == (config, "s3cret", hash(config))
    assert "s3cret" not in f"{config!r} {shown}"


@pytest.mark.parametrize("given", [-1, 65536, "70000"])
def test_a_port_that_no_machine_has_is_refused(given: int | str) -> None:
    with pytest.raises(ValueError, match=f"^port must be a number from 1 to 65535, not {given}$"):
        RemoteAccountSSHConfig(port=given)


@pytest.mark.parametrize("given", [None, "", 0, "0", 22, "22"])
def test_the_usual_port_is_that_of_ssh(given: int | str | None) -> None:
    assert RemoteAccountSSHConfig(port=given).port == 22


@pytest.mark.parametrize("given", ["gate", "me@gate", "gate:2222", "me@10.0.0.1:22", "me@[::1]:22"])
def test_a_machine_on_the_way_is_kept_as_it_is_written(given: str) -> None:
    assert RemoteAccountSSHConfig(proxyjump=given).proxyjump == given


@pytest.mark.parametrize("given", [None, "none", "None"])
def test_no_machine_on_the_way(given: str | None) -> None:
    assert RemoteAccountSSHConfig(proxyjump=given).proxyjump is None


@pytest.mark.parametrize("given", ["", "a,b", "a b", "a:", "a:0", "a:70000", "@a", "ssh://a"])
def test_other_ways_are_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"^proxyjump must be one machine, written \[user@\]host\[:port\], not "):
        RemoteAccountSSHConfig(proxyjump=given)


def test_a_password_of_the_environment_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_A", "s3cret")
    config = RemoteAccountSSHConfig(password_env="SECRET_OF_A")
    pickled = pickle.dumps(config)
    assert (config.password, b"s3cret" in pickled, pickle.loads(pickled).password) == ("s3cret", False, "s3cret")
    monkeypatch.delenv("SECRET_OF_A")
    assert pickle.loads(pickled).password is None
    with pytest.raises(ValueError, match="the environment variable SECRET_OF_A, which password_env names, is not set"):
        RemoteAccountSSHConfig(password_env="SECRET_OF_A")


def test_there_is_at_least_one_session() -> None:
    with pytest.raises(ValueError, match="maxsessions must be at least 1, not 0"):
        RemoteAccountSSHConfig(maxsessions=0)
