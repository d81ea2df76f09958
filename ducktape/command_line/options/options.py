# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: RUF009 - the calls in defaults return fields
"""The options of a run: name, type, default and help of each in one place, and the parser that is made of them."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import math
import os
from collections.abc import Callable, Mapping
from typing import Any, Literal, NoReturn, TypeAlias

from ducktape.cluster.ssh.host_key_mode import MODES
from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.command_line.options.config_file import similar_option
from ducktape.command_line.options.errors import UsageError
from ducktape.utils.support.similar import or_similar
from ducktape.utils.support.times import seconds_of

# Options by name, in the form in which a command line has them
Given: TypeAlias = dict[str, Any]

_USAGE = """%(prog)s [options] [test_path ...]
       %(prog)s compare [options] A B                  name what differs between two sessions
       %(prog)s doctor [options]                       check the nodes of a cluster
       %(prog)s history [options] [TEST]               show how earlier sessions went
       %(prog)s init [options] [DIR]                   write a small suite to begin with
       %(prog)s nodes [options]                        list the nodes that are kept
       %(prog)s release [options] [TEST ...]           give kept nodes back
       %(prog)s report [options] [RESULTS_DIR ...]     write the reports of a session again
       %(prog)s shell [options] TEST [NODE]            look inside a kept node"""
_EPILOG = (
    "Options may also be in .ducktape/config and ~/.ducktape/config. A flag that such a file turns on is turned off "
    "again by its opposite, such as --no-debug. `ducktape doctor --help`, and likewise for `compare`, `history`, "
    "`init`, `nodes`, `release`, `report` and `shell`, describes the subcommands."
)
# The first option of each group that the help shows, and the title of the group
_GROUPS = {
    "test_path": "choosing tests",
    "max_parallel": "running tests",
    "cluster": "nodes",
    "results_root": "results",
    "progress": "debugging",
}


def duration(text: str) -> float:
    """Return the seconds of a time such as ``90s`` or ``20m``."""
    try:
        return seconds_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _keep_for(text: str) -> float:
    time = duration(text)
    if time > (longest := ConsoleDefaults.LONGEST_KEEP_SEC):
        raise argparse.ArgumentTypeError(f"{text!r} is longer than a year: write at most {longest / 3600:g}h")
    return time


def seconds(text: str) -> float:
    """Return a finite number of seconds above 0."""
    with contextlib.suppress(ValueError):
        if 0 < (number := float(text)) < math.inf:
            return number
    raise argparse.ArgumentTypeError(f"must be a number of seconds greater than 0, not {text}")


def integer(text: str) -> int:
    """Return a whole number."""
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"invalid int value: {text!r}: write a whole number") from error


def not_negative(text: str) -> int:
    """Return a whole number from 0."""
    if (number := integer(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return number


def positive(text: str) -> int:
    """Return a whole number from 1."""
    if (number := integer(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def max_parallel(text: str) -> int | Literal["auto"]:
    """Return a whole number from 1, or ``auto``."""
    if text == "auto":
        return "auto"
    if not text.lstrip("-").isdecimal():
        raise argparse.ArgumentTypeError(f"invalid int value: {text!r}: write a number from 1, or auto")
    return positive(text)


def seed(text: str) -> int | Literal["random"]:
    """Return a whole number, or ``random``."""
    return "random" if text == "random" else integer(text)


def retention(text: str) -> str:
    """Return the text of a limit for old sessions if it can be parsed."""
    # Most runs have none
    from ducktape.tests.recording.retention import Limit

    try:
        Limit.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def expression(text: str) -> str:
    """Return the text of an expression of ``-k`` or ``--tags`` if it can be parsed."""
    # Most runs have none
    from ducktape.tests.loading.expressions import Expression, ExpressionError

    try:
        Expression.parse(text)
    except ExpressionError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _option(
    text: str, default: object = None, *, make_default: Callable[[], object] | None = None, **arguments: object
) -> Any:
    """Return a field of :class:`Options`; ``arguments`` are those of ``add_argument``, with its ``name`` if needed."""
    metadata = {**arguments, "help": text}
    if make_default is not None:
        return dataclasses.field(default_factory=make_default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def _flag(text: str, make_default: Callable[[], bool] = bool) -> Any:
    return _option(text, make_default=make_default, action="store_true")


def _current_directory() -> list[str]:
    try:
        return [os.getcwd()]
    except FileNotFoundError:
        return [os.curdir]  # it was removed; discovery reports what is missing


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of a run. ``parameters`` and ``globals`` are the user's text until the run decodes them."""

    version: bool = _flag("Print the version.")
    config_file: str = _option(
        "Your own file of options; overrides the project's .ducktape/config.",
        make_default=lambda: ConsoleDefaults.USER_CONFIG_FILE,
        metavar="FILE",
    )

    test_path: list[str] = _option(
        "What to run: directories, files, globs, path::Class.method@{json}, or test suite files ending in .yml. "
        "The current directory by default.",
        make_default=_current_directory,
        name="test_path",
        nargs="*",
    )
    exclude: list[str] | None = _option(
        "Tests to leave out, written like those to run; suite files are not allowed.", nargs="*", metavar="TEST"
    )
    keyword: str | None = _option(
        "Only tests whose ids match, as in: -k 'kafka and not (slow or upgrade)'.",
        name="-k",
        type=expression,
        metavar="EXPR",
    )
    tags: str | None = _option(
        "Only tests whose @tag marks match, as in: --tags 'not slow'.", type=expression, metavar="EXPR"
    )
    last_failed: bool = _flag("Only tests that failed in the last session below the results root.")
    failed_first: bool = _flag("Start with the tests that failed in the last session.")
    sample: int | None = _option("Run N tests, chosen at random.", type=positive, metavar="N")
    subsets: int = _option("Divide the tests into N parts.", 1, type=integer, metavar="N")
    subset: int = _option("Run part I, counted from 0.", 0, type=integer, metavar="I")
    historical_report: str | None = _option(
        "URL or path of an earlier report.json, used to make parts of equal duration.", metavar="REPORT"
    )
    parameters: Any = _option("JSON object of arguments that replace those of every test.", metavar="JSON")
    collect_only: bool = _flag("List the tests and run nothing.")
    collect_num_nodes: bool = _flag("Print how many nodes the tests need in total and run nothing.")
    list_tags: bool = _flag("List the tags of the tests and run nothing.")
    ignore_import_errors: bool = _flag("Log test files that cannot be imported instead of failing.")
    allow_empty_tests_list: bool = _flag(
        "Succeed when there is nothing to run.", lambda: bool(os.environ.get("DUCKTAPE_ALLOW_EMPTY_TESTS_LIST"))
    )

    max_parallel: int | Literal["auto"] = _option(
        "Maximum number of parallel tests; auto: as many as the nodes allow.", 1, type=max_parallel, metavar="N"
    )
    repeat: int = _option("Run the selection N times.", 1, type=integer, metavar="N")
    until_failure: int | None = _option(
        "Repeat the selection until a test fails, at most N times.", nargs="?", const=0, type=not_negative, metavar="N"
    )
    deflake: int = _option("Run a failing test up to N times until it passes.", 1, type=integer, metavar="N")
    detect_flakes: int | None = _option(
        "Run every test N times, whether it passes or fails, and report how often it passed.",
        type=positive,
        metavar="N",
    )
    retry_infrastructure: int = _option(
        "Run a test again, up to N times and on other nodes, if the infrastructure made it fail.",
        0,
        type=not_negative,
        metavar="N",
    )
    resume: str | None = _option(
        "Resume an interrupted session, by default the latest: run the tests that have no result yet.",
        nargs="?",
        const="latest",
        metavar="SESSION",
    )
    exit_first: bool = _flag("Start no further test after a failure.")
    shuffle: int | Literal["random"] | None = _option(
        "Run the tests in random order, and print the seed that repeats this order.",
        nargs="?",
        const="random",
        type=seed,
        metavar="SEED",
    )
    globals: Any = _option(
        "JSON object, or path of a file with one, that every test can read as test_context.globals.", metavar="JSON"
    )
    test_timeout: float | None = _option(
        "Time limit of a test, and of its setup: 90s, 20m, 2h or seconds. @timeout overrides it.",
        type=duration,
        metavar="TIME",
    )
    session_timeout: float | None = _option(
        "Time limit of the whole run; running tests are then ended, the others reported as not run.",
        type=duration,
        metavar="TIME",
    )
    test_runner_timeout: int = _option(
        "Milliseconds after which a test that shows no activity is ended.",
        1800000,
        type=positive,
        metavar="MILLISECONDS",
    )
    fail_on_teardown_error: bool = _flag(
        "Fail a test if its teardown, or the stop or clean of one of its services, raises an error."
    )
    find_crashes: bool = _flag(
        "Look for core files, and for processes killed for lack of memory, on the nodes of every test, not only of "
        "those that fail."
    )
    fail_on_findings: bool = _flag(
        "Fail a test if a log of its services contains what the log_rules of the service forbid, or if a "
        "process crashed on its nodes."
    )

    cluster: str = _option(
        "localhost, json, vagrant, sandbox, docker, podman, a registered name, or a class as module.Class.",
        make_default=lambda: ConsoleDefaults.CLUSTER_TYPE,
    )
    cluster_file: str | None = _option("File that describes the cluster.", metavar="FILE")
    check_nodes: bool = _flag("Try to log in to a node before a test gets it, and quarantine nodes where that fails.")
    lease: str | None = _option(
        "Share the nodes with other runs on this machine that name the same directory.", metavar="DIR"
    )
    host_keys: str | None = _option(
        "How to verify the keys of SSH servers: off (the default), accept-new (keys are remembered below the results "
        "root) or strict (only keys in a known_hosts file).",
        choices=MODES,
    )
    known_hosts: str | None = _option(
        "File of known host keys, in the format of OpenSSH, instead of the usual one; implies strict.", metavar="FILE"
    )
    ssh_checker_function: list[str] | None = _option(
        "Functions, as module.function, that are called when an SSH connection fails.", nargs="+", metavar="FUNCTION"
    )
    ignore_node_type: bool = _flag("Use any node where a test asks for a type.")
    skip_nodes_allocation: bool = _flag("Services allocate no nodes unless they ask for it.")
    fail_greedy_tests: bool = _flag("Fail tests that do not declare how many nodes they need.")
    fail_bad_cluster_utilization: bool = _flag("Fail tests that use fewer nodes than they were given.")
    # Without effect since the first release, and still passed by existing suites
    default_num_nodes: int | None = _option(argparse.SUPPRESS, type=integer)

    results_root: str = _option(
        "Directory in which every run gets its own.",
        make_default=lambda: ConsoleDefaults.RESULTS_ROOT_DIRECTORY,
        metavar="DIR",
    )
    keep_sessions: str | None = _option(
        "At the end of a run, remove the oldest sessions beyond a number (20), an age (14d) or a size (5GB). Running "
        "sessions, and those with a file named keep, stay.",
        type=retention,
        metavar="LIMIT",
    )
    nested_result_dirs: bool = _flag("Give every argument of a test a directory level of its own in the results.")
    compress: bool = _flag("Compress service logs before copying them.")
    collect_timeout: float | None = _option(
        "Time limit for collecting the logs of a test; its summary names the logs that are missing.",
        type=duration,
        metavar="TIME",
    )
    max_data_bytes: int = _option(
        "Maximum size, as JSON, of the data that a test returns; a test that returns more fails.",
        make_default=lambda: ConsoleDefaults.MAX_DATA_BYTES,
        type=positive,
        metavar="N",
    )
    node_metrics: bool = _flag("Record processor, memory, disk and network of the nodes of each test once a second.")
    enable_jvm_logs: bool = _flag("Collect logs of every JVM that services start.")

    progress: Literal["auto", "live", "plain"] = _option(
        "How to show the progress of the run: live (finished tests, and a panel of the running ones), plain (log "
        "lines), or auto (the default): live on a terminal, except on CI servers.",
        "auto",
        choices=("auto", "live", "plain"),
    )
    verbose: bool = _option(
        "With live progress, show log lines, too.", make_default=bool, short=("-v",), action="store_true"
    )
    quiet: bool = _option(
        "With live progress, show only failures and the end.", make_default=bool, short=("-q",), action="store_true"
    )
    debug: bool = _flag("Show DEBUG lines on the console.")
    pdb: bool = _flag("Open the debugger where a test fails; needs a terminal and --max-parallel 1.")
    debugger: str | None = _option(
        "Let every test wait until an editor attaches to it by debugpy (pip install 'ducktape[debugger]').",
        choices=("debugpy",),
    )
    no_teardown: bool = _flag("Do not tear down tests or stop services, to inspect them afterwards.")
    keep: Literal["on-failure", "always"] | None = _option(
        "Keep the nodes of failed tests, or of all, with their processes and faults, for ducktape shell; the run "
        "continues with other nodes.",
        choices=("on-failure", "always"),
    )
    keep_for: float = _option(
        "How long they are kept unless they are released before: 2h (the default), 30m or seconds.",
        make_default=lambda: ConsoleDefaults.KEEP_FOR_SEC,
        type=_keep_for,
        metavar="TIME",
    )
    explain_schedule: bool = _flag("Log why the tests run in their order.")
    strict: bool = _flag("Turn warnings about probable mistakes into errors.")

    @property
    def lists_only(self) -> bool:
        """Whether tests are listed or counted, and none is run."""
        return self.collect_only or self.collect_num_nodes or self.list_tags


