# SPDX-License-Identifier: Apache-2.0
"""Trees between the driver and nodes: the same results whichever way they go."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ducktape.cluster.copy.tar_copy import TarNode
from ducktape.cluster.copy.walk import CopyError
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.local.transport import LocalTransport
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig
from tests.support.delay import distant
from tests.support.sshd import Sshd, running_sshd

ODD_NAMES = [
    "with blank", "it's", 'double"quote', "new\nline", "tab\t", "back\\slash", "grün 日本", "-dash", "$HOME", "a*b",
    "trailing ", "x" * 200,
]  # fmt: skip


class Watched(LinuxRemoteAccount):
    """Replaces one verb, so nothing may go past it."""

    def isfile(self, path: str) -> bool:
        return super().isfile(path)


@pytest.fixture(scope="session")
def sshd_without_tar(sshd: Sshd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    programs = tmp_path_factory.mktemp("bin")
    for name in ("bash", "sh", "cat", "find", "mkdir", "printf", "xargs", "head", "wc", "rm"):
        os.symlink(str(shutil.which(name)), programs / name)
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        (server.home / ".bashrc").write_text(f"export PATH={programs}\n")
        yield server


def _stream(sshd: Sshd, sshd_without_tar: Sshd) -> LinuxRemoteAccount:
    return LinuxRemoteAccount(sshd.settings)


def _files(sshd: Sshd, sshd_without_tar: Sshd) -> LinuxRemoteAccount:
    account = LinuxRemoteAccount(sshd.settings)
    node = account._tar_node()
    assert node is not None
    node.able = False
    return account


def _no_tar(sshd: Sshd, sshd_without_tar: Sshd) -> LinuxRemoteAccount:
    return LinuxRemoteAccount(sshd_without_tar.settings)


def _verbs(sshd: Sshd, sshd_without_tar: Sshd) -> LinuxRemoteAccount:
    return Watched(sshd.settings)


def _local(sshd: Sshd, sshd_without_tar: Sshd) -> LinuxRemoteAccount:
    account = LinuxRemoteAccount(RemoteAccountSSHConfig(host="here"))
    account.transport = LocalTransport()
    return account


def _local_stream(sshd: Sshd, sshd_without_tar: Sshd) -> LinuxRemoteAccount:
    account = _local(sshd, sshd_without_tar)
    node = TarNode(account.transport)
    account._tar_node = lambda: node  # type: ignore[method-assign]
    return account


WAYS = [_stream, _files, _no_tar, _verbs, _local, _local_stream]


@pytest.fixture(params=WAYS, ids=[way.__name__[1:] for way in WAYS])
def account(request: pytest.FixtureRequest, sshd: Sshd, sshd_without_tar: Sshd) -> Iterator[LinuxRemoteAccount]:
    make: Callable[[Sshd, Sshd], LinuxRemoteAccount] = request.param
    made = make(sshd, sshd_without_tar)
    yield made
    made.close()


@pytest.fixture
def other(sshd: Sshd) -> Iterator[LinuxRemoteAccount]:
    made = LinuxRemoteAccount(sshd.settings)
    yield made
    made.close()


def make_tree(root: Path) -> dict[str, bytes]:
    (root / "deep" / "er").mkdir(parents=True)
    (root / "empty" / "too").mkdir(parents=True)
    contents = {f"{name}": name.encode(errors="surrogateescape") for name in ODD_NAMES}
    contents |= {"deep/er/file": bytes(range(256)) * 5000, "deep/nothing": b"", "deep/block": b"b" * 512}
    long = "/".join(["d" * 60] * 5)
    (root / long).mkdir(parents=True)
    contents[f"{long}/file"] = b"far down"
    for name, content in contents.items():
        (root / name).write_bytes(content)
    os.symlink("-dash", root / "link")
    os.symlink("deep", root / "linked directory")
    os.symlink("nowhere", root / "dangling")
    os.symlink("one", root / "another")
    os.symlink("another", root / "one")
    os.symlink("..", root / "deep" / "back")
    os.symlink("/", root / "deep" / "root")
    os.symlink(".", root / "deep" / "itself")
    os.link(root / "deep" / "block", root / "hard link")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(root)
        try:
            listener.bind("socket")
        finally:
            os.chdir(here)
    linked = {name.replace("deep/", "linked directory/"): contents[name] for name in contents if name[:5] == "deep/"}
    return contents | linked | {"link": b"-dash", "hard link": b"b" * 512}


def read_tree(root: Path) -> dict[str, bytes]:
    found = {}
    for directory, _, names in os.walk(root):
        for name in names:
            path = Path(directory, name)
            assert not path.is_symlink()
            found[str(path.relative_to(root))] = path.read_bytes()
    return found


def directories(root: Path) -> set[str]:
    return {str(Path(directory).relative_to(root)) for directory, _, _ in os.walk(root)} - {"."}


def copy_by(verb: str, account: LinuxRemoteAccount, other: LinuxRemoteAccount, src: Path | str, dest: Path) -> None:
    if verb == "between":
        account.copy_between(str(src), str(dest), SimpleNamespace(account=other))
    else:
        getattr(account, f"copy_{verb}")(str(src), str(dest))


every_verb = pytest.mark.parametrize("verb", ["from", "to", "between"])


@every_verb
@pytest.mark.parametrize("place", ["new", "there"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_tree_arrives_whole(
    account: LinuxRemoteAccount, other: LinuxRemoteAccount, tmp_path: Path, verb: str, place: str, slash: str
) -> None:
    expected = make_tree(tmp_path / "tree with 'quote")
    (tmp_path / "there").mkdir()
    copy_by(verb, account, other, f"{tmp_path}/tree with 'quote{slash}", tmp_path / place)
    target = tmp_path / "new" if place == "new" else tmp_path / "there" / "tree with 'quote"
    assert read_tree(target) == expected
    below = directories(tmp_path / "tree with 'quote")
    assert directories(target) == below | {"linked directory", "linked directory/er"}
    assert {(target / name).stat().st_mode & 0o777 for name in below} == {0o755}


@every_verb
def test_a_copy_merges_into_what_is_there(
    account: LinuxRemoteAccount, other: LinuxRemoteAccount, tmp_path: Path, verb: str
) -> None:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "new").write_bytes(b"new")
    (tmp_path / "tree" / "sub" / "new").write_bytes(b"new")
    target = tmp_path / "into" / "tree"
    (target / "sub").mkdir(parents=True)
    (target / "sub" / "old").write_bytes(b"old")
    (target / "sub").chmod(0o750)
    (target / "new").write_bytes(b"older and longer")
    (target / "new").chmod(0o711)
    inode = (target / "new").stat().st_ino
    copy_by(verb, account, other, tmp_path / "tree", tmp_path / "into")
    assert read_tree(target) == {"new": b"new", "sub/new": b"new", "sub/old": b"old"}
    assert ((target / "sub").stat().st_mode & 0o777, (target / "new").stat().st_mode & 0o777) == (0o750, 0o711)
    assert (target / "new").stat().st_ino == inode


@every_verb
def test_links_in_the_target_are_written_through(
    account: LinuxRemoteAccount, other: LinuxRemoteAccount, tmp_path: Path, verb: str
) -> None:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "file").write_bytes(b"1")
    (tmp_path / "tree" / "file").write_bytes(b"2")
    target = tmp_path / "into" / "tree"
    target.mkdir(parents=True)
    (tmp_path / "real").mkdir()
    os.symlink(tmp_path / "real", target / "sub")
    os.symlink(tmp_path / "real" / "other", target / "file")
    copy_by(verb, account, other, tmp_path / "tree", tmp_path / "into")
    assert {path.name: path.read_bytes() for path in (tmp_path / "real").iterdir()} == {"file": b"1", "other": b"2"}


@every_verb
@pytest.mark.parametrize("content", [b"", b"text", b"long" * 1_000_000], ids=["empty", "short", "long"])
def test_a_file_arrives(
    account: LinuxRemoteAccount, other: LinuxRemoteAccount, tmp_path: Path, verb: str, content: bytes
) -> None:
    (tmp_path / "new\nfile").write_bytes(content)
    os.symlink("new\nfile", tmp_path / "link")
    (tmp_path / "there").mkdir()
    (tmp_path / "old").write_bytes(b"old")
    for src, dest in (("new\nfile", "renamed"), ("new\nfile", "there"), ("link", "old")):
        copy_by(verb, account, other, tmp_path / src, tmp_path / dest)
    copied = [tmp_path / "renamed", tmp_path / "there" / "new\nfile", tmp_path / "old"]
    assert [path.read_bytes() for path in copied] == [content] * 3


@every_verb
@pytest.mark.parametrize("what", ["absent", "dangling", "fifo", "absent/below"])
def test_what_is_no_file_is_not_copied(
    account: LinuxRemoteAccount, other: LinuxRemoteAccount, tmp_path: Path, verb: str, what: str
) -> None:
    os.symlink("nowhere", tmp_path / "dangling")
    os.mkfifo(tmp_path / "fifo")
    copy_by(verb, account, other, tmp_path / what, tmp_path / "x")
    assert sorted(os.listdir(tmp_path)) == ["dangling", "fifo"]


@every_verb
@pytest.mark.parametrize("what", ["file", "tree"])
def test_the_parent_of_the_target_must_exist(
    account: LinuxRemoteAccount, other: LinuxRemoteAccount, tmp_path: Path, verb: str, what: str
) -> None:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "file").touch()
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError):
        copy_by(verb, account, other, tmp_path / what, tmp_path / "absent" / "x")
    assert sorted(os.listdir(tmp_path)) == ["file", "tree"]


@every_verb
def test_what_cannot_be_written_costs_itself_alone(
    account: LinuxRemoteAccount, other: LinuxRemoteAccount, tmp_path: Path, verb: str
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / "tree" / name).mkdir(parents=True)
        (tmp_path / "tree" / name / "file").write_bytes(b"x")
    # A directory in the place of a file, and a file in that of a directory: not even root replaces them.
    (tmp_path / "into" / "tree" / "a" / "file").mkdir(parents=True)
    (tmp_path / "into" / "tree" / "b").write_bytes(b"in the way")
    with pytest.raises(CopyError, match="2 files could not be copied") as caught:
        copy_by(verb, account, other, tmp_path / "tree", tmp_path / "into")
    assert sorted(path.rpartition("/tree/")[2] for path, _ in caught.value.errors) == ["a/file", "b"]
    assert read_tree(tmp_path / "into") == {"tree/b": b"in the way", "tree/c/file": b"x"}


@pytest.mark.needs("ordinary user")
@every_verb
def test_what_cannot_be_read_costs_itself_alone(
    account: LinuxRemoteAccount, other: LinuxRemoteAccount, tmp_path: Path, verb: str
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / "tree" / name).mkdir(parents=True)
        (tmp_path / "tree" / name / "file").write_bytes(b"x")
    (tmp_path / "tree" / "a" / "file").chmod(0)
    (tmp_path / "tree" / "b").chmod(0)
    try:
        with pytest.raises(CopyError) as caught:
            copy_by(verb, account, other, tmp_path / "tree", tmp_path / "copy")
    finally:
        (tmp_path / "tree" / "b").chmod(0o755)
    assert sorted(path.rpartition("/tree/")[2] for path, _ in caught.value.errors) == ["a/file", "b"]
    assert {type(error) for _, error in caught.value.errors} == {PermissionError}
    assert read_tree(tmp_path / "copy") == {"c/file": b"x"}
    # Between nodes, the directories are made before anybody tries to enter them.
    assert directories(tmp_path / "copy") - {"b"} == {"a", "c"}


def test_several_paths_come_at_once(account: LinuxRemoteAccount, tmp_path: Path) -> None:
    expected = make_tree(tmp_path / "tree")
    names = [f"log {number}" for number in range(20)]
    for name in names:
        (tmp_path / name).write_text(name)
    (tmp_path / "dest" / "log 3").mkdir(parents=True)
    reported: dict[str, Any] = {}
    paths = [str(tmp_path / name) for name in ("absent", *names, "tree", "log 5")]
    account.copy_all_from(paths, str(tmp_path / "dest"), reported.__setitem__)
    assert read_tree(tmp_path / "dest" / "tree") == expected
    assert {name: (tmp_path / "dest" / name).read_text() for name in names if name != "log 3"} == {
        name: name for name in names if name != "log 3"
    }
    assert list(filter(reported.get, reported)) == [str(tmp_path / "log 3")]
    assert sorted(reported) == sorted(set(paths))
    assert isinstance(reported[str(tmp_path / "log 3")], OSError)


def test_more_paths_than_fit_into_a_command_come_all_the_same(other: LinuxRemoteAccount, tmp_path: Path) -> None:
    (tmp_path / "dest").mkdir()
    names = [f"{number:03}-{'x' * 180}" for number in range(600)]
    for name in names:
        (tmp_path / name).write_text(name)
    other.copy_all_from([str(tmp_path / name) for name in names], str(tmp_path / "dest"))
    assert sorted(os.listdir(tmp_path / "dest")) == names


def test_an_account_that_copies_in_its_own_way_is_asked_for_each_path(sshd: Sshd, tmp_path: Path) -> None:
    class Own(LinuxRemoteAccount):
        asked: list[tuple[str, str]] = []

        def copy_from(self, src: str, dest: str) -> None:  # type: ignore[override]
            self.asked.append((src, dest))

    Own(sshd.settings).copy_all_from(["/a", "/b"], str(tmp_path))
    assert Own.asked == [("/a", str(tmp_path)), ("/b", str(tmp_path))]


def test_a_compressed_stream_brings_the_same(other: LinuxRemoteAccount, tmp_path: Path) -> None:
    expected = make_tree(tmp_path / "tree")
    other.copy_from(f"{tmp_path}/tree", f"{tmp_path}/copy", compress=True)
    assert read_tree(tmp_path / "copy") == expected


@every_verb
@pytest.mark.parametrize("make", [_stream, _files, _no_tar, _local, _local_stream])
def test_names_need_not_be_text(
    make: Callable[[Sshd, Sshd], LinuxRemoteAccount], sshd: Sshd, sshd_without_tar: Sshd, tmp_path: Path, verb: str
) -> None:
    name = os.fsdecode(b"latin-\xfc")
    (tmp_path / "tree" / name).mkdir(parents=True)
    (tmp_path / "tree" / name / name).write_bytes(b"x")
    account = make(sshd, sshd_without_tar)
    copy_by(verb, account, make(sshd, sshd_without_tar), tmp_path / "tree", tmp_path / "copy")
    assert read_tree(tmp_path / "copy") == {f"{name}/{name}": b"x"}


def test_what_the_login_shell_says_first_does_not_matter(
    sshd: Sshd, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    expected = make_tree(tmp_path / "tree")
    with running_sshd(tmp_path_factory.mktemp("sshd")) as talkative:
        (talkative.home / ".bashrc").write_text("echo Welcome; echo to this machine >&2\n")
        account = LinuxRemoteAccount(talkative.settings)
        account.copy_from(f"{tmp_path}/tree", f"{tmp_path}/copy")
        account.copy_to(f"{tmp_path}/tree", f"{tmp_path}/back")
        account.copy_between(f"{tmp_path}/tree", f"{tmp_path}/other", SimpleNamespace(account=account))
        account.close()
    assert [read_tree(tmp_path / name) for name in ("copy", "back", "other")] == [expected] * 3


def test_a_relative_path_starts_at_the_home_directory(other: LinuxRemoteAccount, tmp_path: Path) -> None:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "file").write_bytes(b"x")
    # Where a login starts; it need not be what the shell calls home.
    here = os.path.relpath(tmp_path, other.ssh_output("pwd -P").decode().rstrip())
    other.copy_to(f"{tmp_path}/tree", f"{here}/-new")
    other.copy_from(f"{here}/-new", f"{tmp_path}/copy")
    assert read_tree(tmp_path / "-new") == read_tree(tmp_path / "copy") == {"file": b"x"}


def test_nothing_is_asked_twice(sshd: Sshd, sshd_without_tar: Sshd, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    for server, able in ((sshd, True), (sshd_without_tar, False)):
        account = LinuxRemoteAccount(server.settings)
        commands: list[str] = []
        inner = account.transport.stream

        def stream(command: str, inner: Any = inner, commands: list[str] = commands, **options: Any) -> Any:
            commands.append(command)
            return inner(command, **options)

        account.transport.stream = stream  # type: ignore[method-assign]
        for number in range(3):
            account.copy_from(f"{tmp_path}/tree", f"{tmp_path}/copy-{able}-{number}")
        assert len(commands) == (3 if able else 1)
        assert "_tar" not in repr(account)
        account.close()


@pytest.mark.parametrize("verb", ["from", "to"])
def test_a_far_node_is_asked_a_few_times_for_a_thousand_files(sshd: Sshd, tmp_path: Path, verb: str) -> None:
    (tmp_path / "tree").mkdir()
    for number in range(1000):
        (tmp_path / "tree" / str(number)).write_bytes(bytes(1000))
    near = LinuxRemoteAccount(sshd.settings)
    near.ssh("true")
    begin = time.monotonic()
    getattr(near, f"copy_{verb}")(f"{tmp_path}/tree", f"{tmp_path}/near")
    transfer = time.monotonic() - begin
    near.close()
    round_trip = 0.3  # so long that a busy machine counts little beside it
    with distant(sshd.port, round_trip) as port:
        settings = sshd.settings
        settings.port = port
        far = LinuxRemoteAccount(settings)
        far.ssh("true")
        begin = time.monotonic()
        getattr(far, f"copy_{verb}")(f"{tmp_path}/tree", f"{tmp_path}/far")
        taken = time.monotonic() - begin
        far.close()
    assert taken < 10 * round_trip + 2 * transfer
    assert len(list((tmp_path / "far").iterdir())) == 1000
