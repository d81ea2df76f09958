# SPDX-License-Identifier: Apache-2.0
"""The passwords of a cluster file are found in nothing that a run writes, whatever fails."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.needs import require
from tests.support.program import Program, suite, write
from tests.support.sshd import Sshd

# The part in the middle is spelled alike in every quoting
CORE = "S3cr3tC0re"
PASSWORD = f"pä'ss\"{CORE}\\ %s {{{{x}}}}"
OTHER_CORE = "F0rTh3Env1ronment"
VARIABLE = "TEST_NODE_PASSWORD"

SUITE = """
    import logging
    import pickle
    import threading

    from ducktape.cluster.cluster_spec import ClusterSpec
    from ducktape.mark import matrix
    from ducktape.mark.resource import cluster
    from ducktape.services.background_thread import BackgroundThreadService
    from ducktape.services.service import Service
    from ducktape.tests.test import Test

    def explain(error, account):
        account.logger.error("checker: %s %r %r %s", error, error, account, vars(account))

    def allocate(test, kind):
        [node] = test.test_context.cluster.alloc(ClusterSpec.simple_linux(1, kind))
        node.account.logger = test.logger
        return node

    def show(test, node):
        account = node.account
        test.logger.info("%s %r %s %r", account, account, account.ssh_config, account.ssh_config)
        test.logger.info("%r %r", node, vars(account))
        print(account, repr(account), account.ssh_config, vars(node))
        logging.getLogger("elsewhere").warning("%r", account)

    class Templated(Service):
        logs = {"made": {"path": "/tmp/nowhere", "collect_default": True}}

        def __init__(self, context, template):
            super().__init__(context, 1)
            self.template = template

        def start_node(self, node):
            node.account.create_file(f"{self.context.globals['place']}/made", self.render(
                self.template, account=node.account, config=node.account.ssh_config,
                password=node.account.ssh_config.password,
            ))

    class Background(BackgroundThreadService):
        def _worker(self, idx, node):
            show(self, node)
            node.account.ssh("exit 4")

    class LoginTest(Test):
        @cluster(num_nodes=1, node_type="locked")
        def test_refused(self):
            show(self, node := allocate(self, "locked"))
            node.account.ssh("true")

        @cluster(num_nodes=1, node_type="from_environment")
        def test_refused_with_a_password_from_the_environment(self):
            show(self, node := allocate(self, "from_environment"))
            node.account.sftp_client

        @cluster(num_nodes=1, node_type="sealed")
        def test_sealed_key(self):
            show(self, node := allocate(self, "sealed"))
            node.account.exists("/tmp")

        @cluster(num_nodes=1, node_type="gone")
        def test_nobody_listens(self):
            show(self, node := allocate(self, "gone"))
            node.account.create_file("/tmp/x", "x")

        @cluster(num_nodes=1, node_type="locked")
        def test_service(self):
            service = Templated(self.test_context, "good.conf")
            service.start()

    class CommandTest(Test):
        @cluster(num_nodes=1, node_type="good")
        @matrix(verb=["ssh", "ssh_output", "ssh_capture"])
        def test_command(self, verb):
            show(self, node := allocate(self, "good"))
            try:
                list(getattr(node.account, verb)("echo out; echo err >&2; exit 3"))
            except RuntimeError as error:
                self.logger.exception("%r %s %r", error, error, error.args)
                pickle.dumps(error)
                raise RuntimeError(f"{error!r} {node.account!r}") from error

        @cluster(num_nodes=1, node_type="good")
        def test_files(self):
            show(self, node := allocate(self, "good"))
            node.account.open("/does/not/exist")

        @cluster(num_nodes=1, node_type="good")
        def test_in_the_background(self):
            service = Background(self.test_context, 1)
            service.start()
            service.wait(60)

        @cluster(num_nodes=1, node_type="good")
        def test_silent(self):
            show(self, node := allocate(self, "good"))
            password = node.account.ssh_config.password
            node.account.ssh("sleep 14")

    class TemplateTest(Test):
        @cluster(num_nodes=1, node_type="good")
        @matrix(template=["undefined.conf", "misused.conf", "unfinished.conf", "missing.conf"])
        def test_template(self, template):
            Templated(self.test_context, template).start()

        @cluster(num_nodes=1, node_type="good")
        def test_good(self):
            service = Templated(self.test_context, "good.conf")
            service.start()
            made = service.nodes[0].account.ssh_output(f"cat {self.test_context.globals['place']}/made")
            self.logger.info("%r", made)
            return {"made": made.decode(), "account": str(service.nodes[0].account)}
