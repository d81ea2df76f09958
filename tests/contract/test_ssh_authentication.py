# SPDX-License-Identifier: Apache-2.0
"""How accounts prove who they are, and what is said when no server believes it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import paramiko
import pytest

from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.ssh.config import RemoteAccountSSHConfig
from ducktape.cluster.ssh.identities import secret_bytes
from tests.support.password_server import password_server
from tests.support.sshd import Sshd, running_sshd

pytestmark = pytest.mark.needs("sshd")

SECRET = "s3cret-Wort"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as sshd:
        yield sshd


@pytest.fixture(autouse=True)
def _no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def key(tmp_path: Path) -> Callable[..., str]:
    """Makes a private key and returns its path."""

    def make(name: str, *options: str, passphrase: str = "") -> str:
        given = options or ("-t", "ed25519")
        # One round of hashing: what protects the key of a test need not be slow.
        command = ["ssh-keygen", "-q", "-a", "1", "-N", passphrase, "-f", str(tmp_path / name), *given]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return str(tmp_path / name)

    return make


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """A running agent, and what gives it a key."""
    place = str(tmp_path / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", place], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    monkeypatch.setenv("SSH_AUTH_SOCK", place)
    yield lambda path: subprocess.run(["ssh-add", "-q", path], check=True, stdin=subprocess.DEVNULL)
    process.terminate()
    process.wait()
    process.stdout.close()


def _logs_in(settings: RemoteAccountSSHConfig) -> bool:
    account = LinuxRemoteAccount(settings)
    try:
        transport = account.ssh_client.get_transport()
        return transport is not None and transport.is_authenticated()
    finally:
        account.close()


def _error_of(settings: RemoteAccountSSHConfig) -> Exception:
    with pytest.raises(Exception) as caught:  # the callers compare class and text
        _logs_in(settings)
    error = caught.value
    assert isinstance(error, Exception)
    text = f"{error} {error!r}"
    assert SECRET not in text
    assert str(settings.host) in text
    assert str(settings.user) in text
    return error


def _with(server: Sshd, **changed: Any) -> RemoteAccountSSHConfig:
    return RemoteAccountSSHConfig(**{**server.settings.to_json(), "identityfile": None, **changed})


# The server bears six attempts on one connection.
@pytest.mark.parametrize("position", [0, 5, 6])
def test_all_identities_are_tried_in_their_order(server: Sshd, key: Callable[..., str], position: int) -> None:
    identities = [key(f"other{number}") for number in range(6)]
    identities.insert(position, str(server.directory / "user_key"))
    assert _logs_in(_with(server, identityfile=identities))


def test_several_identities_of_a_configuration_text_are_tried(server: Sshd, key: Callable[..., str]) -> None:
    lines = "".join(f"  IdentityFile {path}\n" for path in (key("other"), server.directory / "user_key"))
    settings = server.settings
    text = f"Host worker1\n  HostName 127.0.0.1\n  User {settings.user}\n  Port {settings.port}\n{lines}"
    config = RemoteAccountSSHConfig.from_string(text)
    assert _logs_in(config)
    assert _logs_in(RemoteAccountSSHConfig(**config.to_json()))
    assert config.identityfile is not None
    assert config.identityfile.endswith("/other")


def test_a_missing_identity_among_several_costs_nothing(server: Sshd) -> None:
    assert _logs_in(_with(server, identityfile=["/no/such/key", str(server.directory / "user_key")]))


def test_refused_identities_are_all_named(server: Sshd, key: Callable[..., str]) -> None:
    first, second = key("first"), key("second", "-t", "ecdsa")
    error = _error_of(_with(server, identityfile=[first, "/no/such/key", second]))
    assert isinstance(error, paramiko.AuthenticationException)
    assert f"tried: {first} (ssh-ed25519), {second} (ecdsa-sha2-nistp256); " in str(error)
    assert "/no/such/key" in str(error)
    assert "authorized_keys and AllowUsers" in str(error)


@pytest.mark.parametrize(
    "options",
    [
        ("-t", "rsa", "-b", "1024", "-m", "PKCS8"),
        ("-t", "rsa", "-b", "1024", "-m", "PEM"),
        ("-t", "ecdsa", "-m", "PKCS8"),
        ("-t", "rsa", "-b", "1024"),
        ("-t", "ecdsa", "-b", "384"),
        ("-t", "ed25519"),
    ],
)
@pytest.mark.parametrize("passphrase", ["", SECRET])
def test_keys_of_every_format_log_in(
    server: Sshd, key: Callable[..., str], options: tuple[str, ...], passphrase: str
) -> None:
    path = key("key", *options, passphrase=passphrase)
    authorized = server.directory / "authorized_keys"
    before = authorized.read_text()
    authorized.write_text(before + Path(f"{path}.pub").read_text())
    try:
        assert _logs_in(_with(server, identityfile=path, password=passphrase or None))
    finally:
        authorized.write_text(before)


def test_files_that_hold_no_usable_key_are_named_with_a_remedy(
    server: Sshd, key: Callable[..., str], tmp_path: Path
) -> None:
    locked = key("locked", passphrase=SECRET)
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "cut").write_bytes(Path(key("whole")).read_bytes()[:200])
    (tmp_path / "putty").write_text("PuTTY-User-Key-File-3: ssh-ed25519\n")
    os.mkfifo(tmp_path / "pipe")
    cases: dict[str, tuple[type[Exception], str]] = {
        locked: (paramiko.PasswordRequiredException, "is encrypted: give its passphrase as the password"),
        f"{locked}.pub": (
            paramiko.SSHException,
            f"is a public key; identityfile must name the private one, usually {locked}",
        ),
        str(tmp_path / "empty"): (paramiko.SSHException, "the file is empty"),
        str(tmp_path / "text"): (paramiko.SSHException, "make a key by: ssh-keygen"),
        str(tmp_path / "cut"): (paramiko.SSHException, "convert a copy by: ssh-keygen -p -f"),
        str(tmp_path / "putty"): (paramiko.SSHException, "puttygen"),
        str(tmp_path / "pipe"): (paramiko.SSHException, "not even a regular file"),
        str(tmp_path): (IsADirectoryError, "identityfile must name a private key"),
        "~/.ssh/no_such_key": (FileNotFoundError, "'~' is not expanded in identityfile: write the whole path"),
        "/no/such/key": (FileNotFoundError, "identityfile must name a private key"),
    }
    for path, (kind, text) in cases.items():
        error = _error_of(_with(server, identityfile=path))
        assert type(error) is kind, path
        assert path in str(error)
        assert text in str(error)


def test_a_wrong_passphrase_is_said_and_not_shown(server: Sshd, key: Callable[..., str]) -> None:
    error = _error_of(_with(server, identityfile=key("locked", passphrase="another"), password=SECRET))
    assert "the password of the node is not its passphrase" in str(error)


def test_a_key_with_a_certificate_logs_in(server: Sshd, key: Callable[..., str], tmp_path: Path) -> None:
    authority, path = key("authority"), key("certified")
    command = ["ssh-keygen", "-q", "-s", authority, "-I", "id", "-n", server.settings.user or "", f"{path}.pub"]
    subprocess.run(command, check=True, capture_output=True)
    authorized = server.directory / "authorized_keys"
    before = authorized.read_text()
    authorized.write_text(before + f"cert-authority {Path(f'{authority}.pub').read_text()}")
    try:
        assert _logs_in(_with(server, identityfile=path))
    finally:
        authorized.write_text(before)


def test_a_password_goes_before_the_keys_of_an_agent(agent: Callable[[str], Any], key: Callable[..., str]) -> None:
    for number in range(8):
        agent(key(f"key{number}"))
    with password_server() as server:
        assert _logs_in(server.settings(password=server.password))
        assert server.attempts == ["password"]


def test_the_identity_goes_before_the_keys_of_an_agent(
    server: Sshd, agent: Callable[[str], Any], key: Callable[..., str]
) -> None:
    for number in range(8):
        agent(key(f"key{number}"))
    assert _logs_in(server.settings)


def test_an_agent_that_holds_the_identity_is_asked_for_it_first(
    server: Sshd, agent: Callable[[str], Any], key: Callable[..., str], tmp_path: Path
) -> None:
    for number in range(8):
        agent(key(f"key{number}"))
    agent(str(server.directory / "user_key"))
    public = tmp_path / "only.pub"
    public.write_text((server.directory / "user_key.pub").read_text())
    assert _logs_in(_with(server, identityfile=str(public)))


def test_an_agent_with_too_many_keys_is_named(
    server: Sshd, agent: Callable[[str], Any], key: Callable[..., str]
) -> None:
    for number in range(8):
        agent(key(f"key{number}"))
    error = _error_of(_with(server))
    assert isinstance(error, paramiko.AuthenticationException)
    assert " times a key of the agent (ssh-ed25519); the server takes: publickey" in str(error)
    assert ": the server closed the connection. Compare user" in str(error)


@contextlib.contextmanager
def _hung_agent(place: Path, *, backlog: int = 8) -> Iterator[str]:
    """The place of what accepts connections and says nothing; with backlog 0, it does not even accept."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener, contextlib.ExitStack() as clients:
        listener.bind(str(place / "hung"))
        listener.listen(backlog)
        if not backlog:
            clients.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)).connect(str(place / "hung"))
        yield str(place / "hung")


