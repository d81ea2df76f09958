# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ducktape.services.support.log_compression import compress_command
from ducktape.tests import test as test_module
from ducktape.tests.session import SessionContext
from ducktape.tests.status import FAIL, PASS
from ducktape.tests.test import Test, _compress_cmd, _new_temp_dir, in_dir, in_temp_dir
from ducktape.tests.test_context import TestContext
from tests.unit.services.fakes import FakeContext, MemoryLog, RecordingService


class LoggingService(RecordingService):
    logs = {
        "wanted": {"path": "/log/wanted", "collect_default": True},
        "spare": {"path": "/log/spare", "collect_default": False},
    }


class InMemoryContext(FakeContext):
    """A fake context that has what a test needs beside what a service needs."""

    def __init__(self, results_dir: Path, num_nodes: int = 2, **options: Any) -> None:
        super().__init__(num_nodes, results_dir=str(results_dir), **options)
        self.log_collect: dict[Any, bool] = {}
        self.test_index = 3
        self.cls = Test
        self.function = Test.setUp
        self.injected_args = None
        for account in self.accounts:
            account.files = {"/log/wanted": "w", "/log/spare": "s"}


@pytest.fixture
def it(tmp_path: Path) -> Test:
    context: Any = InMemoryContext(tmp_path)
    return Test(context)


def service_of(it: Test, num_nodes: int = 1) -> LoggingService:
    return LoggingService(it.test_context, num_nodes)


