# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.finite_subcluster import FiniteSubcluster
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.errors import InfrastructureError, Skip
from ducktape.services.service import MultiRunServiceIdFactory, Service
from ducktape.tests.driver.failure_cause import describe_exception, failure_reason
from ducktape.tests.event import Outcome
from ducktape.tests.loggermaker import close_logger
from ducktape.tests.session import SessionContext
from ducktape.tests.status import FAIL, PASS
from ducktape.tests.test import Test
from ducktape.tests.test_context import TestContext
from ducktape.tests.worker.interrupts import InterruptGate
from ducktape.tests.worker.lifecycle import TestRun

CALLS: list[str] = []


class Noting(Service):
    """Notes what is done with it, and fails where it is told to."""

    logs = {"log": {"path": "unused", "collect_default": True}}

    def __init__(self, context: Any, *, fails_at: str = "", error: BaseException | None = None) -> None:
        super().__init__(context, num_nodes=1)
        self.fails_at = fails_at
        self.raised = error or RuntimeError(f"at {fails_at}")

    def _note(self, what: str) -> None:
        CALLS.append(what)
        if self.fails_at == what:
            raise self.raised

    def stop(self, **kwargs: Any) -> None:
        self._note("stop")

    def clean(self, **kwargs: Any) -> None:
        self._note("clean")

    def free(self) -> None:
        super().free()
        self._note("free")


class Plain(Test):
    """Notes its phases; subclasses replace them."""

    def setup(self) -> None:
        CALLS.append("setup")

    def test_it(self) -> Any:
        CALLS.append("test")

    def teardown(self) -> None:
        CALLS.append("teardown")

    def copy_service_logs(self, test_status: Any) -> None:
        CALLS.append(f"copy {test_status}")

    def free_nodes(self) -> None:
        CALLS.append("free_nodes")
        super().free_nodes()


class Driven:
    """One attempt at a test class, and what came of it."""

    def __init__(
        self, cls: type[Test], directory: Path, *, interrupted: bool = False, late: bool = False, **options: Any
    ) -> None:
        self.late = late
        self.cluster = FiniteSubcluster(LocalhostCluster(num_nodes=2)._available_nodes)
        session = SessionContext(session_id="s", results_dir=str(directory), **options)
        self.context = TestContext(
            session_context=session,
            module="m",
            cls=cls,
            function=cls.test_it,  # type: ignore[attr-defined]
            cluster=self.cluster,
        )
        self.context.test_index = 1
        self.lines: list[tuple[int, str]] = []
        self.gate = InterruptGate()
        self.gate.requested = interrupted
        self.run_again()

    def run_again(self, run_number: int | None = None) -> Outcome:
        CALLS.clear()
        factory = None if run_number is None else MultiRunServiceIdFactory(run_number)
        self.phases: list[str] = []
        self.changes: list[Any] = []
        self.attempt = TestRun(
            self.context,
            self._log,
            self.gate,
            enter=self.phases.append,
            listener=self.changes.append,
            wants_evidence=lambda: self.late,
        ).run(factory)
        self.calls = list(CALLS)
        return self.attempt

    def _log(self, level: int, line: str) -> None:
        self.lines.append((level, line))

    def of_level(self, level: int) -> list[str]:
        return [line for of, line in self.lines if of == level]

    @property
    def warnings(self) -> list[str]:
        """First lines of all warnings."""
        return [line.partition("\n")[0] for line in self.of_level(logging.WARNING)]


@pytest.fixture(autouse=True)
def no_open_log() -> Iterator[None]:
    yield
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("m."):
            close_logger(logging.getLogger(name))


def test_a_passing_test_goes_through_all_phases_in_order(tmp_path: Path) -> None:
    class Good(Plain):
        def test_it(self) -> Any:
            Noting(self.test_context)
            CALLS.append("test")
            return {"x": 1}

    driven = Driven(Good, tmp_path)
    assert driven.calls == ["setup", "test", "teardown", "stop", "copy pass", "clean", "free_nodes", "free"]
    attempt = driven.attempt
    assert (attempt.status, attempt.data, attempt.summary, attempt.reason) == ("pass", {"x": 1}, "", None)
    assert driven.of_level(logging.INFO) == ["Setting up...", "Running...", "Tearing down..."]
    assert driven.of_level(logging.DEBUG)[:3] == [
        "Copying logs from services...",
        "Cleaning up services...",
        "Freeing nodes...",
    ]
    assert driven.of_level(logging.DEBUG)[3].startswith("Threads after m.Good.test_it finished: MainThread")
    assert driven.warnings == []
    assert driven.cluster.num_available_nodes() == 2


