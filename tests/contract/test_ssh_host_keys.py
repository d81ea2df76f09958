# SPDX-License-Identifier: Apache-2.0
"""Whether a server is the one that is known, before anything secret is told to it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import paramiko
import pytest

from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.ssh.config import RemoteAccountSSHConfig
from ducktape.cluster.ssh.errors import came_from_ssh
from ducktape.cluster.ssh.host_key_mode import HostKeyMode, tell_processes
from ducktape.cluster.ssh.host_keys import HostKeyError
from ducktape.cluster.ssh.known_hosts import fingerprint, host_entry, keys_of, line_of
from tests.support.needs import require
from tests.support.password_server import PasswordServer, password_server
from tests.support.sshd import running_sshd

ECDSA = paramiko.ECDSAKey.generate()
RSA = paramiko.RSAKey.generate(2048)
OTHER = paramiko.ECDSAKey.generate()


@pytest.fixture(autouse=True)
def _without_options_and_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUCKTAPE_HOST_KEYS", "")  # so that what is set afterwards goes with the test
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture(scope="module")
def server() -> Iterator[PasswordServer]:
    with password_server(host_keys=[ECDSA, RSA]) as made:
        yield made


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


def _line(server: PasswordServer, key: paramiko.PKey, marker: str = "") -> str:
    return marker + line_of(f"[127.0.0.1]:{server.port}", key.get_name(), key.asbytes())


def _log_in(server: PasswordServer, mode: str, known_hosts: Path, **changed: Any) -> None:
    server.attempts.clear()
    settings = server.settings(
        password=server.password, stricthostkeychecking=mode, userknownhostsfile=str(known_hosts), **changed
    )
    account = LinuxRemoteAccount(settings)
    try:
        transport = account.ssh_client.get_transport()
        assert transport is not None and transport.is_authenticated()
    finally:
        account.close()


def _refusal(server: PasswordServer, mode: str, known_hosts: Path) -> str:
    with pytest.raises(HostKeyError, match=f"^node-{server.port}: ") as caught:
        _log_in(server, mode, known_hosts)
    assert server.attempts == []
    assert server.password not in str(caught.value).split()
    assert came_from_ssh(caught.value)
    return str(caught.value)


def test_keys_are_not_checked_unless_somebody_asks_for_it(server: PasswordServer, known_hosts: Path) -> None:
    _log_in(server, "off", known_hosts)
    assert not known_hosts.exists()


def test_a_new_key_is_remembered_and_its_kind_asked_for_afterwards(server: PasswordServer, known_hosts: Path) -> None:
    known_hosts.write_text("# mine\nother ssh-rsa AAAA")
    _log_in(server, "accept-new", known_hosts)
    _log_in(server, "accept-new", known_hosts)
    first, second, remembered = known_hosts.read_text().splitlines(keepends=True)
    assert (first, second) == ("# mine\n", "other ssh-rsa AAAA\n")
    assert remembered in (_line(server, ECDSA), _line(server, RSA))
    _log_in(server, "strict", known_hosts)


@pytest.mark.parametrize("key", [ECDSA, RSA], ids=["ecdsa", "rsa"])
def test_of_several_keys_the_known_one_is_shown(server: PasswordServer, known_hosts: Path, key: paramiko.PKey) -> None:
    known_hosts.write_text(_line(server, key))
    _log_in(server, "strict", known_hosts)
    assert server.attempts == ["password"]


@pytest.mark.parametrize("mode", ["accept-new", "strict"])
def test_a_changed_key_is_refused_with_both_fingerprints_before_the_password_is_sent(
    server: PasswordServer, known_hosts: Path, mode: str
) -> None:
    known_hosts.write_text("\n" + _line(server, OTHER))
    text = _refusal(server, mode, known_hosts)
    assert f"shows ecdsa-sha2-nistp256 {fingerprint(ECDSA.asbytes())}" in text
    assert f"known is ecdsa-sha2-nistp256 {fingerprint(OTHER.asbytes())} ({known_hosts}, line 2)" in text
    assert f"ssh-keygen -R '[127.0.0.1]:{server.port}' -f {known_hosts}" in text
    assert known_hosts.read_text() == "\n" + _line(server, OTHER)


def test_an_unknown_key_is_refused_with_the_line_to_add(server: PasswordServer, known_hosts: Path) -> None:
    text = _refusal(server, "strict", known_hosts)
    assert f"{known_hosts} has no key for it" in text
    assert any(_line(server, key).strip() in text for key in (ECDSA, RSA))
    assert not known_hosts.exists()


@pytest.mark.parametrize("mode", ["accept-new", "strict"])
def test_revoked_keys_and_authorities_are_refused(server: PasswordServer, known_hosts: Path, mode: str) -> None:
    known_hosts.write_text(_line(server, ECDSA) + _line(server, ECDSA, "@revoked "))
    assert f"is revoked by {known_hosts}, line 2" in _refusal(server, mode, known_hosts)
    known_hosts.write_text(_line(server, OTHER, "@cert-authority "))
    assert "signed by an authority, which is not supported" in _refusal(server, mode, known_hosts)


def test_files_that_cannot_hold_keys_are_named_and_left_alone(server: PasswordServer, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        assert f"cannot be in {path}: it is no regular file" in _refusal(server, "accept-new", path)
    (tmp_path / "file").touch()
    below = tmp_path / "file" / "known_hosts"
    assert f"{below}" in _refusal(server, "accept-new", below)


def test_many_first_logins_at_once_leave_one_line_each(tmp_path: Path, known_hosts: Path) -> None:
    require("sshd")
    with running_sshd(tmp_path) as sshd:

        def log_in(name: str) -> int:
            given = {**sshd.settings.to_json(), "hostname": name, "stricthostkeychecking": "accept-new"}
            account = LinuxRemoteAccount(RemoteAccountSSHConfig(**given, userknownhostsfile=str(known_hosts)))
            try:
                return account.ssh("true")
            finally:
                account.close()

        names = ["127.0.0.1", "localhost"] * 4
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(log_in, names)) == [0] * 8
        entries = [line.split()[0] for line in known_hosts.read_text().splitlines()]
        assert sorted(entries) == [f"[127.0.0.1]:{sshd.port}", f"[localhost]:{sshd.port}"]


def test_the_key_of_a_jump_host_is_checked_too(server: PasswordServer, known_hosts: Path) -> None:
    with password_server(host_keys=[OTHER]) as jump:
        known_hosts.write_text(_line(server, ECDSA))
        with pytest.raises(HostKeyError, match=rf"the jump host 127.0.0.1, port {jump.port}: the host key of"):
            _log_in(server, "strict", known_hosts, proxyjump=f"127.0.0.1:{jump.port}")
        assert jump.attempts == server.attempts == []


def test_known_hosts_are_read_as_openssh_writes_them(tmp_path: Path) -> None:
    plain = tmp_path / "known_hosts"
    plain.write_text(line_of("gate", ECDSA.get_name(), ECDSA.asbytes()) + _of("[gate]:2222") + _of("*.lan,!bad.lan"))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(plain)], check=True, capture_output=True)
    text = plain.read_text() + "# gate x y\nnonsense\ngate ssh-rsa ???\n|1|x|y ssh-rsa AAAA\n"
    assert text.startswith("|1|")
    assert [key.blob for key in keys_of(text, host_entry("Gate", 22))] == [ECDSA.asbytes()]
    assert [key.blob for key in keys_of(text, host_entry("gate", 2222))] == [OTHER.asbytes()]
    assert [len(keys_of(text, name)) for name in ("a.lan", "bad.lan", "gat", "[gate]:22")] == [1, 0, 0, 0]


def _of(names: str) -> str:
    return line_of(names, OTHER.get_name(), OTHER.asbytes())


def test_fingerprints_are_those_of_openssh(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text(f"{RSA.get_name()} {RSA.get_base64()}\n")
    said = subprocess.run(["ssh-keygen", "-l", "-f", str(tmp_path / "key.pub")], check=True, capture_output=True)
    assert said.stdout.decode().split()[1] == fingerprint(RSA.asbytes())


def test_the_settings_of_a_node_win_over_the_options_of_the_run(tmp_path: Path) -> None:
    def mode_of(**settings: Any) -> str:
        return str(HostKeyMode.of(RemoteAccountSSHConfig(**settings)))

    root = str(tmp_path)
    assert mode_of() == "off"
    assert mode_of(stricthostkeychecking="accept-new").endswith("results/known_hosts)")
    tell_processes("accept-new", None, root, os.environ)
    assert mode_of() == f"accept-new ({root}/known_hosts)"
    assert mode_of(stricthostkeychecking="no", userknownhostsfile="/dev/null") == "off"
    assert mode_of(userknownhostsfile="/dev/null") == f"accept-new ({root}/known_hosts)"
    tell_processes(None, f"{root}/mine", root, os.environ)
    assert mode_of() == f"strict ({root}/mine)"
    tell_processes("strict", None, root, os.environ)
    assert mode_of() == f"strict ({os.path.expanduser('~')}/.ssh/known_hosts, /etc/ssh/ssh_known_hosts)"
    with pytest.raises(ValueError, match="stricthostkeychecking must be one of off, accept-new, strict, not 'maybe'"):
        RemoteAccountSSHConfig(stricthostkeychecking="maybe")


def test_what_vagrant_writes_for_every_machine_is_no_setting_of_the_node() -> None:
    text = "Host a\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n"
    settings = RemoteAccountSSHConfig.from_string(text).to_json()
    assert not {"stricthostkeychecking", "userknownhostsfile"} & settings.keys()
    strict = RemoteAccountSSHConfig.from_string(text.replace("Checking no", "Checking yes"))
    assert strict.to_json()["stricthostkeychecking"] == "strict"
