# SPDX-License-Identifier: Apache-2.0
"""Nodes of a description have names that differ, and that directories can have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.json import JsonCluster
from ducktape.cluster.pool.cluster_file import mistake_in_cluster_file
from ducktape.cluster.vagrant import VagrantCluster

# Many nodes here have no address, as in files of users
pytestmark = pytest.mark.filterwarnings("ignore:nodes.* has no hostname:ducktape.errors.CompatibilityWarning")


def names(*settings: dict[str, Any]) -> list[str]:
    cluster = JsonCluster({"nodes": [{"ssh_config": each, "externally_routable_ip": "a"} for each in settings]})
    return [node.name for node in cluster.alloc(ClusterSpec.simple_linux(len(settings)))]


def mistake(tmp_path: Path, *settings: dict[str, Any]) -> str:
    """The one line that is said of a file; its path is shortened."""
    file = tmp_path / "cluster.json"
    file.write_text(json.dumps({"nodes": [{"ssh_config": each} for each in settings]}))
    with pytest.raises(ValueError, match="JSON cluster definition invalid") as caught:
        JsonCluster(cluster_file=str(file))
    line = mistake_in_cluster_file(caught.value)
    assert line is not None
    return line.removeprefix(f"JSON cluster definition invalid: {file}: ")


def test_nodes_of_one_address_are_told_apart_by_their_ports() -> None:
    assert names(
        {"hostname": "h", "port": 2201}, {"hostname": "h", "port": "2202"}, {"hostname": "i", "port": 2203}
    ) == ["h-2201", "h-2202", "i"]


def test_a_name_that_was_given_stays() -> None:
    assert names({"host": "h", "hostname": "x"}, {"hostname": "h", "port": 2201}) == ["h", "h-2201"]
    assert names({"host": "a", "hostname": "h"}, {"host": "b", "hostname": "h"}) == ["a", "b"]


@pytest.mark.parametrize(
    ("settings", "called"),
    [
        ([{"host": "a"}, {"host": "b"}, {"host": "a"}], "nodes[0] and nodes[2] are both called 'a'"),
        ([{"host": "a", "port": 1}, {"host": "a", "port": 2}], "nodes[0] and nodes[1] are both called 'a'"),
        ([{"hostname": "h"}, {"hostname": "h", "port": 22}], "nodes[0] and nodes[1] are both called 'h-22'"),
        ([{}, {}], "nodes[0] and nodes[1] are both called 'localhost-22'"),
        (
            [{"hostname": "h", "port": 1}, {"hostname": "h", "port": 2}, {"host": "h-1"}],
            "nodes[0] and nodes[2] are both called 'h-1'",
        ),
    ],
)
def test_nodes_of_one_name_are_refused(settings: list[dict[str, Any]], called: str, tmp_path: Path) -> None:
    assert mistake(tmp_path, *settings) == f"{called}: give each node a host of its own"


@pytest.mark.parametrize("key", ["host", "hostname"])
@pytest.mark.parametrize(
    "name", ["../../x", "..", ".", "a/b", "/etc", "n\0l", "line\nbreak", "\x1b[2J", " ", "x" * 300, "\x85", "\ud800"]
)
def test_a_name_that_no_directory_has_is_refused(key: str, name: str, tmp_path: Path) -> None:
    line = mistake(tmp_path, {"host": "good"}, {key: name})
    assert line.startswith(f"nodes[1]: ssh_config.{key} is {name[:120]!r}")
    assert line.endswith("which cannot be the name of a node: its logs go to a directory of that name")


def test_an_empty_name_is_refused(tmp_path: Path) -> None:
    assert mistake(tmp_path, {"host": "", "hostname": "h"}).startswith("nodes[0]: ssh_config.host is ''")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("../x", "ssh_config.host is '../x'"), ("a", "nodes[0] and nodes[1] are both called 'a'")],
)
def test_machines_of_vagrant_are_held_to_the_same(
    name: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = f"Host a\n  HostName 127.0.0.1\nHost {name}\n  HostName 127.0.0.1\n  Port 2222\n"
    monkeypatch.setattr(VagrantCluster, "_vagrant_ssh_config", lambda self: (answer, ""))
    file = tmp_path / "cluster.json"
    with pytest.raises(ValueError, match="vagrant ssh-config") as caught:
        VagrantCluster(cluster_file=str(file))
    assert complaint in str(mistake_in_cluster_file(caught.value))
    assert not file.exists()
