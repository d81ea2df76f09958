# SPDX-License-Identifier: Apache-2.0
"""Installing what a suite needs, with a stand-in for the tool that does it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.errors import InfrastructureError, Skip
from systests.packages import need_packages

pytestmark = pytest.mark.needs("root")

PACKAGE_TOOL = """#!/bin/sh
echo "$@" >>{log}
touch {folder}/installed
exit {status}
"""


def lone_node(monkeypatch: pytest.MonkeyPatch, folder: Path, status: int = 0) -> ClusterNode:
    """A node on which a stand-in for apt-get takes notes."""
    tool = folder / "apt-get"
    tool.write_text(PACKAGE_TOOL.format(log=folder / "log", folder=folder, status=status))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    [node] = LocalhostCluster().alloc(ClusterSpec.simple_linux(1))
    return node


def test_only_what_is_missing_is_installed_and_only_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = lone_node(monkeypatch, tmp_path)
    packages = {"present": "test -e /", "absent": f"test -e {tmp_path}/installed"}
    need_packages(node, packages)
    need_packages(node, packages)
    [call] = (tmp_path / "log").read_text().splitlines()
    assert call.startswith("install ")
    assert call.endswith(" absent")


@pytest.mark.parametrize(("in_sandbox", "place"), [(False, "localhost0"), (True, "this machine")])
def test_an_installation_that_fails_is_no_failure_of_the_test(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, in_sandbox: bool, place: str
) -> None:
    node = lone_node(monkeypatch, tmp_path, status=3)
    monkeypatch.setattr(node.account, "is_sandbox", in_sandbox, raising=False)
    with pytest.raises(InfrastructureError, match=f"cannot install absent on {place}"):
        need_packages(node, {"absent": "test -e /does/not/exist"})
    assert [line.split()[0] for line in (tmp_path / "log").read_text().splitlines()] == ["install", "update"]


def test_a_package_that_does_not_bring_the_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = lone_node(monkeypatch, tmp_path)
    with pytest.raises(InfrastructureError, match="cannot install absent"):
        need_packages(node, {"absent": "test -e /does/not/exist"})


def test_a_user_who_may_not_install_skips_the_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = lone_node(monkeypatch, tmp_path)
    for name, text in {"id": "echo 1000", "sudo": "exit 1"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(Skip, match=r"absent is missing on localhost0, .*: apt-get install absent"):
        need_packages(node, {"absent": f"test -e {tmp_path}/installed"})
    assert not (tmp_path / "log").exists()