def test_services_are_described_after_they_were_freed(tmp_path: Path) -> None:
    class Good(Plain):
        def test_it(self) -> Any:
            Noting(self.test_context)
            Noting(self.test_context)

    services = Driven(Good, tmp_path).attempt.services
    assert [service["cls_name"] for service in services] == ["Noting", "Noting"]
    assert [str(service["service_id"]).split("-")[:2] for service in services] == [["Noting", "0"], ["Noting", "1"]]
    assert [service["nodes"] for service in services] == [["localhost0"], ["localhost1"]]


def test_services_of_one_of_several_runs_carry_its_number(tmp_path: Path) -> None:
    class Good(Plain):
        def test_it(self) -> Any:
            self.at_first = Noting(self.test_context).service_id

        def copy_service_logs(self, test_status: Any) -> None:
            CALLS.extend(service.service_id.split("-")[0] for service in self.test_context.services)

    driven = Driven(Good, tmp_path)
    attempt = driven.run_again(2)
    assert "2" in driven.calls
    assert [str(service["service_id"]).split("-")[:3] for service in attempt.services] == [["2", "Noting", "0"]]


def test_setup_that_fails_runs_teardown_and_not_the_test(tmp_path: Path) -> None:
    class Bad(Plain):
        def setup(self) -> None:
            Noting(self.test_context)
            raise ValueError("no setup")

    driven = Driven(Bad, tmp_path)
    assert driven.calls == ["teardown", "stop", "copy fail", "clean", "free_nodes", "free"]
    assert (driven.attempt.status, driven.attempt.reason) == ("fail", "error")
    assert driven.attempt.summary.split("\n")[:2] == ["ValueError('no setup')", "Traceback (most recent call last):"]
    assert driven.attempt.summary.split("\n")[-2:] == ["ValueError: no setup", ""]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AssertionError("a"), "assertion"),
        (ValueError("v"), "error"),
        (SystemExit(3), "error"),
        (GeneratorExit(), "error"),
        (KeyboardInterrupt(), "error"),
    ],
)
def test_whatever_a_test_raises_is_its_failure(tmp_path: Path, error: BaseException, reason: str) -> None:
    class Bad(Plain):
        def test_it(self) -> Any:
            raise error

    driven = Driven(Bad, tmp_path)
    assert driven.calls == ["setup", "teardown", "copy fail", "free_nodes"]
    assert (driven.attempt.status, driven.attempt.reason) == ("fail", reason)
    assert driven.attempt.summary.split("\n")[0] == repr(error)


def test_a_constructor_that_fails_leaves_no_service_running_and_no_log_behind(tmp_path: Path) -> None:
    class Unmade(Plain):
        def __init__(self, test_context: TestContext) -> None:
            super().__init__(test_context)
            Noting(test_context)
            raise ValueError("cannot be made")

    driven = Driven(Unmade, tmp_path)
    assert driven.calls == ["stop", "clean", "free"]
    assert driven.attempt.summary.split("\n")[0] == "ValueError('cannot be made')"
    assert driven.warnings[0] == "m.Unmade.test_it failed to instantiate"
    assert [service["cls_name"] for service in driven.attempt.services] == ["Noting"]
    # The log of the service does not exist, and the attempt to copy it is the proof that it was wanted.
    log = (tmp_path / "Unmade" / "test_it" / "1" / "test_log.debug").read_text()
    assert "Preparing to copy logs from localhost0: ['unused']" in log
    assert driven.cluster.num_available_nodes() == 2


def test_every_attempt_is_a_fresh_one(tmp_path: Path) -> None:
    made: list[object] = []

    class Twice(Plain):
        def __init__(self, test_context: TestContext) -> None:
            super().__init__(test_context)
            assert list(test_context.services) == []
            assert test_context.log_collect == {}
            made.append(self)
            Noting(test_context)
            test_context.log_collect["x"] = True
            if len(made) == 2:
                raise ValueError("cannot be made again")

    driven = Driven(Twice, tmp_path)
    assert driven.attempt.status == PASS
    assert driven.run_again().status == FAIL
    assert driven.calls == ["stop", "clean", "free"]
    assert driven.run_again().status == PASS
    assert len(set(map(id, made))) == 3


