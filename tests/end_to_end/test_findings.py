# SPDX-License-Identifier: Apache-2.0
"""Bad lines in the logs of services: found after every test, whatever its own end."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.sandbox.cgroups import parents
from tests.support import junit_schema
from tests.support.program import LOCALHOST, Program, finished, suite
from tests.support.schemas import problems_of_session

SUITE = """
import os

from ducktape.mark import allow_logs
from ducktape.mark.resource import cluster
from ducktape.services.log_rules import bad
from ducktape.services.service import Service
from ducktape.tests.test import Test


class Server(Service):
    log_rules = [bad("ERROR .*", unless="retrying"), "no rule"]

    def __init__(self, context, text):
        super().__init__(context, 1)
        self.path = os.path.join(os.environ["BASE"], context.function_name + ".log")
        self.logs = {"server": {"path": self.path, "collect_default": True}}
        self.text = text

    def start_node(self, node):
        node.account.create_file(self.path, self.text)

    def stop_node(self, node):
        pass

    def clean_node(self, node):
        node.account.ssh("rm -f " + self.path)


class Endless(Server):
    log_rules = [bad("(a+)+$")]


class Broken(Server):
    @property
    def log_rules(self):
        raise OSError("no rules")


@allow_logs("of the class")
class FindTest(Test):
    @cluster(num_nodes=1)
    def test_passes(self):
        bad_lines = "ERROR no disk \\x1b[31m]]> ::error:: | a\\nERROR again"
        Server(self.test_context, f"fine\\n{bad_lines}\\nERROR retrying\\n").start()

    @cluster(num_nodes=1)
    def test_fails(self):
        Server(self.test_context, "ERROR no leader\\n").start()
        raise AssertionError("on purpose")

    @cluster(num_nodes=1)
    def test_dies(self):
        Server(self.test_context, "ERROR last words\\n").start()
        os._exit(3)

    @cluster(num_nodes=1)
    @allow_logs("no disk$")
    def test_allows(self):
        Server(self.test_context, "ERROR no disk\\nERROR of the class\\n").start()

    @cluster(num_nodes=2)
    def test_clean(self):
        Server(self.test_context, "fine\\n").start()
        Broken(self.test_context, "ERROR\\n").start()


class EndlessTest(Test):
    @cluster(num_nodes=1)
    def test_endless(self):
        Endless(self.test_context, "a" * 60 + "b").start()
"""


@pytest.fixture(scope="module", params=[(), ("--fail-on-findings", "--compress")])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("run")
    path = suite(folder, SUITE) + "/test_it.py::FindTest"
    with finished(folder, path, *LOCALHOST, *request.param, extra={"BASE": str(folder)}) as program:
        yield program


def lines(result: dict[str, Any]) -> list[tuple[object, ...]]:
    return [tuple(each[name] for name in ("kind", "line", "text", "count")) for each in result["findings"]]


def test_findings_are_in_the_results(run: Program) -> None:
    compressed = ".tgz" if run.result("test_passes")["test_status"] == "FAIL" else ""
    found = {name: lines(run.result(name)) for name in ("test_passes", "test_fails", "test_dies")}
    assert found == {
        "test_passes": [("log", 2, "ERROR no disk \x1b[31m]]> ::error:: | a", 2)],
        "test_fails": [("log", 1, "ERROR no leader", 1)],
        "test_dies": [("log", 1, "ERROR last words", 1)],
    }
    [finding] = run.result("test_passes")["findings"]
    service, node = finding["service"], finding["node"]
    assert service.startswith("Server-0-")
    assert (finding["rule"], finding["file"]) == ("ERROR .*", f"{service}/{node}/test_passes.log{compressed}")
    assert [name for name in ("test_allows", "test_clean") if "findings" in run.result(name)] == []


def test_findings_fail_a_test_on_request_alone(run: Program) -> None:
    statuses = {name: run.statuses[name] for name in ("test_passes", "test_allows", "test_clean")}
    passed = run.result("test_passes")
    if "--fail-on-findings" in (run.folder / "results" / "latest" / "journal.jsonl").read_text().splitlines()[0]:
        assert statuses == {"test_passes": "FAIL", "test_allows": "PASS", "test_clean": "PASS"}
        assert passed["reason"] == "finding"
        assert passed["summary"].startswith(
            "The test itself did not fail, but there are findings\n\nFindings:\n  Server-0-"
        )
    else:
        assert statuses == {"test_passes": "PASS", "test_allows": "PASS", "test_clean": "PASS"}
        assert "reason" not in passed
        assert passed["summary"].startswith("Findings:\n  Server-0-")
    assert run.result("test_fails")["reason"] == "assertion"
    assert run.result("test_fails")["summary"].startswith("AssertionError('on purpose')")
    assert run.result("test_dies")["reason"] == "crash"
    assert all("\nFindings:\n  Server-0-" in run.result(name)["summary"] for name in ("test_fails", "test_dies"))


def test_every_report_shows_findings(run: Program) -> None:
    latest = run.folder / "results" / "latest"
    assert "\nfindings:         3 in 3 tests\n" in run.output
    shown = r"ERROR no disk \x1b[31m]]> ::error:: | a (2 times)"
    assert shown in run.output and shown in (latest / "report.txt").read_text()
    assert "ERROR no leader" in (latest / "report.md").read_text().split("### Findings")[1].split("###")[0]
    assert junit_schema.problems_of((latest / "report.xml").read_text()) == []
    assert "finding: Server-0-" in (latest / "report.xml").read_text()
    assert problems_of_session(latest) == []


def test_a_pattern_that_never_ends_is_ended_with_the_test(tmp_path: Path) -> None:
    path = suite(tmp_path, SUITE) + "/test_it.py::EndlessTest"
    limit = ("--test-runner-timeout", "2000")
    with finished(tmp_path, path, *LOCALHOST, *limit, extra={"BASE": str(tmp_path)}) as program:
        assert program.wait() == 1
        assert program.result("test_endless")["reason"] == "timeout"
        assert not (tmp_path / "test_endless.log").exists()  # it was cleaned after that


CRASHES = """
import os
import sys
import time