class RaisingParser(argparse.ArgumentParser):
    """A parser that raises an error instead of ending the program."""

    def error(self, message: str) -> NoReturn:
        """Raise a ``UsageError``."""
        words = (self.usage or "").split("[")[0].replace("%(prog)s", self.prog)
        message = message.replace("ignored explicit argument", "it takes no value, so leave out")
        _, is_unknown, unknown = message.partition("unrecognized arguments: ")
        if is_unknown and unknown.startswith("-") and (meant := similar_option(unknown.split()[0], option_names(self))):
            message += f" (did you mean {meant}?)"
        raise UsageError(message, help_command=f"{words.strip()} --help")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is None or value in action.choices:
            return
        choices = [str(each) for each in action.choices]
        text = f"invalid choice: {value!r} (choose from {', '.join(choices)}){or_similar(str(value), choices)}"
        raise argparse.ArgumentError(action, text)


def build_parser(defaults: Mapping[str, object], make: type[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Return a parser of a class; options without a default are missing in the parsed values unless they were given."""
    parser = make(prog="ducktape", usage=_USAGE, description="Discover and run your tests", epilog=_EPILOG)
    group: argparse._ActionsContainer = parser
    for field in dataclasses.fields(Options):
        if field.name in _GROUPS:
            group = parser.add_argument_group(_GROUPS[field.name])
        add_option(group, field.name, defaults)
    return parser


def add_option(group: argparse._ActionsContainer, name: str, defaults: Mapping[str, object]) -> None:
    """Add an option of a run to a parser."""
    arguments = {"name": f"--{name.replace('_', '-')}", **Options.__dataclass_fields__[name].metadata}
    arguments["default"] = defaults.get(name, argparse.SUPPRESS)
    spellings = [arguments.pop("name"), *arguments.pop("short", ())]
    if spellings[0].startswith("-"):
        arguments["dest"] = name
    group.add_argument(*spellings, **arguments)


def option_names(parser: argparse.ArgumentParser) -> list[str]:
    """Return every spelling of every option."""
    return [name for action in parser._actions for name in action.option_strings]
