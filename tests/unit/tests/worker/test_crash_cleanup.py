# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.finite_subcluster import FiniteSubcluster
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.services.service import Service
from ducktape.services.support.diagnostics import dump_services
from ducktape.services.support.record import record_of
from ducktape.services.support.snapshot import values_of
from ducktape.tests.event import CleanedUp, decode, encode
from ducktape.tests.loggermaker import close_logger
from ducktape.tests.session import SessionContext
from ducktape.tests.test import Test
from ducktape.tests.test_context import TestContext
from ducktape.tests.worker.crash_cleanup import CrashCleanUp
from tests.support.program import environment, write

CALLS: list[str] = []


class Hosted(Test):
    def test_it(self) -> None:
        pass


class Case:
    """A test of this process, whose services are ended from their records on the same nodes."""

    def __init__(self, directory: Path, num_nodes: int = 3, **options: Any) -> None:
        CALLS.clear()
        self.nodes = LocalhostCluster().alloc(ClusterSpec.simple_linux(num_nodes))
        self.context = TestContext(
            session_context=SessionContext(session_id="s", results_dir=str(directory), **options),
            module=f"m{directory.name}",
            cls=Hosted,
            function=Hosted.test_it,
            cluster=FiniteSubcluster(self.nodes),
        )
        self.context.test_index = 1
        self.directory = directory / "Hosted" / "test_it" / "1"
        self.phases: list[str] = []
        self.log: list[str] = []

    def clean_up(self, *services: Service, dump: bool = False) -> CleanedUp:
        """End services as if their process were dead, with what went through a pipe."""
        records = [json.loads(json.dumps(record_of(service))) for service in services]
        for node in self.nodes:
            node.account.logger = None
        return self.clean_up_records(records, dump=dump)

    def clean_up_records(self, records: list[Any], *, dump: bool = False) -> CleanedUp:
        clean_up = CrashCleanUp(
            self.context,
            records,
            self.nodes,
            log=lambda level, text: self.log.append(f"{logging.getLevelName(level)} {text}"),
            enter=self.phases.append,
        )
        done = clean_up.run(dump=dump)
        received = decode(encode(done))
        assert isinstance(received, CleanedUp)
        return received

    @property
    def collected(self) -> dict[str, bytes]:
        """The collected files, by their paths."""
        files = (path for path in self.directory.rglob("*") if path.is_file() and "test_log" not in path.name)
        return {str(path.relative_to(self.directory)): path.read_bytes() for path in files}


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    case = Case(tmp_path / "results")
    yield case
    close_logger(case.context._logger)


class Noting(Service):
    """Writes down what is done with it on which node, and fails where it is told to."""

    def __init__(self, context: Any, num_nodes: int = 1, name: str = "a", fails_at: tuple[str, ...] = ()) -> None:
        super().__init__(context, num_nodes)
        self.name = name
        self.fails_at = fails_at

    def _note(self, what: str, node: Any) -> None:
        CALLS.append(f"{what} {self.name} {node.name}")
        if f"{what} {node.name}" in self.fails_at:
            raise OSError(f"no {what}\nhere")
        if f"{what} {node.name} interrupt" in self.fails_at:
            raise KeyboardInterrupt

    def stop_node(self, node: Any, **kwargs: Any) -> None:
        self._note("stop", node)

    def clean_node(self, node: Any, **kwargs: Any) -> None:
        self._note("clean", node)


STATE = ["framework"]


class Asking(Noting):
    def _note(self, what: str, node: Any) -> None:
        CALLS.append(f"{what} {STATE[0]}")


class Dumping(Noting):
    def dump(self, node: Any) -> None:
        self._note("dump", node)


# ---- the real thing: processes and files of a test whose process was killed

SERVICES = """
    import os
    from ducktape.services.service import Service

    class Sleeper(Service):
        def __init__(self, context, num_nodes, root):
            super().__init__(context, num_nodes)
            self.root = root
            self.pids = {}
            self.logs = {"log": {"path": root + "/log", "collect_default": False}}
            self.lock = object()

        def start_node(self, node):
            node.account.mkdirs(self.root)
            command = f"echo log of the sleeper > {self.root}/log; nohup sleep 1000 > /dev/null 2>&1 & echo $!"
            self.pids[self.idx(node)] = int(node.account.ssh_output(command))

        def stop_node(self, node):
            if self.idx(node) in self.pids:
                node.account.ssh(f"kill -9 {self.pids[self.idx(node)]}")

        def clean_node(self, node):
            node.account.ssh(f"rm -rf {self.root}")
"""