"""

TEMPLATES = {
    "good.conf": "{{ account }} {{ config }}",
    "undefined.conf": "{{ account }} {{ config }} {{ config.nothing.at_all }}",
    "misused.conf": "{{ config.password.nothing() }}",
    "unfinished.conf": "{{ config ",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working directory with the suite and a cluster file full of passwords."""
    require("sshd")
    folder = tmp_path_factory.mktemp("secrets")
    suite(folder, SUITE)
    for name, text in TEMPLATES.items():
        write(folder / "suite" / "templates" / name, text)
    servers = {}
    try:
        for name, options in (("good", ()), ("locked", ("AuthenticationMethods password",))):
            (folder / name).mkdir()
            # The earlier line of two alike wins, and the server that is made first says no
            server = servers[name] = Sshd(folder / name, tuple(options))
            text = (server.directory / "sshd_config").read_text()
            if name == "locked":
                (server.directory / "sshd_config").write_text("PasswordAuthentication yes\n" + text)
            server.start()
        (folder / "cluster.json").write_text(json.dumps({"nodes": _nodes(servers["good"], servers["locked"])}))
        yield folder
    finally:
        for server in servers.values():
            server.stop()


def _nodes(good: Sshd, locked: Sshd) -> list[dict[str, Any]]:
    open_to = {**good.settings.to_json(), "password": PASSWORD}
    closed_to = {**locked.settings.to_json(), "password": PASSWORD}
    sealed = good.directory / "sealed_key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "another passphrase", "-f", str(sealed)],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    settings = {
        "good": open_to,
        "locked": closed_to,
        "from_environment": {**closed_to, "password": None, "password_env": VARIABLE},
        "sealed": {**open_to, "identityfile": str(sealed)},
        "gone": {**open_to, "port": 1},
    }
    return [
        {"node_type": kind, "ssh_config": {**login, "host": kind.replace("_", "-")}} for kind, login in settings.items()
    ]


@pytest.fixture(scope="module", params=["quiet", "debug"])
def run(request: pytest.FixtureRequest, folder: Path) -> Iterator[Program]:
    """A run of the whole suite."""
    place = folder / f"place-{request.param}"
    place.mkdir()
    program = Program(
        folder,
        "suite",
        "--cluster=ducktape.cluster.json.JsonCluster",
        "--cluster-file=cluster.json",
        "--ssh-checker-function=suite.test_it.explain",
        "--test-runner-timeout=8000",
        "--max-parallel=4",
        f"--results-root={place}/results",
        "--globals",
        json.dumps({"place": str(place)}),
        *(["--debug"] if request.param == "debug" else []),
        extra={VARIABLE: f"another {OTHER_CORE}", "PYTHONPATH": f"{Path(__file__).parents[2]}:{folder}"},
    )
    try:
        program.wait()
        program.folder = place
        yield program
    finally:
        program.kill_everything()


def written(run: Program) -> dict[str, bytes]:
    """Content of every file of the results."""
    results = run.folder / "results"
    return {str(file.relative_to(results)): file.read_bytes() for file in results.rglob("*") if file.is_file()}


def forms(secret: str) -> set[bytes]:
    """How a secret may be spelled."""
    plain = secret.encode()
    return {plain, plain.hex().encode(), base64.b64encode(plain)}