@pytest.mark.parametrize("backlog", [0, 8])
def test_a_hung_agent_is_given_up_and_named(
    server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backlog: int
) -> None:
    with _hung_agent(tmp_path, backlog=backlog) as place:
        monkeypatch.setenv("SSH_AUTH_SOCK", place)
        error = _error_of(_with(server, connecttimeout=0.5))
    assert isinstance(error, paramiko.AuthenticationException)
    assert f"nothing to try; the SSH agent at {place} (SSH_AUTH_SOCK) cannot be used: no answer within 0.5" in str(
        error
    )


def test_a_hung_agent_does_not_delay_the_ways_before_it(
    server: Sshd, key: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _hung_agent(tmp_path) as place:
        monkeypatch.setenv("SSH_AUTH_SOCK", place)
        begin = time.monotonic()
        assert _logs_in(server.settings)
        with password_server() as other:
            assert _logs_in(other.settings(password=other.password))
        assert time.monotonic() - begin < 10
        refused = _error_of(_with(server, identityfile=key("other"), connecttimeout=1))
    assert f"other (ssh-ed25519); the SSH agent at {place}" in str(refused)


def test_what_is_no_agent_is_said(server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
        stale.bind(str(tmp_path / "stale"))
    reasons = {
        str(tmp_path / "stale"): "Connection refused",
        str(tmp_path): "Connection refused",
        "/no/such/agent": "No such file",
        "/" + "x" * 200: "too long",
    }
    for place, reason in reasons.items():
        monkeypatch.setenv("SSH_AUTH_SOCK", place)
        text = str(_error_of(_with(server)))
        assert f"the SSH agent at {place} (SSH_AUTH_SOCK) cannot be used: " in text
        assert reason in text
        assert "Give the node an identityfile or a password, or start an SSH agent" in text
        assert _logs_in(server.settings)


def test_an_agent_that_hangs_when_it_should_sign_is_named(
    server: Sshd,
    agent: Callable[[str], Any],
    key: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent(str(server.directory / "user_key"))
    listing = _said_by_agent(os.environ["SSH_AUTH_SOCK"])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "lame"))
        listener.listen()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "lame"))

        def answer_once() -> socket.socket:
            connection, _ = listener.accept()
            connection.recv(1024)
            connection.sendall(listing)
            return connection

        with ThreadPoolExecutor(1) as pool:
            answered = pool.submit(answer_once)
            error = _error_of(_with(server, connecttimeout=1))
            answered.result(timeout=10).close()
    assert f"tried: a key of the agent (ssh-ed25519); the SSH agent at {tmp_path}/lame (SSH_AUTH_SOCK)" in str(error)
    assert "closed the connection" not in str(error)


