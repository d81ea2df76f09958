# SPDX-License-Identifier: Apache-2.0
"""Real runs over cluster files: types of nodes, health of nodes, settings of logins, and mistakes in files."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import Program, suite, write
from tests.support.sshd import Sshd, running_sshd

needs_sshd = pytest.mark.needs("sshd")
JSON_CLUSTER = "ducktape.cluster.json.JsonCluster"

TYPES = """
    from ducktape.cluster.cluster_spec import ClusterSpec
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    class Typed(Service):
        def __init__(self, context, node_type):
            super().__init__(context, cluster_spec=ClusterSpec.simple_linux(1, node_type))

        def start_node(self, node):
            node.account.ssh("true")

    class TypesTest(Test):
        def names(self):
            return [[node.name, node.node_type] for node in self.test_context.cluster.nodes]

        @cluster(num_nodes=1)
        def test_untyped(self):
            return {"nodes": self.names()}

        @cluster(num_nodes=2)
        def test_untyped_pair(self):
            return {"nodes": self.names()}

        @cluster(num_nodes=2, node_type="large")
        def test_service_asks_for_a_type(self):
            service = Typed(self.test_context, "large")
            service.start()
            used = str(self.test_context.cluster.used())
            [node] = service.nodes
            return {"nodes": self.names(), "service": [node.name, node.node_type], "used": used}

        @cluster(num_nodes=3, node_type="large")
        def test_more_than_there_are(self):
            return {"nodes": self.names()}

        @cluster(num_nodes=1)
        def test_service_asks_for_an_unknown_type(self):
            service = Typed(self.test_context, "huge")
            service.start()
            return {"service": [service.nodes[0].name]}
"""

SMALL = """
    import os, time
    from ducktape.mark import matrix
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class SmallTest(Test):
        @cluster(num_nodes=1)
        @matrix(x=[1, 2])
        def test_small(self, x):
            self.logger.warning("small runs")
            deadline = time.monotonic() + 60
            while os.environ.get("GO") and not os.path.exists(os.environ["GO"]) and time.monotonic() < deadline:
                time.sleep(0.02)
            return {"node": self.test_context.cluster.nodes[0].name}
"""

PAIR = """
        @cluster(num_nodes=2)
        def test_pair(self):
            pass
"""


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A server that is every node of the file."""
    directory = tmp_path / "sshd"
    directory.mkdir(mode=0o700)
    with running_sshd(directory) as server:
        yield server


def _login(server: Sshd, host: str, **settings: Any) -> dict[str, Any]:
    known = {name: value for name, value in server.settings.to_json().items() if value is not None}
    return {**known, "host": host, **settings}


def _write_file(folder: Path, *nodes: dict[str, Any]) -> str:
    path = folder / "cluster.json"
    path.write_text(json.dumps({"nodes": list(nodes)}, indent=1))
    return str(path)


@contextlib.contextmanager
def _run(
    folder: Path,
    text: str,
    cluster_file: str,
    *arguments: str,
    cluster: str = JSON_CLUSTER,
    extra: Mapping[str, str] | None = None,
) -> Iterator[Program]:
    program = Program(
        folder,
        suite(folder, text),
        "--cluster",
        cluster,
        "--cluster-file",
        cluster_file,
        *arguments,
        extra=extra,
    )
    try:
        yield program
    finally:
        program.kill_everything()


# --- types of nodes


@pytest.fixture
def typed_file(tmp_path: Path, sshd: Sshd) -> str:
    labels = {"w1": "large", "w2": None, "w3": "large", "w4": "small"}
    return _write_file(
        tmp_path, *({"ssh_config": _login(sshd, host), "node_type": label} for host, label in labels.items())
    )


