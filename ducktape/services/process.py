# SPDX-License-Identifier: Apache-2.0
"""Services of one long-lived process per node, which are declared rather than started and stopped by hand."""

from __future__ import annotations

import contextlib
import posixpath
import socket
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING, Any

from ducktape.cluster.account.started import RemoteProcess, Standing, State
from ducktape.errors import DucktapeError
from ducktape.faults.engine.log import FaultLog
from ducktape.services.service import MissingHookError, Service
from ducktape.services.support.protocols import Context, accepts_any_override
from ducktape.utils.support.parallel import run_parallel
from ducktape.utils.wait import Condition, NotReadyError, condition, log, wait_for

if TYPE_CHECKING:
    from ducktape.cluster.cluster_node import ClusterNode
    from ducktape.cluster.cluster_spec import ClusterSpec

__all__ = ["ProcessDiedError", "ProcessService"]

_LINES_OF_LOG = 20
_CHECK_SEC = 15.0


class ProcessDiedError(DucktapeError):
    """A process of a service ended although it should be running; the text has its exit status and the end of its log.

    Attributes:
        node_name: name of the node.
        standing: exit status, as far as it is known.
    """

    def __init__(self, who: str, node_name: str, standing: Standing, log: str) -> None:
        super().__init__(f"{who} died ({standing})\n{log}".rstrip())
        self.node_name = node_name
        self.standing = standing


