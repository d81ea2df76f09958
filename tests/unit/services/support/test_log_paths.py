# SPDX-License-Identifier: Apache-2.0
"""Every log has a place of its own, whatever logs, nodes and files are called."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.services.support.log_compression import compress_logs
from ducktape.services.support.log_paths import service_directory
from ducktape.services.support.logs import Order, collect_logs
from tests.unit.services.fakes import FakeAccount, FakeContext, RecordingService
from tests.unit.services.support.test_logs import collect, collected


def service_with(logs: Any, **files: str) -> tuple[FakeContext, RecordingService]:
    context = FakeContext(1)
    service = RecordingService(context, 1)
    service.logs = logs
    context.accounts[0].files = files
    return context, service


def paths(**logs: str) -> dict[str, dict[str, str]]:
    return {name: {"path": path} for name, path in logs.items()}


def test_a_further_log_of_the_same_name_goes_below_its_own(tmp_path: Path) -> None:
    context, service = service_with(
        paths(one="/a/s.log", two="/b/s.log", three="/c/s.log", other="/d/t.log"),
        **{"/a/s.log": "1", "/b/s.log": "2", "/c/s.log": "3", "/d/t.log": "4"},
    )
    for _ in range(2):  # collecting again changes nothing
        collect(context, service, tmp_path)
        assert collected(tmp_path) == {
            "host0/s.log": "1",
            "host0/two/s.log": "2",
            "host0/three/s.log": "3",
            "host0/t.log": "4",
        }


def test_nothing_changes_where_the_first_log_does_not_exist(tmp_path: Path) -> None:
    context, service = service_with(paths(one="/a/s.log", two="/b/s.log"), **{"/b/s.log": "2"})
    collect(context, service, tmp_path)
    assert collected(tmp_path) == {"host0/s.log": "2"}


def test_the_place_of_a_log_that_failed_stays_its_own(tmp_path: Path) -> None:
    context, service = service_with(paths(one="/a/s.log", two="/b/s.log"), **{"/b/s.log": "2"})
    context.accounts[0].failing = ["/a/s.log"]
    collect(context, service, tmp_path)
    assert collected(tmp_path) == {"host0/two/s.log": "2"}


def test_files_of_one_pattern_may_share_their_name(tmp_path: Path) -> None:
    context, service = service_with(paths(all="/*/s.log"), **{"/a/s.log": "1", "/b/s.log": "2", "/c/s.log": "3"})
    command = 'for f in /*/s.log; do if [ -e "$f" ]; then printf "%s\\0" "$f"; fi; done'
    context.accounts[0].outputs = {command: b"/a/s.log\0/b/s.log\0/c/s.log\0"}
    collect(context, service, tmp_path)
    assert collected(tmp_path) == {"host0/s.log": "1", "host0/all/s.log": "2", "host0/all-2/s.log": "3"}


def test_a_log_may_be_called_like_the_directory_of_another(tmp_path: Path) -> None:
    context, service = service_with(
        paths(one="/a/s.log", two="/b/s.log", three="/c/two"), **{"/a/s.log": "1", "/b/s.log": "2", "/c/two": "3"}
    )
    collect(context, service, tmp_path)
    assert collected(tmp_path) == {"host0/s.log": "1", "host0/two-2/s.log": "2", "host0/two": "3"}


@pytest.mark.parametrize(
    ("name", "directory"),
    [("../../x", "..%2F..%2Fx"), ("..", "%2E%2E"), ("a/b", "a%2Fb"), ("", "unnamed"), ("n\0l", "n%00l"), (7, "7")],
)
def test_a_log_may_have_a_name_that_no_directory_has(tmp_path: Path, name: Any, directory: str) -> None:
    context, service = service_with(
        {"one": {"path": "/a/s.log"}, name: {"path": "/b/s.log"}}, **{"/a/s.log": "1", "/b/s.log": "2"}
    )
    collect(context, service, tmp_path / "in")
    assert collected(tmp_path) == {"in/host0/s.log": "1", f"in/host0/{directory}/s.log": "2"}


def test_one_log_under_two_paths_has_one_place(tmp_path: Path) -> None:
    context, service = service_with(paths(one="/a//s.log", two="/a/s.log"), **{"/a/s.log": "1", "/a//s.log": "1"})
    collect(context, service, tmp_path)
    assert collected(tmp_path) == {"host0/s.log": "1"}


def test_archives_of_logs_of_one_name_all_arrive(tmp_path: Path) -> None:
    context, service = service_with(
        paths(one="/a/s", two="/b/s", three="/c/s.tgz"),
        **{"/a/s.tgz": "1", "/b/s.tgz": "2", "/c/s.tgz.tgz": "3"},
    )
    collect(context, service, tmp_path, compress=compress_logs)
    assert collected(tmp_path) == {"host0/s.tgz": "1", "host0/two/s.tgz": "2", "host0/s.tgz.tgz": "3"}


class Shell(FakeAccount):
    def ssh(self, cmd: str, allow_fail: bool = False) -> int:
        return subprocess.run(["sh", "-c", cmd], check=True).returncode

    def ssh_output(self, cmd: str, allow_fail: bool = False, combine_stderr: bool = True) -> bytes:
        return subprocess.run(["sh", "-c", cmd], check=True, stdout=subprocess.PIPE).stdout


def test_no_archive_is_written_over_a_log_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("plain")
    (tmp_path / "s.tgz").write_text("a log too")
    node = ClusterNode(Shell("host0"))
    service: Any = None
    compress_logs(node, service, [f"{tmp_path}/s", f"{tmp_path}/s.tgz"])
    assert sorted(os.listdir(tmp_path)) == ["s.tgz", "s.tgz.tgz"]
    unpacked = subprocess.run(["tar", "xzOf", tmp_path / "s.tgz.tgz"], check=True, stdout=subprocess.PIPE).stdout
    assert unpacked == b"a log too"


def test_what_a_node_names_is_no_command_when_it_is_compressed(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    names = ["a b.log", "$(touch ran).log", "new\nline.log", "-rf.log", "it's;.log"]
    for name in names:
        (source / name).write_text(name)
    context, service = service_with(paths(all=f"{source}/*.log"))
    account = service.nodes[0].account = Shell("host0")
    account.files = {f"{source}/{name}.tgz": name for name in names}
    collect(context, service, tmp_path / "in", compress=compress_logs)
    assert collected(tmp_path / "in") == {f"host0/{name}.tgz": name for name in names}
    assert sorted(os.listdir(source)) == sorted(f"{name}.tgz" for name in names)


@pytest.mark.parametrize(
    "answer", ["/logs/..", "..", "/logs/../other/x.log", "/etc/x.log", "/logs/", "/logs/deep/x.log", "x" * 5000]
)
def test_a_node_cannot_answer_with_something_else(tmp_path: Path, answer: str) -> None:
    context, service = service_with(paths(all="/logs/*", other="/o.log"), **{"/logs/good": "good", "/o.log": "o"})
    account = context.accounts[0]
    account.files[answer] = "evil"
    command = 'for f in /logs/*; do if [ -e "$f" ]; then printf "%s\\0" "$f"; fi; done'
    account.outputs = {command: f"{answer}\0/logs/good\0".encode()}
    order = Order(service, str(tmp_path), lambda name: True)
    [missing] = collect_logs([order], compress=None, logger=context.logger)
    assert (missing.hostname, missing.name, missing.path) == ("host0", "all", "/logs/*")
    assert f"host0: the name {answer[:120]!r}" in missing.reason
    assert collected(tmp_path) == {"host0/good": "good", "host0/o.log": "o"}


@pytest.mark.parametrize("pattern", ["$HOME/x*", "~/*.log", "/a/{b,c}/*.log", "/a/*.log /b/*.log"])
def test_what_only_the_shell_knows_is_believed_but_for_the_name(tmp_path: Path, pattern: str) -> None:
    context, service = service_with(paths(all=pattern), **{"/b/x.log": "x", "/b/..": "evil"})
    command = f'for f in {pattern}; do if [ -e "$f" ]; then printf "%s\\0" "$f"; fi; done'
    context.accounts[0].outputs = {command: b"/b/x.log\0/b/..\0"}
    collect(context, service, tmp_path)
    assert collected(tmp_path) == {"host0/x.log": "x"}


@pytest.mark.parametrize(
    "path",
    ["", " ", ".", "./", "..", "/", "//", "~", "~/", "~user", "$HOME", "${HOME}/", "/a/..", "a/.",
     "/dev", "/dev/zero", "//dev/null", "/dev/./sda", "/dev/*",
     "n\0l", "x" * 5000,
     7, None, b"/a", ["/a"], "\ud800"],
)  # fmt: skip
def test_a_path_that_is_none_of_a_log_costs_itself_alone(tmp_path: Path, path: Any) -> None:
    context, service = service_with({"bad": {"path": path}, "good": {"path": "/good"}}, **{"/good": "good"})
    order = Order(service, str(tmp_path), lambda name: True)
    [missing] = collect_logs([order], compress=compress_logs, logger=context.logger)
    assert missing.name == "bad"
    assert not any("rm -rf" in command and "/good" not in command for command in context.accounts[0].commands)
    collect(context, service, tmp_path)
    assert collected(tmp_path) == {"host0/good": "good"}


def test_what_the_kernel_shows_is_copied_and_never_removed(tmp_path: Path) -> None:
    files = {"/proc/net/snmp": "1", "/sys/x": "2", "/dev/shm/log.tgz": "3", "/processes/x.tgz": "4"}
    context, service = service_with(
        paths(one="/proc/net/snmp", two="/sys/x", three="/dev/shm/log", four="/processes/x"), **files
    )
    collect(context, service, tmp_path, compress=compress_logs)
    assert [command for command in context.accounts[0].commands if "/proc/" in command or "/sys/" in command] == []
    assert collected(tmp_path) == {f"host0/{path.rpartition('/')[2]}": text for path, text in files.items()} | {
        "host0/x": "2"
    }


@pytest.mark.parametrize(
    ("hostname", "directory"),
    [("../../x", "..%2F..%2Fx"), ("", "unnamed"), (".", "%2E"), ("fe80::1%eth0", "fe80::1%eth0")],
)
def test_a_node_may_have_a_name_that_no_directory_has(tmp_path: Path, hostname: str, directory: str) -> None:
    context, service = service_with(paths(one="/s"), **{"/s": "1"})
    context.accounts[0].hostname = hostname
    collect(context, service, tmp_path / "in")
    assert collected(tmp_path) == {f"in/{directory}/s": "1"}


def test_nodes_of_one_name_have_directories_of_their_own(tmp_path: Path) -> None:
    context = FakeContext(2)
    service = RecordingService(context, 2)
    service.logs = paths(one="/s")
    for number, account in enumerate(context.accounts):
        account.hostname, account.files = "host", {"/s": str(number)}
    collect(context, service, tmp_path)
    assert collected(tmp_path) == {"host/s": "0", "host-2/s": "1"}


def test_services_of_one_id_on_one_node_share_no_place(tmp_path: Path) -> None:
    context, service = service_with(paths(one="/a/s"), **{"/a/s": "a", "/b/s": "b"})
    other = RecordingService(FakeContext(1), 1)
    other.nodes, other.logs = service.nodes, paths(two="/b/s")
    orders = [Order(each, str(tmp_path), lambda name: True) for each in (service, other)]
    assert collect_logs(orders, compress=None, logger=context.logger) == []
    assert collected(tmp_path) == {"host0/s": "a", "host0/two/s": "b"}


@pytest.mark.parametrize(
    ("service_id", "directory"),
    [
        ("Kafka-0-1", "Kafka-0-1"),
        ("group/one", "group/one"),
        ("../../out", "..%2F..%2Fout"),
        ("group/../../out", "group%2F..%2F..%2Fout"),
        ("/etc", "%2Fetc"),
        ("..", "%2E%2E"),
        ("a\0b\n", "a%00b%0A"),
        ("x" * 300, "x" * 200),
    ],
)
def test_the_logs_of_a_service_stay_in_the_directory_of_the_test(service_id: str, directory: str) -> None:
    assert service_directory("/results", service_id) == f"/results/{directory}"