@needs_sshd
def test_types_reach_tests_and_their_services(tmp_path: Path, typed_file: str) -> None:
    with _run(tmp_path, TYPES, typed_file) as program:
        assert program.wait() == 1
        # Each test has all nodes to choose from; those given back go behind the others of their type.
        assert program.result("test_untyped")["data"] == {"nodes": [["w2", None]]}
        [first, second] = program.result("test_untyped_pair")["data"]["nodes"]
        assert (first, second[1]) == (["w2", None], "large")
        typed = program.result("test_service_asks_for_a_type")["data"]
        assert sorted(typed["nodes"]) == [["w1", "large"], ["w3", "large"]]
        assert typed["service"] in typed["nodes"]
        assert typed["used"] == '[{"node_type": "large", "num_nodes": 1, "os": "linux"}]'
        hopeless = program.result("test_more_than_there_are")
        assert hopeless["reason"] == "unschedulable"
        assert "linux/large nodes requested: 3. linux/large nodes available: 2. " in hopeless["summary"]
        unknown = program.result("test_service_asks_for_an_unknown_type")
        assert (unknown["test_status"], unknown["data"]) == ("FAIL", None)
        assert "linux/huge nodes requested: 1. linux/huge nodes available: 0." in unknown["summary"]


@needs_sshd
def test_types_can_be_ignored_by_tests_and_services_alike(tmp_path: Path, typed_file: str) -> None:
    with _run(tmp_path, TYPES, typed_file, "--ignore-node-type") as program:
        assert program.wait() == 0, program.output
        assert len(program.result("test_more_than_there_are")["data"]["nodes"]) == 3
        assert program.result("test_service_asks_for_an_unknown_type")["data"] == {"service": ["w2"]}
        [first, _] = program.result("test_service_asks_for_a_type")["data"]["nodes"]
        assert first == ["w2", None]


# --- health of nodes


@needs_sshd
def test_a_node_without_login_is_named_and_costs_only_what_needs_it(tmp_path: Path, sshd: Sshd) -> None:
    dead = _login(sshd, "dead", port=1)
    file = _write_file(tmp_path, {"ssh_config": dead}, {"ssh_config": _login(sshd, "alive")})
    with _run(tmp_path, SMALL + PAIR, file, "--check-nodes", "--max-parallel", "2") as program:
        assert program.wait() == 1
        assert [line for line in program.output.splitlines() if "is put aside" in line and "WARNING" in line] != []
        assert program.output.count("Node dead is put aside: nothing listens at 127.0.0.1, port 1") == 1
        assert program.statuses == {"test_small.x=1": "PASS", "test_small.x=2": "PASS", "test_pair": "FAIL"}
        pair = program.result("test_pair")
        assert pair["reason"] == "unschedulable"
        assert "Nodes put aside: dead (nothing listens at 127.0.0.1, port 1" in pair["summary"]
        [story] = program.report["unhealthy_nodes"]
        assert (story["name"], story["back_at"], program.report["cluster_num_nodes"]) == ("dead", None, 1)
        latest = tmp_path / "results" / "latest"
        assert "\nunhealthy nodes:  dead (nothing listens at 127.0.0.1, port 1" in (latest / "report.txt").read_text()
        assert '<p id="unhealthy_nodes">Unhealthy nodes: dead (nothing listens' in (latest / "report.html").read_text()


@needs_sshd
def test_nothing_is_said_of_health_when_all_is_well_or_not_asked_for(tmp_path: Path, sshd: Sshd) -> None:
    file = _write_file(tmp_path, {"ssh_config": _login(sshd, "alive")})
    for arguments in (("--check-nodes",), ()):
        with _run(tmp_path, SMALL, file, *arguments) as program:
            assert program.wait() == 0, program.output
            assert "unhealthy_nodes" not in program.report
            assert "nhealthy" not in program.output
            assert "nhealthy" not in (tmp_path / "results" / "latest" / "report.html").read_text()


