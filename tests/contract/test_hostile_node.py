# SPDX-License-Identifier: Apache-2.0
"""A compromised node gets at nothing but the destination: every verb that copies, every way, every attack."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ducktape.cluster.copy import names as file_names
from ducktape.cluster.copy.tar_copy import TarNode
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.local.transport import LocalTransport
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig
from ducktape.services.support.logs import MissingLog, Order, collect_logs
from tests.support.hostile_node import (
    EVIL,
    GOOD,
    NAME,
    TREE,
    HostileFiles,
    HostileTransport,
    hostile_account,
    hostile_archive,
    member,
)
from tests.support.sshd import Sshd, running_sshd


class WithClient(LinuxRemoteAccount):
    """Has verbs and an SFTP client of its own, so that its trees are read by means of those."""

    def isfile(self, path: str) -> bool:
        return super().isfile(path)

    @property
    def sftp_client(self) -> Any:
        return self.transport.files


class WithCommands(LinuxRemoteAccount):
    """Has verbs and commands of its own, and no SFTP, so that its directories are read by a command."""

    def isfile(self, path: str) -> bool:
        return super().isfile(path)

    def ssh_output(self, cmd: str, allow_fail: bool = False, **options: Any) -> bytes:  # type: ignore[override]
        if not cmd.startswith("find"):
            return f"real:{cmd.split()[2]}".encode()
        directory = cmd.split()[1]
        names = self.transport.files.listdir_attr(directory)
        return b"".join(f"{directory}{entry.filename}".encode() + b"\0" for entry in names)


Way = Callable[[str, bool], LinuxRemoteAccount]


def by_sftp(name: str, is_directory: bool) -> LinuxRemoteAccount:
    return hostile_account(HostileTransport(HostileFiles(name, is_directory=is_directory)))


def by_client(name: str, is_directory: bool) -> LinuxRemoteAccount:
    return hostile_account(HostileTransport(HostileFiles(name, is_directory=is_directory)), WithClient)


def by_find(name: str, is_directory: bool) -> LinuxRemoteAccount:
    return hostile_account(HostileTransport(HostileFiles(name, is_directory=is_directory)), WithCommands)


def by_tar(name: str, is_directory: bool) -> LinuxRemoteAccount:
    members = [member(f"{name}/", tarfile.DIRTYPE), member(f"{name}/inner")] if is_directory else [member(name)]
    directories = (name.encode(),) if is_directory else ()
    return tar_account(*members, directories=directories)


def tar_account(*members: tarfile.TarInfo, directories: tuple[bytes, ...] = ()) -> LinuxRemoteAccount:
    archive = hostile_archive(*members)
    return hostile_account(HostileTransport(HostileFiles("x"), archive=archive, directories=directories))


def other_node(*, streams: bool = True) -> Any:
    """This machine as the node that a copy goes to."""
    account = LinuxRemoteAccount(RemoteAccountSSHConfig(host="other"))
    account.transport = LocalTransport()
    if streams:
        account._tar_node = lambda: TarNode(account.transport, "other")  # type: ignore[method-assign]
    return SimpleNamespace(account=account)


def from_it(account: LinuxRemoteAccount, dest: Path) -> None:
    account.copy_from(TREE, str(dest))


def from_it_by_its_old_name(account: LinuxRemoteAccount, dest: Path) -> None:
    with pytest.warns(DeprecationWarning):
        account.scp_from(TREE, str(dest), recursive=True)


def all_from_it(account: LinuxRemoteAccount, dest: Path) -> None:
    failed: dict[str, OSError | None] = {}
    account.copy_all_from([TREE], str(dest), failed.__setitem__)
    if error := failed[TREE]:
        raise error


def to_another_node(account: LinuxRemoteAccount, dest: Path) -> None:
    account.copy_between(TREE, str(dest), other_node())


def to_another_node_by_the_driver(account: LinuxRemoteAccount, dest: Path) -> None:
    account.copy_between(TREE, str(dest), other_node(streams=False))


WAYS = [by_sftp, by_client, by_find, by_tar]
VERBS = [from_it, from_it_by_its_old_name, all_from_it, to_another_node, to_another_node_by_the_driver]
every_way = pytest.mark.parametrize("way", WAYS)
every_verb = pytest.mark.parametrize("verb", VERBS)

NAMES = ["../../out", "..", "{outside}/out", "a/../../../out", "sub/deeper", "", ".", "nul\0", "x" * 300, "/", "-rf/.."]


def can_lie(way: Way, name: str) -> bool:
    """Whether a node can say this name in this way at all, and it is not innocent there."""
    if way is by_tar:
        return "\0" not in name and name not in ("", ".", "/", "sub/deeper")
    return way is not by_find or ("\0" not in name and name != "")


@pytest.fixture
def dest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty directory in another one; fails the test if anything else was changed in that."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "canary").write_text("sings")
    (tmp_path / "results" / "dest").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "outside")
    yield tmp_path / "results" / "dest"


def found(directory: Path) -> dict[str, bytes]:
    """The files below a directory, by their names; links and odd modes are no files."""
    files = {}
    for path in directory.rglob("*"):
        status = path.lstat()
        assert status.st_mode & 0o7022 == 0, f"{path} has the mode {status.st_mode:o}"
        assert status.st_uid == os.getuid()
        assert stat.S_ISDIR(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_nlink == 1), path
        if stat.S_ISREG(status.st_mode):
            files[str(path.relative_to(directory))] = path.read_bytes()
    return files


def assert_harmless(dest: Path) -> None:
    """Only the innocent files arrived, and nothing is anywhere else, not even a directory."""
    everywhere = found(dest.parents[1])
    directories = {str(path.relative_to(dest.parents[1])) for path in dest.parents[1].rglob("*") if path.is_dir()}
    assert directories - {"source", "source/tree"} == {"outside", "tmp", "results", "results/dest", "results/dest/tree"}
    assert everywhere == {
        "outside/canary": b"sings",
        "results/dest/tree/a good": GOOD,
        "results/dest/tree/z good": GOOD,
    }


@pytest.mark.parametrize(("way", "name"), [(way, name) for way in WAYS for name in NAMES if can_lie(way, name)])
@every_verb
@pytest.mark.parametrize("is_directory", [False, True], ids=["file", "directory"])
def test_a_name_that_leads_elsewhere_costs_itself_alone(
    way: Way, verb: Callable[..., None], name: str, is_directory: bool, dest: Path
) -> None:
    name = name.format(outside=dest.parents[1] / "outside")
    with pytest.raises(OSError, match="refused") as caught:
        verb(way(name, is_directory), dest)
    assert f"{NAME}: the name {file_names.shown(name)[:40]}" in str(caught.value)
    assert_harmless(dest)


ATTACKS = {
    "symbolic link": [member("./link", tarfile.SYMTYPE, link="../../../outside/canary"), member("./link")],
    "link to a directory": [member("./link", tarfile.SYMTYPE, link="{outside}"), member("./link/out")],
    "hard link": [member("./link", tarfile.LNKTYPE, link="{outside}/canary"), member("./link")],
    "device": [member("./device", tarfile.CHRTYPE)],
    "disk": [member("./device", tarfile.BLKTYPE)],
    "pipe": [member("./pipe", tarfile.FIFOTYPE)],
    "long name": [member("./" + "../" * 60 + "out")],
    "long link": [member("./link", tarfile.SYMTYPE, link="../" * 60 + "outside/canary")],
    "continuous": [member("../out", tarfile.CONTTYPE)],
    "pax header": [member("./pax", tarfile.XHDTYPE)],
    "volume": [member("../out", b"V")],
}


@every_verb
@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_no_file_in_an_archive_costs_itself_alone(verb: Callable[..., None], attack: str, dest: Path) -> None:
    outside = str(dest.parents[1] / "outside")
    members = [member(one.name, one.type, link=one.linkname.format(outside=outside)) for one in ATTACKS[attack]]
    with pytest.raises(OSError, match=NAME) as caught:
        verb(tar_account(*members), dest)
    assert "refused" in str(caught.value)
    files = found(dest.parents[1])
    # Where a link was refused, a file of its name is as innocent as any other.
    for name in ("link", "link/out"):
        files.pop(f"results/dest/tree/{name}", None)
    assert files == {
        "outside/canary": b"sings",
        "results/dest/tree/a good": GOOD,
        "results/dest/tree/z good": GOOD,
    }


@every_verb
def test_modes_and_owners_stay_on_the_node(verb: Callable[..., None], dest: Path) -> None:
    verb(tar_account(member("./program"), member("./closed", mode=0)), dest)
    assert found(dest)["tree/program"] == found(dest)["tree/closed"] == EVIL
    assert {path.stat().st_mode & 0o777 for path in (dest / "tree").iterdir()} == {0o644}


@every_verb
@every_way
def test_without_the_rule_the_attack_succeeds(
    way: Way, verb: Callable[..., None], dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the test above proves is the rule's doing: no other part of a verb stands in the way by chance.
    monkeypatch.setattr(file_names, "_is_file_name", lambda name: True)
    with contextlib.suppress(OSError):
        verb(way("../../out", True), dest)
    assert [path for path in dest.parents[1].rglob("out") if path.parent != dest / "tree"] != []


@pytest.fixture
def lying_sshd(tmp_path_factory: pytest.TempPathFactory, dest: Path) -> Iterator[Sshd]:
    """A real server on a node whose ``tar`` sends an archive of its own."""
    programs = tmp_path_factory.mktemp("lying")
    archive = programs / "archive.tar"
    link = member("./link", tarfile.SYMTYPE, link=str(dest.parents[1] / "outside"))
    archive.write_bytes(
        hostile_archive(member("../../out"), member("/" + str(dest.parents[1] / "outside" / "out")), link)
    )
    (programs / "tar").write_text(f'#!/bin/sh\ncase "$*" in *-c*) cat >/dev/null; exec cat {archive};; esac\nexit 1\n')
    (programs / "tar").chmod(0o755)
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        (server.home / ".bashrc").write_text(f"export PATH={programs}:$PATH\n")
        yield server


@every_verb
def test_a_real_node_with_a_lying_tar_costs_its_lies_alone(
    verb: Callable[..., None], lying_sshd: Sshd, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = dest.parents[1] / "source" / "tree"
    source.mkdir(parents=True)
    monkeypatch.setitem(globals(), "TREE", str(source))
    settings = lying_sshd.settings
    settings.host = NAME
    account = LinuxRemoteAccount(settings)
    with pytest.raises(OSError, match="refused") as caught:
        verb(account, dest)
    account.close()
    assert f"{NAME}: the name '../../out'" in str(caught.value)
    assert_harmless(dest)


class Logs:
    """A service as the collection of logs sees it, on the hostile node and on an innocent one.

    Args:
        account: of the hostile node.
        path: of its log.
        source: a directory of the innocent one.
    """

    service_id = "Logs-0"

    def __init__(self, account: LinuxRemoteAccount, path: str, source: Path) -> None:
        source.mkdir()
        (source / "innocent").write_bytes(GOOD)
        self.logs = {"hostile": {"path": path}, "innocent": {"path": f"{source}/innocent"}}
        self.nodes: list[Any] = [SimpleNamespace(account=account), other_node()]
        self.logger = logging.getLogger("hostile")


def missing_after(
    service: Logs, dest: Path, compress: Callable[[Any, Any, list[str]], list[str]] | None = None
) -> list[MissingLog]:
    order = Order(service, str(dest), lambda name: True)
    return collect_logs([order], compress=compress, logger=logging.getLogger("hostile"))


@every_way
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("is_directory", [False, True], ids=["file", "directory"])
def test_the_logs_of_a_hostile_node_cost_themselves_alone(
    way: Way, compressed: bool, is_directory: bool, dest: Path
) -> None:
    # What it sends of a compressed log it says is a directory again.
    compress = (lambda node, service, paths: paths) if compressed else None
    service = Logs(way("../../out", is_directory), TREE, dest.parents[1] / "tmp" / "source")
    missing = missing_after(service, dest, compress)
    assert [(log.hostname, log.name) for log in missing] == [(NAME, "hostile")]
    assert f"{NAME}: the name '../../out" in missing[0].reason
    shutil.rmtree(dest.parents[1] / "tmp" / "source")
    assert found(dest.parents[1]) == {
        "outside/canary": b"sings",
        f"results/dest/{NAME}/tree/a good": GOOD,
        f"results/dest/{NAME}/tree/z good": GOOD,
        "results/dest/other/innocent": GOOD,
    }


@pytest.mark.parametrize("answer", ["/logs/..", "/logs/../other/innocent", "..", "/etc/passwd", "/logs/tree/../.."])
def test_answers_of_a_hostile_node_to_a_pattern_cost_themselves_alone(answer: str, dest: Path) -> None:
    told = f"/logs/tree\0{answer}\0".encode()
    account = hostile_account(HostileTransport(HostileFiles("more good"), answer=told))
    service = Logs(account, "/logs/*", dest.parents[1] / "tmp" / "source")
    missing = missing_after(service, dest)
    assert [(log.hostname, log.name, log.path) for log in missing] == [(NAME, "hostile", "/logs/*")]
    assert f"{NAME}: the name {answer!r}" in missing[0].reason
    shutil.rmtree(dest.parents[1] / "tmp" / "source")
    assert found(dest.parents[1]) == {
        "outside/canary": b"sings",
        f"results/dest/{NAME}/tree/a good": GOOD,
        f"results/dest/{NAME}/tree/more good": GOOD,
        f"results/dest/{NAME}/tree/z good": GOOD,
        "results/dest/other/innocent": GOOD,
    }
