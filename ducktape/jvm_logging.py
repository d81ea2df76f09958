# SPDX-License-Identifier: Apache-2.0
"""Garbage collection and other logs of all Java processes of a service, without changes of the service."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from ducktape.cluster.cluster_node import ClusterNode
from ducktape.cluster.transport import (
    CommandStream,
    Stdin,
    Transport,
    TransportWrapper,
    framework_commands,
    is_framework_command,
)
from ducktape.utils.support.guard import tolerated
from ducktape.utils.support.hooks import answer_of, called
from ducktape.utils.support.text import class_and_text

if TYPE_CHECKING:
    from ducktape.cluster.remoteaccount import RemoteAccount

P = ParamSpec("P")
R = TypeVar("R")
VERBS = ("ssh", "ssh_capture", "ssh_output")

_VARIABLE = "JDK_JAVA_OPTIONS"
_SERVICE_MARK = "_jvm_logging"
_ACCOUNT_MARK = "_jvm_wrapping"

_logger = logging.getLogger(__name__)


def with_environment(assignment: str, command: str) -> str:
    """Return a command that runs any shell text with ``NAME=value`` in its environment."""
    quoted = "'" + command.replace("'", "'\\''") + "'"
    return f'env {assignment} "${{SHELL:-sh}}" -c {quoted}'


class EnvironmentTransport(TransportWrapper):
    """Runs commands of users, but not those of the framework, with ``NAME=value`` in their environment."""

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
    """Enables logs of Java processes by an environment variable of the ``java`` launcher, since JDK 9.

    Options on a service's own command line win.

    Args:
        log_dir: directory on the nodes; made before a node starts, removed when it is cleaned.
    """

    def __init__(self, log_dir: str = "/mnt/jvm_logs") -> None:
        self.log_dir = log_dir

    def enable_for_service(self, service: Any) -> None:
        """Add logs, helpers and the environment to one service; repeated calls have no effect.

        Args:
            service: gets ``JVM_LOG_DIR``, ``jvm_options(node)``, ``setup_jvm_logging(node)`` and
                ``clean_jvm_logs(node)``; its ``start_node`` and ``clean_node`` are wrapped.
        """
        if isinstance(getattr(service, _SERVICE_MARK, None), _EnabledService):
            return
        additions: dict[str, dict[str, object]] = {
            "jvm_gc_log": {"path": f"{self.log_dir}/gc.log", "collect_default": True},
            "jvm_stdout_stderr": {"path": f"{self.log_dir}/jvm.log", "collect_default": True},
            "jvm_heap_dump": {"path": f"{self.log_dir}/heap_dump.hprof", "collect_default": False},
            "jvm_crash_files": {"path": f"{self.log_dir}/hs_err_pid*.log", "collect_default": False},
        }
        installed = None
        # A property may need attributes that the constructor has not set yet
        if not isinstance(inspect.getattr_static(type(service), "logs", None), property):
            service.logs = installed = {**(getattr(service, "logs", None) or {}), **additions}
        setattr(service, _SERVICE_MARK, _EnabledService(additions, installed))
        service.JVM_LOG_DIR = self.log_dir
        service.jvm_options = self._get_jvm_options
        service.setup_jvm_logging = functools.partial(self._setup_on_node, service=service)
        service.clean_jvm_logs = functools.partial(self._cleanup_on_node, service=service)
        service.start_node = self._wrapped_start(service, service.start_node)
        service.clean_node = self._wrapped_clean(service, service.clean_node)

    def _get_jvm_options(self, node: object = None) -> str:
        """Return the options for Java processes, the same on every node."""
        directory = self.log_dir
        decorations = "time,uptime,level,tags"
        return " ".join(
            [
                "-Xlog:disable",  # first: it also disables all options before it
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

    def _wrapped_start(self, service: object, start_node: Callable[Concatenate[ClusterNode, P], R]) -> Callable[..., R]:
        @functools.wraps(start_node)
        def start_node_with_logs(node: ClusterNode, *args: P.args, **kwargs: P.kwargs) -> R:
            called(self._setup_on_node, node, service)
            _wrap_account(node.account, f'{_VARIABLE}="${{{_VARIABLE}:-}} {answer_of(self._get_jvm_options, node)}"')
            return start_node(node, *args, **kwargs)

        return start_node_with_logs

    def _wrapped_clean(self, service: object, clean_node: Callable[Concatenate[ClusterNode, P], R]) -> Callable[..., R]:
        @functools.wraps(clean_node)
        def clean_node_and_logs(node: ClusterNode, *args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return clean_node(node, *args, **kwargs)
            finally:
                called(self._cleanup_on_node, node, service)

        return clean_node_and_logs

    def _setup_on_node(self, node: ClusterNode, service: object = None) -> None:
        """Make the directory of the logs."""
        with framework_commands():
            node.account.ssh(f"mkdir -p {self.log_dir}")
            node.account.ssh(f"chmod 755 {self.log_dir}")

    def _cleanup_on_node(self, node: ClusterNode, service: object = None) -> None:
        """Remove the directory of the logs, and always restore the account."""
        try:
            with tolerated() as attempt, framework_commands():
                node.account.ssh(f"rm -rf {self.log_dir}", allow_fail=True)
            if attempt.error is not None:
                logger: logging.Logger = getattr(service, "logger", _logger)
                said = class_and_text(attempt.error)
                logger.warning("Could not remove the JVM logs in %s on %s: %s", self.log_dir, node.account, said)
        finally:
            _restore_account(node.account)


@dataclasses.dataclass(frozen=True)
class _EnabledService:
    """The logs of Java processes that were added to a service."""

    additions: Mapping[str, Mapping[str, object]]
    installed: object  # the replacement of `service.logs`; None if that was not possible


def logs_of(service: object) -> dict[str, Mapping[str, object]]:
    """Return all logs of a service by name, including those of its Java processes."""
    declared = getattr(service, "logs", None) or {}
    enabled = getattr(service, _SERVICE_MARK, None)
    if not isinstance(enabled, _EnabledService) or declared is enabled.installed:
        return dict(declared)
    # A property, or a dictionary that was replaced since: its logs win
    return {**enabled.additions, **declared}


@dataclasses.dataclass
class _Wrapping:
    """The changes of an account, to undo them."""

    transport: EnvironmentTransport | None = None  # wraps that of the account, if all its commands use it
    # The former methods by name, of an account that overrides them; None for those of its class
    own: dict[str, Callable[..., object] | None] = dataclasses.field(default_factory=dict)


def _wrap_account(account: RemoteAccount, assignment: str) -> None:
    """Run all further commands of an account with an environment, unless they already do."""
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


def _commands_go_through_transport(account: RemoteAccount) -> bool:
    if not isinstance(getattr(account, "transport", None), Transport):
        return False
    from ducktape.cluster.remoteaccount import RemoteAccount  # loaded if there is such an account

    return isinstance(account, RemoteAccount) and all(
        verb not in vars(account) and getattr(type(account), verb) is getattr(RemoteAccount, verb) for verb in VERBS
    )


def _unchanged(method: Callable[P, R]) -> Callable[P, R]:
    """Return a method of an account whose commands the transport changes."""

    @functools.wraps(method)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with framework_commands():
            return method(*args, **kwargs)

    return run


def _prefixed(account: RemoteAccount, verb: str, assignment: str) -> Callable[..., object]:
    """Wrap a method of an account to run commands of users with an environment."""
    original_name = f"original_{verb}"

    # Not functools.wraps, which would copy all records of a mock
    @functools.wraps(getattr(account, original_name), updated=())
    def run(cmd: str, *args: object, **kwargs: object) -> object:
        # Looked up at each call, since the original may be replaced later. One method of an account
        # may call another one, so that the command already has its environment
        changed = is_framework_command() or cmd.startswith(f"env {_VARIABLE}=")
        return getattr(account, original_name)(cmd if changed else with_environment(assignment, cmd), *args, **kwargs)

    return run


def _restore_account(account: RemoteAccount) -> None:
    """Undo the changes of an account."""
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
    """Remove one wrapper from a chain."""
    if outermost is wrapper:
        return wrapper.inner
    transport = outermost
    while isinstance(transport, TransportWrapper):
        if transport.inner is wrapper:
            transport.inner = wrapper.inner
        transport = transport.inner
    return outermost