@needs_sshd
def test_a_node_that_comes_back_is_used_again(tmp_path: Path, sshd: Sshd) -> None:
    directory = tmp_path / "second"
    directory.mkdir(mode=0o700)
    late = Sshd(directory)
    go = tmp_path / "go"
    file = _write_file(tmp_path, {"ssh_config": _login(late, "late")}, {"ssh_config": _login(sshd, "alive")})
    impatient = """
        from ducktape.cluster.json import JsonCluster

        class Impatient(JsonCluster):
            retry_unhealthy_sec = 0.2
    """
    write(tmp_path / "suite" / "clusters.py", impatient)
    own = {"cluster": "suite.clusters.Impatient", "extra": {"GO": str(go)}}
    with _run(tmp_path, SMALL, file, "--check-nodes", **own) as program:  # type: ignore[arg-type]
        try:
            program.wait_for("small runs")
            assert "Node late is put aside" in program.output
            late.start()
            program.wait_for("Nodes that were put aside are healthy again")
            go.touch()
            assert program.wait() == 0
        finally:
            late.stop()
        assert sorted(result["data"]["node"] for result in program.report["results"]) == ["alive", "late"]
        [story] = program.report["unhealthy_nodes"]
        assert story["back_at"] > story["put_aside_at"] > 0
        assert program.report["cluster_num_nodes"] == 2


# --- secrets, keys, mistakes


@needs_sshd
def test_a_password_of_the_environment_is_nowhere(tmp_path: Path, sshd: Sshd) -> None:
    secret = "correct-horse-battery"
    wrong = _login(sshd, "w1", password_env="W1_PASSWORD")
    del wrong["identityfile"]
    file = _write_file(tmp_path, {"ssh_config": wrong})
    logging_in = TYPES.replace("        @cluster(num_nodes=2", "        @cluster(num_nodes=1").replace(
        'node_type="large")', "node_type=None)"
    )
    for arguments in (("--debug", "--ignore-node-type"), ("--debug", "--check-nodes")):
        with _run(tmp_path, logging_in, file, *arguments, extra={"W1_PASSWORD": secret}) as program:
            assert program.wait() == 1
            assert secret not in program.output
            refused = ("AuthenticationException", "BadAuthenticationType", "is refused: ")
            assert any(words in program.output for words in refused), program.output
    texts = [path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file()]
    assert (len(texts) > 10, [text for text in texts if secret.encode() in text]) == (True, [])


@needs_sshd
def test_the_key_may_be_in_the_home(tmp_path: Path, sshd: Sshd) -> None:
    os.symlink(sshd.directory / "user_key", tmp_path / "key")  # the home of a run is its folder
    file = _write_file(tmp_path, {"ssh_config": _login(sshd, "w1", identityfile="~/key")})
    with _run(tmp_path, TYPES, file, "--ignore-node-type", "--check-nodes") as program:
        program.wait()
        assert program.result("test_service_asks_for_an_unknown_type")["data"] == {"service": ["w1"]}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "<class 'FileNotFoundError'> FILE: No such file or directory"),
        ('{"nodes": [\n {,}]}', "<class 'json.decoder.JSONDecodeError'> FILE: not valid JSON: line 2, column 3: "),
        (
            '{"nodes": [{"ssh_config": {"host": "w1", "port": "ssh"}}]}',
            "<class 'ValueError'> JSON cluster definition invalid: FILE: nodes[0] (w1): ssh_config.port is \"ssh\", ",
        ),
        ("{}", "<class 'ValueError'> JSON cluster definition invalid: FILE: the key nodes is missing"),
    ],
)
def test_a_mistake_in_the_file_is_one_line(tmp_path: Path, content: str | None, line: str) -> None:
    path = tmp_path / "cluster.json"
    if content is not None:
        path.write_text(content)
    with _run(tmp_path, SMALL, str(path)) as program:
        assert program.wait() == 1
        [told] = re.findall(r"Failed to load cluster:  (.*)", program.output)
        assert told.startswith(line.replace("FILE", str(path)))
        assert program.output.endswith(told + "\n")
        assert "Traceback" not in program.output
