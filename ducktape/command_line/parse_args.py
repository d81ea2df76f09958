# SPDX-License-Identifier: Apache-2.0
"""The options of the program: from its arguments, the user's file and the project's file, the nearest one winning."""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import Any, NoReturn

from ducktape.cluster.ssh.host_key_mode import MODES
from ducktape.command_line.defaults import SESSION_ID, ConsoleDefaults
from ducktape.command_line.options.config_words import ConfigError, QuietParser, Word, oddities, read_words
from ducktape.utils.support.duration import seconds_of
from ducktape.utils.support.strictness import tolerate
from ducktape.utils.util import ducktape_version

# Abbreviations that suites use must stay unambiguous, whatever options are added.
_NEWER_OPTIONS = (
    "--ignore-import-errors",
    "--allow-empty-tests-list",
    "--check-nodes",
    "--lease",
    "--host-keys",
    "--known-hosts",
    "--collect-timeout",
    "--tags",
    "--list-tags",
    "--shuffle",
    "--explain-schedule",
    "--resume",
    "--last-failed",
    "--failed-first",
    "--until-failure",
    "--test-timeout",
    "--session-timeout",
    "--max-data-bytes",
    "--retry-infrastructure",
    "--fail-on-teardown-error",
    "--detect-flakes",
    "--strict",
)

# Options whose value may be left out: what stands for "no value", and what a value looks like. A word that is none is
# the next path of tests.
_OPTIONAL_VALUES = {
    "--shuffle": ("random", re.compile(r"-?\d+|random")),
    "--resume": ("latest", re.compile(rf"latest|{SESSION_ID.pattern}/?")),
    "--until-failure": ("0", re.compile(r"\d+")),
}


