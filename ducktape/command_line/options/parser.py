# SPDX-License-Identifier: Apache-2.0
"""The parser of the command line of a run: its options in groups, with their help."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, TypeAlias

from ducktape.cluster.ssh.host_key_mode import MODES
from ducktape.command_line.options import values
from ducktape.command_line.options.errors import UsageError

_USAGE = """%(prog)s [options] [test_path ...]
       %(prog)s doctor [options]                       check the nodes of a cluster
       %(prog)s report [options] [RESULTS_DIR ...]     write the reports of a session again"""
_EPILOG = (
    "Options may also be in .ducktape/config and ~/.ducktape/config. A flag that such a file turns on is turned off "
    "again by its opposite, such as --no-debug. `ducktape doctor --help` and `ducktape report --help` describe the "
    "subcommands."
)

_Group: TypeAlias = argparse._ActionsContainer


class RaisingParser(argparse.ArgumentParser):
    """A parser that raises an error instead of ending the program."""

    def error(self, message: str) -> NoReturn:
        """Raise an error with the usage.

        Raises:
            UsageError: always.
        """
        raise UsageError(message, usage=self.format_usage(), program=self.prog)


def build_parser(defaults: Mapping[str, Any], make: type[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Return a parser of all options of a run.

    Args:
        defaults: by option; what is not among them is left out of the parsed values unless it was given.
        make: class of the parser.
    """
    parser = make(usage=_USAGE, description="Discover and run your tests", epilog=_EPILOG)
    _add_general(parser)
    _add_choosing(parser.add_argument_group("choosing tests"))
    _add_running(parser.add_argument_group("running tests"))
    _add_nodes(parser.add_argument_group("nodes"))
    _add_results(parser.add_argument_group("results"))
    _add_debugging(parser.add_argument_group("debugging"))
    for action in settable_actions(parser):
        action.default = defaults.get(action.dest, argparse.SUPPRESS)
    return parser