def test_each_test_fails_where_it_should(run: Program) -> None:
    assert {status for test, status in run.statuses.items() if test != "test_good"} == {"FAIL"}, run.output
    assert run.statuses["test_good"] == "PASS", run.output
    summaries = {result["test_id"].rpartition("Test.")[2]: result["summary"] for result in run.report["results"]}
    expected = {
        "test_refused": "AuthenticationException",
        "test_refused_with_a_password_from_the_environment": "AuthenticationException",
        "test_sealed_key": "BadAuthenticationType",
        "test_nobody_listens": "NoValidConnectionsError",
        "test_service": "AuthenticationException",
        "test_command.verb=ssh": "returned non-zero exit status 3",
        "test_command.verb=ssh_output": "returned non-zero exit status 3",
        "test_command.verb=ssh_capture": "returned non-zero exit status 3",
        "test_files": "FileNotFoundError",
        "test_in_the_background": "returned non-zero exit status 4",
        "test_silent": "nothing was heard of the test for 8 seconds",
        "test_template.template=undefined.conf": "UndefinedError",
        "test_template.template=misused.conf": "has no attribute 'nothing'",
        "test_template.template=unfinished.conf": "TemplateSyntaxError",
        "test_template.template=missing.conf": "missing.conf",
    }
    assert set(summaries) == {*expected, "test_good"}
    assert {name: text in summaries[name] for name, text in expected.items()} == dict.fromkeys(expected, True), (
        summaries
    )


def test_no_file_of_the_results_has_a_password(run: Program) -> None:
    files = written(run)
    guilty = {
        name
        for name, content in files.items()
        for core in (CORE, OTHER_CORE)
        for form in forms(core)
        if form in content
    }
    assert guilty == set()
    # There was something to hide, and it was looked at
    logs = b"".join(content for name, content in files.items() if name.endswith("test_log.debug"))
    assert b"'password': '***'" in logs
    assert b"ssh_config: {" in logs
    assert b"checker: " in logs
    assert {"report.json", "report.html", "report.txt", "report.xml", "session_log.debug"} <= {
        Path(name).name for name in files
    }


def test_no_line_of_the_console_has_a_password(run: Program) -> None:
    assert [line for line in run.output.splitlines() if CORE in line or OTHER_CORE in line] == []
    assert "'password': '***'" in run.output


def test_a_password_that_is_rendered_masked_is_masked_on_the_node(run: Program) -> None:
    made = run.result("test_good")["data"]["made"]
    assert "'password': '***'" in made
    assert CORE not in made


@pytest.mark.parametrize(
    "broken",
    [
        {"port": "many"},
        {"connecttimeout": "soon"},
        {"proxyjump": f"user:{CORE}@"},
        {"password_env": VARIABLE},
        {"password": [PASSWORD]},
        None,
    ],
)
@pytest.mark.parametrize("mode", [[], ["--debug"]], ids=["quiet", "debug"])
def test_a_broken_cluster_file_does_not_show_its_password(
    folder: Path, tmp_path: Path, broken: dict[str, Any] | None, mode: list[str]
) -> None:
    path = suite(tmp_path, SUITE)
    login = {"host": "worker1", "password": PASSWORD, "port": 1}
    text = json.dumps({"nodes": [{"ssh_config": {**login, **(broken or {})}, "node_type": "good"}]})
    (tmp_path / "cluster.json").write_text(text if broken else text[:-3])
    program = Program(
        tmp_path,
        f"{path}/test_it.py::CommandTest.test_files",
        "--cluster=ducktape.cluster.json.JsonCluster",
        "--cluster-file=cluster.json",
        "--globals",
        json.dumps({"place": str(tmp_path)}),
        *mode,
    )
    try:
        assert program.wait() == 1, program.output
    finally:
        program.kill_everything()
    assert CORE not in program.output
    assert [name for name, content in written(program).items() if CORE.encode() in content] == []
