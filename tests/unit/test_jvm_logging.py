# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount
from ducktape.cluster.local.transport import LocalTransport
from ducktape.cluster.remoteaccount import RemoteAccount, RemoteAccountSSHConfig
from ducktape.cluster.transport import Transport, TransportWrapper, framework_commands
from ducktape.jvm_logging import VERBS, EnvironmentTransport, JVMLogger, logs_of, with_environment
from ducktape.services.service_registry import ServiceRegistry
from ducktape.services.support.log_compression import compress_logs
from ducktape.services.support.logs import Order, collect_logs
from tests.unit.services.fakes import FakeAccount, FakeContext, RecordingService

needs_java = pytest.mark.needs("java")


class JavaService(RecordingService):
    """Runs a command where a real service would start its Java process."""

    logs = {"mine": {"path": "/var/mine.log", "collect_default": True}}
    command = "java -version"

    def start_node(self, node: Any, **kwargs: Any) -> None:
        super().start_node(node, **kwargs)
        node.account.ssh(self.command)


def enabled(log_dir: Path | str = "/mnt/jvm_logs", kind: type[RecordingService] = JavaService) -> Any:
    """A service on one node, with JVM logs."""
    services = ServiceRegistry(enable_jvm_logs=True)
    services.jvm_logger = JVMLogger(str(log_dir))
    return kind(FakeContext(services=services), 1)


def on_this_machine(service: Any) -> LinuxRemoteAccount:
    """Let the only node of a service be this machine."""
    account = LinuxRemoteAccount(RemoteAccountSSHConfig(host="here"))
    account.transport = LocalTransport()
    account.logger = service.logger
    service.nodes[0].account = account
    return account


def prefixed(service: Any, command: str) -> str:
    options = service.jvm_options(service.nodes[0])
    return with_environment(f'JDK_JAVA_OPTIONS="${{JDK_JAVA_OPTIONS:-}} {options}"', command)


# ---- what a service gets


def test_options_come_in_the_documented_order() -> None:
    assert JVMLogger("/d")._get_jvm_options().split(" ") == [
        "-Xlog:disable",
        "-Xlog:gc*:file=/d/gc.log:time,uptime,level,tags",
        "-XX:+HeapDumpOnOutOfMemoryError",
        "-XX:HeapDumpPath=/d/heap_dump.hprof",
        "-Xlog:safepoint=info:file=/d/jvm.log:time,uptime,level,tags",
        "-Xlog:class+load=info:file=/d/jvm.log:time,uptime,level,tags",
        "-XX:ErrorFile=/d/hs_err_pid%p.log",
        "-XX:NativeMemoryTracking=summary",
        "-Xlog:jit+compilation=info:file=/d/jvm.log:time,uptime,level,tags",
    ]


def test_a_service_gets_logs_and_helpers_of_its_own() -> None:
    service = enabled()
    assert service.logs == {
        "mine": {"path": "/var/mine.log", "collect_default": True},
        "jvm_gc_log": {"path": "/mnt/jvm_logs/gc.log", "collect_default": True},
        "jvm_stdout_stderr": {"path": "/mnt/jvm_logs/jvm.log", "collect_default": True},
        "jvm_heap_dump": {"path": "/mnt/jvm_logs/heap_dump.hprof", "collect_default": False},
        "jvm_crash_files": {"path": "/mnt/jvm_logs/hs_err_pid*.log", "collect_default": False},
    }
    assert list(JavaService.logs) == ["mine"]
    assert RecordingService.logs == {}
    assert service.JVM_LOG_DIR == "/mnt/jvm_logs"
    assert service.jvm_options(service.nodes[0]).startswith("-Xlog:disable ")


def test_without_the_option_a_service_stays_as_it_is() -> None:
    service: Any = JavaService(FakeContext(), 1)
    assert service.logs is JavaService.logs
    assert not hasattr(service, "jvm_options")


def test_a_service_is_wrapped_once() -> None:
    service = enabled()
    JVMLogger("/elsewhere").enable_for_service(service)
    service.clean()
    assert service.nodes[0].account.commands == ["rm -rf /mnt/jvm_logs"]
    assert service.JVM_LOG_DIR == "/mnt/jvm_logs"