@pytest.mark.parametrize(
    ("phase", "warning"),
    [
        ("teardown", "Error running teardown method: "),
        ("copy", "Error copying service logs: "),
        ("free_nodes", "Error freeing nodes: "),
    ],
)
@pytest.mark.parametrize("error", [RuntimeError("late"), KeyboardInterrupt(), SystemExit(2)])
@pytest.mark.parametrize("fails", [False, True])
def test_errors_after_the_test_never_change_its_status(
    tmp_path: Path, phase: str, warning: str, error: BaseException, fails: bool
) -> None:
    class Late(Plain):
        def test_it(self) -> Any:
            Noting(self.test_context)
            assert not fails

        def teardown(self) -> None:
            self._maybe("teardown")

        def copy_service_logs(self, test_status: Any) -> None:
            self._maybe("copy")

        def free_nodes(self) -> None:
            super().free_nodes()
            self._maybe("free_nodes")

        def _maybe(self, here: str) -> None:
            if here == phase:
                raise error

    driven = Driven(Late, tmp_path)
    assert driven.attempt.status == (FAIL if fails else PASS)
    assert driven.warnings == [warning + repr(error)]
    assert [call for call in driven.calls if call in ("stop", "clean", "free")] == ["stop", "clean", "free"]


@pytest.mark.parametrize("phase", ["stop", "clean", "free"])
@pytest.mark.parametrize("error", [RuntimeError("late"), KeyboardInterrupt(), SystemExit(2)])
def test_errors_of_services_never_change_the_status(tmp_path: Path, phase: str, error: BaseException) -> None:
    class Late(Plain):
        def test_it(self) -> Any:
            Noting(self.test_context)
            Noting(self.test_context, fails_at=phase, error=error)

    driven = Driven(Late, tmp_path)
    assert driven.attempt.status == PASS
    assert [call for call in driven.calls if call in ("stop", "clean", "free")] == [
        *["stop"] * 2,
        *["clean"] * 2,
        *["free"] * 2,
    ]
    assert driven.cluster.num_available_nodes() == 2


def test_without_teardown_logs_are_collected_and_nodes_freed_all_the_same(tmp_path: Path) -> None:
    class Good(Plain):
        def test_it(self) -> Any:
            Noting(self.test_context)

    driven = Driven(Good, tmp_path, no_teardown=True)
    assert driven.calls == ["setup", "copy pass", "free_nodes", "free"]
    assert driven.of_level(logging.INFO)[-1] == "Tearing down..."
    assert "Cleaning up services..." not in driven.of_level(logging.DEBUG)


@pytest.mark.parametrize("fails", [False, True])
def test_errors_that_services_noticed_follow_the_summary(tmp_path: Path, fails: bool) -> None:
    class Noticing(Plain):
        def test_it(self) -> Any:
            service: Any = Noting(self.test_context)
            service.error = "first line\nsecond line"
            assert not fails

    driven = Driven(Noticing, tmp_path)
    service_id = driven.attempt.services[0]["service_id"]
    assert driven.attempt.status == (FAIL if fails else PASS)
    assert driven.attempt.summary.split("\n")[-4:] == ["", "", f"{service_id}: first line", "second line"]
    assert (driven.attempt.summary.count("\n") > 3) is fails


def test_nothing_of_the_user_is_entered_after_an_interrupt(tmp_path: Path) -> None:
    driven = Driven(Plain, tmp_path, interrupted=True)
    assert driven.calls == []
    assert (driven.attempt.status, driven.attempt.reason) == ("fail", "interrupted")
    assert driven.attempt.summary.split("\n")[0] == "KeyboardInterrupt()"


def test_an_interrupt_during_the_test_is_followed_by_teardown(tmp_path: Path) -> None:
    class Interrupted(Plain):
        def test_it(self) -> Any:
            gates[0].interrupt()

    gates: list[InterruptGate] = []

    class Gated(Driven):
        def _log(self, level: int, line: str) -> None:
            gates[:] = [self.gate]
            super()._log(level, line)

    driven = Gated(Interrupted, tmp_path)
    assert driven.calls == ["setup", "teardown", "copy fail", "free_nodes"]
    assert driven.attempt.reason == "interrupted"
    assert driven.gate.requested


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (object(), "The test returned data that cannot be written as JSON: data is an object"),
        ({"a": {1, 2}}, "The test returned data that cannot be written as JSON: data['a'] is a set"),
        ((x for x in [1]), "The test contains 'yield'"),
    ],
)
def test_data_that_no_report_could_show_fail_the_test(tmp_path: Path, data: Any, text: str) -> None:
    class Odd(Plain):
        def test_it(self) -> Any:
            return data

    attempt = Driven(Odd, tmp_path).attempt
    assert (attempt.status, attempt.reason, attempt.data) == ("fail", "error", None)
    assert attempt.summary.split("\n")[0].startswith(text)


