# SPDX-License-Identifier: Apache-2.0
"""The file that describes a sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.elastic import ElasticCluster
from ducktape.cluster.pool.cluster_file import mistake_in_cluster_file
from ducktape.cluster.sandbox.config import SandboxConfig, SandboxNodeType, read_config


def config(tmp_path: Path, **settings: Any) -> SandboxConfig:
    path = tmp_path / "sandbox.json"
    path.write_text(json.dumps(settings))
    return read_config(str(path))


def test_without_a_file_there_are_thirty_nodes_without_limits() -> None:
    found = read_config(None)
    assert (found.max_nodes, found.types, found.limits()) == (30, (SandboxNodeType(),), set())


def test_an_empty_file_means_the_same(tmp_path: Path) -> None:
    assert config(tmp_path) == read_config(None)


def test_limits_of_all_nodes_are_those_of_each_kind_unless_it_has_its_own(tmp_path: Path) -> None:
    small = {"name": "small", "count": 2, "memory": "64m", "crash_disk": True}
    found = config(tmp_path, cpu=2, pids=100, disk="1g", types=[small, {"cpu": None}])
    assert found.types == (
        SandboxNodeType("small", 2, cpu=2.0, memory=64 << 20, pids=100, disk=1 << 30, crash_disk=True),
        SandboxNodeType(None, None, cpu=None, memory=None, pids=100, disk=1 << 30),
    )
    assert found.limits() == {"cpu", "memory", "pids"}


@pytest.mark.parametrize(
    ("text", "size"), [("8m", 8 << 20), ("1G", 1 << 30), ("2tb", 2 << 40), ("9000k", 9000 << 10), (16 << 20, 16 << 20)]
)
def test_sizes(tmp_path: Path, text: Any, size: int) -> None:
    assert config(tmp_path, memory=text).types[0].memory == size


def test_variables_are_given_or_taken_from_whoever_runs_the_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAKEN", "outside")
    monkeypatch.delenv("ABSENT", raising=False)
    monkeypatch.setenv("DUCKTAPE_TEST_PROCESS", "mark")
    found = config(tmp_path, environment={"TAKEN": None, "ABSENT": None, "OWN": "x"})
    assert found.environment == {"TAKEN": "outside", "OWN": "x"}
    handed = found.to_supervisor("/root")["environment"]
    assert (handed["OWN"], handed["HOME"], handed["USER"]) == ("x", "/root", "root")
    assert "DUCKTAPE_TEST_PROCESS" not in handed


def test_mounts_are_read_only_and_at_their_own_place_unless_said_otherwise(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    given = [{"source": str(tmp_path)}, {"source": str(tmp_path / "link"), "target": "/mnt/x/", "mode": "rw"}]
    assert config(tmp_path, mounts=given).mounts == (
        {"source": str(tmp_path.resolve()), "target": str(tmp_path), "mode": "ro"},
        {"source": str(tmp_path.resolve()), "target": "/mnt/x", "mode": "rw"},
    )


def test_a_network_is_known_by_its_first_three_numbers(tmp_path: Path) -> None:
    assert config(tmp_path, network="192.168.7.0/24").network == "192.168.7"


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"max_node": 3}, "the top level has the unknown key max_node"),
        ({"max_nodes": 251}, "max_nodes is 251, not a number from 1 to 250"),
        ({"max_nodes": True}, "max_nodes is true, not a number from 1 to 250"),
        ({"cpu": 0}, "cpu is 0, not a number of processors from 0.01 to 8192"),
        ({"cpu": 10000}, "cpu is 10000, not a number of processors from 0.01 to 8192"),
        ({"pids": 1 << 23}, "pids is 8388608, not a number from 1 to 4194304"),
        ({"types": [{"name": "a"}, {"count": 2}, {"name": "b"}]}, "types[2].count is missing: one kind at most"),
        (
            {"max_nodes": 3, "types": [{"name": "a", "count": 3}, {"name": "b", "count": 1}]},
            "types has more nodes than",
        ),
        ({"max_nodes": 2, "types": [{"name": "a", "count": 2}, {"name": "b"}]}, "than max_nodes, which is 2"),
        ({"network": "169.254.3.0/24"}, "not a private network of 256 addresses"),
        ({"network": "0.0.0.0/24"}, "not a private network of 256 addresses"),
        ({"network": "240.0.0.0/24"}, "not a private network of 256 addresses"),
        ({"memory": "1m"}, 'memory is "1m", not a size of at least 8 MB, such as "512m" or "2g"'),
        ({"disk": "much"}, 'disk is "much", not a size'),
        ({"pids": 1.5}, "pids is 1.5, not a number from 1 to 4194304"),
        ({"crash_disk": 1}, "crash_disk is 1, not a boolean"),
        ({"sshd": "yes"}, 'sshd is "yes", not a boolean'),
        ({"types": []}, "types is empty"),
        ({"types": {}}, "types is {}, not a list"),
        ({"types": [3]}, "types[0] is not an object"),
        ({"types": [{"name": ""}]}, 'types[0].name is "", not a string'),
        ({"types": [{"name": "a"}, {"name": "a"}]}, "types has two entries of the same name"),
        ({"types": [{"memory": "0"}]}, 'types[0].memory is "0", not a size'),
        ({"network": "10.1.2.0/16"}, 'network is "10.1.2.0/16"'),
        ({"network": "8.8.8.0/24"}, "not a private network of 256 addresses"),
        ({"network": "here"}, 'network is "here"'),
        ({"environment": {"A": 3}}, "environment.A is 3, not a string"),
        ({"mounts": [{"source": "relative"}]}, 'mounts[0].source is "relative", not an absolute path'),
        ({"mounts": [{"source": "/no such place"}]}, "mounts[0].source does not exist: /no such place"),
        ({"mounts": [{"source": "/etc", "target": "/"}]}, 'mounts[0].target is "/", not an absolute path'),
        ({"mounts": [{"source": "/etc", "mode": "w"}]}, 'mounts[0].mode is "w", not "ro" or "rw"'),
    ],
)
def test_a_mistake_is_one_line_that_says_where(tmp_path: Path, settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError) as caught:
        config(tmp_path, **settings)
    line = mistake_in_cluster_file(caught.value) or ""
    assert complaint in line
    assert f"{tmp_path}/sandbox.json" in line
    assert "\n" not in line


def test_a_kind_without_a_count_gets_what_the_others_leave(tmp_path: Path) -> None:
    found = config(tmp_path, max_nodes=5, types=[{"name": "large"}, {"count": 2}])
    # That of the sandbox needs the rights to make nodes
    cluster = ElasticCluster(found.max_nodes, found.types)
    assert cluster.available().nodes.grouped_by_os_and_type() == {("linux", "large"): 3, ("linux", None): 2}


def test_an_absent_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        read_config(str(tmp_path / "absent.json"))
    remedy = "name the file with --cluster-file, or write it"
    assert mistake_in_cluster_file(caught.value) == f"{tmp_path}/absent.json: No such file or directory: {remedy}"
