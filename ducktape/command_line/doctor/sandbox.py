# SPDX-License-Identifier: Apache-2.0
"""``ducktape doctor`` for a sandbox: checks whether this user can have one here, and removes leftovers of dead runs."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.health.probe import cannot_run, printable_line
from ducktape.cluster.sandbox import cgroups
from ducktape.cluster.sandbox.cleanup import remove_sandbox_leftovers, sandbox_leftovers
from ducktape.cluster.sandbox.preflight import Part, groups_part, overlay_part, rights_part
from ducktape.cluster.sandbox.userns import gain_rights, has_rights, what_is_missing
from ducktape.faults.engine.host import Host
from ducktape.faults.engine.netem import slow
from ducktape.faults.errors import FaultError, FaultUnavailable

if TYPE_CHECKING:
    from ducktape.cluster.cluster import Cluster
    from ducktape.cluster.cluster_node import ClusterNode
    from ducktape.cluster.health.probe import Findings
    from ducktape.cluster.remoteaccount import RemoteAccount

_SAMPLES = 3
_NOT_FOUND = 127  # the status of a shell without the program
_PARTS_BEFORE_NODES = 2
_FIREWALLS = {"nft": "nftables", "iptables": "iptables"}


@dataclasses.dataclass
class Trial:
    """A node of one kind, created to try it, with the milliseconds that its creation, ``true`` and its end took."""

    node_type: str | None
    name: str = ""
    failure: str | None = None  # why it cannot be used, in one line
    made_ms: float | None = None
    true_ms: float | None = None
    gone_ms: float | None = None
    findings: Findings | None = None  # about its SSH server, where it has one


@dataclasses.dataclass
class Visit:
    """The findings about the sandbox of this machine."""

    parts: list[Part] = dataclasses.field(default_factory=list)
    trials: list[Trial] = dataclasses.field(default_factory=list)  # one of each kind
    removed: list[str] = dataclasses.field(default_factory=list)  # leftovers of dead runs
    left: list[str] = dataclasses.field(default_factory=list)  # those that could not be removed

    @property
    def usable(self) -> bool:
        """Whether tests can use it."""
        return bool(self.trials) and all(trial.failure is None for trial in self.trials)


def visit_sandbox(make: Callable[[], Cluster], *, timeout: float) -> Visit:
    """Remove the leftovers of dead runs, check this machine, and create a node of each kind.

    An ordinary user's process is root of a user namespace afterwards.
    """
    visit = Visit()
    # First, because an ordinary user sees fewer of them inside a user namespace
    found = sandbox_leftovers()
    if found:
        visit.left = remove_sandbox_leftovers()
        visit.removed = [each for each in found if each not in visit.left]
    ordinary = not has_rights()
    problem = what_is_missing()
    if problem is None and ordinary:
        problem = gain_rights()
    visit.parts.append(rights_part(problem, ordinary=ordinary))
    if problem is None:
        visit.parts.append(overlay_part())
    if any(part.fatal for part in visit.parts):
        return visit
    from ducktape.cluster.sandbox.cluster import SandboxCluster

    cluster = make()
    assert isinstance(cluster, SandboxCluster)
    try:
        for node_type in dict.fromkeys(spec.node_type for spec in cluster.available()):
            visit.trials.append(_try(cluster, node_type, visit.parts, ordinary=ordinary, timeout=timeout))
    finally:
        cluster.close()
    return visit


def _try(cluster: Cluster, node_type: str | None, parts: list[Part], *, ordinary: bool, timeout: float) -> Trial:
    from ducktape.cluster.sandbox.client import SandboxError
    from ducktape.cluster.sandbox.cluster import SandboxNode

    trial = Trial(node_type)
    begin = time.monotonic()
    try:
        [node] = cluster.alloc(ClusterSpec.simple_linux(1, node_type))
        assert isinstance(node, SandboxNode)
        trial.made_ms, trial.name = _ms_since(begin), str(node.account.hostname)
        # Before this process has a connection, which the probing process would share
        trial.findings = _examine(node.account, timeout)
        if trial.findings is not None:
            trial.failure = trial.findings.failure
            trial.findings.name += "" if node_type is None else f" ({node_type})"
        if trial.failure is None:
            trial.true_ms = min(_run_nothing(node.account, timeout) for _ in range(_SAMPLES))
        if len(parts) == _PARTS_BEFORE_NODES:  # the others are the same for nodes of all kinds
            parts.append(groups_part(node.cgroup, ordinary=ordinary))
            parts += _probed(node) if trial.failure is None else []
        begin = time.monotonic()
        cluster.free(node)
        trial.gone_ms = _ms_since(begin)
    except (SandboxError, OSError, ValueError) as error:
        trial.failure = printable_line(str(error)) or type(error).__name__
        if len(parts) == _PARTS_BEFORE_NODES:
            parts.append(groups_part(cgroups.parents(), ordinary=ordinary))
    return trial


def _examine(account: RemoteAccount, timeout: float) -> Findings | None:
    """Return the findings about the SSH server of a node, if it has one."""
    from ducktape.cluster.ssh.transport import SshTransport
    from ducktape.cluster.transport import unwrap

    if not isinstance(unwrap(account.transport), SshTransport):
        return None
    import paramiko  # noqa: F401 - loaded before the process is forked

    from ducktape.cluster.health.runner import examine_all
    from ducktape.tests.driver.worker import start_method

    return examine_all([account], timeout=timeout, method=start_method())[0]


def _run_nothing(account: RemoteAccount, timeout: float) -> float:
    begin = time.monotonic()
    done = account.transport.run("true", timeout=timeout)
    if done.exit_status != 0:
        raise ValueError(cannot_run(done))
    return _ms_since(begin)


def _ms_since(begin: float) -> float:
    return (time.monotonic() - begin) * 1000


def firewall_part(host: Host) -> Part:
    """Report the firewalls of a node, which partitions need."""
    works = [name for tool, name in _FIREWALLS.items() if tool in host.facts.works]
    if works:
        return Part("firewall", f"{' and '.join(works)}, for partitions and lost packets")
    remedy = f"Root installs one: {host.install_command('nft')}"
    if host.facts.tools & _FIREWALLS.keys():
        remedy = f"See what this says in a node: {'nft list tables' if 'nft' in host.facts.tools else 'iptables -n -L'}"
    return Part("firewall", "neither nftables nor iptables can be used: there are no partitions", remedy)


def _probed(node: ClusterNode) -> Iterator[Part]:
    host = Host.of(node)
    yield firewall_part(host)
    try:
        with slow(node, delay=0.001) as fault:
            fault.wait_effective()
            has_netem = b"netem" in host.run("tc qdisc show").stdout
    except (FaultUnavailable, FaultError) as error:
        absent = [tool for tool in ("tc", "iptables", "python3") if tool not in host.facts.tools]
        remedy = f"Load the kernel's module sch_netem{f', or {host.install_command(*absent)}' if absent else ''}."
        yield Part("slow links", printable_line(str(error)).removeprefix(f"{host.name}: "), remedy)
    else:
        program = "no netem in this kernel: instead a program delays packets (NFQUEUE)"
        yield Part("slow links", "the kernel's netem" if has_netem else program)
    status = host.run("sudo -n true").exit_status
    if status == _NOT_FOUND:
        yield Part("sudo", "is not installed", f"If your services use it: {host.install_command('sudo')}")
    elif status != 0:
        yield Part("sudo", "refuses", "See what this says in a node: sudo -n true")


def to_json(cluster: str, visit: Visit) -> dict[str, object]:
    """Return the findings as JSON, for programs."""
    nodes = [
        {
            **({} if trial.findings is None else vars(trial.findings)),
            **{name: value for name, value in vars(trial).items() if name != "findings"},
            "usable": trial.failure is None,
        }
        for trial in visit.trials
    ]
    return {
        "cluster": cluster,
        "usable": visit.usable,
        "remarks": [],
        "nodes": nodes,
        "parts": [dataclasses.asdict(part) for part in visit.parts],
        "leftovers": {"removed": visit.removed, "left": visit.left},
    }
