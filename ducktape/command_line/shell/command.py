# SPDX-License-Identifier: Apache-2.0
"""``ducktape shell``: a shell, or a command, on a kept node."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import logging
import os
import shlex
import sys

from ducktape.cluster.account.console import Console
from ducktape.cluster.cluster import Cluster
from ducktape.cluster.remoteaccount import RemoteAccount
from ducktape.command_line.nodes.choice import TEST_HELP, choose_test
from ducktape.command_line.options.errors import CommandError
from ducktape.command_line.options.subcommands import subcommand_parser
from ducktape.command_line.session.common import make_cluster, read_options
from ducktape.tests.keeping.registry import ClusterSource, KeptTest, kept_tests
from ducktape.utils.support.guard import error_of
from ducktape.utils.support.text import one_line

_INTERRUPTED = 130
_LONGEST_MESSAGE = 500


def main(argv: list[str]) -> int:
    """Open a shell, or run a command; returns the exit status of it."""
    own, dashes, command = argv, "", []
    if "--" in argv:
        own, command, dashes = argv[: argv.index("--")], argv[argv.index("--") + 1 :], "--"
    arguments = create_shell_parser().parse_args(own)
    if dashes and not command:
        raise CommandError("There is no command after --")
    test = _choose_test(arguments.test)
    node = test.nodes[_choose_node(arguments.node, test)]
    # One argument is a text for the shell there, several are words, as with ssh
    text = None if not command else command[0] if len(command) == 1 else shlex.join(command)
    statuses: list[int] = []
    # Libraries log the tracebacks of what is said in one line at the end
    logging.getLogger().addHandler(logging.NullHandler())

    def attach() -> None:
        console = Console(wants_terminal=text is None)
        account = _account(test.source, node)
        try:
            statuses.append(account.transport.attach(text, console))
        finally:
            account.close()

    error = error_of(attach)  # clusters, accounts and transports of users
    if isinstance(error, KeyboardInterrupt):
        return int(error.args[0]) if error.args else _INTERRUPTED
    if error is not None:
        reason = one_line(str(error) or type(error).__name__, _LONGEST_MESSAGE)
        raise CommandError(f"{node['name']} of {test.name}: {reason}") from error
    [status] = statuses
    return 128 if status < 0 else status


def create_shell_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; has no side effects."""
    parser = subcommand_parser(
        "shell",
        "[options] TEST [NODE] [-- COMMAND ...]",
        description="Open a shell on a node that is kept (--keep), with its processes and faults as the test left "
        "them, or run a command there.",
        epilog="The exit code is that of the shell or command. A command gets the standard input unless that is a "
        "terminal. Tests in a directory of that name are run by: ducktape ./shell",
    )
    parser.add_argument(
        "test",
        metavar="TEST",
        help=TEST_HELP,
    )
    parser.add_argument(
        "node", nargs="?", metavar="NODE", help="Name of the node, or its number from 1; not needed if there is one."
    )
    return parser


def _choose_test(text: str) -> KeptTest:
    """Return the only kept test that a text names."""
    test = choose_test(text, kept_tests())
    if not test.is_alive:
        raise CommandError(f"{test.name} is not kept any more: its process is dead")
    return test


def _choose_node(text: str | None, test: KeptTest) -> int:
    """Return the index of the node of a test that a text names."""
    names = test.node_names
    found = [index for index, name in enumerate(names) if text is None or text in (name, str(index + 1))]
    exact = [index for index in found if names[index] == text] or found
    if len(exact) == 1:
        return exact[0]
    if not names:
        raise CommandError(f"{test.name} has no nodes")
    known = ", ".join(names)
    if text is None or exact:
        raise CommandError(f"{test.name} has several nodes, name one or its number: {known}")
    raise CommandError(f"{test.name} has no node {text}, only {known}")


def _account(source: ClusterSource, node: dict[str, object]) -> RemoteAccount:
    """Return the account of a kept node."""
    # The classes of users are beside their tests
    sys.path.append(source.directory)

    def make() -> Cluster:
        options = read_options(["shell"])
        assert options is not None  # neither help nor version was asked for
        if os.path.isdir(source.directory):
            os.chdir(source.directory)
        same = {name: getattr(source, name) for name in ("cluster_file", "host_keys", "known_hosts", "results_root")}
        return make_cluster(dataclasses.replace(options, cluster=source.name, lease=None, check_nodes=False, **same))

    module, _, name = source.provider.rpartition(".")
    provider = getattr(importlib.import_module(module), name, Cluster)
    kept_account = getattr(provider, "kept_account", Cluster.kept_account)
    account: RemoteAccount = kept_account(node, make)
    return account
