# SPDX-License-Identifier: Apache-2.0
"""Options from three layers: the command line wins over the user's file, that over the project's file."""

from __future__ import annotations

import argparse
import os
import re
from typing import TypeAlias

from ducktape.command_line.defaults import SESSION_ID, ConsoleDefaults
from ducktape.command_line.options.config_file import Word, read_words, suspicious_words
from ducktape.command_line.options.errors import UsageError
from ducktape.command_line.options.options import Given, Options, RaisingParser, build_parser, option_names
from ducktape.utils.support.strictness import tolerate
from ducktape.utils.util import ducktape_version

# Suites abbreviate these; newer options must not make their abbreviations ambiguous
_CLASSIC_OPTIONS = """
    --exclude --collect-only --collect-num-nodes --debug --config-file --compress --cluster --default-num-nodes
    --cluster-file --results-root --nested-result-dirs --exit-first --no-teardown --version --parameters --globals
    --max-parallel --repeat --subsets --subset --historical-report --skip-nodes-allocation --sample
    --fail-bad-cluster-utilization --fail-greedy-tests --ignore-node-type --test-runner-timeout --ssh-checker-function
    --deflake --enable-jvm-logs --help
"""

# A word in a configuration file that is probably a mistake: the problem, the file, and the line
_Suspicion: TypeAlias = tuple[str, str, int]

# Options whose value may be omitted: the value that stands for none, and what values look like. Any other word is the
# next path of tests.
_OPTIONAL_VALUES = {
    "--shuffle": ("random", re.compile(r"-?\d+|random")),
    "--resume": ("latest", re.compile(rf"latest|{SESSION_ID.pattern}/?")),
    "--until-failure": ("0", re.compile(r"\d+")),
}


def load_options(args: list[str]) -> Options | None:
    """Return the options of a run; ``None`` if the command line asked for the help or the version, which is printed.

    Raises:
        UsageError: an option is wrong.
        OSError: a configuration file cannot be read, or the one that the command line names does not exist.
    """
    if not args:
        build_parser({}, RaisingParser).print_help()
        return None
    given = given_options(args)
    values: Given = {}
    suspicions: list[_Suspicion] = []
    files = [path for path in (ConsoleDefaults.PROJECT_CONFIG_FILE, user_config_file(given)) if os.path.exists(path)]
    if "config_file" in given and (named := user_config_file(given)) not in files:
        files.append(named)  # reading it fails with the right error
    for path in files:
        options, suspicious = _read_config_file(path)
        values.update(options)
        suspicions += suspicious
    values.update(given)
    loaded = Options(**values)
    for problem, file, line in suspicions:
        if loaded.strict:
            raise UsageError(f"{file}, line {line}: {problem}")
        tolerate(problem, file, line)
    if loaded.version:
        print(ducktape_version())
        return None
    return loaded


def place_in_files(option: str, argv: list[str]) -> str:
    """Return the configuration file, and its line, that sets an option; empty if the command line sets it, or nothing.

    ``option`` is a name such as ``cluster_file``.
    """
    place = ""
    try:
        given = given_options(argv)
        for path in (ConsoleDefaults.PROJECT_CONFIG_FILE, user_config_file(given)):
            words = read_words(path) if option not in given and os.path.exists(path) else []
            spelling = f"--{option.replace('_', '-')}"
            lines = [word.line for word in words if word.text.partition("=")[0] == spelling]
            place = f"{path}, line {lines[-1]}" if lines else place
    except (UsageError, OSError):
        return ""
    return place


def user_config_file(given: Given) -> str:
    """Return the path of the user's own file of options."""
    return os.path.expanduser(str(given.get("config_file", ConsoleDefaults.USER_CONFIG_FILE)))


def given_options(args: list[str]) -> Given:
    """Return the options that a command line contains, whatever their values; ``UsageError`` if one is wrong."""
    parser = build_parser({}, RaisingParser)
    names = option_names(parser)
    # Only where one is used: other opposites, such as --no-debug, would spoil abbreviations
    for action in list(parser._actions):
        for name in action.option_strings:
            opposite = f"--no-{name.removeprefix('--')}"
            if action.const is True and opposite in args:
                parser.add_argument(opposite, dest=action.dest, action="store_false", default=argparse.SUPPRESS)
    values, unknown = parser.parse_known_args(_completed(args, names))
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    given = vars(values)
    if not given.get("test_path", True):
        del given["test_path"]
    return given


def _read_config_file(path: str) -> tuple[Given, list[_Suspicion]]:
    """Return the options in a configuration file, and its suspicious words."""
    words = read_words(path)
    try:
        options = given_options([word.text for word in words])
    except UsageError as error:
        raise UsageError(f"{path}, line {_line_of_mistake(words)}: {error}") from None
    names = option_names(build_parser({}, RaisingParser))
    try:
        suspicions = [
            (problem, path, word.line) for word, problem in suspicious_words(words, options.get("test_path", []), names)
        ]
    except UsageError as error:
        raise UsageError(f"{path}, {error}") from None
    if "config_file" in options:
        line = next((word.line for word in words if word.text.startswith("--config-f")), 0)
        suspicions.append(("--config-file has no effect in a configuration file", path, line))
    return options, suspicions


def _line_of_mistake(words: list[Word]) -> int:
    """Return the first line with which no beginning of the file is valid."""
    bad = 0
    for line in sorted({word.line for word in words}, reverse=True):
        try:
            given_options([word.text for word in words if word.line <= line])
        except UsageError:
            bad = line
        else:
            break
    return bad


def _completed(args: list[str], names: list[str]) -> list[str]:
    """Spell out abbreviations that newer options would make ambiguous, and values that were omitted before a path."""
    completed = []
    for word, following in zip(args, [*args[1:], ""], strict=False):
        token = word
        option, equals, value = word.partition("=")
        if len(option) > 2 and option.startswith("--") and option not in names:
            classic = [name for name in _CLASSIC_OPTIONS.split() if name.startswith(option)]
            token = classic[0] + equals + value if len(classic) == 1 else word
        meant = [name for name in names if len(token) > 2 and name.startswith(token)]
        default, pattern = _OPTIONAL_VALUES.get(meant[0] if len(meant) == 1 else token, ("", None))
        is_session = default == "latest" and os.path.exists(os.path.join(following, "journal.jsonl"))
        if pattern is not None and not pattern.fullmatch(following) and not is_session:
            token = f"{token}={default}"
        completed.append(token)
    return completed
