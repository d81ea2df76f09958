# SPDX-License-Identifier: Apache-2.0
"""Services of one long-lived process per node, which are declared rather than started and stopped by hand."""

from __future__ import annotations

import contextlib
import posixpath
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING, Any, TypeVar

from ducktape.cluster.account.started import RemoteProcess, Standing, State
from ducktape.errors import DucktapeError
from ducktape.faults.engine.log import FaultLog
from ducktape.services.service import MissingHookError
from ducktape.services.support.endpoints import Endpoints
from ducktape.services.support.node_files import NodeFiles
from ducktape.services.support.protocols import Context, accepts_any_override
from ducktape.utils.support.hooks import answer_of
from ducktape.utils.support.parallel import run_parallel
from ducktape.utils.wait import Condition, NotReadyError, all_of, any_of, condition, log, wait_for

if TYPE_CHECKING:
    from ducktape.cluster.cluster_node import ClusterNode
    from ducktape.cluster.cluster_spec import ClusterSpec

__all__ = ["ProcessDiedError", "ProcessService"]

T = TypeVar("T")

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


class ProcessService(NodeFiles, Endpoints):
    """One process on each node.

    A subclass defines :meth:`command` and, as needed, other hooks, and sets attributes::

        class Store(ProcessService):
            ports = {"store": 7000}
            templates = ("store.conf",)
            ready_line = "accepting connections"

            def command(self, node):
                return ["store-server", "--config", "store.conf"]

    A process that dies although nobody stopped it fails the test at its end, with its exit status and the last lines of
    its log. :meth:`expect_death` announces that this is intended; :meth:`kill_node` and faults that end processes do so
    themselves.

    Attributes:
        name: used in names of files and logs; by default the name of the class in lower case.
        work_root: directory on the nodes in which each node gets its working directory; ``work_root`` in ``--globals``
            replaces it.
        templates: files to render into the working directory before each start, relative to ``templates``; the others
            are those of :meth:`files`.
        ready_line: regular expression of the line of the log that says that the process is ready; :meth:`ready` defines
            other conditions.
        environment: additional environment variables of the process.
        user: runs the process; by default that of the account.
        stop_signal: number, constant or name of the signal that asks the process to end.
        stop_timeout_sec: seconds until a process that was asked to end is killed.
        start_timeout_sec: seconds until the process has to be ready.
        ports: the ports that the process listens on, by name, the most important one first; see :meth:`port`.
        data_paths: further files and directories to remove when the node is cleaned; expanded by the shell.

    Args:
        context: as for :class:`Service`.
        num_nodes: as for :class:`Service`.
        cluster_spec: as for :class:`Service`.
    """

    parallel_nodes = True
    ready_line: str = ""
    environment: Mapping[str, object] = {}
    user: str | None = None
    stop_signal: int | str = SIGTERM
    stop_timeout_sec: float = 15
    start_timeout_sec: float = 60
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
        self.local_ports = {}
        super().__init__(context, num_nodes, cluster_spec, *args, **kwargs)
        # With all keys from the beginning, so that threads that start and stop nodes do not get in each other's way
        names = [node.name for node in self.nodes]
        self.expected_ends = dict.fromkeys(names, True)
        self.launched = dict.fromkeys(names, 0.0)
        self.log_offsets = dict.fromkeys(names, 0)
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

    def ready(self, node: ClusterNode) -> Condition | None:
        """Return the condition of :mod:`ducktape.utils.wait` under which the process is ready, if there is one.

        Args:
            node: one of ``nodes``.
        """
        return self.logged(node, self.ready_line) if self.ready_line else None

    # ---- where things are

    def log_file(self, node: ClusterNode) -> str:
        """Return the file with the output of the process."""
        return posixpath.join(self.work_dir(node), f"{self.name}-{node.name}.log")

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
        self.log_offsets[node.name] = int(size or 0)
        # Where another user runs it, the process may write there, too
        mode = 0o777 if self.user else 0o755
        node.account.mkdirs(self.work_dir(node), mode)
        self._write_files(node, mode)
        self.launched[node.name] = time.time()
        node.account.start(
            self.command(node),
            log=self.log_file(node),
            directory=self.work_dir(node),
            environment=self.environment,
            user=self.user,
        )
        self.expected_ends[node.name] = False

    def wait_until_ready(self, node: ClusterNode | None = None, timeout_sec: float | None = None) -> None:
        """Wait until the process of a node is ready, or those of all nodes.

        Args:
            node: one of ``nodes``, by default all.
            timeout_sec: seconds, by default ``start_timeout_sec``.

        Raises:
            ProcessDiedError: one of them ended.
            NotReadyError: they are not ready in time; the text has the ends of their logs.
        """
        waited = self.nodes if node is None else [node]
        wanted = [ready for each in waited if (ready := self.ready(each)) is not None]
        deaths = []
        for each in waited:
            ended = self._has_ended(each)
            if self._may_have_ended(each):
                # Its log may still say that it is ready
                wanted.append(~ended)
            else:
                deaths.append(ended)
        if wanted:
            seconds = self.start_timeout_sec if timeout_sec is None else timeout_sec
            self._wait(any_of([all_of(wanted), *deaths]), waited, seconds)
        for each in waited:
            self._check(each)

    def wait_until(self, function: Callable[[], T | None], what: str, timeout_sec: float = 60) -> T:
        """Wait until a function returns a true value, and return that; for instance the node that leads the others.

        A function that raises, such as by an ``assert`` with a message, has not succeeded yet.

        Args:
            function: called without arguments, in another thread.
            what: what it is that is waited for.
            timeout_sec: seconds.

        Raises:
            NotReadyError: there was none in time; the text has the last result or error of the function, and for each
                node the state of its process and the end of its log.
        """
        found: list[T] = []

        def ask() -> T | None:
            result = answer_of(function)
            if result:
                found.append(result)
            return result

        self._wait(condition(ask, what), self.nodes, timeout_sec)
        return found[0]

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
        paths = " ".join([self.work_dir(node), *self.data_paths])
        if not self.user:
            node.account.remove(paths, allow_fail=True)
            return
        # The account may not remove what another user has written
        removal = f"rm -rf {paths}"
        own = f'"$(id -u)" = 0 ] || [ "$(id -un)" = {shlex.quote(self.user)}'
        node.account.ssh(f"if [ {own} ]; then {removal}; else sudo -n sh -c {shlex.quote(removal)}; fi")

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

    def _wait(self, condition: Condition, nodes: Sequence[ClusterNode], timeout_sec: float) -> None:
        """Wait for a condition; the error of a timeout describes nodes."""
        who = self.who_am_i(nodes[0]) if len(nodes) == 1 else self.who_am_i()
        try:
            wait_for(condition, timeout=timeout_sec, err_msg=who)
        except NotReadyError as error:
            described = [attempt.result for attempt in run_parallel(nodes, self._describe, timeout=_CHECK_SEC)]
            text = "\n".join([str(error), *filter(None, described)])
            raise NotReadyError(text, error.timeout_sec, error.standings) from error.__cause__

    def _describe(self, node: ClusterNode) -> str:
        """Return the state of the process and the end of its log."""
        return f"The log of {node.name} ({self.process(node).standing()}) ends with:\n{self.tail_of_log(node)}"

    def _check(self, node: ClusterNode) -> None:
        """Raise if the process of a node has died unexpectedly."""
        if self.expected_ends.get(node.name, True):
            return
        # A fault may end the process and announce it while the node is asked
        standing = self.process(node).standing()
        if standing.state in (State.ENDED, State.LOST) and not self._may_have_ended(node):
            raise ProcessDiedError(self.who_am_i(node), node.name, standing, self.tail_of_log(node))

    def _may_have_ended(self, node: ClusterNode) -> bool:
        """Return whether the process was stopped or may die, or a fault has ended it."""
        faults = node.account.fault_log
        return self.expected_ends.get(node.name, True) or (
            isinstance(faults, FaultLog) and faults.has_ended_processes(node, self.launched.get(node.name, 0))
        )

    def _expect_end(self, node: ClusterNode) -> None:
        self.expected_ends[node.name] = True

    def _has_ended(self, node: ClusterNode) -> Condition:
        process = self.process(node)
        return condition(lambda: not process.is_alive(), f"{self.name} of {node.name} has ended")
