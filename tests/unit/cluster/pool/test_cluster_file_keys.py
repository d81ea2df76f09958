# SPDX-License-Identifier: Apache-2.0
"""Keys of cluster files that mean nothing, and nodes without an address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.json import JsonCluster
from ducktape.utils.support import strictness
from ducktape.utils.support.json_places import keys_of


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(strictness, "_register", strictness._Register(show=lines.append))
    return lines


@pytest.mark.parametrize(
    ("node", "key", "meant"),
    [
        ({"ssh_config": {"host": "a", "hostnam": "x"}}, "ssh_config.hostnam", "hostname"),
        ({"ssh_config": {"host": "a", "HostName": "x"}}, "ssh_config.HostName", "hostname"),
        ({"ssh_config": {"hostname": "a", "username": "x"}}, "ssh_config.username", "user"),
        ({"ssh_config": {"hostname": "a", "identity_file": "x"}}, "ssh_config.identity_file", "identityfile"),
        ({"ssh_config": {"hostname": "a"}, "node_typ": "x"}, "node_typ", "node_type"),
    ],
)
def test_a_misspelt_key_is_an_error(shown: list[str], node: dict[str, Any], key: str, meant: str) -> None:
    with pytest.raises(ValueError, match=r"nodes\[0\]") as error:
        JsonCluster({"nodes": [node]})
    assert str(error.value).endswith(f": {key} is an unknown key: did you mean {meant}?")


TEXT = """\ufeff{"_comment": "old",
 "nodes": [
  {"ssh_config": {"hostname": "localhost", "stricthostkeychecking": "no"}, "hostname": "old"},
  {"ssh_config": {"host": "n1",
                  "color": 3,
                  "color": 4}}],
 "extra": 1}"""


def test_other_keys_are_told_with_their_lines(tmp_path: Path, shown: list[str]) -> None:
    file = tmp_path / "cluster.json"
    file.write_text(TEXT, encoding="utf-8")
    assert len(JsonCluster(cluster_file=str(file))) == 2
    assert shown == [
        f"{file}:7: the key extra is unknown and has no effect",
        f"{file}:6: the key nodes[1].ssh_config.color stands twice: the last one counts",
        f"{file}:5: the key nodes[1].ssh_config.color is unknown and has no effect",
        f"{file}:4: nodes[1].ssh_config has no hostname, so this machine (localhost) stands for node n1",
    ]


def test_other_keys_are_errors_when_strict(tmp_path: Path, shown: list[str]) -> None:
    strictness.begin(strict=True, show=shown.append)
    file = tmp_path / "cluster.json"
    file.write_text('{"nodes": [{"ssh_config": {"host": "n1"}}]}', encoding="utf-8")
    with pytest.raises(ValueError, match=r"cluster\.json:1: nodes\[0\]\.ssh_config has no hostname"):
        JsonCluster(cluster_file=str(file))


def test_keys_are_found_in_any_form_of_json() -> None:
    text = '{"a": [1, {"b": "x, {\\\\"c\\\\": 1}"}, [2, {"d": {}}]],\n"e": -1.5e3}'
    assert [(key.path, key.line) for key in keys_of(text)] == [
        (("a",), 1),
        (("a", 1, "b"), 1),
        (("a", 2, 1, "d"), 1),
        (("e",), 2),
    ]