CRASH = """
    import json, os, sys
    from ducktape.cluster.finite_subcluster import FiniteSubcluster
    from ducktape.cluster.cluster_spec import ClusterSpec
    from ducktape.cluster.localhost import LocalhostCluster
    from ducktape.tests.session import SessionContext
    from ducktape.tests.test_context import TestContext
    from my_services import Sleeper

    folder = sys.argv[1]
    nodes = LocalhostCluster().alloc(ClusterSpec.simple_linux(3))
    session = SessionContext(session_id="s", results_dir=folder + "/unused")
    context = TestContext(session_context=session, cluster=FiniteSubcluster(nodes))

    def listen(change):
        with open(folder + "/changes", "a") as file:
            file.write(json.dumps(change) + "\\n")

    context.services.listener = listen
    Sleeper(context, 1, folder + "/gone").free()
    Sleeper(context, 2, folder + "/one").start()
    Sleeper(context, 1, folder + "/two").start()
    os.kill(os.getpid(), 9)
"""


def _crashed(folder: Path) -> list[dict[str, Any]]:
    """Run a process that starts services and dies; return what was noted of those that are left."""
    write(folder / "my_services.py", SERVICES)
    script = write(folder / "crash.py", CRASH)
    done = subprocess.run(
        [sys.executable, str(script), str(folder)], env=environment(folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    records: dict[str, dict[str, Any]] = {}
    for line in (folder / "changes").read_text().splitlines():
        change = json.loads(line)
        if isinstance(change, str):
            del records[change]
        else:
            records[change["service_id"]] = change
    return list(records.values())


_NO_PID = 2**22 + 1  # more than any system gives away


def _pids(record: dict[str, Any]) -> list[int]:
    return list(values_of(record["attributes"])["pids"].values())


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_what_a_killed_process_has_left_is_ended_collected_and_removed(case: Case, tmp_path: Path) -> None:
    records = _crashed(tmp_path)
    assert [record["nodes"] for record in records] == [["localhost1", "localhost2"], ["localhost0"]]
    pids = [pid for record in records for pid in _pids(record)]
    assert (len(pids), [_runs(pid) for pid in pids]) == (3, [True, True, True])
    done = case.clean_up_records(records)
    deadline = time.monotonic() + 10
    while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [_runs(pid) for pid in pids] == [False, False, False]
    assert [(tmp_path / name).exists() for name in ("one", "two")] == [False, False]
    one, two = (record["service_id"] for record in records)
    assert case.collected == {
        f"{one}/localhost1/log": b"log of the sleeper\n",
        f"{one}/localhost2/log": b"log of the sleeper\n",
        f"{two}/localhost0/log": b"log of the sleeper\n",
    }
    assert (done.problems, done.missing_logs, done.dirty) == ([], [], {})
    assert [service["service_id"] for service in done.services] == [one, two]
    for service in done.services:
        lifecycle = service["lifecycle"]
        assert isinstance(lifecycle, dict)
        assert lifecycle["clean_time"] >= lifecycle["stop_time"] > 0


def test_a_node_on_which_that_fails_is_dirty(case: Case, tmp_path: Path) -> None:
    records = _crashed(tmp_path)
    one = records[0]
    first, second = _pids(one)
    os.kill(first, signal.SIGKILL)
    one["attributes"]["pids"] = repr({1: _NO_PID, 2: second})  # so that stopping it fails
    done = case.clean_up_records(records)
    assert list(done.dirty) == ["localhost1"]
    assert done.dirty["localhost1"].startswith(
        f"service {one['service_id']} could not be stopped after its test was over: RemoteCommandError: "
    )
    [problem] = done.problems
    assert problem.startswith(f"Error stopping service {one['service_id']} on localhost1, localhost2: RemoteCommand")
    assert [(tmp_path / name).exists() for name in ("one", "two")] == [False, False]
    assert len(case.collected) == 3


# ---- order, failures, time


def test_the_order_is_that_of_a_test_that_failed(case: Case) -> None:
    services = [Dumping(case.context, name=name) for name in "ab"]
    for service in services:
        service.start()
    CALLS.clear()
    case.clean_up(*services, dump=True)
    assert case.phases == ["dump", "stop", "collect", "clean"]
    assert sorted(CALLS[:2]) == ["dump a localhost0", "dump b localhost1"]
    assert CALLS[2:] == ["stop b localhost1", "stop a localhost0", "clean a localhost0", "clean b localhost1"]
    assert [node.account._logger for node in case.nodes[:2]] == [None, None]
    assert case.context.cluster.used().size() == 1  # the node that no service has


@pytest.mark.parametrize(("verb", "ing", "ed"), [("stop", "stopping", "stopped"), ("clean", "cleaning", "cleaned")])
def test_a_failure_costs_its_node_and_nothing_else(case: Case, verb: str, ing: str, ed: str) -> None:
    bad, good = Noting(case.context, 2), Noting(case.context, name="b")
    bad.start()
    bad.fails_at = (f"{verb} localhost1",)
    CALLS.clear()
    done = case.clean_up(bad, good)
    assert sorted(CALLS) == sorted(
        f"{each} {node}" for each in ("stop", "clean") for node in ("a localhost0", "a localhost1", "b localhost2")
    )
    why = f"OSError: no {verb} here"
    assert done.dirty == {"localhost1": f"service {bad.service_id} could not be {ed} after its test was over: {why}"}
    assert done.problems == [f"Error {ing} service {bad.service_id} on localhost0, localhost1: {why}"]
    assert f"WARNING {done.problems[0]}" in case.log


class Refusing(Noting):
    def stop(self, **kwargs: Any) -> None:
        raise OSError("not at all")


class Forgiving(Noting):
    def stop(self, **kwargs: Any) -> None:
        try:
            super().stop()
        except OSError:
            self.fails_at = ()
            super().stop()


def test_a_failure_of_the_service_as_a_whole_concerns_all_its_nodes(case: Case) -> None:
    service = Refusing(case.context, 2)
    service.start()
    assert sorted(case.clean_up(service).dirty) == ["localhost0", "localhost1"]


def test_a_failure_that_the_service_deals_with_is_none(case: Case) -> None:
    service = Forgiving(case.context, 2)
    service.start()
    service.fails_at = ("stop localhost0",)
    done = case.clean_up(service)
    assert (done.dirty, done.problems) == ({}, [])


def test_a_service_that_was_never_started_leaves_no_node_dirty(case: Case) -> None:
    service = Noting(case.context, fails_at=("stop localhost0",))
    done = case.clean_up(service)
    assert (done.dirty, len(done.problems)) == ({}, 1)


@pytest.mark.parametrize("verb", ["stop", "clean"])
def test_an_interrupt_ends_its_step_and_the_next_one_begins(case: Case, verb: str) -> None:
    first, second = Noting(case.context, 2), Noting(case.context, name="b")
    for service in (first, second):
        service.start()
    (interrupted, left) = (second, first) if verb == "stop" else (first, second)
    interrupted.fails_at = tuple(f"{verb} {node.name} interrupt" for node in interrupted.nodes[:1])
    CALLS.clear()
    done = case.clean_up(first, second)
    assert case.phases == ["stop", "collect", "clean"]
    assert [call for call in CALLS if call.startswith(verb)] == [
        f"{verb} {interrupted.name} {interrupted.nodes[0].name}"
    ]
    assert sorted(done.dirty) == ["localhost0", "localhost1", "localhost2"]
    assert done.dirty[left.nodes[0].name].endswith("after its test was over: there was no time left for it")
    assert done.dirty[interrupted.nodes[0].name].endswith("it took too long, or the run was interrupted")
    assert f"WARNING The time for this step is over: {verb}" in case.log


_RELEASE = threading.Event()


class Hanging(Noting):
    parallel_nodes = True

    def stop_node(self, node: Any, **kwargs: Any) -> None:
        if node.name == "localhost0":
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        if node.name != "localhost1":
            _RELEASE.wait(60)


def test_an_interrupt_does_not_wait_for_nodes_that_hang_side_by_side(case: Case) -> None:
    service = Hanging(case.context, 3)
    service._start_time = 1
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        begin = time.monotonic()
        done = case.clean_up(service)
    finally:
        signal.signal(signal.SIGINT, previous)
        _RELEASE.set()
    assert time.monotonic() - begin < 30
    assert {"localhost0", "localhost2"} <= set(done.dirty)
    assert [call.split()[0] for call in CALLS] == ["clean"] * 3


def test_a_service_that_cannot_be_made_again_has_its_logs_collected_and_leaves_its_nodes_dirty(
    case: Case, tmp_path: Path
) -> None:
    class Local(Noting):
        pass

    service, other = Local(case.context), Noting(case.context, name="b")
    (tmp_path / "log").write_text("content")
    service.logs = {"log": {"path": str(tmp_path / "log"), "collect_default": False}}
    done = case.clean_up(service, other)
    assert CALLS == ["stop b localhost1", "clean b localhost1"]
    assert list(case.collected) == [f"{service.service_id}/localhost0/log"]
    assert list(done.dirty) == ["localhost0"]
    assert "Local is defined inside a function" in done.dirty["localhost0"]
    assert done.problems[0].startswith(f"Error making service {service.service_id} again, so that it can be stopped,")
    assert [each["cls_name"] for each in done.services] == ["Local", "Noting"]


def test_logs_that_are_missing_are_named(case: Case, tmp_path: Path) -> None:
    service = Noting(case.context)
    service.logs = {"log": {"path": f"{tmp_path}/$(exit 1 *", "collect_default": True}}
    [missing] = case.clean_up(service).missing_logs
    assert missing.startswith(f"localhost0: {service.service_id}: log log ({tmp_path}/$(exit 1 *): ")


def test_logs_are_compressed_where_the_session_wants_it(tmp_path: Path) -> None:
    case = Case(tmp_path / "results", compress=True)
    service = Noting(case.context)
    (tmp_path / "log").write_text("content")
    service.logs = {"log": {"path": str(tmp_path / "log"), "collect_default": True}}
    case.clean_up(service)
    close_logger(case.context._logger)
    packed = case.directory / service.service_id / "localhost0" / "log.tgz"
    with tarfile.open(packed) as archive:
        assert archive.getnames() == ["log"]


def test_the_scratch_directory_of_a_dead_service_is_removed(case: Case) -> None:
    service = Noting(case.context)
    scratch = service.local_scratch_dir
    case.clean_up(service)
    assert not os.path.exists(scratch)


def test_nothing_to_do_is_done() -> None:
    context = TestContext(session_context=SessionContext(session_id="s", results_dir="/unused"))
    context._logger = logging.Logger("unused")
    done = CrashCleanUp(context, [], [], log=lambda level, text: None, enter=lambda phase: None).run(dump=True)
    assert done == CleanedUp()


def test_an_invalid_record_does_not_keep_the_others_from_their_turn(case: Case) -> None:
    service = Noting(case.context)
    broken = {**record_of(service), "report": {}, "attributes": None}
    done = case.clean_up_records([{}, {"service_id": 1}, broken, record_of(service)])
    assert CALLS == ["stop a localhost0", "clean a localhost0"]
    assert done.problems[0] == "Ignored invalid service records; those services were not stopped"
    assert "so that it can be stopped, on localhost0: AttributeError" in done.problems[1]


def test_interrupts_can_only_come_where_code_of_users_runs(case: Case) -> None:
    @contextlib.contextmanager
    def user_code() -> Iterator[None]:
        assert STATE == ["framework"]
        STATE[:] = ["user"]
        yield
        STATE[:] = ["framework"]

    done = CrashCleanUp(
        case.context,
        [record_of(Asking(case.context))],
        case.nodes,
        log=lambda level, text: None,
        enter=lambda phase: CALLS.append(f"{phase} {STATE[0]}"),
        user_code=user_code,
    ).run(dump=False)
    assert done.problems == []
    assert CALLS == ["stop framework", "stop user", "collect framework", "clean framework", "clean user"]


# ---- dumps


class Strange(Noting):
    def dump(self, path: str, mode: str) -> None:
        CALLS.append("strange")


def _dump(*services: Service, seconds: float = 30) -> list[str]:
    log: list[str] = []
    dump_services(services, lambda level, text: log.append(f"{logging.getLevelName(level)} {text}"), seconds=seconds)
    return log


def test_services_that_have_the_hook_dump_on_all_nodes_and_errors_are_logged(case: Case) -> None:
    service = Dumping(case.context, 2, fails_at=("dump localhost0",))
    log = _dump(service, Strange(case.context))
    assert sorted(CALLS) == ["dump a localhost0", "dump a localhost1"]
    assert log == [
        f"WARNING Error dumping the state of service {service.service_id} on localhost0: OSError: no dump here"
    ]


def test_a_dump_that_takes_too_long_is_left_to_itself(case: Case) -> None:
    release = threading.Event()

    class Slow(Noting):
        def dump(self, node: Any) -> None:
            if node.name == "localhost1":
                release.wait(60)

    service = Slow(case.context, 2)
    try:
        assert _dump(service, seconds=0.2) == [
            "WARNING The state of some services was not dumped within 0.2 seconds: "
            f"service {service.service_id} on localhost1"
        ]
    finally:
        release.set()
