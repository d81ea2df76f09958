# SPDX-License-Identifier: Apache-2.0
"""``ducktape doctor``: checks whether the nodes of the cluster are fit for tests."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from typing import TYPE_CHECKING

from ducktape.command_line.doctor import kept
from ducktape.command_line.options.options import Options, add_option, seconds
from ducktape.command_line.options.subcommands import subcommand_parser
from ducktape.command_line.session.common import is_sandbox, make_cluster, read_options
from ducktape.json_serializable import strict_dumps
from ducktape.utils.support.strictness import begin

# Wrong options are reported without the libraries that reach nodes.
if TYPE_CHECKING:
    from ducktape.cluster.cluster import Cluster
    from ducktape.cluster.cluster_node import ClusterNode
    from ducktape.cluster.health.probe import Findings

_TIMEOUT_SEC = 10.0
_INTERRUPTED = 130
_OPTIONS_OF_A_RUN = ("cluster", "cluster_file", "config_file", "host_keys", "known_hosts")


def main(argv: list[str]) -> int:
    """Check the nodes of the cluster and print the findings; returns 1 if a node cannot be used or there is none."""
    arguments = create_doctor_parser().parse_args(argv)
    given = [
        f"--{name.replace('_', '-')}={value}"
        for name in _OPTIONS_OF_A_RUN
        if (value := getattr(arguments, name)) is not None
    ]
    # The subcommand's name stands for the tests: an empty command line asks for the help
    options = read_options([*given, arguments.subcommand])
    if options is None:
        return 0
    begin(strict=options.strict, show=lambda warning: print(f"WARNING: {warning}", file=sys.stderr))
    # Nothing is disturbed here, and nodes that a run would quarantine are those to examine
    options = dataclasses.replace(options, lease=None, check_nodes=False)
    # A run finds classes beside its tests, which are not searched here
    sys.path.append(os.getcwd())
    try:
        if is_sandbox(options):
            return _check_sandbox(options, arguments)
        findings, remarks = _examine(make_cluster(options), arguments.timeout)
    except KeyboardInterrupt:
        return _INTERRUPTED
    if arguments.json:
        print(strict_dumps(_as_json(options.cluster, findings, remarks) | kept.to_json(*kept.take_stock()), indent=2))
    else:
        from ducktape.command_line.doctor.view import render

        print(render(findings, remarks, columns=_columns()))
        _show_kept()
    return 0 if findings and all(each.usable for each in findings) else 1


def _check_sandbox(options: Options, arguments: argparse.Namespace) -> int:
    from ducktape.command_line.doctor.sandbox import to_json, visit_sandbox
    from ducktape.command_line.doctor.view import render_sandbox

    visit = visit_sandbox(lambda: make_cluster(options), timeout=arguments.timeout)
    if arguments.json:
        print(strict_dumps(to_json(options.cluster, visit) | kept.to_json(*kept.take_stock()), indent=2))
    else:
        print(render_sandbox(visit, columns=_columns()))
        _show_kept()
    return 0 if visit.usable else 1


def _show_kept() -> None:
    if text := kept.render(*kept.take_stock()):
        print(text)


def create_doctor_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; has no side effects."""
    parser = subcommand_parser(
        "doctor",
        "[options]",
        description="Check whether the nodes of the cluster are fit for tests, and suggest what to do if not.",
        epilog="Options of a run in configuration files apply here, too. Exit code 1 means that a node cannot be used. "
        "Tests in a directory of that name are run by: ducktape ./doctor",
    )
    for name in _OPTIONS_OF_A_RUN:
        add_option(parser, name, {name: None})
    parser.add_argument("--json", action="store_true", help="Print all findings as one JSON object.")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=_TIMEOUT_SEC,
        metavar="SECONDS",
        help="Time limit for one node (%(default)g).",
    )
    return parser


def _examine(cluster: Cluster, timeout: float) -> tuple[list[Findings], list[str]]:
    """Return the findings of the nodes, and remarks on nodes that were left out."""
    from ducktape.cluster.health.runner import examine_all
    from ducktape.tests.driver.worker import start_method

    taken = _take_all(cluster)
    try:
        accounts = [*(node.account for node in taken.nodes), *taken.declined]
        local = [account for account in accounts if getattr(account, "is_local", False)]
        if len(local) < len(accounts):
            import paramiko  # noqa: F401 - loaded once, before processes are forked
        if len(local) > 1:
            taken.remarks.append(f"Left out: {_nodes(len(local) - 1)} that are this machine, too.")
            duplicates = {id(account) for account in local[1:]}
            accounts = [account for account in accounts if id(account) not in duplicates]
        findings = examine_all(accounts, timeout=timeout, method=start_method())
    finally:
        cluster.free(taken.nodes)
    for account, found in zip(accounts, findings, strict=True):
        if found.failure is None and any(account is each for each in taken.declined):
            found.failure = "it can be reached, but its account reports that it is not available"
            found.failure_remedy = "Find out why available() of the account's class returns False."
    return findings, taken.remarks


@dataclasses.dataclass
class _Taken:
    """The nodes of a cluster, accounts that call themselves unavailable, and remarks on nodes that it did not give."""

    nodes: list[ClusterNode] = dataclasses.field(default_factory=list)
    declined: list[object] = dataclasses.field(default_factory=list)
    remarks: list[str] = dataclasses.field(default_factory=list)


def _take_all(cluster: Cluster) -> _Taken:
    from ducktape.cluster.cluster_spec import ClusterSpec
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
            # Other runs may hold some of them
            refusals = []
            for spec in list(wanted):
                try:
                    taken.nodes += cluster.alloc(ClusterSpec([spec]))
                except InsufficientHealthyNodesError as error:
                    taken.declined += error.bad_nodes
                except InsufficientResourcesError as error:
                    refusals.append(" ".join(str(error).split()))
            if refusals:
                refused = f"{_nodes(len(refusals))}, which the cluster does not allocate. {refusals[-1]}"
                taken.remarks.append(f"Not checked: {refused}")
        break
    return taken


def _nodes(number: int) -> str:
    return "1 node" if number == 1 else f"{number} nodes"


def _as_json(cluster: str, findings: list[Findings], remarks: list[str]) -> dict[str, object]:
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


def _columns() -> int:
    from ducktape.utils.terminal_size import get_terminal_size

    # A file or a pipe has no width, but paragraphs should stay readable
    return get_terminal_size()[0] if sys.stdout.isatty() else 100