def _said_by_agent(place: str) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(place)
        client.sendall(b"\0\0\0\1\x0b")
        return client.recv(65536)


def test_nothing_to_log_in_with_is_said(server: Sshd) -> None:
    error = _error_of(_with(server))
    assert "there was nothing to try. Give the node an identityfile or a password, or start an SSH agent" in str(error)


def test_a_refused_password_is_said_and_not_shown() -> None:
    with password_server() as server:
        error = _error_of(server.settings(password=SECRET))
    assert isinstance(error, paramiko.AuthenticationException)
    assert "tried: password. Compare user, identityfile and password" in str(error)


def test_a_password_that_is_not_utf8_is_sent_as_it_is_and_not_shown(server: Sshd, key: Callable[..., str]) -> None:
    locked = key("locked", passphrase=SECRET)
    for secret in (f"{SECRET}\udcff", f"{SECRET}\ud800"):
        with password_server() as other:
            for settings in (other.settings(password=secret), _with(server, identityfile=locked, password=secret)):
                error: BaseException | None = _error_of(settings)
                assert isinstance(error, paramiko.SSHException)
                while error is not None:
                    assert SECRET not in repr(error)
                    error = error.__cause__ or error.__context__
            assert other.attempts == ["password"]
    assert secret_bytes("caf\udce9") == b"caf\xe9"