def test_an_async_test_is_told_to_be_plain(tmp_path: Path) -> None:
    class Async(Plain):
        async def test_it(self) -> Any:
            return 1

    assert Driven(Async, tmp_path).attempt.summary.split("\n")[0].startswith("The test is an async function")


@pytest.mark.parametrize("data", [0, "", [], False, {"a": (1, None)}])
def test_anything_that_json_knows_is_data(tmp_path: Path, data: Any) -> None:
    class Fine(Plain):
        def test_it(self) -> Any:
            return data

    attempt = Driven(Fine, tmp_path).attempt
    assert (attempt.status, attempt.data) == ("pass", data)


# --- texts of failures


class Unshowable(Exception):
    def __repr__(self) -> str:
        raise ValueError("no repr")

    def __str__(self) -> str:
        raise ValueError("no str")


class Vicious(Exception):
    def __repr__(self) -> str:
        raise SystemExit(3)

    __str__ = __repr__


def test_an_exception_that_cannot_be_shown_is_named_and_fails_its_test(tmp_path: Path) -> None:
    class Bad(Plain):
        def test_it(self) -> Any:
            raise Unshowable

    driven = Driven(Bad, tmp_path)
    assert driven.attempt.status == FAIL
    assert "Unshowable" in driven.attempt.summary.split("\n")[0]
    assert driven.calls == ["setup", "teardown", "copy fail", "free_nodes"]


def test_describing_an_exception_survives_one_that_wants_to_end_the_process() -> None:
    escaped = ""
    text = ""
    try:
        text = describe_exception(Vicious())
    except SystemExit as error:
        escaped = f"{type(error).__name__} escaped"  # pytest itself would not survive showing it
    assert (escaped, text.partition(" ")[0]) == ("", "Vicious")


def test_a_failure_is_described_by_its_repr_and_a_traceback_of_sixteen_frames() -> None:
    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        raise KeyError("x")

    try:
        deep(40)
    except KeyError as error:
        lines = describe_exception(error).split("\n")
    assert lines[:2] == ["KeyError('x')", "Traceback (most recent call last):"]
    assert lines[-2:] == ["KeyError: 'x'", ""]
    repeated = [int(line.split()[3]) for line in lines if "[Previous line repeated" in line]
    assert sum(line.lstrip().startswith("File ") for line in lines) + sum(repeated) == 16


class Store(Noting):
    def start_node(self, node: Any, **kwargs: Any) -> None:
        node.account.open("/no/such/file")

    def ask(self) -> None:
        list(self.nodes[0].account.ssh_capture("exit 3"))


def test_an_error_on_a_machine_is_told_with_its_phase_service_and_method(tmp_path: Path) -> None:
    class Remote(Plain):
        def setup(self) -> None:
            Store(self.test_context).start()

        def teardown(self) -> None:
            next(iter(self.test_context.services)).ask()

    class Asking(Plain):
        def test_it(self) -> Any:
            try:
                Noting(self.test_context).nodes[0].account.ssh("exit 2")
            except RuntimeError as error:
                raise KeyError("nothing") from error

    class Local(Plain):
        def test_it(self) -> Any:
            Store(self.test_context)
            open("/no/such/file")  # noqa: SIM115

    driven = Driven(Remote, tmp_path)
    assert driven.attempt.summary.endswith(
        "No such file or directory: '/no/such/file'\nRaised in phase setup, Store.start_node, open on localhost0\n"
    )
    [error] = driven.attempt.teardown_errors
    assert error.endswith("Raised in phase teardown, Store.ask, a command on localhost0\n")
    summary = Driven(Asking, tmp_path).attempt.summary
    assert summary.endswith("KeyError: 'nothing'\nRaised in phase test, ssh on localhost0\n")
    assert "Raised in phase" not in Driven(Local, tmp_path).attempt.summary


def test_the_reason_of_a_failure_is_one_word() -> None:
    assert failure_reason(KeyboardInterrupt()) == "interrupted"
    assert failure_reason(AssertionError()) == "assertion"
    assert failure_reason(OSError()) == "error"
    assert failure_reason(InfrastructureError("no disk")) == "infrastructure"
    assert failure_reason(InfrastructureError("no disk"), "setup") == "infrastructure"


# --- the gate


