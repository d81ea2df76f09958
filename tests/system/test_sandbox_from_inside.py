# SPDX-License-Identifier: Apache-2.0
"""What a node of the sandbox shows of the framework to the programs in it, and what those can do to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.sandbox.cluster import SandboxAccount
from tests.support.program import CHECKOUT
from tests.support.sandbox import running_sandbox

pytestmark = pytest.mark.needs("sandbox")

# What suites look for in tables of processes: parts of paths, names of programs, of users and of folders
DRIVERS_WORDS = (
    "python",
    "ducktape",
    "sandbox",
    "supervisor",
    "site-packages",
    "lib-dynload",
    str(CHECKOUT),
    sys.prefix,
)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[SandboxAccount]:
    with running_sandbox(tmp_path) as cluster:
        [node] = cluster.alloc(ClusterSpec.simple_linux(1))
        assert isinstance(node.account, SandboxAccount)
        yield node.account


def output(account: SandboxAccount, command: str) -> str:
    return account.ssh_output(command).decode()


def test_the_first_process_has_a_neutral_name_and_nothing_of_the_driver(account: SandboxAccount) -> None:
    shown = {
        "name": output(account, "cat /proc/1/comm"),
        "command line": output(account, r"tr '\0' '|' </proc/1/cmdline"),
        "environment": output(account, r"tr -d '\0' </proc/1/environ"),
        "program": output(account, "readlink /proc/1/exe /proc/1/task/1/exe || :"),
        "libraries": output(account, "cat /proc/1/maps /proc/1/smaps /proc/1/task/1/maps; ls /proc/1/map_files"),
        "directory": output(account, "readlink /proc/1/cwd"),
        "streams": output(account, "readlink /proc/1/fd/0 /proc/1/fd/1 /proc/1/fd/2"),
        "other files": output(account, "readlink /proc/1/fd/* | grep -v -e ^/dev/null -e ^socket: || :"),
        "groups": output(account, "cut -d : -f 3 /proc/1/cgroup | grep sandbox || :"),
    }
    assert shown == {
        "name": "init\n",
        "command line": "init|",
        "environment": "",
        "program": "",
        "libraries": "",
        "directory": "/\n",
        "streams": "/dev/null\n" * 3,
        "other files": "",
        "groups": "",
    }


def test_a_search_for_processes_finds_those_of_the_suite_only(account: SandboxAccount) -> None:
    account.ssh("nohup sleep 4711 </dev/null >/dev/null 2>&1 &")
    # Of the files of a process, ps needs those that are looked into here
    found = output(account, "cat /proc/[0-9]*/comm /proc/[0-9]*/cmdline | tr '\\0' '\\n'; ps -ef; cat /proc/net/unix")
    found += output(account, "grep -v ^/dev/ /proc/mounts")
    assert [word for word in DRIVERS_WORDS if word in found] == []
    assert output(account, "ps -e -o args= | grep -v -e ps -e grep") == "init\nsleep 4711\n"
    account.ssh("pkill -9 sleep; until ! pgrep sleep; do sleep 0.01; done")


def test_a_command_line_is_neutral_also_while_commands_and_file_work_start(account: SandboxAccount) -> None:
    look = "while :; do cat /proc/[0-9]*/cmdline; done >/tmp/seen 2>/dev/null"
    account.ssh(f"nohup sh -c '{look}' </dev/null >/dev/null 2>&1 &")
    for _ in range(50):
        account.ssh("true")
        account.create_file("/tmp/file", "x")
        account.exists("/tmp/file")
    seen = output(account, "tr '\\0' ' ' </tmp/seen")
    assert "init" in seen
    assert [word for word in DRIVERS_WORDS if word in seen] == []


def test_a_node_outlives_the_death_of_everything_in_it(account: SandboxAccount) -> None:
    account.ssh("nohup sleep 4711 </dev/null >/dev/null 2>&1 &")
    for command in ("kill -9 -1", "kill -9 1", "pkill -9 -f .", "killall5 -9"):
        account.ssh(command, allow_fail=True)
        assert account.ssh("true") == 0
        account.create_file("/tmp/after", command)
        assert output(account, "cat /tmp/after") == command
    assert output(account, "ps -e -o args= | grep -v -e ps -e grep") == "init\n"


def test_orphans_are_collected(account: SandboxAccount) -> None:
    pid = output(account, "sh -c 'sleep 0.05 >/dev/null 2>&1 & echo $!'").strip()
    account.ssh(f"until [ ! -e /proc/{pid} ]; do sleep 0.01; done", timeout_sec=10)
    assert output(account, "ps -e -o stat= | grep -c Z || :") == "0\n"


def test_the_driver_still_knows_the_processes_that_it_holds(account: SandboxAccount) -> None:
    assert Path(f"/proc/{account.init_pid}/comm").read_text() == "init\n"
    supervisor = int(Path(f"/proc/{account.init_pid}/stat").read_text().rpartition(")")[2].split()[1])
    assert Path(f"/proc/{supervisor}/cmdline").read_bytes() == b"ducktape-sandbox\0"
    assert os.path.samefile(f"/proc/{supervisor}/cwd", "/")
