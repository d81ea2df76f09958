# SPDX-License-Identifier: Apache-2.0
"""Does every verb of an account work on the nodes of a cluster?

Run it with a cluster file, on machines that are to be used by other suites: what fails here is not their fault.
``"work_root"`` in the globals is where the nodes keep their files, instead of /tmp.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ducktape.cluster.remoteaccount import RemoteCommandError
from ducktape.errors import TimeoutError as FrameworkTimeoutError
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test
from ducktape.utils.util import wait_until
from systests.cluster.workplace import Workplace


def raised(kind: type[BaseException], call: Any, *args: Any, **kwargs: Any) -> Any:
    """Call something that must raise, and return the error."""
    try:
        call(*args, **kwargs)
    except kind as error:
        return error
    raise AssertionError(f"{call} raised no {kind.__name__}")


def wait_for_end(account: Any, pid: int) -> None:
    """Wait until a process is gone."""
    wait_until(lambda: not account.alive(pid), timeout_sec=10, err_msg=f"process {pid} goes on")


class AccountTest(Test):
    """Verbs on each of some nodes, which work at the same time."""

    def on_each_node(self, check: Any, num_nodes: int = 2) -> None:
        """Call ``check(account, directory)`` for each node, with a directory of its own there."""
        places = Workplace(self.test_context, num_nodes=num_nodes)
        places.start()
        with ThreadPoolExecutor(num_nodes) as pool:
            for result in [pool.submit(check, node.account, places.directory(node)) for node in places.nodes]:
                result.result()


class CommandsTest(AccountTest):
    """``ssh``, ``ssh_output``, ``ssh_capture``."""

    @cluster(num_nodes=2)
    def test_status_and_errors(self) -> None:
        def check(account: Any, place: str) -> None:
            assert account.ssh("true") == 0
            assert account.ssh("exit 3", allow_fail=True) == 3
            error = raised(RemoteCommandError, account.ssh, "echo trouble >&2; exit 3")
            assert (error.exit_status, error.msg) == (3, b"trouble\n")
            assert raised(RemoteCommandError, account.ssh, "kill -9 $$").exit_status == -1
            raised(TimeoutError, account.ssh, "sleep 5", timeout_sec=0.3)
            assert account.ssh("grep -q needle", stdin="a needle") == 0

        self.on_each_node(check)

    @cluster(num_nodes=2)
    def test_output(self) -> None:
        def check(account: Any, place: str) -> None:
            assert account.ssh_output("printf 'a\\377'") == b"a\xff"
            assert sorted(account.ssh_output("echo a; echo b >&2").split()) == [b"a", b"b"]
            assert account.ssh_output("echo a; echo b >&2", combine_stderr=False) == b"a\n"
            assert account.ssh_output("cat", stdin=b"x" * 100_000) == b"x" * 100_000
            both = "head -c 3000000 /dev/zero & head -c 3000000 /dev/zero >&2; wait"
            assert len(account.ssh_output(both, combine_stderr=False)) == 3_000_000

        self.on_each_node(check)

    @cluster(num_nodes=2)
    def test_lines_as_they_come(self) -> None:
        def check(account: Any, place: str) -> None:
            assert list(account.ssh_capture("seq 3", callback=int)) == [1, 2, 3]
            lines = account.ssh_capture(f"printf par; while [ ! -e {place}/go ]; do sleep 0.02; done; echo tial")
            assert not lines.has_next(timeout_sec=0.25)
            account.ssh(f"touch {place}/go")
            assert lines.has_next(timeout_sec=20)
            assert list(lines) == ["partial\n"]
            assert sum(int(line) for line in account.ssh_capture("seq 100000")) == 5_000_050_000
            failing = account.ssh_capture("echo a; exit 4")
            assert next(failing) == "a\n"
            raised(RemoteCommandError, failing.has_next)

        self.on_each_node(check)

    @cluster(num_nodes=1)
    def test_many_threads_at_once(self) -> None:
        def check(account: Any, place: str) -> None:
            with ThreadPoolExecutor(16) as pool:
                outputs = list(pool.map(lambda number: account.ssh_output(f"echo {number}"), range(200)))
            assert outputs == [b"%d\n" % number for number in range(200)]

        self.on_each_node(check, num_nodes=1)


class ProcessesTest(AccountTest):
    """``alive``, ``signal``, ``kill_process``, ``java_pids``, ``kill_java_processes``."""

    @cluster(num_nodes=2)
    def test_processes_are_found_and_ended(self) -> None:
        def check(account: Any, place: str) -> None:
            for number, end in enumerate((signal.SIGTERM, "KILL")):
                account.ssh(f"sleep 30{number} >/dev/null 2>&1 & echo $! >{place}/pid")
                pid = int(account.ssh_output(f"cat {place}/pid"))
                assert account.alive(pid)
                account.signal(pid, end)
                wait_for_end(account, pid)
            raised(RemoteCommandError, account.signal, pid, signal.SIGTERM)
            account.signal(pid, signal.SIGTERM, allow_fail=True)
            # The directory makes the name one that no other process has.
            account.ssh(f"cp $(command -v sleep) {place}/sleeper")
            for clean in (True, False):
                account.ssh(f"{place}/sleeper 300 >/dev/null 2>&1 & echo $! >{place}/pid")
                pid = int(account.ssh_output(f"cat {place}/pid"))
                account.kill_process(f'"{place}/sleeper 300"', clean_shutdown=clean)
                wait_for_end(account, pid)
            account.kill_process(f'"{place}/sleeper 300"')

        self.on_each_node(check)

    @cluster(num_nodes=1)
    def test_no_java_process_of_an_unlikely_name(self) -> None:
        def check(account: Any, place: str) -> None:
            assert account.java_pids("NoSuchProgramAnywhere") == []
            account.kill_java_processes("NoSuchProgramAnywhere")

        self.on_each_node(check, num_nodes=1)


class FilesTest(AccountTest):
    """Predicates, ``open``, ``create_file``, directories, ``remove``, copying."""

    @cluster(num_nodes=2)
    def test_files_and_directories(self) -> None:
        def check(account: Any, place: str) -> None:
            account.create_file(f"{place}/file", "grün\n")
            account.ssh(f"cd {place} && ln -s file link && ln -s nowhere dangling")
            names = ("file", "link", "dangling", "absent", "")
            verbs = (account.exists, account.isfile, account.isdir, account.islink)
            assert [[verb(f"{place}/{name}") for verb in verbs] for name in names] == [
                [True, True, False, False],
                [True, True, False, True],
                [True, False, False, True],
                [False, False, False, False],
                [True, False, True, False],
            ]
            with account.open(f"{place}/file") as file:
                assert file.read() == "grün\n".encode()
            with account.open(f"{place}/file", "a") as file:
                file.write("more")
            assert account.ssh_output(f"cat {place}/file") == "grün\nmore".encode()
            raised(FileNotFoundError, account.open, f"{place}/absent")
            raised(FileNotFoundError, account.create_file, f"{place}/absent/file", "")
            account.mkdir(f"{place}/one")
            raised(OSError, account.mkdir, f"{place}/one")
            account.mkdirs(f"{place}/two/three", mode=0o700)
            assert account.ssh_output(f"stat -c %a {place}/two/three") == b"700\n"
            account.remove(f"{place}/one {place}/t*")
            assert not account.exists(f"{place}/two")
            raised(RemoteCommandError, account.remove, f"{place}/one")
            account.remove(f"{place}/one", allow_fail=True)

        self.on_each_node(check)

    @cluster(num_nodes=2)
    def test_trees_to_nodes_between_them_and_back(self) -> None:
        places = Workplace(self.test_context, num_nodes=2)
        places.start()
        first, second = places.nodes
        with tempfile.TemporaryDirectory() as name:
            expected = make_tree(Path(name) / "tree")
            first.account.copy_to(f"{name}/tree", places.directory(first))
            first.account.copy_between(f"{places.directory(first)}/tree", f"{places.directory(second)}/renamed", second)
            second.account.copy_from(f"{places.directory(second)}/renamed", name)
            assert read_tree(Path(name) / "renamed") == expected
            # A second time merges into what is there, and what does not exist is not copied.
            second.account.copy_from(f"{places.directory(second)}/renamed", name)
            second.account.copy_from(f"{places.directory(second)}/absent", f"{name}/absent")
            assert read_tree(Path(name) / "renamed") == expected
            assert not os.path.exists(f"{name}/absent")

    @cluster(num_nodes=1)
    def test_a_large_file(self) -> None:
        def check(account: Any, place: str) -> None:
            account.ssh(f"head -c 20000000 /dev/urandom >{place}/large")
            with tempfile.TemporaryDirectory() as name:
                account.copy_from(f"{place}/large", f"{name}/large")
                account.copy_to(f"{name}/large", f"{place}/again")
            account.ssh(f"cmp {place}/large {place}/again")

        self.on_each_node(check, num_nodes=1)


class WatchingTest(AccountTest):
    """``monitor_log``, ``wait_for_http_service``, network devices."""

    @cluster(num_nodes=2)
    def test_a_log_is_watched_from_here_on(self) -> None:
        def check(account: Any, place: str) -> None:
            log = f"{place}/log"
            account.create_file(log, "before\n")
            with account.monitor_log(log) as monitor:
                error = raised(
                    FrameworkTimeoutError, monitor.wait_until, "before", timeout_sec=0.5, err_msg="it is not there"
                )
                assert "it is not there" in str(error)
                writer = threading.Timer(0.2, account.ssh, [f"echo 'now it is after' >>{log}"])
                writer.start()
                monitor.wait_until("it is af.er$", timeout_sec=10)
                writer.join()

        self.on_each_node(check)

    @cluster(num_nodes=2)
    def test_network_devices(self) -> None:
        def check(account: Any, place: str) -> None:
            devices = account.get_network_devices()
            assert "lo" in devices
            assert set(account.get_external_accessible_network_devices()) <= set(devices)

        self.on_each_node(check)

    @cluster(num_nodes=1)
    def test_a_server_on_a_node_is_awaited(self) -> None:
        def check(account: Any, place: str) -> None:
            if account.ssh("command -v python3 >/dev/null", allow_fail=True) != 0:
                self.logger.warning("%s has no python3, which this test would use as a server", account)
                return
            if not account.externally_routable_ip:
                self.logger.warning("the address of %s is not known", account)
                return
            server = "from http.server import *; s = HTTPServer(('', 0), SimpleHTTPRequestHandler)"
            script = f"{server}; print(s.server_port, flush=True); s.serve_forever()"
            lines = account.ssh_capture(f'cd {place} && echo $$ >pid && exec python3 -c "{script}"', timeout_sec=30)
            pid, port = 0, int(next(lines))
            try:
                pid = int(account.ssh_output(f"cat {place}/pid"))
                account.wait_for_http_service(port, {}, timeout=20)
            finally:
                account.signal(pid, signal.SIGKILL)
                lines.close()

        self.on_each_node(check, num_nodes=1)


class ConnectionsTest(AccountTest):
    """What holds an account together."""

    @cluster(num_nodes=2)
    def test_the_library_is_reached_and_closing_starts_anew(self) -> None:
        def check(account: Any, place: str) -> None:
            if account.is_local:
                return
            _, stdout, _ = account.ssh_client.exec_command("echo user")
            assert stdout.read() == b"user\n"
            assert "log" not in account.sftp_client.listdir(place)
            begin = account.ssh_output("echo $SSH_CONNECTION")
            account.close()
            assert account.ssh_output("echo $SSH_CONNECTION") != begin

        self.on_each_node(check)

    @cluster(num_nodes=5)
    def test_all_nodes_at_once(self) -> None:
        begin = time.monotonic()

        def check(account: Any, place: str) -> None:
            for number in range(20):
                assert account.ssh_output(f"echo {number}") == b"%d\n" % number

        self.on_each_node(check, num_nodes=5)
        self.logger.info("100 commands on 5 nodes took %.3f seconds", time.monotonic() - begin)


def make_tree(root: Path) -> dict[str, bytes]:
    """Write a tree with odd names, and return the content of its files."""
    contents = {name: name.encode() for name in ("with blank", "it's", "grün 日本", "-dash", "$HOME", "a*b")}
    contents |= {"deep/er/file": b"x" * 100_000, "deep/nothing": b""}
    for name, content in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return contents


def read_tree(root: Path) -> dict[str, bytes]:
    """Return the content of all files below a directory."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
