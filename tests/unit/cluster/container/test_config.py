# SPDX-License-Identifier: Apache-2.0
"""Cluster files of containers: what they can say, and the line about each mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ducktape.cluster.container.config import ContainerConfig, ContainerType, read_config
from ducktape.cluster.pool.cluster_file import mistake_in_cluster_file

USUAL = {"image": "debian:12"}


def config(folder: Path, **content: object) -> ContainerConfig:
    path = folder / "cluster.json"
    path.write_text(json.dumps(content))
    return read_config(str(path), "docker")


def test_an_image_is_enough(tmp_path: Path) -> None:
    found = config(tmp_path, **USUAL)
    assert (found.max_nodes, found.types) == (30, (ContainerType(image="debian:12"),))
    assert (found.user, found.pull, found.init, found.capabilities) == ("root", "missing", False, ())


def test_everything_can_be_said(tmp_path: Path) -> None:
    found = config(
        tmp_path,
        image="store:9",
        memory="512m",
        max_nodes=4,
        types=[{"name": "large", "count": 1, "cpu": 2, "memory": "2g"}, {"image": "client:1", "pids": 50}],
        environment={"LANG": "C"},
        mounts=[{"source": str(tmp_path), "target": "/here", "mode": "rw"}],
        tmpfs={"/data": "64m", "/run": None},
        capabilities=["NET_ADMIN", "SYS_TIME"],
        user="tester",
        pull="never",
        runtime="runc",
        init=True,
        ulimits={"nofile": 20000},
    )
    assert found.types == (
        ContainerType("large", 1, image="store:9", cpu=2.0, memory=2 << 30),
        ContainerType(None, None, image="client:1", memory=512 << 20, pids=50),
    )
    assert found.mounts == ({"source": str(tmp_path), "target": "/here", "mode": "rw"},)
    assert (found.tmpfs, found.ulimits) == ({"/data": 64 << 20, "/run": None}, {"nofile": 20000})
    assert (found.capabilities, found.user, found.pull) == (("NET_ADMIN", "SYS_TIME"), "tester", "never")
    assert (found.runtime, found.init, found.environment) == ("runc", True, {"LANG": "C"})


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({}, 'image is missing: the name of an image that has a shell, such as "debian:12"'),
        ({"types": [{"name": "a"}]}, "types[0].image is missing: the name of an image that has a shell, such as "),
        ({**USUAL, "imgae": "x"}, "the top level has the unknown key imgae"),
        ({**USUAL, "image": 3}, "image is 3, not a string"),
        ({**USUAL, "pull": "often"}, 'pull is "often", not "missing", "always" or "never"'),
        ({**USUAL, "max_nodes": 0}, "max_nodes is 0, not a number from 1 to 250"),
        ({**USUAL, "memory": "1m"}, 'memory is "1m", not a size of at least 8 MB, such as "512m" or "2g"'),
        ({**USUAL, "cpu": "two"}, 'cpu is "two", not a number of processors from 0.01 to 8192'),
        ({**USUAL, "tmpfs": ["/data"]}, 'tmpfs is ["/data"], not an object such as {"/data": "64m"}'),
        ({**USUAL, "tmpfs": {"data": "64m"}}, 'tmpfs has "data", which is not an absolute path'),
        ({**USUAL, "capabilities": ["net admin"]}, 'capabilities has "net admin", not a name such as "NET_ADMIN"'),
        ({**USUAL, "capabilities": "NET_ADMIN"}, 'capabilities is "NET_ADMIN", not a list'),
        ({**USUAL, "ulimits": {"nofile": -1}}, "ulimits.nofile is -1, not a number from 1 on"),
        ({**USUAL, "ulimits": 20000}, 'ulimits is 20000, not an object such as {"nofile": 20000}'),
        ({**USUAL, "init": "yes"}, 'init is "yes", not a boolean'),
        ({**USUAL, "user": ""}, 'user is "", not a string'),
        ({**USUAL, "mounts": [{"source": "/absent"}]}, "mounts[0].source does not exist: /absent"),
        ({**USUAL, "environment": {"A": 1}}, "environment.A is 1, not a string"),
        ({"nodes": []}, "the top level has the key nodes, which is for --cluster json"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, content: dict[str, object], line: str) -> None:
    with pytest.raises(ValueError) as caught:
        config(tmp_path, **content)
    shown = mistake_in_cluster_file(caught.value)
    assert shown is not None
    assert shown.startswith(f"JSON cluster definition invalid: {tmp_path}/cluster.json: {line}")
    assert "\n" not in shown


def test_without_a_file_it_is_said_what_to_write() -> None:
    with pytest.raises(ValueError) as caught:
        read_config(None, "podman")
    assert mistake_in_cluster_file(caught.value) == (
        "JSON cluster definition invalid: --cluster podman needs a file with the image of its nodes: "
        'write {"image": "debian:12"}, and name the file with --cluster-file'
    )
