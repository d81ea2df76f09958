# SPDX-License-Identifier: Apache-2.0
"""``ducktape doctor``: are the nodes of the cluster fit for tests?"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import math
import os
import sys
from typing import TYPE_CHECKING, Any

from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.command_line.parse_args import add_host_key_options
from ducktape.command_line.session.common import is_sandbox, make_cluster, read_options
from ducktape.json_serializable import strict_dumps
from ducktape.utils.support.strictness import begin

# Wrong options are answered without the libraries that reach nodes.
if TYPE_CHECKING:
    from ducktape.cluster.health.probe import Findings

_TIMEOUT_SEC = 10.0
_INTERRUPTED = 130


def main(argv: list[str]) -> int:
    """Examine the nodes of the cluster and print what was found.

    Args:
        argv: the command line, with the name of the subcommand in it.

    Returns:
        The exit code: 1 if a node cannot be used or there is none, else 0.

    Raises:
        SystemExit: an option is wrong, or there is no such cluster.
    """
    options = create_doctor_parser().parse_args(argv)
    args = _options_of_a_run(options)
    # A run finds its classes beside its tests, which here are not looked for.
    sys.path.append(os.getcwd())
    try:
        if is_sandbox(args):
            return _visit_sandbox(args, options)
        findings, remarks = _examine(make_cluster(args), options.timeout)
    except KeyboardInterrupt:
        return _INTERRUPTED
    if options.json:
        print(strict_dumps(_as_json(args["cluster"], findings, remarks), indent=2))
    else:
        _show(findings, remarks)
    return 0 if findings and all(each.usable for each in findings) else 1


def _visit_sandbox(args: dict[str, Any], options: argparse.Namespace) -> int:
    from ducktape.command_line.doctor.sandbox import to_json, visit_sandbox
    from ducktape.command_line.doctor.view import render_sandbox

    visit = visit_sandbox(lambda: make_cluster(args), timeout=options.timeout)
    print(
        strict_dumps(to_json(args["cluster"], visit), indent=2)
        if options.json
        else render_sandbox(visit, columns=_columns())
    )
    return 0 if visit.usable else 1


def create_doctor_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; has no side effects."""
    parser = argparse.ArgumentParser(
        prog="ducktape",
        usage="ducktape doctor [options]",
        description="Look whether the nodes of the cluster are fit for tests, and say what to do about it if not.",
        epilog="Options of a run that stand in configuration files count here, too. Exit code 1 means that a node "
        "cannot be used. Tests in a directory of that name are run by: ducktape ./doctor",
    )
    parser.add_argument("subcommand", choices=["doctor"], help=argparse.SUPPRESS)
    parser.add_argument(
        "--cluster", help="localhost, json, vagrant, sandbox, a name that is registered, or a class with its module."
    )
    parser.add_argument("--cluster-file", help="File that describes the cluster.")
    parser.add_argument(
        "--config-file", help=f"Your own file of options, instead of {ConsoleDefaults.USER_CONFIG_FILE}."
    )
    add_host_key_options(parser)
    parser.add_argument("--json", action="store_true", help="Print everything that was found as one JSON object.")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=_TIMEOUT_SEC,
        metavar="SECONDS",
        help="Longest time for one node (%(default)g).",
    )
    return parser


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        seconds = float(text)
        if 0 < seconds < math.inf:
            return seconds
    raise argparse.ArgumentTypeError(f"must be a number of seconds greater than 0, not {text}")


def _options_of_a_run(options: argparse.Namespace) -> dict[str, Any]:
    given = [
        f"--{name.replace('_', '-')}={value}"
        for name in ("cluster", "cluster_file", "config_file", "host_keys", "known_hosts")
        if (value := getattr(options, name)) is not None
    ]
    # Nothing at all would be answered with the help page.
    args = read_options([*given, options.subcommand])
    begin(strict=args["strict"], show=lambda warning: print(f"WARNING: {warning}", file=sys.stderr))
    # Nothing is disturbed here, and nodes that would be put aside are those that are to be looked at.
    return {**args, "lease": None, "check_nodes": False}


# --- the nodes


