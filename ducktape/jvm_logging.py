# SPDX-License-Identifier: Apache-2.0
"""Garbage collection and other logs from every Java process of a service, without the service knowing."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any

from ducktape.cluster.transport import (
    CommandStream,
    Stdin,
    Transport,
    TransportWrapper,
    framework_commands,
    is_framework_command,
)
from ducktape.utils.support.hooks import answer_of, called
from ducktape.utils.support.text import class_and_text

VERBS = ("ssh", "ssh_capture", "ssh_output")

_VARIABLE = "JDK_JAVA_OPTIONS"
_SERVICE_MARK = "_jvm_logging"
_ACCOUNT_MARK = "_jvm_wrapping"

_logger = logging.getLogger(__name__)


def with_environment(assignment: str, command: str) -> str:
    """Return a command that runs another one with a changed environment.

    The other command goes to a shell of its own as a whole: it may be compound, or begin with something that only a
    shell can do.

    Args:
        assignment: ``NAME=value`` as a shell reads it.
        command: any shell text.
    """
    quoted = "'" + command.replace("'", "'\\''") + "'"
    return f'env {assignment} "${{SHELL:-sh}}" -c {quoted}'


class EnvironmentTransport(TransportWrapper):
    """Runs users' commands with a changed environment, and the framework's own commands as they are.

    Args:
        inner: what runs them.
        assignment: ``NAME=value`` as a shell on the machine reads it.
    """

    def __init__(self, inner: Transport, assignment: str) -> None:
        super().__init__(inner)
        self.assignment = assignment

    def stream(
        self, command: str, *, stdin: Stdin = None, merge_stderr: bool = False, timeout: float | None = None
    ) -> CommandStream:
        """Start the command on the wrapped transport, with the environment unless it is one of the framework."""
        if not is_framework_command():
            command = with_environment(self.assignment, command)
        return self.inner.stream(command, stdin=stdin, merge_stderr=merge_stderr, timeout=timeout)


class JVMLogger:
    """Makes the Java processes of services log, by an environment variable that the ``java`` launcher reads.

    Launchers before JDK 9 do not read it. Options on a service's own command line win over these.

    Args:
        log_dir: directory on the nodes; made before a node starts, removed when it is cleaned.
    """

    def __init__(self, log_dir: str = "/mnt/jvm_logs") -> None:
        self.log_dir = log_dir

    def enable_for_service(self, service: Any) -> None:
        """Add logs, helpers and the environment to one service instance; a second call changes nothing.

        Args:
            service: gets ``JVM_LOG_DIR``, ``jvm_options(node)``, ``setup_jvm_logging(node)`` and
                ``clean_jvm_logs(node)``; its ``start_node`` and ``clean_node`` are wrapped.
        """
        if isinstance(getattr(service, _SERVICE_MARK, None), _EnabledService):
            return
        additions = self._logs()
        setattr(service, _SERVICE_MARK, _EnabledService(additions, _install_logs(service, additions)))
        service.JVM_LOG_DIR = self.log_dir
        service.jvm_options = self._get_jvm_options
        service.setup_jvm_logging = functools.partial(self._setup_on_node, service=service)
        service.clean_jvm_logs = functools.partial(self._cleanup_on_node, service=service)
        service.start_node = self._wrapped_start(service, service.start_node)
        service.clean_node = self._wrapped_clean(service, service.clean_node)

    def _logs(self) -> dict[str, dict[str, Any]]:
        return {
            "jvm_gc_log": {"path": f"{self.log_dir}/gc.log", "collect_default": True},
            "jvm_stdout_stderr": {"path": f"{self.log_dir}/jvm.log", "collect_default": True},
            "jvm_heap_dump": {"path": f"{self.log_dir}/heap_dump.hprof", "collect_default": False},
            "jvm_crash_files": {"path": f"{self.log_dir}/hs_err_pid*.log", "collect_default": False},
        }

    def _get_jvm_options(self, node: Any = None) -> str:
        """Return the options for Java processes, the same on every node."""
        directory = self.log_dir
        decorations = "time,uptime,level,tags"
        return " ".join(
            [
                "-Xlog:disable",  # first: it also switches off what stands before it
                f"-Xlog:gc*:file={directory}/gc.log:{decorations}",
                "-XX:+HeapDumpOnOutOfMemoryError",
                f"-XX:HeapDumpPath={directory}/heap_dump.hprof",
                f"-Xlog:safepoint=info:file={directory}/jvm.log:{decorations}",
                f"-Xlog:class+load=info:file={directory}/jvm.log:{decorations}",
                f"-XX:ErrorFile={directory}/hs_err_pid%p.log",
                "-XX:NativeMemoryTracking=summary",
                f"-Xlog:jit+compilation=info:file={directory}/jvm.log:{decorations}",
            ]
        )

    def _wrapped_start(self, service: Any, start_node: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(start_node)
        def start_node_with_logs(node: Any, *args: Any, **kwargs: Any) -> Any:
            called(self._setup_on_node, node, service)
            _wrap_account(node.account, f'{_VARIABLE}="${{{_VARIABLE}:-}} {answer_of(self._get_jvm_options, node)}"')
            return start_node(node, *args, **kwargs)

        return start_node_with_logs

    def _wrapped_clean(self, service: Any, clean_node: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(clean_node)
        def clean_node_and_logs(node: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return clean_node(node, *args, **kwargs)
            finally:
                called(self._cleanup_on_node, node, service)

        return clean_node_and_logs

    def _setup_on_node(self, node: Any, service: Any = None) -> None:
        """Make the directory of the logs."""
        with framework_commands():
            node.account.ssh(f"mkdir -p {self.log_dir}")
            node.account.ssh(f"chmod 755 {self.log_dir}")

    def _cleanup_on_node(self, node: Any, service: Any = None) -> None:
        """Remove the directory of the logs, which may fail, and give the account its own verbs back, which may not."""
        try:
            with framework_commands():
                node.account.ssh(f"rm -rf {self.log_dir}", allow_fail=True)
        except Exception as error:
            logger = _logger if service is None else service.logger
            said = class_and_text(error)
            logger.warning("Could not remove the JVM logs in %s on %s: %s", self.log_dir, node.account, said)
        finally:
            _restore_account(node.account)


@dataclasses.dataclass(frozen=True)
class _EnabledService:
    """What was added to the logs of a service.

    Attributes:
        additions: the logs of its Java processes.
        installed: the dictionary that was put in place of ``service.logs``; ``None`` if that was not possible.
    """

    additions: dict[str, dict[str, Any]]
    installed: dict[str, Any] | None


def _install_logs(service: Any, additions: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    if isinstance(inspect.getattr_static(type(service), "logs", None), property):
        # It may need attributes that the constructor of the subclass has yet to set
        return None
    installed = {**(getattr(service, "logs", None) or {}), **additions}
    service.logs = installed
    return installed


def logs_of(service: Any) -> dict[str, Any]:
    """Return all logs of a service by name: those that it declares now, and those of its Java processes.

    Args:
        service: any service, also one that never heard of JVM logs.
    """
    declared = getattr(service, "logs", None) or {}
    enabled = getattr(service, _SERVICE_MARK, None)
    if not isinstance(enabled, _EnabledService) or declared is enabled.installed:
        return dict(declared)
    # The subclass has a property, or has replaced the dictionary since: what it declares now comes on top
    return {**enabled.additions, **declared}


@dataclasses.dataclass
class _Wrapping:
    """How an account was changed, and how it was before.

    Attributes:
        transport: the wrapper on the account's transport, if it has one that all its commands go through.
        own: the verbs of an account that brings its own, by name; ``None`` for those that its class has.
    """

    transport: EnvironmentTransport | None = None
    own: dict[str, Any] = dataclasses.field(default_factory=dict)


def _wrap_account(account: Any, assignment: str) -> None:
    """Give all further commands of an account an environment, unless they have it already."""
    if isinstance(getattr(account, _ACCOUNT_MARK, None), _Wrapping):
        return
    wrapping = _Wrapping()
    setattr(account, _ACCOUNT_MARK, wrapping)
    if _commands_go_through_transport(account):
        for verb in VERBS:
            setattr(account, f"original_{verb}", _unchanged(getattr(account, verb)))
        wrapping.transport = EnvironmentTransport(account.transport, assignment)
        account.transport = wrapping.transport
        return
    for verb in VERBS:
        original = getattr(account, verb, None)
        if original is None:
            continue
        inherited = verb not in vars(account) and hasattr(type(account), verb)
        wrapping.own[verb] = None if inherited else original
        setattr(account, f"original_{verb}", original)
        setattr(account, verb, _prefixed(account, verb, assignment))


def _commands_go_through_transport(account: Any) -> bool:
    if not isinstance(getattr(account, "transport", None), Transport):
        return False
    from ducktape.cluster.remoteaccount import RemoteAccount  # whoever has such an account has loaded it

    return isinstance(account, RemoteAccount) and all(
        verb not in vars(account) and getattr(type(account), verb) is getattr(RemoteAccount, verb) for verb in VERBS
    )


def _unchanged(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of an account that runs commands as they are, while the transport below changes them."""

    @functools.wraps(method)
    def run(*args: Any, **kwargs: Any) -> Any:
        with framework_commands():
            return method(*args, **kwargs)

    return run


