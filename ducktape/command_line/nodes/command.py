# SPDX-License-Identifier: Apache-2.0
"""``ducktape nodes``: lists the nodes that are kept."""

from __future__ import annotations

import argparse
import time

from ducktape.cluster.health.probe import printable_line
from ducktape.command_line.options.subcommands import subcommand_parser
from ducktape.json_serializable import strict_dumps
from ducktape.tests.keeping.registry import KeptTest, kept_tests

_GAP = "  "
_HEADER = ("node", "of test", "name", "since", "until", "why")
_LONGEST_REASON = 80


def main(argv: list[str]) -> int:
    """Print the kept nodes; returns 0."""
    arguments = create_nodes_parser().parse_args(argv)
    tests = kept_tests()
    if arguments.json:
        print(strict_dumps({"version": 1, "tests": [_as_json(test) for test in tests]}, indent=2))
    elif not tests:
        print("No nodes are kept")
    else:
        print(_table(tests))
        first = next((test for test in tests if test.is_alive and test.nodes), None)
        if first is not None:
            print(f"\nlook inside: ducktape shell {first.name} {first.node_names[0]}")
        print("give back:   ducktape release TEST...   or: ducktape release --all")
    return 0


def create_nodes_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; has no side effects."""
    parser = subcommand_parser(
        "nodes",
        "[options]",
        description="List the nodes that runs of this user keep (--keep): of which test, since when, until when, and "
        "why.",
        epilog="Tests in a directory of that name are run by: ducktape ./nodes",
    )
    parser.add_argument("--json", action="store_true", help="Print them as one JSON object.")
    return parser


def _table(tests: list[KeptTest]) -> str:
    rows = [_HEADER]
    for test in tests:
        until = _clock(test.until) if test.is_alive else "its process is dead"
        why = printable_line(f"{test.status} {test.reason}", longest=_LONGEST_REASON)
        rows += [
            (printable_line(node), printable_line(test.test_id), test.name, _clock(test.since), until, why)
            for node in test.node_names
        ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    return "\n".join(
        _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _clock(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def _as_json(test: KeptTest) -> dict[str, object]:
    return {
        "name": test.name,
        "session_id": test.session_id,
        "test_id": test.test_id,
        "test_index": test.test_index,
        "results_dir": test.test_dir,
        "status": test.status,
        "reason": test.reason,
        "since": test.since,
        "until": test.until,
        "nodes": test.node_names,
        "cluster": test.source.name,
        "process": {"pid": test.pid, "alive": test.is_alive},
        "shell": [f"ducktape shell {test.name} {node}" for node in test.node_names],
    }
