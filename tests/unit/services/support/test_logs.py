# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import os
import shlex
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.localhost import LocalhostCluster
from ducktape.cluster.transport import is_framework_command
from ducktape.services.support.log_compression import compress_command, compress_logs
from ducktape.services.support.logs import Order, collect_logs
from tests.unit.services.fakes import FakeAccount, FakeContext, RecordingService


class Logging(RecordingService):
    logs = {
        "out": {"path": "/var/out.log", "collect_default": True},
        "heap": {"path": "/var/heap", "collect_default": False},
    }


def collected(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


def new_service(num_nodes: int = 2, kind: type[RecordingService] = Logging) -> tuple[FakeContext, RecordingService]:
    context = FakeContext()
    service = kind(context, num_nodes)
    for account in context.accounts:
        account.files = {"/var/out.log": f"out of {account.hostname}", "/var/heap": "heap"}
    context.log.lines.clear()
    return context, service


def collect(context: FakeContext, service: Any, destination: Path, **options: Any) -> None:
    wanted = options.pop("wanted", lambda name: True)
    settings: dict[str, Any] = {"compress": None, "logger": context.logger, **options}
    collect_logs([Order(service, str(destination), wanted)], **settings)


def test_wanted_logs_are_copied_to_a_directory_per_node(tmp_path: Path) -> None:
    context, service = new_service()
    collect(context, service, tmp_path, wanted=lambda name: name == "out")
    assert collected(tmp_path) == {"host0/out.log": "out of host0", "host1/out.log": "out of host1"}
    # The nodes are asked side by side.
    assert sorted(context.log.lines) == [
        "DEBUG Copying logs...",
        "DEBUG Copying logs...",
        "DEBUG Preparing to copy logs from host0: ['/var/out.log']",
        "DEBUG Preparing to copy logs from host1: ['/var/out.log']",
    ]


def test_a_service_without_logs_has_nothing_to_collect(tmp_path: Path) -> None:
    context, service = new_service(kind=RecordingService)
    collect(context, service, tmp_path)
    assert context.log.lines == [f"DEBUG Won't collect service logs from {service.service_id} - no logs to collect."]
    assert collected(tmp_path) == {}


@pytest.mark.parametrize("failing", ["compression", "copy"])
def test_what_a_failed_command_holds_is_released_at_once(tmp_path: Path, failing: str) -> None:
    released: list[str] = []

    def channel() -> Iterator[None]:
        try:
            yield
        finally:
            released.append(failing)

    class Failing(FakeAccount):
        def fail(self, *args: object, **kwargs: object) -> int:
            held = channel()
            next(held)
            raise OSError("it fails while a channel is open")

        copy_from = ssh = fail  # type: ignore[assignment]

    context, service = new_service(num_nodes=1)
    service.logs = {"out": {"path": "/var/out.log", "collect_default": True}}
    service.nodes[0].account = Failing("host0")
    gc.disable()
    try:
        collect(context, service, tmp_path, compress=compress_logs if failing == "compression" else None)
        assert released == [failing]
    finally:
        gc.enable()


def test_no_directory_is_made_where_no_log_is_wanted(tmp_path: Path) -> None:
    context, service = new_service()
    collect(context, service, tmp_path, wanted=lambda name: False)
    assert list(tmp_path.iterdir()) == []


def test_logs_are_read_when_they_are_collected(tmp_path: Path) -> None:
    context, service = new_service(num_nodes=1)
    service.logs = {"late": {"path": "/var/heap", "collect_default": True}}
    collect(context, service, tmp_path)
    assert collected(tmp_path) == {"host0/heap": "heap"}


def test_a_log_that_cannot_be_copied_is_named_and_skips_no_other(tmp_path: Path) -> None:
    context, service = new_service(num_nodes=1)
    context.accounts[0].failing = ["out.log"]
    collect(context, service, tmp_path)
    assert collected(tmp_path) == {"host0/heap": "heap"}
    assert context.log.of_level("WARNING") == [
        f"Error copying log out from {Logging.logs['out']} to {tmp_path}/host0. "
        f"service {service}: OSError: cannot read /var/out.log"
    ]


def test_a_node_that_fails_altogether_skips_no_other(tmp_path: Path) -> None:
    context, service = new_service()

    def compress(node: Any, service: Any, paths: list[str]) -> list[str]:
        if node.account.hostname == "host0":
            raise OSError("gone")
        return paths

    collect(context, service, tmp_path, compress=compress, wanted=lambda name: name == "out")
    assert collected(tmp_path) == {"host1/out.log": "out of host1"}
    assert context.log.of_level("WARNING") == [f"Error collecting logs from host0: service {service}: OSError: gone"]


def test_a_log_about_which_nobody_can_decide_costs_itself_alone(tmp_path: Path) -> None:
    context, service = new_service(num_nodes=1)
    service.logs = {**Logging.logs, "bad": {"collect_default": True}}
    collect(context, service, tmp_path)
    assert sorted(collected(tmp_path)) == ["host0/heap", "host0/out.log"]
    assert context.log.of_level("WARNING") == [
        "Error preparing to collect log bad from {'collect_default': True} on host0. "
        f"service {service}: KeyError: 'path'"
    ]


def test_a_log_without_a_default_is_not_collected_unless_wanted(tmp_path: Path) -> None:
    context, service = new_service(num_nodes=1)
    service.logs = {"out": {"path": "/var/out.log"}}
    collect(context, service, tmp_path, wanted=lambda name: bool(service.logs[name]["collect_default"]))
    assert collected(tmp_path) == {}
    assert context.log.of_level("WARNING") == []


def test_logs_that_cannot_be_asked_for_are_a_warning(tmp_path: Path) -> None:
    class Broken(RecordingService):
        @property
        def logs(self) -> Any:  # type: ignore[override]
            raise OSError("no logs")

    context, service = new_service(kind=Broken)
    collect(context, service, tmp_path)
    assert context.log.of_level("WARNING") == [f"Error asking for the logs of service {service}: OSError: no logs"]


def test_compressed_logs_are_copied_instead(tmp_path: Path) -> None:
    context, service = new_service(num_nodes=1)
    context.accounts[0].files = {"/var/out.log.tgz": "packed"}
    context.accounts[0].failing = ["/var/heap"]
    collect(context, service, tmp_path, compress=compress_logs)
    assert collected(tmp_path) == {"host0/out.log.tgz": "packed"}
    assert context.log.lines[1:] == [
        "DEBUG Compressing logs...",
        f"WARNING Error compressing log /var/heap: service {service}: "
        f"RuntimeError: cannot do {compress_command('/var/heap')}",
        "DEBUG Copying logs...",
    ]


def test_a_compressed_log_that_cannot_be_copied_is_named(tmp_path: Path) -> None:
    context, service = new_service(num_nodes=1)
    context.accounts[0].failing = ["out.log.tgz"]
    collect(context, service, tmp_path, compress=lambda node, service, paths: [f"{path}.tgz" for path in paths])
    assert context.log.of_level("WARNING") == [
        f"Error copying log out from {Logging.logs['out']} to {tmp_path}/host0. "
        f"service {service}: OSError: cannot read /var/out.log.tgz"
    ]


def test_wildcards_stand_for_the_files_that_exist(tmp_path: Path) -> None:
    context, service = new_service(num_nodes=1)
    service.logs = {"crash": {"path": "/var/hs_err*", "collect_default": True}}
    account = context.accounts[0]
    command = 'for f in /var/hs_err*; do if [ -e "$f" ]; then printf "%s\\0" "$f"; fi; done'
    account.outputs = {command: b"/var/hs_err1\0/var/hs_err2\0"}
    account.files = {"/var/hs_err1": "1", "/var/hs_err2": "2"}
    collect(context, service, tmp_path)
    assert account.commands == [command]
    assert collected(tmp_path) == {"host0/hs_err1": "1", "host0/hs_err2": "2"}


def test_the_wildcard_command_lists_existing_files_in_a_real_shell(tmp_path: Path) -> None:
    class Local(FakeAccount):
        def ssh_output(self, cmd: str, allow_fail: bool = False, combine_stderr: bool = True) -> bytes:
            assert is_framework_command()
            return subprocess.run(["sh", "-c", cmd], check=True, stdout=subprocess.PIPE).stdout

    source = tmp_path / "source"
    source.mkdir()
    for name in ("a b.log", "c.log"):
        (source / name).write_text(name)
    context, service = new_service(num_nodes=1)
    account = Local("host0")
    account.files = {str(source / name): name for name in ("a b.log", "c.log")}
    service.nodes[0].account = account
    service.logs = {"all": {"path": f"{source}/*.log"}, "none": {"path": f"{source}/*.txt"}}
    collect(context, service, tmp_path / "destination")
    assert collected(tmp_path / "destination") == {"host0/a b.log": "a b.log", "host0/c.log": "c.log"}


@pytest.mark.parametrize("trailing", ["", "/"])
def test_the_compress_command_packs_a_directory_and_removes_it(tmp_path: Path, trailing: str) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a").write_text("content")
    subprocess.run(["sh", "-c", compress_command(f"{tmp_path}/logs{trailing}")], check=True)
    assert os.listdir(tmp_path) == ["logs.tgz"]
    with tarfile.open(tmp_path / "logs.tgz") as archive:
        assert sorted(archive.getnames()) == ["logs", "logs/a"]


def test_the_compress_command_accepts_what_does_not_exist_and_expands_variables(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("content")
    environment = {**os.environ, "PLACE": str(tmp_path)}
    subprocess.run(["sh", "-c", compress_command("$PLACE/absent")], check=True, env=environment)
    subprocess.run(["sh", "-c", compress_command("$PLACE/x")], check=True, env=environment)
    assert os.listdir(tmp_path) == ["x.tgz"]


def test_the_compress_command_is_the_documented_one() -> None:
    assert compress_command("P") == (
        'cd "$(dirname P)" && f="$(basename P)" && if [ -e "$f" ]; then tar czf "$f.tgz" "$f"; fi && rm -rf P'
    )
    assert shlex.split(compress_command("P"))[0] == "cd"


def test_compressing_is_a_command_of_the_framework() -> None:
    marked: list[bool] = []

    class Marked(FakeAccount):
        def ssh(self, cmd: str, allow_fail: bool = False) -> int:
            marked.append(is_framework_command())
            return 0

    _context, service = new_service(num_nodes=1)
    service.nodes[0].account = Marked("host0")
    assert compress_logs(service.nodes[0], service, ["/a/b/", "/c"]) == ["/a/b.tgz", "/c.tgz"]
    assert marked == [True, True]


@pytest.mark.parametrize("compressed", [False, True])
def test_logs_of_real_processes_are_collected(tmp_path: Path, compressed: bool) -> None:
    class Writer(RecordingService):
        logs = {"all": {"path": f"{tmp_path}/localhost?"}, "absent": {"path": f"{tmp_path}/absent"}}

        def start_node(self, node: Any, **kwargs: Any) -> None:
            node.account.ssh(f"mkdir {tmp_path}/{node.name} && echo {node.name} > {tmp_path}/{node.name}/out.log")

    context = FakeContext()
    context.cluster = LocalhostCluster()  # type: ignore[assignment]
    service = Writer(context, 2)
    service.start()
    service.nodes.pop()
    collect(context, service, tmp_path / "results", compress=compress_logs if compressed else None)
    assert context.log.of_level("WARNING") == []
    results = tmp_path / "results" / "localhost0"
    if compressed:
        assert sorted(os.listdir(results)) == ["localhost0.tgz", "localhost1.tgz"]
        return
    assert collected(results) == {"localhost0/out.log": "localhost0\n", "localhost1/out.log": "localhost1\n"}


def test_what_is_missing_is_returned_with_its_reason(tmp_path: Path) -> None:
    context, service = new_service(num_nodes=2)
    context.accounts[0].failing = ["out.log"]
    order = Order(service, str(tmp_path), lambda name: True)
    missing = collect_logs([order], compress=None, logger=context.log.logger)
    assert [str(log) for log in missing] == [
        f"host0: {service.service_id}: log out (/var/out.log): cannot read /var/out.log"
    ]


def test_what_was_not_compressed_is_missing(tmp_path: Path) -> None:
    context, service = new_service(num_nodes=1)
    context.accounts[0].failing = ["/var/heap"]
    order = Order(service, str(tmp_path), lambda name: True)
    [missing] = collect_logs([order], compress=compress_logs, logger=context.log.logger)
    assert (missing.name, missing.path) == ("heap", "/var/heap")
    assert missing.reason.startswith("not compressed: RuntimeError: cannot do ")


def test_a_node_that_does_not_answer_costs_its_own_logs(tmp_path: Path) -> None:
    answer = threading.Event()

    class Silent(FakeAccount):
        def copy_from(self, src: str, dest: str) -> None:
            answer.wait(60)

    context, service = new_service(num_nodes=3)
    service.nodes[1].account = Silent("host1")
    order = Order(service, str(tmp_path), lambda name: True)
    missing = collect_logs([order], compress=None, logger=context.log.logger, timeout=0.5)
    answer.set()
    assert sorted(collected(tmp_path)) == ["host0/heap", "host0/out.log", "host2/heap", "host2/out.log"]
    reason = "not collected within 0.5 seconds"
    assert [str(log) for log in missing] == [
        f"host1: {service.service_id}: log out (/var/out.log): {reason}",
        f"host1: {service.service_id}: log heap (/var/heap): {reason}",
    ]
    assert context.log.of_level("WARNING") == [
        f"Logs from host1: service {service}: {reason}: out (/var/out.log), heap (/var/heap)"
    ]


def test_nodes_are_asked_side_by_side(tmp_path: Path) -> None:
    together = threading.Barrier(8, timeout=30)

    class Waiting(FakeAccount):
        def copy_from(self, src: str, dest: str) -> None:
            together.wait()

    context = FakeContext(8)
    service = Logging(context, 8)
    for node in service.nodes:
        node.account = Waiting(node.account.hostname)
    order = Order(service, str(tmp_path), lambda name: name == "out")
    assert collect_logs([order], compress=None, logger=context.log.logger) == []


def test_all_logs_of_a_node_are_asked_for_at_once(tmp_path: Path) -> None:
    class AtOnce(FakeAccount):
        def copy_all_from(self, paths: list[str], dest: str, report: Any) -> None:
            self.commands.append(f"{paths} to {dest}")
            report(paths[0], None)
            raise OSError("the connection was lost")

    context, service = new_service(num_nodes=1)
    account = service.nodes[0].account = AtOnce("host0")
    order = Order(service, str(tmp_path), lambda name: True)
    missing = collect_logs([order], compress=None, logger=context.log.logger)
    assert account.commands == [f"['/var/out.log', '/var/heap'] to {tmp_path}/host0"]
    assert [(log.name, log.reason) for log in missing] == [("heap", "the connection was lost")]