def test_logs_that_are_a_property_are_left_alone_but_collected_with_the_others() -> None:
    class Late(JavaService):
        def __init__(self, context: Any, num_nodes: int) -> None:
            super().__init__(context, num_nodes)
            self.place = "/late"

        @property
        def logs(self) -> Any:  # type: ignore[override]
            return {"late": {"path": self.place, "collect_default": True}}

    service = enabled(kind=Late)
    assert list(service.logs) == ["late"]
    assert list(logs_of(service)) == ["jvm_gc_log", "jvm_stdout_stderr", "jvm_heap_dump", "jvm_crash_files", "late"]


def test_logs_that_the_service_replaces_later_come_on_top_of_those_of_the_jvm() -> None:
    service = enabled()
    service.logs = {"other": {"path": "/other"}, "jvm_gc_log": {"path": "/mine"}}
    assert sorted(logs_of(service)) == ["jvm_crash_files", "jvm_gc_log", "jvm_heap_dump", "jvm_stdout_stderr", "other"]
    assert logs_of(service)["jvm_gc_log"] == {"path": "/mine"}


def test_a_log_that_the_service_removes_is_gone() -> None:
    service = enabled()
    del service.logs["jvm_stdout_stderr"]
    assert list(logs_of(service)) == ["mine", "jvm_gc_log", "jvm_heap_dump", "jvm_crash_files"]


def test_a_service_without_logs_gets_those_of_the_jvm() -> None:
    class Bare:
        start_node = clean_node = staticmethod(lambda node: None)

    bare: Any = Bare()
    JVMLogger().enable_for_service(bare)
    assert list(bare.logs) == ["jvm_gc_log", "jvm_stdout_stderr", "jvm_heap_dump", "jvm_crash_files"]
    assert logs_of(SimpleNamespace()) == {}


# ---- accounts that bring their own verbs


def test_commands_from_the_start_to_the_cleaning_get_the_options() -> None:
    service = enabled()
    account = service.nodes[0].account
    service.start()
    account.ssh("a")
    list(account.ssh_capture("b", callback=str))
    account.ssh_output("c", combine_stderr=False)
    service.clean()
    account.ssh("d")
    assert account.commands == [
        "rm -rf /mnt/jvm_logs",
        "mkdir -p /mnt/jvm_logs",
        "chmod 755 /mnt/jvm_logs",
        prefixed(service, "java -version"),
        prefixed(service, "a"),
        prefixed(service, "b"),
        prefixed(service, "c"),
        "rm -rf /mnt/jvm_logs",
        "d",
    ]


def test_the_prefix_has_the_form_that_suites_check() -> None:
    service = enabled()
    service.start()
    command = service.nodes[0].account.commands[-1]
    assert command.startswith('env JDK_JAVA_OPTIONS="${JDK_JAVA_OPTIONS:-} -Xlog:disable ')
    assert command.endswith(""" "${SHELL:-sh}" -c 'java -version'""")


def test_originals_are_kept_while_logging_is_active_and_used() -> None:
    service = enabled()
    account = service.nodes[0].account
    before = {verb: getattr(account, verb) for verb in VERBS}
    service.start()
    assert {verb: getattr(account, f"original_{verb}") for verb in VERBS} == before
    replaced: list[str] = []
    account.original_ssh = replaced.append
    account.ssh("a")
    assert replaced == [prefixed(service, "a")]
    service.clean()
    service.clean()
    assert {verb: getattr(account, verb) for verb in VERBS} == before
    assert [name for name in vars(account) if name.startswith("original_") or name in VERBS] == []


def test_commands_of_the_framework_stay_as_they_are() -> None:
    service = enabled()
    account = service.nodes[0].account
    service.start()
    with framework_commands():
        account.ssh("tar")
    assert account.commands[-1] == "tar"


