# SPDX-License-Identifier: Apache-2.0
"""``ducktape release``: ends what tests have left on kept nodes, and gives the nodes back."""

from __future__ import annotations

import argparse
import os
import sys

from ducktape.command_line.nodes.choice import TEST_HELP, choose_test
from ducktape.command_line.options.errors import UsageError
from ducktape.command_line.options.options import seconds
from ducktape.command_line.options.subcommands import subcommand_parser
from ducktape.tests.keeping.registry import LOG, KeptTest, kept_tests, release

_WAIT_SEC = 120.0
_INTERRUPTED = 130


def main(argv: list[str]) -> int:
    """Release tests; returns 1 if some were not released in time, or not cleaned up."""
    arguments = create_release_parser().parse_args(argv)
    if bool(arguments.test) == arguments.all:
        raise UsageError("name the tests to release, or use --all", help_command="ducktape release --help")
    tests = kept_tests()
    chosen: dict[str, KeptTest] = {}
    for text in arguments.test:
        test = choose_test(text, tests)
        chosen[test.path] = test
    if arguments.all:
        chosen = {test.path: test for test in tests}
    if not chosen:
        print("No nodes are kept")
        return 0
    dead = {path for path, test in chosen.items() if not test.is_alive}
    try:
        left = release(chosen.values(), arguments.timeout)
    except KeyboardInterrupt:
        return _INTERRUPTED
    for path, test in chosen.items():
        nodes = ", ".join(test.node_names)
        if test in left:
            why = f"process {test.pid} has not ended after {arguments.timeout:g} seconds"
            print(f"Not released: {nodes} of {test.test_id} ({test.name}): {why}", file=sys.stderr)
        else:
            note = ""
            if path in dead:
                note = ": the process that kept it was dead, so nothing was cleaned up"
            elif not test.is_clean:
                note = f": not everything could be cleaned up, see {os.path.join(test.test_dir, LOG)}.info"
            print(f"Released {nodes} of {test.test_id} ({test.name}){note}")
    return 0 if all(test.is_clean for test in chosen.values()) else 1


def create_release_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; has no side effects."""
    parser = subcommand_parser(
        "release",
        "[options] [TEST ...]",
        description="Give nodes that are kept (--keep) back: stops and cleans the services of their tests, heals the "
        "faults, and returns when that is done.",
        epilog="Exit code 1 means that something was not released, or could not be cleaned up. Tests in a "
        "directory of that name are run by: ducktape ./release",
    )
    parser.add_argument(
        "test",
        nargs="*",
        metavar="TEST",
        help=TEST_HELP,
    )
    parser.add_argument("--all", action="store_true", help="Release everything that this user keeps.")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=_WAIT_SEC,
        metavar="SECONDS",
        help="How long to wait for the end of the clean-up (%(default)g).",
    )
    return parser