def create_ducktape_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; has no side effects."""
    return _build_parser(None)


def _build_parser(
    argument_default: Any, make: type[argparse.ArgumentParser] = argparse.ArgumentParser
) -> argparse.ArgumentParser:
    """Build the parser; with ``argparse.SUPPRESS`` it reports only what is really there."""
    parser = make(
        description="Discover and run your tests",
        epilog="A flag that a configuration file turns on is turned off again by its opposite, such as --no-debug. "
        "`ducktape doctor` asks the nodes of a cluster how they are; "
        "`ducktape report` makes the reports of a session from its journal.",
    )
    for add in (_add_selection, _add_session, _add_cluster, _add_running):
        add(parser)
    if argument_default is not None:
        for action in _settable_actions(parser):
            action.default = argument_default
    return parser


def _settable_actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if action.dest != "help"]


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "test_path",
        metavar="test_path",
        type=str,
        nargs="*",
        default=[_current_directory()],
        help="What to run: directories, files, globs, path::Class.method@{json}, or test suite files ending in .yml. "
        "The current directory if there is nothing.",
    )
    parser.add_argument(
        "--exclude",
        type=str,
        nargs="*",
        default=None,
        help="Tests to leave out, written like those to run; suite files cannot be given here.",
    )
    parser.add_argument("--collect-only", action="store_true", help="List the tests and run nothing.")
    parser.add_argument(
        "--collect-num-nodes", action="store_true", help="Print how many nodes the tests ask for and run nothing."
    )
    parser.add_argument(
        "--parameters", action="store", help="JSON object of arguments for every test, in place of its own ones."
    )
    parser.add_argument("--repeat", action="store", type=_integer, default=1, help="Run everything so many times.")
    parser.add_argument(
        "--subsets", action="store", type=_integer, default=1, help="Number of parts to divide the tests into."
    )
    parser.add_argument("--subset", action="store", type=_integer, default=0, help="Which part to run, counted from 0.")
    parser.add_argument(
        "--historical-report",
        action="store",
        type=str,
        help="URL or path of an earlier report.json, to make parts that take the same time.",
    )
    parser.add_argument("--sample", action="store", type=_positive, help="Run a random choice of so many tests.")
    parser.add_argument(
        "-k",
        action="store",
        metavar="EXPR",
        dest="keyword",
        help="Only tests whose ids match, as in: -k 'kafka and not (slow or upgrade)'.",
    )
    parser.add_argument(
        "--tags", action="store", metavar="EXPR", help="Only tests whose @tag marks match, as in: --tags 'not slow'."
    )
    parser.add_argument("--list-tags", action="store_true", help="List the tags of the tests and run nothing.")
    parser.add_argument(
        "--last-failed", action="store_true", help="Only tests that failed in the last session below the results root."
    )
    parser.add_argument("--failed-first", action="store_true", help="Begin with tests that failed in the last session.")
    parser.add_argument(
        "--resume",
        action="store",
        nargs="?",
        const="latest",
        metavar="SESSION",
        help="Go on with a session that was cut off, the latest one by default: run what has no result there.",
    )
    parser.add_argument(
        "--ignore-import-errors",
        action="store_true",
        help="Only log test files that cannot be imported, instead of reporting each as a failure.",
    )
    parser.add_argument(
        "--allow-empty-tests-list",
        action="store_true",
        default=bool(os.environ.get("DUCKTAPE_ALLOW_EMPTY_TESTS_LIST")),
        help="Having nothing to run is not an error.",
    )


def _current_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return os.curdir  # it was removed; whatever is looked for in it will be told as missing


def _add_session(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--debug", action="store_true", help="Show DEBUG lines on the console.")
    parser.add_argument(
        "--config-file",
        action="store",
        default=ConsoleDefaults.USER_CONFIG_FILE,
        help="Your own file of options; read after the project's .ducktape/config.",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="Make an error of each mistake that is otherwise tolerated with a warning.",
    )
    parser.add_argument("--compress", action="store_true", help="Compress service logs before they are copied.")
    parser.add_argument(
        "--collect-timeout",
        action="store",
        type=_duration,
        metavar="TIME",
        help="Longest time to collect the logs of a test; what is missing then is named in its summary.",
    )
    parser.add_argument(
        "--results-root",
        action="store",
        default=ConsoleDefaults.RESULTS_ROOT_DIRECTORY,
        help="Directory that gets a new directory for every run.",
    )
    parser.add_argument(
        "--nested-result-dirs",
        action="store_true",
        help="Give every argument of a test a directory level of its own in the results.",
    )
    parser.add_argument("--version", action="store_true", help="Print the version.")
    parser.add_argument(
        "--globals",
        action="store",
        help="JSON object, or path of a file with one, that all tests can read as test_context.globals.",
    )
    parser.add_argument("--enable-jvm-logs", action="store_true", help="Collect logs of every JVM that services start.")


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cluster",
        action="store",
        default=ConsoleDefaults.CLUSTER_TYPE,
        help="localhost, json, vagrant, sandbox, a name that is registered, or a class with its module.",
    )
    parser.add_argument("--default-num-nodes", action="store", type=_integer, help="Accepted, without effect.")
    parser.add_argument("--cluster-file", action="store", default=None, help="File that describes the cluster.")
    parser.add_argument(
        "--skip-nodes-allocation",
        action="store_true",
        help="Services do not take nodes from the cluster unless they ask for it.",
    )
    parser.add_argument(
        "--fail-bad-cluster-utilization",
        action="store_true",
        help="Fail a test that uses fewer nodes than it was given.",
    )
    parser.add_argument(
        "--fail-greedy-tests", action="store_true", help="Fail tests that do not say how many nodes they need."
    )
    parser.add_argument(
        "--check-nodes",
        action="store_true",
        help="Try a login before a node is given to a test, and put nodes aside where that fails.",
    )
    parser.add_argument(
        "--lease",
        action="store",
        metavar="DIR",
        default=None,
        help="Share the nodes with other runs on this machine that name the same folder.",
    )
    add_host_key_options(parser)
    parser.add_argument("--ignore-node-type", action="store_true", help="Take any node where a type is asked for.")
    parser.add_argument(
        "--ssh-checker-function",
        action="store",
        type=str,
        nargs="+",
        help="Functions, with their modules, that are called when an SSH connection fails.",
    )


def add_host_key_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a run about the keys of SSH servers, which a subcommand has too.

    Args:
        parser: of a command line.
    """
    parser.add_argument(
        "--host-keys",
        action="store",
        choices=MODES,
        default=None,
        help="Whether SSH servers must show the host key that is known: off (nothing is checked, the default), "
        "accept-new (keys are remembered below the results root) or strict (only keys in a known_hosts file).",
    )
    parser.add_argument(
        "--known-hosts",
        action="store",
        metavar="FILE",
        default=None,
        help="File of known host keys, as OpenSSH writes it, instead of the usual one; means strict by itself.",
    )