def test_a_verb_that_uses_another_one_gives_the_options_once() -> None:
    class Chained(FakeAccount):
        def ssh(self, cmd: str, allow_fail: bool = False) -> int:
            self.ssh_output(cmd, allow_fail)
            return 0

    service = enabled()
    account = service.nodes[0].account = Chained("host0")
    service.start()
    assert account.commands[-1] == prefixed(service, "java -version")


def test_restarts_do_not_wrap_twice() -> None:
    service = enabled()
    service.start()
    service.start(clean=False)
    assert service.nodes[0].account.commands[-1] == prefixed(service, "java -version")


def test_arguments_of_hooks_and_results_pass_through() -> None:
    class Answering(JavaService):
        def clean_node(self, node: Any, **kwargs: Any) -> Any:
            return kwargs

    service = enabled(kind=Answering)
    service.start(clean=False, speed=9)
    assert service.calls[-1] == ("start", "host0", {"clean": False, "speed": 9})
    assert service.clean_node(service.nodes[0], force=True) == {"force": True}


def test_a_failure_to_prepare_the_node_is_raised() -> None:
    service = enabled()
    service.nodes[0].account.failing = ["mkdir"]
    with pytest.raises(RuntimeError, match="cannot do mkdir -p /mnt/jvm_logs"):
        service.start_node(service.nodes[0])
    assert service.called == []


@pytest.mark.parametrize("failing", ["the hook", "the removal", "both"])
def test_methods_are_restored_whatever_fails(failing: str) -> None:
    service = enabled()
    account = service.nodes[0].account
    service.start()
    if failing != "the removal":
        service.failures = {("clean", "host0"): OSError("the hook failed")}
        with pytest.raises(OSError, match="the hook failed"):
            service.clean()
    if failing != "the hook":
        account.failing = ["rm -rf"]
    service.failures = {}
    service.clean()
    assert not hasattr(account, "original_ssh")
    account.ssh("d")
    assert account.commands[-1] == "d"


def test_the_account_is_restored_without_asking_for_a_logger() -> None:
    class Unlogged:
        @property
        def logger(self) -> None:
            raise RuntimeError("no logger")

    service = enabled()
    service.start()
    node = service.nodes[0]
    assert hasattr(node.account, "original_ssh")
    service.clean_jvm_logs(node, service=Unlogged())
    assert not hasattr(node.account, "original_ssh")


def test_a_failed_removal_is_a_warning() -> None:
    service = enabled()
    service.nodes[0].account.failing = ["rm -rf"]
    service.clean()
    assert service.context.log.of_level("WARNING") == [
        "Could not remove the JVM logs in /mnt/jvm_logs on user@host0: RuntimeError: cannot do rm -rf /mnt/jvm_logs"
    ]


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_mock_of_an_account_is_wrapped_and_restored(rounds: int) -> None:
    service = enabled()
    account = service.nodes[0].account = Mock(hostname="mocked")
    own = account.ssh
    for _ in range(rounds):
        service.start()
        assert account.original_ssh is own
        assert own.call_args.args == (prefixed(service, "java -version"),)
        service.clean()
        assert account.ssh is own
        assert not hasattr(account, "original_ssh")


def test_verbs_that_were_replaced_on_an_instance_come_back() -> None:
    service = enabled()
    account = on_this_machine(service)
    commands: list[str] = []

    def record(cmd: str, allow_fail: bool = False) -> int:
        commands.append(cmd)
        return 0

    account.ssh = record  # type: ignore[method-assign, assignment]
    service.start()
    assert commands[-1] == prefixed(service, "java -version")
    assert isinstance(account.transport, LocalTransport)
    service.clean()
    assert account.ssh is record


def test_a_subclass_that_overrides_a_verb_is_prefixed_there() -> None:
    commands: list[str] = []

    class Container(LinuxRemoteAccount):
        def ssh(self, cmd: str, *args: Any, **kwargs: Any) -> int:
            commands.append(cmd)
            return 0

    service = enabled()
    service.nodes[0].account = account = Container(RemoteAccountSSHConfig(host="container"))
    account.logger = service.logger
    service.start()
    assert commands[-1] == prefixed(service, "java -version")
    service.clean()
    assert "ssh" not in vars(account)


# ---- accounts whose commands go through a transport