def collected(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def log_of(it: Test) -> MemoryLog:
    log: MemoryLog = vars(it.test_context)["log"]
    return log


def test_a_test_has_the_cluster_and_the_log_of_its_context(it: Test) -> None:
    assert it.cluster is it.test_context.cluster
    assert it.logger is it.test_context.logger


def test_further_arguments_are_accepted(it: Test) -> None:
    class Wide(Test):
        def __init__(self, test_context: TestContext, size: int, *, kind: str) -> None:
            super().__init__(test_context)
            self.chosen = (size, kind)

    assert Wide(it.test_context, 3, kind="x").chosen == (3, "x")


@pytest.mark.parametrize("method", ["min_cluster_spec", "min_cluster_size"])
def test_deprecated_methods_say_what_to_write_instead(it: Test, method: str) -> None:
    with pytest.raises(NotImplementedError, match="@cluster"):
        getattr(it, method)()


def test_hooks_of_both_spellings_are_called_unless_overridden(it: Test) -> None:
    calls: list[str] = []

    class Camel(Test):
        def setUp(self) -> None:
            calls.append("setUp")

        def tearDown(self) -> None:
            calls.append("tearDown")

    class Both(Camel):
        def setup(self) -> None:
            calls.append("setup")

    Camel(it.test_context).setup()
    Camel(it.test_context).teardown()
    Both(it.test_context).setup()
    assert calls == ["setUp", "tearDown", "setup"]
    it.setup()
    it.teardown()


def test_freeing_swallows_everything_but_an_interrupt(it: Test) -> None:
    class Failing:
        def __init__(self, error: BaseException) -> None:
            self.error = error

        def free_all(self) -> None:
            raise self.error

    context: Any = it.test_context
    for error in (RuntimeError("x"), SystemExit(1), GeneratorExit()):
        context.services = Failing(error)
        it.free_nodes()
    context.services = Failing(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        it.free_nodes()


def test_freeing_frees_every_service(it: Test) -> None:
    service_of(it)
    service_of(it)
    assert it.cluster.num_available_nodes() == 0
    it.free_nodes()
    assert it.cluster.num_available_nodes() == 2


# --- collecting logs


def test_a_passing_test_collects_what_is_collected_by_default(it: Test, tmp_path: Path) -> None:
    service = service_of(it)
    it.copy_service_logs(PASS)
    assert collected(tmp_path) == [f"Test/setUp/3/{service.service_id}/host0/wanted"]


def test_a_failing_test_collects_everything(it: Test, tmp_path: Path) -> None:
    service = service_of(it)
    it.mark_no_collect(service)
    it.copy_service_logs(FAIL)
    directory = f"Test/setUp/3/{service.service_id}/host0"
    assert collected(tmp_path) == [f"{directory}/spare", f"{directory}/wanted"]


def test_every_node_of_every_service_is_asked(it: Test, tmp_path: Path) -> None:
    first, second = service_of(it), service_of(it)
    it.copy_service_logs(PASS)
    assert collected(tmp_path) == sorted(
        [f"Test/setUp/3/{first.service_id}/host0/wanted", f"Test/setUp/3/{second.service_id}/host1/wanted"]
    )


@pytest.mark.parametrize(
    ("choose", "names"),
    [
        (lambda it, service: None, ["wanted"]),
        (lambda it, service: it.mark_for_collect(service), ["spare", "wanted"]),
        (lambda it, service: it.mark_for_collect(service, "spare"), ["spare", "wanted"]),
        (lambda it, service: it.mark_no_collect(service), []),
        (lambda it, service: it.mark_no_collect(service, "wanted"), []),
        (lambda it, service: it.mark_no_collect(service, "spare"), ["wanted"]),
        (lambda it, service: [it.mark_for_collect(service), it.mark_no_collect(service, "wanted")], ["spare"]),
    ],
)
def test_marked_logs_are_collected_or_not(it: Test, tmp_path: Path, choose: Any, names: list[str]) -> None:
    service = service_of(it)
    choose(it, service)
    assert sorted(name for name in service.logs if it.should_collect_log(name, service)) == names
    it.copy_service_logs(PASS)
    assert [path.rpartition("/")[2] for path in collected(tmp_path)] == names


def test_a_mark_holds_for_its_service_alone(it: Test) -> None:
    first, second = service_of(it), service_of(it)
    it.mark_for_collect(first, "spare")
    assert it.should_collect_log("spare", first) is True
    assert it.should_collect_log("spare", second) is False


def test_one_log_that_cannot_be_copied_is_named_and_costs_no_other(it: Test, tmp_path: Path) -> None:
    service = service_of(it)
    vars(it.test_context)["accounts"][0].failing = ["/log/spare"]
    it.copy_service_logs(FAIL)
    assert [path.rpartition("/")[2] for path in collected(tmp_path)] == ["wanted"]
    [warning] = log_of(it).of_level("WARNING")
    assert warning.startswith("Error copying log spare from {'path': '/log/spare', 'collect_default': False} to ")
    assert warning.endswith(f"service {service}: OSError: cannot read /log/spare")


def test_a_service_without_logs_is_passed_over(it: Test, tmp_path: Path) -> None:
    service = RecordingService(it.test_context, 1)
    it.copy_service_logs(FAIL)
    assert collected(tmp_path) == []
    assert log_of(it).of_level("DEBUG")[2:] == [
        f"Won't collect service logs from {service.service_id} - no logs to collect."
    ]


def test_what_is_collected_is_told_step_by_step(it: Test) -> None:
    service_of(it)
    it.copy_service_logs(PASS)
    assert log_of(it).of_level("DEBUG")[2:] == ["Preparing to copy logs from host0: ['/log/wanted']", "Copying logs..."]


def test_compressed_logs_are_collected_under_their_new_names(tmp_path: Path) -> None:
    context: Any = InMemoryContext(tmp_path, compress=True)
    it = Test(context)
    service_of(it)
    context.accounts[0].files = {"/log/wanted.tgz": "packed"}
    it.copy_service_logs(PASS)
    assert [path.rpartition("/")[2] for path in collected(tmp_path)] == ["wanted.tgz"]
    assert context.accounts[0].commands == [compress_command("/log/wanted")]
    assert "Compressing logs..." in log_of(it).of_level("DEBUG")


def test_how_logs_are_compressed_can_be_overridden(tmp_path: Path) -> None:
    class Own(Test):
        def compress_service_logs(self, node: Any, service: Any, node_logs: list[str]) -> list[str]:
            assert node_logs == ["/log/wanted"]
            return ["/log/spare"]

    context: Any = InMemoryContext(tmp_path, compress=True)
    it = Own(context)
    service_of(it)
    it.copy_service_logs(PASS)
    assert [path.rpartition("/")[2] for path in collected(tmp_path)] == ["spare"]


def test_what_cannot_be_compressed_is_named_and_left_out(tmp_path: Path) -> None:
    context: Any = InMemoryContext(tmp_path, compress=True)
    it = Test(context)
    service = service_of(it)
    context.accounts[0].failing = ["/log/wanted"]
    it.copy_service_logs(PASS)
    assert collected(tmp_path) == []
    [warning] = log_of(it).of_level("WARNING")
    assert warning.startswith(f"Error compressing log /log/wanted: service {service}: RuntimeError: cannot do ")


# --- directories


def test_a_block_in_a_directory_ends_where_it_began(tmp_path: Path) -> None:
    before = os.getcwd()
    with pytest.raises(ZeroDivisionError), in_dir(str(tmp_path)):
        assert os.getcwd() == os.path.realpath(tmp_path)
        raise ZeroDivisionError
    assert os.getcwd() == before


def test_a_block_in_a_temporary_directory_removes_it() -> None:
    before = os.getcwd()
    with in_temp_dir() as directory:
        Path("x").write_text("x")
        assert os.listdir(directory) == ["x"]
    assert (os.getcwd(), os.path.exists(directory)) == (before, False)


def test_a_new_temporary_directory_exists() -> None:
    directory = _new_temp_dir()
    assert os.listdir(directory) == []
    os.rmdir(directory)


def test_older_names_are_importable_from_here() -> None:
    assert _compress_cmd("/a/b") == compress_command("/a/b")
    names = ["Test", "TestContext", "TestLoggerMaker", "_escape_pathname", "test_logger", "in_dir", "in_temp_dir"]
    assert [name for name in names if not hasattr(test_module, name)] == []


def test_a_session_without_a_say_about_compression_does_not_compress(tmp_path: Path) -> None:
    context: Any = InMemoryContext(tmp_path)
    context.session_context = SessionContext(session_id="s", results_dir=str(tmp_path))
    it = Test(context)
    service_of(it)
    it.copy_service_logs(PASS)
    assert context.accounts[0].commands == []