def _add_running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--exit-first", action="store_true", help="Start no further test after a failure.")
    parser.add_argument("--no-teardown", action="store_true", help="Leave tests and services as they are at their end.")
    parser.add_argument(
        "--max-parallel",
        action="store",
        type=_max_parallel,
        default=1,
        help="Most tests at the same time; auto: as many as the nodes carry.",
    )
    parser.add_argument(
        "--test-runner-timeout",
        action="store",
        type=_positive,
        default=1800000,
        help="Milliseconds after which a test that does and logs nothing is ended.",
    )
    parser.add_argument(
        "--deflake", action="store", type=_integer, default=1, help="Most runs of a test while it keeps failing."
    )
    parser.add_argument(
        "--detect-flakes",
        action="store",
        type=_positive,
        metavar="N",
        help="Run every test so many times, whatever comes of it, and report how often it passed.",
    )
    parser.add_argument(
        "--retry-infrastructure",
        action="store",
        type=_not_negative,
        default=0,
        metavar="N",
        help="Run a test again, up to so many times and on other nodes, when its failure is one of the infrastructure.",
    )
    parser.add_argument(
        "--until-failure",
        action="store",
        nargs="?",
        const=0,
        type=_not_negative,
        metavar="N",
        help="Run everything again and again until a test fails, at most N times.",
    )
    parser.add_argument(
        "--test-timeout",
        action="store",
        type=_duration,
        metavar="TIME",
        help="Longest time for a test, and for its setup: 90s, 20m, 2h or seconds. @timeout goes before it.",
    )
    parser.add_argument(
        "--session-timeout",
        action="store",
        type=_duration,
        metavar="TIME",
        help="Longest time for the whole run; tests that run by then are ended, the others are reported as not run.",
    )
    parser.add_argument(
        "--max-data-bytes",
        action="store",
        type=_positive,
        default=ConsoleDefaults.MAX_DATA_BYTES,
        metavar="N",
        help="Most bytes that a test may return as JSON; one that returns more fails.",
    )
    parser.add_argument(
        "--fail-on-teardown-error",
        action="store_true",
        help="Fail a test whose teardown, or the stop or clean of one of its services, raises.",
    )
    parser.add_argument(
        "--shuffle",
        action="store",
        nargs="?",
        const="random",
        metavar="SEED",
        type=_seed,
        help="Run the tests in random order, and print the seed that gives the same order again.",
    )
    parser.add_argument(
        "--explain-schedule", action="store_true", help="Say why the tests run in the order in which they do."
    )


def _duration(text: str) -> float:
    try:
        return seconds_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"invalid int value: {text!r}") from error