def test_the_transport_of_an_account_is_wrapped_and_unwrapped(tmp_path: Path) -> None:
    service = enabled(tmp_path / "jvm")
    service.command = "true"
    account = on_this_machine(service)
    own = account.transport
    service.start()
    wrapper = account.transport
    assert isinstance(wrapper, EnvironmentTransport)
    assert wrapper.inner is own
    assert [name for name in vars(account) if name in VERBS] == []
    expected = f" {service.jvm_options(service.nodes[0])}\n"
    assert account.ssh_output('echo "$JDK_JAVA_OPTIONS"').decode() == expected
    assert list(account.ssh_capture('echo "$JDK_JAVA_OPTIONS"')) == [expected]
    unchanged: Any = account
    assert unchanged.original_ssh_output('echo "$JDK_JAVA_OPTIONS"') == b"\n"
    service.clean()
    assert account.transport is own
    assert [name for name in vars(account) if name.startswith("original_")] == []
    assert not (tmp_path / "jvm").exists()


def test_a_wrapper_that_was_put_around_later_stays(tmp_path: Path) -> None:
    class Outer(TransportWrapper):
        pass

    service = enabled(tmp_path / "jvm")
    service.command = "true"
    account = on_this_machine(service)
    own: Transport = account.transport
    service.start()
    outer = account.transport = Outer(account.transport)
    service.clean()
    assert account.transport is outer
    assert outer.inner is own


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("cd / && pwd", "/\n"),
        ("if true; then echo yes; fi", "yes\n"),
        ("echo 'single' \"double\" $((1 + 1)) \\$", "single double 2 $\n"),
        ("x='it'\\''s'; echo \"$x\"", "it's\n"),
        ("echo a\necho b # comment", "a\nb\n"),
        ("cat <<EOF\n$HOME'\nEOF\n", f"{os.environ.get('HOME', '')}'\n"),
        ("exit 3", ""),
    ],
)
def test_any_command_does_the_same_with_an_environment(command: str, expected: str) -> None:
    transport = EnvironmentTransport(LocalTransport(), "COLOUR=red")
    completed = transport.run(command)
    assert completed.stdout.decode() == expected
    assert completed.exit_status == (3 if command == "exit 3" else 0)
    assert transport.run('(true) && echo "$COLOUR"').stdout == b"red\n"
    with framework_commands():
        assert transport.run('echo "$COLOUR"').stdout == b"\n"


def test_existing_options_stay_in_front(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JDK_JAVA_OPTIONS", "-Xmx64m")
    service = enabled(tmp_path / "jvm")
    service.command = "true"
    account = on_this_machine(service)
    service.start()
    assert account.ssh_output('echo "$JDK_JAVA_OPTIONS"').startswith(b"-Xmx64m -Xlog:disable ")


@needs_java
def test_a_real_jvm_writes_its_logs_and_they_are_collected_compressed(tmp_path: Path) -> None:
    service = enabled(tmp_path / "jvm")
    service.command = "cd /tmp && java -version"
    on_this_machine(service)
    service.start()
    assert (tmp_path / "jvm" / "gc.log").stat().st_size > 0
    (tmp_path / "jvm" / "hs_err_pid77.log").write_text("crashed")
    order = Order(service, str(tmp_path / "results"), lambda name: True)
    collect_logs([order], compress=compress_logs, logger=service.logger)
    assert sorted(os.listdir(tmp_path / "results" / "here")) == ["gc.log.tgz", "hs_err_pid77.log.tgz", "jvm.log.tgz"]
    assert service.context.log.of_level("WARNING") == []
    subprocess.run(["tar", "xzf", "gc.log.tgz"], cwd=tmp_path / "results" / "here", check=True)
    assert "[gc" in (tmp_path / "results" / "here" / "gc.log").read_text()
    service.clean()
    assert not (tmp_path / "jvm").exists()


def test_the_account_under_test_is_the_one_whose_verbs_are_recognised() -> None:
    assert all(getattr(LinuxRemoteAccount, verb) is getattr(RemoteAccount, verb) for verb in VERBS)