def test_a_closed_gate_remembers_an_interrupt() -> None:
    gate = InterruptGate()
    gate.interrupt()
    assert gate.requested
    with gate.user_code():
        pass
    with pytest.raises(KeyboardInterrupt), gate.user_code(unless_requested=True):
        raise AssertionError("entered")


def test_an_open_gate_lets_an_interrupt_through_and_closes_again() -> None:
    gate = InterruptGate()
    with pytest.raises(KeyboardInterrupt), gate.user_code():
        gate.interrupt()
    gate.interrupt()


@pytest.mark.parametrize(("fails", "code"), [(False, 0), (True, 1)])
def test_a_fork_of_user_code_ends_where_user_code_ends(fails: bool, code: int) -> None:
    gate = InterruptGate()
    pid = 0
    try:
        with gate.user_code():
            pid = os.fork()
            if pid == 0:
                sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
                if fails:
                    raise ValueError
    finally:
        if pid == 0:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code


@pytest.mark.parametrize("fails", [False, True])
def test_missing_logs_are_named_after_the_summary(tmp_path: Path, fails: bool) -> None:
    class Losing(Plain):
        def test_it(self) -> None:
            assert not fails

        def copy_service_logs(self, test_status: Any) -> None:
            self._missing_logs = ["host0: S: log out (/out): gone"]

    attempt = Driven(Losing, tmp_path).attempt
    assert attempt.summary.split("\n")[-2:] == ["Logs that are missing:", "  host0: S: log out (/out): gone"]
    assert (attempt.status == PASS, attempt.summary.count("\n") > 1) == (not fails, fails)


# --- what the driver is told


def test_every_phase_is_announced_before_it_begins(tmp_path: Path) -> None:
    driven = Driven(Plain, tmp_path)
    assert driven.phases == ["setup", "test", "teardown", "stop", "collect", "clean"]
    assert Driven(Plain, tmp_path, no_teardown=True).phases == ["setup", "test", "collect"]
    assert Driven(Plain, tmp_path, late=True).phases == [
        *("setup", "test", "dump", "teardown", "stop", "collect", "clean")
    ]


def test_what_is_known_of_services_is_told_until_they_are_free(tmp_path: Path) -> None:
    class Good(Plain):
        def test_it(self) -> Any:
            Noting(self.test_context)

    driven = Driven(Good, tmp_path)
    records = [change for change in driven.changes if isinstance(change, dict)]
    [service] = driven.attempt.services
    assert {record["service_id"] for record in records} == {service["service_id"]}
    assert driven.changes[-1] == service["service_id"]


# --- a test that does not apply


@pytest.mark.parametrize("phase", ["constructor", "setup", "test"])
def test_a_test_may_say_at_any_time_that_it_does_not_apply(tmp_path: Path, phase: str) -> None:
    class Skipping(Plain):
        def __init__(self, test_context: TestContext) -> None:
            super().__init__(test_context)
            self._maybe("constructor")

        def setup(self) -> None:
            self._maybe("setup")

        def test_it(self) -> Any:
            self._maybe("test")

        def _maybe(self, here: str) -> None:
            if here == phase:
                raise Skip("not\nhere")

    driven = Driven(Skipping, tmp_path)
    attempt = driven.attempt
    assert (attempt.status, attempt.reason, attempt.summary) == ("ignore", None, "Skipped: not\nhere")
    assert ("teardown" in driven.calls) is (phase != "constructor")
    assert "Skipped: not\nhere" in driven.of_level(logging.INFO)


def test_a_skip_in_the_teardown_is_an_error_like_any_other(tmp_path: Path) -> None:
    class Late(Plain):
        def teardown(self) -> None:
            raise Skip("too late")

    attempt = Driven(Late, tmp_path).attempt
    assert attempt.status == PASS
    assert attempt.teardown_errors[0].startswith("Error running teardown method: Skip('too late')")


def test_a_failure_of_the_infrastructure_is_told_apart(tmp_path: Path) -> None:
    class Poor(Plain):
        def setup(self) -> None:
            raise InfrastructureError("no disk")

    assert Driven(Poor, tmp_path).attempt.reason == "infrastructure"


# --- errors of the ending


class BadlyEnding(Plain):
    def test_it(self) -> Any:
        Noting(self.test_context, fails_at="stop")
        Noting(self.test_context, fails_at="clean")
        return 7

    def teardown(self) -> None:
        raise ValueError("cannot tear down")