def _prefixed(account: Any, verb: str, assignment: str) -> Callable[..., Any]:
    """Return a verb of an account that runs users' commands with an environment."""
    original_name = f"original_{verb}"

    # Not all attributes are taken over: on a mock these would be all that it ever recorded
    @functools.wraps(getattr(account, original_name), updated=())
    def run(cmd: str, *args: Any, **kwargs: Any) -> Any:
        # Looked up at each call, as whoever replaces the kept original expects that it is used. One verb of an account
        # may be written with another one, and then the command has its environment already.
        changed = is_framework_command() or cmd.startswith(f"env {_VARIABLE}=")
        return getattr(account, original_name)(cmd if changed else with_environment(assignment, cmd), *args, **kwargs)

    return run


def _restore_account(account: Any) -> None:
    """Take the environment off an account again; does nothing if it has none."""
    wrapping = getattr(account, _ACCOUNT_MARK, None)
    if not isinstance(wrapping, _Wrapping):
        return
    delattr(account, _ACCOUNT_MARK)
    if wrapping.transport is not None:
        account.transport = _without(account.transport, wrapping.transport)
    for verb, original in wrapping.own.items():
        if original is None:
            delattr(account, verb)
        else:
            setattr(account, verb, original)
    for verb in VERBS:
        if hasattr(account, f"original_{verb}"):
            delattr(account, f"original_{verb}")


def _without(outermost: Transport, wrapper: EnvironmentTransport) -> Transport:
    """Take one wrapper out of a chain; others may have been put around it since."""
    if outermost is wrapper:
        return wrapper.inner
    transport = outermost
    while isinstance(transport, TransportWrapper):
        if transport.inner is wrapper:
            transport.inner = wrapper.inner
        transport = transport.inner
    return outermost
