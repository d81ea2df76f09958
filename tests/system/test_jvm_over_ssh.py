# SPDX-License-Identifier: Apache-2.0
"""Logs of real Java processes on SSH nodes, from the start of a service to its results directory."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.needs import require
from tests.support.program import Program, suite, write
from tests.support.sshd import Sshd

pytestmark = pytest.mark.needs("java", "javac")

PROGRAM = """
    import java.util.ArrayList;

    public class Worker {
        public static void main(String[] arguments) throws Exception {
            System.gc();
            System.out.println("ready in " + System.getProperty("user.dir"));
            System.out.flush();
            if (arguments[0].equals("fill")) {
                ArrayList<byte[]> all = new ArrayList<>();
                while (true) {
                    all.add(new byte[1 << 20]);
                }
            }
            if (arguments[0].equals("wait")) {
                Thread.sleep(600_000);
            }
        }
    }
"""

SUITE = """
    import os

    from ducktape.jvm_logging import JVMLogger
    from ducktape.mark.resource import cluster
    from ducktape.services.service import Service
    from ducktape.tests.test import Test
    from ducktape.utils.util import wait_until

    JAVA = "java -XX:-CreateCoredumpOnCrash -XX:+UseSerialGC -Xms8m -Xmx24m -cp {classes} Worker"

    class Worker(Service):
        def __init__(self, context, what):
            self.home = f"{context.globals['place']}/{context.test_name}-{what}"
            self.logs = {"console": {"path": f"{self.home}/console", "collect_default": True}}
            super().__init__(context, 1)
            self.what = what
            self.java = JAVA.format(classes=context.globals["classes"])

        def start_node(self, node):
            node.account.ssh(f"mkdir -p {self.home} && echo $JDK_JAVA_OPTIONS > {self.home}/console")
            node.account.ssh(
                f"cd /tmp && if true; then {self.java} {self.what} >> {self.home}/console 2>&1 & fi; "
                f"echo $! > {self.home}/pid"
            )

        def pid(self):
            return int(self.nodes[0].account.ssh_output(f"cat {self.home}/pid"))

        def console(self):
            return self.nodes[0].account.ssh_output(f"cat {self.home}/console").decode()

        def wait_for_end(self):
            account = self.nodes[0].account
            wait_until(lambda: not account.alive(self.pid()), 60, 0.1, "the JVM goes on")

        def stop_node(self, node):
            node.account.ssh(f"kill -9 $(cat {self.home}/pid)", allow_fail=True)

        def clean_node(self, node):
            node.account.ssh(f"rm -rf {self.home}")

    class JvmTest(Test):
        # The two nodes are one machine here, which a user's are not
        def worker(self, what):
            place = f"{self.test_context.globals['place']}/{self.test_context.test_name}-{what}-jvm"
            self.test_context.services.jvm_logger = JVMLogger(place)
            worker = Worker(self.test_context, what)
            worker.start()
            wait_until(lambda: "ready in /tmp" in worker.console(), 60, 0.1, "no JVM is ready")
            return worker

        @cluster(num_nodes=2)
        def test_good(self):
            workers = [self.worker(what) for what in ("end", "wait")]
            workers[0].wait_for_end()
            output = {}
            for worker in workers:
                account = worker.nodes[0].account
                shown = f"cd /tmp && {worker.java} end"
                output[worker.what] = [
                    account.ssh_output(shown, combine_stderr=False).decode(),
                    list(account.ssh_capture(shown, combine_stderr=False)),
                    account.ssh("if cd /tmp; then exit 3; fi", allow_fail=True),
                ]
            return output

        @cluster(num_nodes=1)
        def test_out_of_memory(self):
            self.worker("fill").wait_for_end()
            raise AssertionError("out of memory")

        @cluster(num_nodes=1)
        def test_crash(self):
            worker = self.worker("wait")
            worker.nodes[0].account.signal(worker.pid(), 11)
            worker.wait_for_end()
            raise AssertionError("crashed")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working directory with the suite, the Java program and a cluster file of two SSH nodes."""
    require("sshd")
    folder = tmp_path_factory.mktemp("jvm")
    source = write(folder / "Worker.java", PROGRAM)
    subprocess.run(["javac", "-d", str(folder / "classes"), str(source)], check=True)
    suite(folder, SUITE)
    servers: list[Sshd] = []
    try:
        for number in (1, 2):
            directory = folder / f"sshd{number}"
            directory.mkdir()
            servers.append(Sshd(directory))
            servers[-1].start()
        nodes = [
            {"ssh_config": {**server.settings.to_json(), "host": f"worker{number}"}}
            for number, server in enumerate(servers, 1)
        ]
        (folder / "cluster.json").write_text(json.dumps({"nodes": nodes}))
        yield folder
    finally:
        for server in servers:
            server.stop()


@pytest.fixture(scope="module", params=["plain", "compressed"])
def run(request: pytest.FixtureRequest, folder: Path) -> Iterator[Program]:
    """A run of the whole suite; compression and JVM logs have to get along."""
    place = folder / f"place-{request.param}"
    place.mkdir()
    program = Program(
        folder,
        "suite",
        "--cluster=ducktape.cluster.json.JsonCluster",
        "--cluster-file=cluster.json",
        "--enable-jvm-logs",
        f"--results-root={folder}/results-{request.param}",
        "--globals",
        json.dumps({"place": str(place), "classes": str(folder / "classes")}),
        *(["--compress"] if request.param == "compressed" else []),
    )
    try:
        program.wait()
        program.folder = folder / request.param
        program.folder.mkdir()
        (program.folder / "results").symlink_to(folder / f"results-{request.param}")
        yield program
        assert sorted(path.name for path in place.iterdir()) == []
    finally:
        program.kill_everything()


def logs(run: Program, test: str) -> dict[str, dict[str, bytes]]:
    """The logs in the results directory of a test, unpacked, by node and name."""
    directory = run.folder / "results" / "latest" / run.result(test)["relative_results_dir"]
    found: dict[str, dict[str, bytes]] = {}
    for file in directory.glob("*/worker*/*"):
        name, content = file.name, file.read_bytes()
        if name.endswith(".tgz"):
            name = name.removesuffix(".tgz")
            with tarfile.open(file) as archive:
                member = archive.extractfile(name)
                assert member is not None
                content = member.read()
        found.setdefault(file.parent.name, {})[name] = content
    return found


def compressed_files(run: Program) -> list[bool]:
    """Of all logs of services, whether they are compressed."""
    return [file.suffix == ".tgz" for file in (run.folder / "results" / "latest").glob("JvmTest/*/*/*/worker*/*")]


def test_the_tests_end_as_they_should(run: Program) -> None:
    assert run.statuses == {"test_good": "PASS", "test_out_of_memory": "FAIL", "test_crash": "FAIL"}, run.output
    assert run.result("test_out_of_memory")["summary"].startswith("AssertionError('out of memory')")
    assert run.result("test_crash")["summary"].startswith("AssertionError('crashed')")


def test_logs_are_collected_as_they_are_or_compressed(run: Program) -> None:
    kinds = compressed_files(run)
    assert len(kinds) >= 13
    assert set(kinds) == {run.folder.name == "compressed"}


def test_garbage_collection_and_events_are_collected_from_a_good_test(run: Program) -> None:
    found = logs(run, "test_good")
    assert {node: sorted(content) for node, content in found.items()} == {
        "worker1": ["console", "gc.log", "jvm.log"],
        "worker2": ["console", "gc.log", "jvm.log"],
    }
    for content in found.values():
        assert b"[info][gc" in content["gc.log"]
        assert b"Pause Full (System.gc())" in content["gc.log"]
        assert b"source: jrt:/java.base" in content["jvm.log"]


def test_every_command_after_the_start_has_the_options_and_compound_ones_work(run: Program) -> None:
    assert run.result("test_good")["data"] == {
        what: ["ready in /tmp\n", ["ready in /tmp\n"], 3] for what in ("end", "wait")
    }
    for content in logs(run, "test_good").values():
        assert content["console"].startswith(b"-Xlog:disable -Xlog:gc*:file=")
        assert b"NOTE: Picked up JDK_JAVA_OPTIONS: " in content["console"]


def test_a_heap_dump_is_collected_when_the_memory_is_full(run: Program) -> None:
    [content] = logs(run, "test_out_of_memory").values()
    assert sorted(content) == ["console", "gc.log", "heap_dump.hprof", "jvm.log"]
    assert content["heap_dump.hprof"].startswith(b"JAVA PROFILE 1.0")
    assert len(content["heap_dump.hprof"]) > 8 << 20
    assert b"java.lang.OutOfMemoryError" in content["console"]


def test_the_report_of_a_crash_is_collected(run: Program) -> None:
    [content] = logs(run, "test_crash").values()
    [crash] = [name for name in content if name.startswith("hs_err_pid")]
    assert sorted(content) == ["console", "gc.log", crash, "jvm.log"]
    assert b"A fatal error has been detected by the Java Runtime Environment" in content[crash]
    assert b"SIGSEGV" in content[crash]