def test_errors_of_the_ending_are_recorded_in_their_order(tmp_path: Path) -> None:
    attempt = Driven(BadlyEnding, tmp_path).attempt
    first, second, third = attempt.teardown_errors
    assert first.startswith("Error running teardown method: ValueError('cannot tear down')\nTraceback")
    assert second.startswith("Error stopping service Noting-0-") and second.endswith("RuntimeError: at stop")
    assert third.startswith("Error cleaning service Noting-1-") and third.endswith("RuntimeError: at clean")
    assert (attempt.status, attempt.summary, attempt.data) == ("pass", "", 7)


def test_errors_of_the_ending_fail_the_test_if_that_is_wanted_with_all_logs(tmp_path: Path) -> None:
    driven = Driven(BadlyEnding, tmp_path, fail_on_teardown_error=True)
    attempt = driven.attempt
    assert (attempt.status, attempt.reason, attempt.data) == ("fail", "error", 7)
    assert attempt.summary.split("\n")[0] == "The test itself did not fail, but its ending did:"
    assert "copy fail" in driven.calls


def test_an_error_of_cleaning_does_not_hide_which_logs_are_missing(tmp_path: Path) -> None:
    class Losing(Plain):
        def test_it(self) -> Any:
            Noting(self.test_context, fails_at="clean")

        def copy_service_logs(self, test_status: Any) -> None:
            self._missing_logs = ["host0: S: log out (/out): gone"]

    attempt = Driven(Losing, tmp_path, fail_on_teardown_error=True).attempt
    assert attempt.status == FAIL
    assert "The test itself did not fail, but its ending did:" in attempt.summary
    assert "  host0: S: log out (/out): gone" in attempt.summary


def test_a_failure_of_the_test_itself_is_not_replaced_by_that_of_its_ending(tmp_path: Path) -> None:
    class Both(BadlyEnding):
        def test_it(self) -> Any:
            raise AssertionError("first")

    attempt = Driven(Both, tmp_path, fail_on_teardown_error=True).attempt
    assert (attempt.reason, attempt.summary.split("\n")[0]) == ("assertion", "AssertionError('first')")


def test_all_logs_of_a_test_whose_time_was_over_are_wanted(tmp_path: Path) -> None:
    driven = Driven(Plain, tmp_path, late=True)
    assert driven.attempt.status == PASS  # the driver knows better
    assert "copy fail" in driven.calls


def test_an_interrupt_in_the_middle_of_a_message_comes_after_it() -> None:
    gate = InterruptGate()
    steps: list[str] = []
    with pytest.raises(KeyboardInterrupt), gate.user_code():
        with gate.held_back():
            gate.interrupt()
            with gate.held_back():
                steps.append("within the handler")
            steps.append("rest of the message")
        steps.append("user code goes on")
    assert steps == ["within the handler", "rest of the message"]


def test_an_interrupt_in_a_message_of_the_framework_itself_is_only_noted() -> None:
    gate = InterruptGate()
    with gate.held_back():
        gate.interrupt()
    assert gate.requested
    with gate.user_code(), gate.held_back():
        pass


async def _async_hook(*args: Any, **kwargs: Any) -> None:
    pass


def _generator_hook(*args: Any, **kwargs: Any) -> Iterator[None]:
    yield


@pytest.mark.parametrize("hook", ["teardown", "tearDown", "copy_service_logs", "free_nodes"])
@pytest.mark.parametrize("form", [_async_hook, _generator_hook], ids=["async", "generator"])
def test_a_test_whose_own_end_never_runs_fails(hook: str, form: Any, tmp_path: Path) -> None:
    cls = type("Unending", (Test,), {hook: form, "test_it": lambda self: None})
    attempt = Driven(cls, tmp_path).attempt
    assert (attempt.status, attempt.reason) == ("fail", "error")
    assert f"{form.__name__} " in attempt.summary


@pytest.mark.parametrize("hook", ["stop", "stop_node", "clean", "clean_node", "free", "close"])
@pytest.mark.parametrize("form", [_async_hook, _generator_hook], ids=["async", "generator"])
def test_a_test_whose_service_never_ends_fails(hook: str, form: Any, tmp_path: Path) -> None:
    hooks = dict.fromkeys(["start_node", "stop_node", "clean_node"], lambda self, node: None)
    service = type("Unending", (Service,), {**hooks, hook: form})

    class Serving(Test):
        def test_it(self) -> None:
            service(self.test_context, num_nodes=1)

    attempt = Driven(Serving, tmp_path).attempt
    assert (attempt.status, attempt.reason) == ("fail", "error")
    assert f"{form.__name__} " in attempt.summary