def settable_actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return all options but ``--help``."""
    return [action for action in parser._actions if action.dest != "help"]


def option_names(parser: argparse.ArgumentParser) -> list[str]:
    """Return every spelling of every option."""
    return [name for action in parser._actions for name in action.option_strings]


def _add_flags(group: _Group, flags: Iterable[tuple[str, str]]) -> None:
    for name, text in flags:
        group.add_argument(name, action="store_true", help=text)


def _add_general(group: _Group) -> None:
    group.add_argument("--version", action="store_true", help="Print the version.")
    group.add_argument("--config-file", help="Your own file of options; overrides the project's .ducktape/config.")


def _add_choosing(group: _Group) -> None:
    group.add_argument(
        "test_path",
        nargs="*",
        help="What to run: directories, files, globs, path::Class.method@{json}, or test suite files ending in .yml. "
        "The current directory by default.",
    )
    group.add_argument(
        "--exclude", nargs="*", help="Tests to leave out, written like those to run; suite files are not allowed."
    )
    group.add_argument(
        "-k",
        metavar="EXPR",
        dest="keyword",
        type=values.expression,
        help="Only tests whose ids match, as in: -k 'kafka and not (slow or upgrade)'.",
    )
    group.add_argument(
        "--tags",
        metavar="EXPR",
        type=values.expression,
        help="Only tests whose @tag marks match, as in: --tags 'not slow'.",
    )
    _add_flags(
        group,
        [
            ("--last-failed", "Only tests that failed in the last session below the results root."),
            ("--failed-first", "Start with the tests that failed in the last session."),
        ],
    )
    group.add_argument("--sample", type=values.positive, metavar="N", help="Run N tests, chosen at random.")
    group.add_argument("--subsets", type=values.integer, metavar="N", help="Divide the tests into N parts.")
    group.add_argument("--subset", type=values.integer, metavar="I", help="Run part I, counted from 0.")
    group.add_argument(
        "--historical-report",
        help="URL or path of an earlier report.json, used to make parts of equal duration.",
    )
    group.add_argument(
        "--parameters", help="JSON object of arguments that replace those of every test.", metavar="JSON"
    )
    _add_flags(
        group,
        [
            ("--collect-only", "List the tests and run nothing."),
            ("--collect-num-nodes", "Print how many nodes the tests need in total and run nothing."),
            ("--list-tags", "List the tags of the tests and run nothing."),
            ("--ignore-import-errors", "Log test files that cannot be imported instead of failing."),
            ("--allow-empty-tests-list", "Succeed when there is nothing to run."),
        ],
    )


def _add_running(group: _Group) -> None:
    group.add_argument(
        "--max-parallel",
        type=values.max_parallel,
        metavar="N",
        help="Maximum number of parallel tests; auto: as many as the nodes allow.",
    )
    group.add_argument("--repeat", type=values.integer, metavar="N", help="Run the selection N times.")
    group.add_argument(
        "--until-failure",
        nargs="?",
        const=0,
        type=values.not_negative,
        metavar="N",
        help="Repeat the selection until a test fails, at most N times.",
    )
    group.add_argument(
        "--deflake", type=values.integer, metavar="N", help="Run a failing test up to N times until it passes."
    )
    group.add_argument(
        "--detect-flakes",
        type=values.positive,
        metavar="N",
        help="Run every test N times, whether it passes or fails, and report how often it passed.",
    )
    group.add_argument(
        "--retry-infrastructure",
        type=values.not_negative,
        metavar="N",
        help="Run a test again, up to N times and on other nodes, if the infrastructure made it fail.",
    )
    group.add_argument(
        "--resume",
        nargs="?",
        const="latest",
        metavar="SESSION",
        help="Resume an interrupted session, by default the latest: run the tests that have no result yet.",
    )
    group.add_argument("--exit-first", action="store_true", help="Start no further test after a failure.")
    group.add_argument(
        "--shuffle",
        nargs="?",
        const="random",
        metavar="SEED",
        type=values.seed,
        help="Run the tests in random order, and print the seed that repeats this order.",
    )
    group.add_argument(
        "--globals",
        metavar="JSON",
        help="JSON object, or path of a file with one, that every test can read as test_context.globals.",
    )
    group.add_argument(
        "--test-timeout",
        type=values.duration,
        metavar="TIME",
        help="Time limit of a test, and of its setup: 90s, 20m, 2h or seconds. @timeout overrides it.",
    )
    group.add_argument(
        "--session-timeout",
        type=values.duration,
        metavar="TIME",
        help="Time limit of the whole run; running tests are then ended, the others reported as not run.",
    )
    group.add_argument(
        "--test-runner-timeout",
        type=values.positive,
        metavar="MILLISECONDS",
        help="Milliseconds after which a test that shows no activity is ended.",
    )
    group.add_argument(
        "--fail-on-teardown-error",
        action="store_true",
        help="Fail a test if its teardown, or the stop or clean of one of its services, raises an error.",
    )


def _add_nodes(group: _Group) -> None:
    add_cluster_options(group)
    group.add_argument(
        "--check-nodes",
        action="store_true",
        help="Try to log in to a node before a test gets it, and quarantine nodes where that fails.",
    )
    group.add_argument(
        "--lease",
        metavar="DIR",
        help="Share the nodes with other runs on this machine that name the same directory.",
    )
    group.add_argument(
        "--ssh-checker-function",
        nargs="+",
        metavar="FUNCTION",
        help="Functions, as module.function, that are called when an SSH connection fails.",
    )
    _add_flags(
        group,
        [
            ("--ignore-node-type", "Use any node where a test asks for a type."),
            ("--skip-nodes-allocation", "Services allocate no nodes unless they ask for it."),
            ("--fail-greedy-tests", "Fail tests that do not declare how many nodes they need."),
            ("--fail-bad-cluster-utilization", "Fail tests that use fewer nodes than they were given."),
        ],
    )
    # Without effect since the first release, and still passed by existing suites
    group.add_argument("--default-num-nodes", type=values.integer, help=argparse.SUPPRESS)


def add_cluster_options(group: _Group) -> None:
    """Add the options that say which nodes there are and how to trust them, which a subcommand has too.

    Args:
        group: of a parser.
    """
    group.add_argument(
        "--cluster", help="localhost, json, vagrant, sandbox, a registered name, or a class as module.Class."
    )
    group.add_argument("--cluster-file", metavar="FILE", help="File that describes the cluster.")
    group.add_argument(
        "--host-keys",
        choices=MODES,
        help="How to verify the keys of SSH servers: off (the default), accept-new (keys are remembered below the "
        "results root) or strict (only keys in a known_hosts file).",
    )
    group.add_argument(
        "--known-hosts",
        metavar="FILE",
        help="File of known host keys, in the format of OpenSSH, instead of the usual one; implies strict.",
    )


def _add_results(group: _Group) -> None:
    group.add_argument("--results-root", metavar="DIR", help="Directory in which every run gets its own.")
    _add_flags(
        group,
        [
            ("--nested-result-dirs", "Give every argument of a test a directory level of its own in the results."),
            ("--compress", "Compress service logs before copying them."),
        ],
    )
    group.add_argument(
        "--collect-timeout",
        type=values.duration,
        metavar="TIME",
        help="Time limit for collecting the logs of a test; its summary names the logs that are missing.",
    )
    group.add_argument(
        "--max-data-bytes",
        type=values.positive,
        metavar="N",
        help="Maximum size, as JSON, of the data that a test returns; a test that returns more fails.",
    )
    group.add_argument("--enable-jvm-logs", action="store_true", help="Collect logs of every JVM that services start.")


def _add_debugging(group: _Group) -> None:
    _add_flags(
        group,
        [
            ("--debug", "Show DEBUG lines on the console."),
            ("--no-teardown", "Do not tear down tests or stop services, to inspect them afterwards."),
            ("--explain-schedule", "Log why the tests run in their order."),
            ("--strict", "Turn warnings about probable mistakes into errors."),
        ],
    )