def test_a_password_is_not_sent_where_none_is_taken(key: Callable[..., str]) -> None:
    with password_server(methods="publickey") as server:
        error = _error_of(server.settings(password=SECRET, identityfile=key("key")))
        assert "; the server takes: publickey. " in str(error)
        assert "password" not in server.attempts


def test_a_password_follows_identities_also_when_one_connection_does_not_bear_them_all(key: Callable[..., str]) -> None:
    with password_server(most_attempts=2) as server:
        paths = [key(f"key{number}") for number in range(3)]
        assert isinstance(_error_of(server.settings(password=SECRET, identityfile=paths)), paramiko.SSHException)
        assert server.attempts == ["publickey", "publickey", "publickey", "password"]


def test_a_greeting_is_awaited_as_long_as_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ducktape.cluster.ssh.connect._GREETING_SEC", 0.1)
    with password_server(greeting_after=0.4) as server:
        assert _logs_in(server.settings(password=server.password, connecttimeout=60))
        with pytest.raises(paramiko.SSHException, match="Error reading SSH protocol banner"):
            _logs_in(server.settings(password=server.password))


def test_which_of_two_machines_refused_is_said(server: Sshd, key: Callable[..., str], tmp_path: Path) -> None:
    own = tmp_path / "jump"
    own.mkdir()
    with running_sshd(own) as jump:
        way = f"{jump.settings.user}@127.0.0.1:{jump.port}"
        at_jump = _error_of(_with(server, identityfile=str(server.directory / "user_key"), proxyjump=way))
        at_node = _error_of(_with(server, identityfile=str(jump.directory / "user_key"), proxyjump=way))
        nowhere = _error_of(_with(server, identityfile=str(jump.directory / "user_key"), proxyjump=way, port=1))
    said = f"the jump host 127.0.0.1, port {jump.port}: Authentication failed"
    assert said in str(at_jump)
    assert "the jump host" not in str(at_node)
    assert "Authentication failed" in str(at_node)
    assert f"the jump host {way} does not connect to 127.0.0.1, port 1: Connect failed" in str(nowhere)
