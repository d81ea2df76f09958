# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from ducktape.cluster.sandbox import cgroups, preflight
from ducktape.cluster.sandbox.preflight import Part, groups_part, overlay_part, rights_part
from tests.support.program import write

ALL = ("cpu", "memory", "pids")


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "mounted", lambda: iter([("/sys/fs/cgroup", "/", [])]))


def test_root_has_the_rights() -> None:
    assert rights_part(None, ordinary=False) == Part("rights", "those of root")


def test_what_is_missing_for_the_rights_is_fatal() -> None:
    part = rights_part("user namespaces are switched off", ordinary=True)
    assert (part.text, part.fatal) == ("user namespaces are switched off", True)
    assert part.remedy.endswith("Or run it as root, or use --cluster localhost.")


@pytest.mark.parametrize(
    ("may", "begin"), [(True, ", with further users from"), (False, " without any other user: no")]
)
def test_an_ordinary_user_may_have_further_ones(monkeypatch: pytest.MonkeyPatch, may: bool, begin: str) -> None:
    monkeypatch.setattr(preflight, "may_change_groups", lambda: may)
    part = rights_part(None, ordinary=True)
    assert part.text.startswith(f"those of root in a user namespace{begin}")
    assert (part.remedy == "", part.fatal) == (may, False)


@pytest.mark.needs("sandbox")
def test_layers_are_tried() -> None:
    assert overlay_part() == Part("file system", "overlay, over /etc, /var, /opt, /root and /home")


@pytest.mark.parametrize(
    ("number", "remedy"), [(19, "Root of this machine loads the module: modprobe overlay"), (1, "Linux 5.11 or later")]
)
def test_a_kernel_without_layers_is_told(monkeypatch: pytest.MonkeyPatch, number: int, remedy: str) -> None:
    monkeypatch.setattr(preflight, "error_number_of", lambda work: number)
    part = overlay_part()
    assert part.fatal and part.text.startswith("the kernel gives no overlay: ") and remedy in part.remedy


def test_all_limits_need_no_remedy(mounted: None, tmp_path: Path) -> None:
    old = {name: f"/no/such/{name}/node1" for name in ALL}
    assert groups_part(old, ordinary=False) == Part("limits", "control groups of version 1: cpu, memory, pids")
    write(tmp_path / "cgroup.controllers", "")
    both = {**old, "memory": str(tmp_path)}
    assert groups_part(both, ordinary=False).text == (
        "control groups of version 1: cpu, pids; control groups of version 2: memory"
    )


@pytest.mark.parametrize(
    ("ordinary", "end", "remedy"),
    [
        (False, "pids, so none for cpu, memory", "A group above has to hand them on"),
        (True, "so none for cpu, memory: none of those belong to this user", "systemd-run --user --scope ducktape ..."),
    ],
)
def test_missing_limits_are_named(mounted: None, ordinary: bool, end: str, remedy: str) -> None:
    part = groups_part({"pids": "/no/such/group"}, ordinary=ordinary)
    assert part.text.endswith(end) and remedy in part.remedy and not part.fatal


def test_a_machine_without_groups_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "mounted", lambda: iter(()))
    part = groups_part({}, ordinary=False)
    assert part.text == "no control groups, so none for cpu, memory, pids: none are mounted"
    assert part.remedy == "Mount them: mount -t cgroup2 none /sys/fs/cgroup"