from ducktape.faults import limit_memory
from ducktape.mark import allow_logs
from ducktape.mark.resource import cluster
from ducktape.services.service import Service
from ducktape.tests.test import Test

CRASH = "ulimit -c unlimited; cd /tmp; sh -c 'kill -SEGV $$'; true"


class Crashing(Service):
    def __init__(self, context):
        super().__init__(context, 1)

    def start_node(self, node):
        time.sleep(1.1)  # files of the same second may be those of the test before
        node.account.ssh(CRASH, allow_fail=True)

    def stop_node(self, node):
        pass

    def clean_node(self, node):
        node.account.ssh("rm -f /tmp/core")


class CrashTest(Test):
    @cluster(num_nodes=1)
    def test_core(self):
        Crashing(self.test_context).start()

    @cluster(num_nodes=1)
    def test_dies(self):
        Crashing(self.test_context).start()
        os._exit(3)

    @cluster(num_nodes=1)
    @allow_logs("^core file")
    def test_allows(self):
        Crashing(self.test_context).start()

    @cluster(num_nodes=1)
    def test_fails(self):
        Crashing(self.test_context).start()
        raise AssertionError("on purpose")

    @cluster(num_nodes=1)
    def test_clean(self):
        Service(self.test_context, 1).nodes[0].account.ssh("true")

    @cluster(num_nodes=1)
    def test_memory(self):
        [node] = Service(self.test_context, 1).nodes
        with limit_memory([node], "60M"):
            # Not the interpreter of this process: nodes have a /tmp of their own, where a checkout may be
            status = node.account.ssh("python3 -c 'x = bytearray(300 << 20)'", allow_fail=True)
        assert status not in (0, 127)
"""


def _keeps_cores() -> bool:
    return not Path("/proc/sys/kernel/core_pattern").read_text().startswith("|")


@pytest.mark.needs("sandbox")
@pytest.mark.skipif(not _keeps_cores(), reason="the kernel of this machine hands core files to a program")
@pytest.mark.parametrize("option", ["--fail-on-findings", "--find-crashes", ""])
def test_crashes_on_nodes_are_found(option: str, tmp_path: Path) -> None:
    path = suite(tmp_path, CRASHES)
    options = ("--cluster", "sandbox", "--max-parallel", "6", *([option] if option else []))
    # Not finished(), which chooses a cluster
    program = Program(tmp_path, path, *options)
    with contextlib.ExitStack() as undo:
        undo.callback(program.kill_everything)
        program.wait()
        found = {
            result["function_name"]: [
                (each["kind"], re.sub(r" of [\d,]+ bytes", "", each["text"])) for each in result["findings"]
            ]
            for result in program.report["results"]
            if "findings" in result
        }
        core = ("core", "core file /tmp/core")
        killed = ("oom", "the kernel killed 1 process for lack of memory")
        expected = {"test_fails": [core], "test_dies": [core]}
        if option:
            expected["test_core"] = [core]
            if "memory" in parents():
                expected["test_memory"] = [killed]
        assert found == expected, program.output
        statuses = program.statuses
        assert (statuses["test_allows"], statuses["test_clean"]) == ("PASS", "PASS")
        reasons = {name: program.result(name).get("reason") for name in ("test_core", "test_dies")}
        assert reasons == {
            "test_core": "finding" if option == "--fail-on-findings" else None,
            "test_dies": "crash",
        }
        assert problems_of_session(tmp_path / "results" / "latest") == []