class ProcessService(Service):
    """One process on each node.

    A subclass defines :meth:`command` and, as needed, :meth:`files` and :meth:`ready`, and sets attributes::

        class Store(ProcessService):
            data_paths = ("/mnt/store",)

            def files(self, node):
                return {"store.conf": self.template("store.conf", node)}

            def command(self, node):
                return ["store-server", "--config", f"{self.work_dir(node)}/store.conf"]

            def ready(self, node):
                return port(node, 7000)

    A process that dies although nobody stopped it fails the test at its end, with its exit status and the last lines of
    its log. :meth:`expect_death` announces that this is intended; :meth:`kill_node` and faults that end processes do so
    themselves.

    Attributes:
        name: used in names of files and logs; by default the name of the class in lower case.
        work_root: directory on the nodes in which each node gets its working directory.
        environment: additional environment variables of the process.
        user: runs the process; by default that of the account.
        stop_signal: number, constant or name of the signal that asks the process to end.
        stop_timeout_sec: seconds until a process that was asked to end is killed.
        start_timeout_sec: seconds until the process has to be ready.
        ports: the ports that the process listens on, by name; see :meth:`port`.
        data_paths: further files and directories to remove when the node is cleaned; expanded by the shell.

    Args:
        context: as for :class:`Service`.
        num_nodes: as for :class:`Service`.
        cluster_spec: as for :class:`Service`.
    """

    parallel_nodes = True
    name: str = ""
    work_root: str = "/tmp"
    environment: Mapping[str, object] = {}
    user: str | None = None
    stop_signal: int | str = SIGTERM
    stop_timeout_sec: float = 15
    start_timeout_sec: float = 60
    ports: Mapping[str, int] = {}
    data_paths: Sequence[str] = ()

    def __init__(
        self,
        context: Context,
        num_nodes: int | None = None,
        cluster_spec: ClusterSpec | None = None,
        *args: object,
        **kwargs: object,
    ) -> None:
        # Plain values only, so that another process can clean up after a test that died
        self.instance = uuid.uuid4().hex[:12]
        self.expected_ends: list[str] = []
        self.launched: dict[str, float] = {}
        self.log_offsets: dict[str, int] = {}
        self.local_ports: dict[str, int] = {}
        super().__init__(context, num_nodes, cluster_spec, *args, **kwargs)
        self.name = self.name or type(self).__name__.lower()
        self.logs = {
            **type(self).logs,
            **{
                f"{self.name}_{node.name}": {"path": self.log_file(node), "collect_default": True}
                for node in self.nodes
            },
        }

    # ---- what the subclass declares

    def command(self, node: ClusterNode) -> str | Sequence[str]:
        """Return the program and its arguments, or the text of a simple command; defined by the subclass.

        Args:
            node: one of ``nodes``.
        """
        raise MissingHookError(
            f"{type(self).__name__} does not say what to run: define command(self, node), which returns a list of words"
        )

    def files(self, node: ClusterNode) -> Mapping[str, str]:
        """Return the files to write before each start: path, in the working directory unless absolute, to content.

        Args:
            node: one of ``nodes``.
        """
        return {}

    def ready(self, node: ClusterNode) -> Condition | None:
        """Return the condition of :mod:`ducktape.utils.wait` under which the process is ready, if there is one.

        Args:
            node: one of ``nodes``.
        """
        return None

    def template(self, path: str, node: ClusterNode, **kwargs: object) -> str:
        """Render a template for a node; ``service`` and ``node`` are among its variables.

        Args:
            path: as for :meth:`render`.
            node: one of ``nodes``.
            **kwargs: further variables.
        """
        return self.render(path, service=self, node=node, **kwargs)

    # ---- where things are

    def work_dir(self, node: ClusterNode) -> str:
        """Return the working directory of the process, which no other service shares."""
        return posixpath.join(self.work_root, f"{self.name}-{self.instance}-{node.name}")

    def log_file(self, node: ClusterNode) -> str:
        """Return the file with the output of the process."""
        return posixpath.join(self.work_dir(node), f"{self.name}-{node.name}.log")

    def address(self, node: ClusterNode) -> str:
        """Return the address at which other nodes reach a node; nodes that are this machine have the loopback one."""
        found = node.account.externally_routable_ip or str(node.account.hostname)
        return "127.0.0.1" if found == "localhost" else found

    def port(self, node: ClusterNode, name: str) -> int:
        """Return a port of the process: the one in ``ports``, or a free one where the nodes are this machine.

        Args:
            node: one of ``nodes``.
            name: a key of ``ports``.
        """
        if not self.address(node).startswith("127."):
            return self.ports[name]
        return self.local_ports.setdefault(f"{node.name} {name}", _free_port())

    def logged(self, node: ClusterNode, pattern: str) -> Condition:
        """Return the condition that the process has written a matching line since it was last started.

        Args:
            node: one of ``nodes``.
            pattern: regular expression of Python, searched in each line.
        """
        return log(node, self.log_file(node), pattern, since=self.log_offsets.get(node.name, 0))

    def process(self, node: ClusterNode) -> RemoteProcess:
        """Return the process of a node, whether or not it is running."""
        return RemoteProcess(node.account, f"{self.log_file(node)}.process")

    # ---- life

    @accepts_any_override
    def start_node(self, node: ClusterNode, **kwargs: Any) -> None:
        """Write the files, start the process and wait until it is ready.

        Args:
            node: one of ``nodes``.
            **kwargs: those of :meth:`start`; ignored.

        Raises:
            ProcessDiedError: it ended before it was ready.
            NotReadyError: it is not ready in time; the text has the end of its log.
            RemoteCommandError: it cannot be started.
        """
        self.launch(node)
        self.wait_until_ready(node)

    def launch(self, node: ClusterNode) -> None:
        """Write the files and start the process, without waiting until it is ready."""
        size = node.account.ssh_output(f"wc -c <{self.log_file(node)}", allow_fail=True, combine_stderr=False)
        self.log_offsets = {**self.log_offsets, node.name: int(size or 0)}
        work_dir = self.work_dir(node)
        node.account.mkdirs(work_dir)
        for path, content in self.files(node).items():
            place = posixpath.join(work_dir, path)
            if "/" in path:
                node.account.mkdirs(posixpath.dirname(place))
            node.account.create_file(place, content)
        self.launched = {**self.launched, node.name: time.time()}
        node.account.start(
            self.command(node),
            log=self.log_file(node),
            directory=work_dir,
            environment=self.environment,
            user=self.user,
        )
        self.expected_ends = [name for name in self.expected_ends if name != node.name]

    def wait_until_ready(self, node: ClusterNode, timeout_sec: float | None = None) -> None:
        """Wait until the process is ready.

        Args:
            node: one of ``nodes``.
            timeout_sec: seconds, by default ``start_timeout_sec``.

        Raises:
            ProcessDiedError: it ended.
            NotReadyError: it is not ready in time; the text has the end of its log.
        """
        ready = self.ready(node)
        if ready is not None:
            try:
                wait_for(
                    ready | self._has_ended(node),
                    timeout=self.start_timeout_sec if timeout_sec is None else timeout_sec,
                    err_msg=self.who_am_i(node),
                )
            except NotReadyError as error:
                text = f"{error}\nThe log ends with:\n{self.tail_of_log(node)}"
                raise NotReadyError(text, error.timeout_sec, error.standings) from error.__cause__
        self._check(node)

    @accepts_any_override
    def stop_node(self, node: ClusterNode, **kwargs: Any) -> None:
        """Ask the process to end, and kill it and what it has started if it does not.

        Args:
            node: one of ``nodes``.
            **kwargs: those of :meth:`stop`; ignored.
        """
        self._expect_end(node)
        self.process(node).stop(self.stop_signal, self.stop_timeout_sec)

    @accepts_any_override
    def clean_node(self, node: ClusterNode, **kwargs: Any) -> None:
        """Remove the working directory and ``data_paths``.

        Args:
            node: one of ``nodes``.
            **kwargs: those of :meth:`clean`; ignored.
        """
        for path in (self.work_dir(node), *self.data_paths):
            node.account.remove(path, allow_fail=True)

    def kill_node(self, node: ClusterNode) -> None:
        """Kill the process and everything that it has started, as a crash would."""
        self._expect_end(node)
        self.process(node).stop(SIGKILL, self.stop_timeout_sec)

    def restart_node(self, node: ClusterNode) -> None:
        """Stop the process and start it again, with its data."""
        self.stop_node(node)
        self.start_node(node)

    def signal_node(self, node: ClusterNode, sig: int | str) -> None:
        """Send a signal to the process and its process group."""
        self.process(node).signal(sig)

    def is_alive(self, node: ClusterNode) -> bool:
        """Return whether the process of a node is running."""
        return self.process(node).is_alive()

    def pids(self, node: ClusterNode) -> list[int]:
        """Return the ids of the process and of what it has started; also used by faults."""
        return self.process(node).pids()

    def wait_exit(self, node: ClusterNode, timeout_sec: float = 60) -> Standing:
        """Wait until the process ends by itself, which is then expected.

        Args:
            node: one of ``nodes``.
            timeout_sec: seconds.

        Raises:
            TimeoutError: (the framework's) it is still running.
        """
        self._expect_end(node)
        wait_for(self._has_ended(node), timeout=timeout_sec)
        return self.process(node).standing()

    def wait_node(self, node: ClusterNode, timeout_sec: float | None = None) -> bool:
        """Wait until the process ends by itself; returns whether it has."""
        self._expect_end(node)
        return self.process(node).wait(600 if timeout_sec is None else timeout_sec).state is not State.RUNNING

    @contextlib.contextmanager
    def expect_death(self, *nodes: ClusterNode) -> Iterator[None]:
        """Announce that the processes of nodes, by default of all, may die in this block or later, until they restart.

        Args:
            *nodes: some of ``nodes``.
        """
        for node in nodes or self.nodes:
            self._expect_end(node)
        yield

    def tail_of_log(self, node: ClusterNode) -> str:
        """Return the last lines of the log, indented; empty without one."""
        output = node.account.ssh_output(f"tail -n {_LINES_OF_LOG} {self.log_file(node)}", allow_fail=True)
        return "\n".join(f"    {line}" for line in output.decode(errors="replace").splitlines())

    def unexpected_deaths(self) -> list[str]:
        """Return a text for each process that died although it should be running.

        Asks all nodes in parallel, for 15 seconds at most; a node that does not answer is only logged.
        """
        attempts = run_parallel(self.nodes, self._check, timeout=_CHECK_SEC)
        for attempt in attempts:
            if not attempt.done or not isinstance(attempt.error, (ProcessDiedError, type(None))):
                problem = attempt.error or f"no answer within {_CHECK_SEC:g} seconds"
                self.logger.warning("%s: cannot check the process: %s", self.who_am_i(attempt.item), problem)
        return [str(attempt.error) for attempt in attempts if isinstance(attempt.error, ProcessDiedError)]

    def _check(self, node: ClusterNode) -> None:
        """Raise if the process of a node has died unexpectedly."""
        if node.name in self.expected_ends:
            return
        standing = self.process(node).standing()
        faults = node.account.fault_log
        if isinstance(faults, FaultLog) and faults.has_ended_processes(node, self.launched.get(node.name, 0)):
            return
        if standing.state is State.ENDED:
            raise ProcessDiedError(self.who_am_i(node), node.name, standing, self.tail_of_log(node))

    def _expect_end(self, node: ClusterNode) -> None:
        if node.name not in self.expected_ends:
            self.expected_ends = [*self.expected_ends, node.name]

    def _has_ended(self, node: ClusterNode) -> Condition:
        process = self.process(node)
        return condition(lambda: not process.is_alive(), f"{self.name} of {node.name} has ended")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