def _not_negative(text: str) -> int:
    if (number := _integer(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return number


def _positive(text: str) -> int:
    if (number := _integer(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _max_parallel(text: str) -> int | str:
    return text if text == "auto" else _positive(text)


def _seed(text: str) -> int | str:
    return text if text == "random" else _integer(text)


def get_user_config_file(args: list[str]) -> str:
    """Return the path of the user's own file of options.

    Args:
        args: the command line.
    """
    return os.path.expanduser(str(_present(args).get("config_file", ConsoleDefaults.USER_CONFIG_FILE)))


def config_file_to_args_list(config_file: str | None) -> list[str]:
    """Return what stands in a file of options, as a command line.

    Args:
        config_file: path of an existing file. Options are written as on the command line, any number on a line. Quotes
            work as in a shell, JSON may be written plainly, ``#`` begins a comment.

    Raises:
        RuntimeError: no path was given.
        OSError: the file cannot be read, or is no UTF-8 text.
    """
    if config_file is None:
        raise RuntimeError("config_file is None")
    return [word.text for word in read_words(config_file)]


def parse_non_default_args(
    parser: argparse.ArgumentParser, defaults: dict[str, Any], args: list[str]
) -> dict[str, Any]:
    """Parse arguments and return those that differ from the defaults.

    Args:
        parser: of the command line.
        defaults: value of every option that is not given.
        args: a command line.
    """
    parsed = vars(parser.parse_args(args))
    return {key: value for key, value in parsed.items() if key not in defaults or value != defaults[key]}


def parse_args(args: list[str]) -> dict[str, Any]:
    """Return the value of every option: the command line wins over the user's file, that over the project's.

    Args:
        args: the command line. An empty one prints help and ends the program, like ``--help`` and ``--version``.

    Raises:
        SystemExit: there is nothing to run, or an option is wrong.
        OSError: a configuration file cannot be read, or the one that the command line names does not exist.
    """
    parser = create_ducktape_parser()
    if not args:
        parser.print_help()
        sys.exit(0)
    given = _present(args)
    values = {action.dest: action.default for action in _settable_actions(parser)}
    odd: list[_Oddity] = []
    for config_file in (ConsoleDefaults.PROJECT_CONFIG_FILE, get_user_config_file(args)):
        if os.path.exists(config_file) or (
            config_file != ConsoleDefaults.PROJECT_CONFIG_FILE and "config_file" in given
        ):
            options, odd_words = _read_config_file(config_file, parser)
            values.update(options)
            odd += odd_words
    values.update(given)
    for problem, file, line in odd:
        if values["strict"]:
            _refuse(parser, f"{file}, line {line}: {problem}")
        tolerate(problem, file, line)
    if values["version"]:
        print(ducktape_version())
        sys.exit(0)
    return values


def given_options(args: list[str]) -> dict[str, Any]:
    """Return the options that really stand in a command line, whatever their values.

    Args:
        args: the command line.
    """
    return _present(args)


_Oddity = tuple[str, str, int]  # what it is, and where: file and line


def _read_config_file(path: str, parser: argparse.ArgumentParser) -> tuple[dict[str, Any], list[_Oddity]]:
    """Return the options in a configuration file and what is odd there; ends the program when one is wrong."""
    words = read_words(path)
    try:
        options = _present([word.text for word in words], QuietParser)
    except ConfigError as error:
        _refuse(parser, f"{path}, line {_line_of_mistake(words)}: {error}")
    names = [name for action in parser._actions for name in action.option_strings]
    try:
        odd = [(why, path, word.line) for word, why in oddities(words, options.get("test_path", []), names)]
    except ConfigError as error:
        _refuse(parser, f"{path}, {error}")
    if "config_file" in options:
        line = next((word.line for word in words if word.text.startswith("--config-f")), 0)
        odd.append(("--config-file has no effect in a configuration file", path, line))
    return options, odd


def _line_of_mistake(words: list[Word]) -> int:
    """Return the line of the first words without which those before them make sense."""
    lines = sorted({word.line for word in words})
    for bad in lines:
        if not any(
            _makes_sense([word.text for word in words if word.line <= later]) for later in lines if later >= bad
        ):
            return bad
    return 0


def _makes_sense(args: list[str]) -> bool:
    try:
        _present(args, QuietParser)
    except ConfigError:
        return False
    return True


def _refuse(parser: argparse.ArgumentParser, message: str) -> NoReturn:
    """End the program as a wrong command line does, without the long list of what may stand there."""
    parser.exit(2, f"{parser.prog}: error: {message}\n")


def _present(args: list[str], make: type[argparse.ArgumentParser] = argparse.ArgumentParser) -> dict[str, Any]:
    """Return the options that really stand in a command line, whatever their values."""
    parser = _build_parser(argparse.SUPPRESS, make)
    _add_opposites(parser, args)
    present = vars(parser.parse_args(_with_values(_unabbreviated(args))))
    if not present.get("test_path", True):
        del present["test_path"]
    return present


def _with_values(args: list[str]) -> list[str]:
    """Give options whose value may be left out their value, so that they do not take a path of tests for it."""
    names = [name for action in create_ducktape_parser()._actions for name in action.option_strings]
    completed = []
    for token, following in zip(args, [*args[1:], ""], strict=False):
        meant = [name for name in names if len(token) > 2 and name.startswith(token)]
        default, value = _OPTIONAL_VALUES.get(meant[0] if len(meant) == 1 else token, ("", None))
        is_session = default == "latest" and os.path.exists(os.path.join(following, "journal.jsonl"))
        completed.append(token if value is None or value.fullmatch(following) or is_session else f"{token}={default}")
    return completed


def _add_opposites(parser: argparse.ArgumentParser, args: list[str]) -> None:
    """Accept ``--no-debug`` and its like; only where one is used, so that they do not spoil abbreviations."""
    for action in _settable_actions(parser):
        for name in action.option_strings:
            opposite = f"--no-{name.removeprefix('--')}"
            if action.const is True and opposite in args:
                parser.add_argument(opposite, dest=action.dest, action="store_false", default=argparse.SUPPRESS)


def _unabbreviated(args: list[str]) -> list[str]:
    """Spell out abbreviations that newer options would make ambiguous."""
    names = [name for action in create_ducktape_parser()._actions for name in action.option_strings]
    classic = [name for name in names if name not in _NEWER_OPTIONS]

    def spell_out(token: str) -> str:
        option, equals, value = token.partition("=")
        meant = [name for name in classic if name.startswith(option)]
        if len(option) < 3 or not option.startswith("--") or option in names or len(meant) != 1:
            return token
        return meant[0] + equals + value

    return [spell_out(token) for token in args]