def _examine(cluster: Any, timeout: float) -> tuple[list[Findings], list[str]]:
    """Return what was found, and remarks on nodes that were left out."""
    from ducktape.cluster.health.runner import examine_all
    from ducktape.tests.driver.worker import start_method

    taken = _take_all(cluster)
    try:
        accounts = _different([*(node.account for node in taken.nodes), *taken.declined], taken.remarks)
        if any(not getattr(account, "is_local", False) for account in accounts):
            import paramiko  # noqa: F401 - once here rather than in every process that is forked
        findings = examine_all(accounts, timeout=timeout, method=start_method())
    finally:
        cluster.free(taken.nodes)
    for account, found in zip(accounts, findings, strict=True):
        if found.failure is None and any(account is each for each in taken.declined):
            found.failure = "it can be reached, but says of itself that it is not available"
            found.failure_remedy = "See why available() of its account's class says so."
    return findings, taken.remarks


@dataclasses.dataclass
class _Taken:
    """What a cluster gave: nodes, accounts that call themselves unavailable, and remarks on what it kept."""

    nodes: list[Any] = dataclasses.field(default_factory=list)
    declined: list[Any] = dataclasses.field(default_factory=list)
    remarks: list[str] = dataclasses.field(default_factory=list)


def _take_all(cluster: Any) -> _Taken:
    from ducktape.cluster.node_container import InsufficientHealthyNodesError, InsufficientResourcesError

    taken = _Taken()
    while wanted := cluster.available():
        try:
            taken.nodes += cluster.alloc(wanted)
        except InsufficientHealthyNodesError as error:
            taken.declined += error.bad_nodes
            if len(cluster.available()) < len(wanted):
                continue
        except InsufficientResourcesError:
            _take_singly(cluster, wanted, taken)
        break
    return taken


def _take_singly(cluster: Any, wanted: Any, taken: _Taken) -> None:
    """Take what can be had: other runs may hold some of the nodes."""
    from ducktape.cluster.cluster_spec import ClusterSpec
    from ducktape.cluster.node_container import InsufficientHealthyNodesError, InsufficientResourcesError

    kept = 0
    reason = ""
    for spec in list(wanted):
        try:
            taken.nodes += cluster.alloc(ClusterSpec([spec]))
        except InsufficientHealthyNodesError as error:
            taken.declined += error.bad_nodes
        except InsufficientResourcesError as error:
            kept += 1
            reason = " ".join(str(error).split())
    if kept:
        taken.remarks.append(f"Not looked at: {_nodes(kept)}, which the cluster does not give. {reason}")


def _different(accounts: list[Any], remarks: list[str]) -> list[Any]:
    """Keep the first of those that are this very machine: they all are the same."""
    local = [account for account in accounts if getattr(account, "is_local", False)]
    if len(local) < 2:
        return accounts
    remarks.append(f"Left out: {_nodes(len(local) - 1)} that are this same machine.")
    superfluous = {id(account) for account in local[1:]}
    return [account for account in accounts if id(account) not in superfluous]


def _nodes(number: int) -> str:
    return "1 node" if number == 1 else f"{number} nodes"


# --- what is printed


def _as_json(cluster: str, findings: list[Findings], remarks: list[str]) -> dict[str, Any]:
    from ducktape.cluster.health.hints import note_of, problems_of

    return {
        "cluster": cluster,
        "usable": bool(findings) and all(each.usable for each in findings),
        "remarks": remarks,
        "nodes": [
            {
                **{name: value for name, value in vars(each).items() if name != "failure_remedy"},
                "usable": each.usable,
                "note": note_of(each),
                "problems": [dataclasses.asdict(problem) for problem in problems_of(each)],
            }
            for each in findings
        ],
    }


def _show(findings: list[Findings], remarks: list[str]) -> None:
    from ducktape.command_line.doctor.view import render

    print(render(findings, remarks, columns=_columns()))


def _columns() -> int:
    from ducktape.utils.terminal_size import get_terminal_size

    # A file or a pipe is as wide as it needs to be, but nobody reads paragraphs of any width
    return get_terminal_size()[0] if sys.stdout.isatty() else 100
