# SPDX-License-Identifier: Apache-2.0
"""A real OpenSSH server on a node without ``tar``, whose SFTP server lies."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ducktape.cluster.copy.walk import CopyError
from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.services.support.logs import Order, collect_logs
from tests.support import hostile_sftp
from tests.support.needs import require
from tests.support.sshd import Sshd

NAMES = [b"../../out", b"../directory", b"/tmp/ducktape-out", b"", b"deep/out", b"nul\0", b"x" * 300, b"latin-\xfc"]
REFUSED = [name.decode("utf-8", "surrogateescape") for name in NAMES[:-1]]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LinuxRemoteAccount]:
    require("sshd")
    lies = [sys.executable, hostile_sftp.__file__, *map(repr, NAMES)]
    server_program = tmp_path_factory.mktemp("lies") / "sftp"
    server_program.write_text(f"#!/bin/sh\nexec {shlex.join(lies)}\n")
    server_program.chmod(0o755)
    no_programs = tmp_path_factory.mktemp("bin")
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    config = server.directory / "sshd_config"
    config.write_text(config.read_text().replace("sftp internal-sftp", f"sftp {server_program}"))
    (server.home / ".bashrc").write_text(f"export PATH={no_programs}\n")
    server.start()
    try:
        settings = server.settings
        settings.host = "hostile"
        account = LinuxRemoteAccount(settings)
        yield account
        account.close()
    finally:
        server.stop()


def below(directory: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path.relative_to(directory)): (path.read_text(), path.stat().st_mode & 0o7777)
        for path in directory.rglob("*")
        if not path.is_dir()
    }


def test_its_lies_cost_themselves_alone(hostile: LinuxRemoteAccount, tmp_path: Path) -> None:
    dest = tmp_path / "in" / "dest"
    dest.mkdir(parents=True)
    with pytest.raises(CopyError) as caught:
        hostile.copy_from("/logs/tree", str(dest))
    assert [getattr(error, "name", None) for _, error in caught.value.errors] == [name[:120] for name in REFUSED]
    assert {str(error).partition(":")[0] for _, error in caught.value.errors} == {"hostile"}
    assert below(tmp_path) == {
        "in/dest/tree/a good": ("innocent", 0o644),
        "in/dest/tree/" + os.fsdecode(b"latin-\xfc"): ("evil", 0o644),
        "in/dest/tree/z good": ("innocent", 0o644),
    }
    assert not Path("/tmp/ducktape-out").exists()


def test_its_logs_are_missing_with_the_reason(hostile: LinuxRemoteAccount, tmp_path: Path) -> None:
    service = SimpleNamespace(
        service_id="Service-0", nodes=[SimpleNamespace(account=hostile)], logs={"all": {"path": "/logs/tree"}}
    )
    order = Order(service, str(tmp_path / "service"), lambda name: True)
    [missing] = collect_logs([order], compress=None, logger=logging.getLogger("hostile"))
    assert str(missing).startswith("hostile: Service-0: log all (/logs/tree): 7 files could not be copied: ")
    assert "hostile: the name '../../out' is not a plain file name: refused" in missing.reason
    assert sorted(below(tmp_path)) == [
        "service/hostile/tree/a good",
        "service/hostile/tree/" + os.fsdecode(b"latin-\xfc"),
        "service/hostile/tree/z good",
    ]
