# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import Any

import pytest

from ducktape import __version__
from ducktape.command_line.defaults import ConsoleDefaults
from ducktape.command_line.options.subcommands import SUBCOMMANDS
from ducktape.command_line.parse_args import (
    config_file_to_args_list,
    create_ducktape_parser,
    get_user_config_file,
    parse_args,
    parse_non_default_args,
)
from ducktape.errors import CompatibilityWarning
from tests.support.program import write

DOCUMENTED_DEFAULTS = {
    "exclude": None,
    "collect_only": False,
    "collect_num_nodes": False,
    "debug": False,
    "progress": "auto",
    "verbose": False,
    "quiet": False,
    "config_file": "~/.ducktape/config",
    "compress": False,
    "cluster": "ducktape.cluster.vagrant.VagrantCluster",
    "default_num_nodes": None,
    "cluster_file": None,
    "results_root": "./results",
    "nested_result_dirs": False,
    "exit_first": False,
    "no_teardown": False,
    "version": False,
    "parameters": None,
    "globals": None,
    "max_parallel": 1,
    "repeat": 1,
    "subsets": 1,
    "subset": 0,
    "historical_report": None,
    "skip_nodes_allocation": False,
    "sample": None,
    "fail_bad_cluster_utilization": False,
    "fail_greedy_tests": False,
    "ignore_node_type": False,
    "test_runner_timeout": 1800000,
    "ssh_checker_function": None,
    "deflake": 1,
    "enable_jvm_logs": False,
}
NEWER_DEFAULTS = {
    "keep_sessions": None,
    "collect_timeout": None,
    "ignore_import_errors": False,
    "allow_empty_tests_list": False,
    "check_nodes": False,
    "lease": None,
    "host_keys": None,
    "known_hosts": None,
    "keep": None,
    "keep_for": 7200.0,
    "keyword": None,
    "tags": None,
    "list_tags": False,
    "last_failed": False,
    "failed_first": False,
    "resume": None,
    "until_failure": None,
    "test_timeout": None,
    "session_timeout": None,
    "detect_flakes": None,
    "strict": False,
    "pdb": False,
    "debugger": None,
    "retry_infrastructure": 0,
    "max_data_bytes": 10_485_760,
    "node_metrics": False,
    "fail_on_teardown_error": False,
    "fail_on_findings": False,
    "find_crashes": False,
    "shuffle": None,
    "explain_schedule": False,
}
FLAGS = [
    name for name, value in {**DOCUMENTED_DEFAULTS, **NEWER_DEFAULTS}.items() if value is False and name != "version"
]


class Place:
    """A working directory and a home, with their configuration files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def project(self, text: str) -> None:
        write(self.folder / "work" / ".ducktape" / "config", text)

    def user(self, text: str) -> None:
        write(self.folder / "home" / ".ducktape" / "config", text)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    (tmp_path / "work").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DUCKTAPE_ALLOW_EMPTY_TESTS_LIST", raising=False)
    return Place(tmp_path)


def ended(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[Any, str, str]:
    """Exit code, standard output and standard error of a command line that ends the program."""
    with pytest.raises(SystemExit) as exit_:
        parse_args(list(args))
    captured = capsys.readouterr()
    return exit_.value.code, captured.out, captured.err


# --- options


def test_defaults_are_the_documented_ones(place: Place) -> None:
    assert parse_args(["x"]) == {**DOCUMENTED_DEFAULTS, **NEWER_DEFAULTS, "test_path": ["x"]}
    assert parse_args(["--debug"])["test_path"] == [str(place.folder / "work")]


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_is_turned_on_and_off(flag: str) -> None:
    option = "--" + flag.replace("_", "-")
    assert parse_args([option])[flag] is True
    assert parse_args([option, "--no-" + option.removeprefix("--")])[flag] is False


@pytest.mark.parametrize("option", ["default-num-nodes", "repeat", "subsets", "subset", "deflake"])
def test_a_number_is_a_number(capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert parse_args([f"--{option}", "7"])[option.replace("-", "_")] == 7
    assert parse_args([f"--{option}=-7"])[option.replace("-", "_")] == -7
    code, out, err = ended(capsys, f"--{option}", "x")
    assert (code, out) == (2, "")
    assert f"argument --{option}: invalid int value: 'x'" in err


def test_tests_at_the_same_time_are_a_number_or_as_many_as_the_nodes_carry() -> None:
    assert parse_args(["--max-parallel", "7"])["max_parallel"] == 7
    assert parse_args(["--max-parallel", "auto"])["max_parallel"] == "auto"


@pytest.mark.parametrize("option", ["max-parallel", "sample", "test-runner-timeout", "detect-flakes"])
@pytest.mark.parametrize("number", ["0", "-1", "-7"])
def test_a_number_below_one_is_a_wrong_option(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, option: str, number: str
) -> None:
    code, out, err = ended(capsys, f"--{option}", number)
    assert (code, out) == (2, "")
    assert err.endswith(f"error: argument --{option}: {number} is less than 1 (see ducktape --help)\n")

    (tmp_path / "my.config").write_text(f"--{option} {number}\n")
    code, out, err = ended(capsys, "--config-file", str(tmp_path / "my.config"), "tests")
    assert (code, out) == (2, "")
    assert err.endswith(f"argument --{option}: {number} is less than 1\n")


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("test-timeout", "90s", 90.0),
        ("test-timeout", "20m", 1200.0),
        ("session-timeout", "2h", 7200.0),
        ("session-timeout", "1.5", 1.5),
        ("collect-timeout", "0.5", 0.5),
        ("collect-timeout", "5m", 300.0),
        ("detect-flakes", "1", 1),
        ("retry-infrastructure", "0", 0),
        ("retry-infrastructure", "3", 3),
        ("tags", "not slow", "not slow"),
    ],
)
def test_a_newer_option_has_a_value_of_its_kind(option: str, text: str, value: Any) -> None:
    assert parse_args([f"--{option}", text])[option.replace("-", "_")] == value
    assert parse_args([f"--{option}={text}"])[option.replace("-", "_")] == value


@pytest.mark.parametrize(
    ("option", "text", "complaint"),
    [
        ("test-timeout", "soon", "'soon' is not a span of time"),
        ("keep-sessions", "5G", "'5G' is not a number of sessions (20), days (14d) or bytes (500MB, 5GB) above 0"),
        ("session-timeout", "0", "'0' is not a span of time: it must be finite and more than zero"),
        ("collect-timeout", "-1", "'-1' is not a span of time"),
        ("detect-flakes", "0", "0 is less than 1"),
        ("retry-infrastructure", "-1", "-1 is negative"),
        ("until-failure", "-1", "-1 is negative"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_with_the_reason(
    capsys: pytest.CaptureFixture[str], option: str, text: str, complaint: str
) -> None:
    code, out, err = ended(capsys, f"--{option}={text}")
    assert (code, out) == (2, "")
    assert f"argument --{option}: {complaint}" in err


@pytest.mark.parametrize(
    "option",
    [
        "max-parallel",
        "collect-timeout",
        "detect-flakes",
        "retry-infrastructure",
        "until-failure",
        "shuffle",
        "test-timeout",
        "session-timeout",
    ],
)
def test_a_complaint_names_the_value_and_nothing_of_the_program(
    capsys: pytest.CaptureFixture[str], option: str
) -> None:
    code, out, err = ended(capsys, f"--{option}=many")
    [line] = [line for line in err.splitlines() if "error: " in line]
    assert (code, out) == (2, "")
    assert f"argument --{option}: " in line
    assert "'many'" in line
    assert "invalid _" not in line


def test_expressions_over_ids_are_one_word_or_behind_one_letter() -> None:
    assert parse_args(["-k", "a and not b", "x"])["keyword"] == "a and not b"
    assert parse_args(["-kfoo", "x"])["keyword"] == "foo"


@pytest.mark.parametrize(
    ("args", "name", "value", "paths"),
    [
        (["--shuffle", "tests"], "shuffle", "random", ["tests"]),
        (["--shuffle", "17", "tests"], "shuffle", 17, ["tests"]),
        (["--shuffle", "-17", "tests"], "shuffle", -17, ["tests"]),
        (["--shuffle=17", "tests"], "shuffle", 17, ["tests"]),
        (["--shuffle", "random", "tests"], "shuffle", "random", ["tests"]),
        (["tests", "--shuffle"], "shuffle", "random", ["tests"]),
        (["--resume", "tests"], "resume", "latest", ["tests"]),
        (["--resume", "2026-11-22--003"], "resume", "2026-11-22--003", None),
        (["--resume", "latest"], "resume", "latest", None),
        (["--resume", "2026-11-22--001/"], "resume", "2026-11-22--001/", None),
        (["--until-failure", "tests"], "until_failure", 0, ["tests"]),
        (["--until-failure", "5", "tests"], "until_failure", 5, ["tests"]),
        (["--until-failure", "--debug"], "until_failure", 0, None),
    ],
)
def test_an_option_whose_value_may_be_left_out_does_not_swallow_a_path(
    place: Place, args: list[str], name: str, value: Any, paths: list[str] | None
) -> None:
    parsed = parse_args(args)
    assert parsed[name] == value
    assert parsed["test_path"] == (paths or [str(place.folder / "work")])


def test_an_option_without_its_value_may_stand_in_a_file(place: Place) -> None:
    place.project("--shuffle\n--until-failure 3")
    args = parse_args(["tests"])
    assert (args["shuffle"], args["until_failure"], args["test_path"]) == ("random", 3, ["tests"])


@pytest.mark.parametrize(
    "option", ["cluster", "cluster-file", "results-root", "parameters", "globals", "historical-report"]
)
def test_a_text_is_kept_as_it_is(option: str) -> None:
    assert parse_args([f"--{option}", " ~/x y"])[option.replace("-", "_")] == " ~/x y"


def test_several_functions_can_be_given() -> None:
    assert parse_args(["--ssh-checker-function", "a.b", "c.d"])["ssh_checker_function"] == ["a.b", "c.d"]


def test_exclusions_swallow_the_paths_that_follow() -> None:
    args = parse_args(["a", "b", "--exclude", "c", "d", "--debug"])
    assert (args["test_path"], args["exclude"]) == (["a", "b"], ["c", "d"])
    assert parse_args(["a", "--exclude"])["exclude"] == []


@pytest.mark.parametrize(
    ("short", "key", "value"),
    [
        (["--deb"], "debug", True),
        (["--max", "3"], "max_parallel", 3),
        (["--max=3"], "max_parallel", 3),
        (["--exit"], "exit_first", True),
        (["--ignore"], "ignore_node_type", True),
        (["--no"], "no_teardown", True),
        (["--nes"], "nested_result_dirs", True),
        (["--res", "r"], "results_root", "r"),
        (["--rep", "3"], "repeat", 3),
        (["--test", "5"], "test_runner_timeout", 5),
        (["--sa", "5"], "sample", 5),
        (["--fail-g"], "fail_greedy_tests", True),
        (["--det", "5"], "detect_flakes", 5),
        (["--retry", "5"], "retry_infrastructure", 5),
    ],
)
def test_unambiguous_beginnings_of_options_will_do(short: list[str], key: str, value: Any) -> None:
    assert parse_args(short)[key] == value


@pytest.mark.parametrize("short", ["--collect", "--fail", "--sub", "--e"])
def test_ambiguous_beginnings_are_refused(capsys: pytest.CaptureFixture[str], short: str) -> None:
    code, _, err = ended(capsys, short)
    assert code == 2
    assert "ambiguous option" in err


def test_paths_cannot_be_split_by_options(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ended(capsys, "a", "--debug", "b")
    assert (code, out) == (2, "")
    assert "unrecognized arguments: b" in err


def test_an_unknown_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ended(capsys, "--unheard-of")
    assert (code, out) == (2, "")
    assert err == "ducktape: error: unrecognized arguments: --unheard-of (see ducktape --help)\n"


# --- what ends the program


def test_nothing_prints_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ended(capsys)
    assert (code, err) == (0, "")
    assert out.startswith("usage: ")
    assert "Discover and run your tests" in out


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ended(capsys, "--help")
    assert (code, err) == (0, "")
    names = {"--" + name.replace("_", "-") for name in {**DOCUMENTED_DEFAULTS, **NEWER_DEFAULTS}}
    names -= {"--keyword", "--default-num-nodes"}
    assert [name for name in [*names, "-k EXPR"] if name not in out] == []
    assert "--default-num-nodes" not in out


def test_help_shows_the_options_in_groups_and_the_subcommands(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = ended(capsys, "--help")
    assert re.findall(r"^(\w.*):$", out, re.MULTILINE) == [
        "options",
        "choosing tests",
        "running tests",
        "nodes",
        "results",
        "debugging",
    ]
    usage = out.partition("\n\n")[0]
    assert [name for name in SUBCOMMANDS if f" {name} [options]" not in usage] == []


def test_an_option_that_is_nearly_right_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = ended(capsys, "--max-paralel", "4")
    assert (code, err.splitlines()[-1].partition(": error: ")[2]) == (
        2,
        "unrecognized arguments: --max-paralel (did you mean --max-parallel?) (see ducktape --help)",
    )


@pytest.mark.parametrize("option", ["-k", "--tags"])
def test_an_expression_that_cannot_be_parsed_is_refused(capsys: pytest.CaptureFixture[str], option: str) -> None:
    code, out, err = ended(capsys, option, "a and")
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"\S+: error: argument {option}: .*\n", err.splitlines(keepends=True)[-1])


@pytest.mark.parametrize("args", [["--version"], ["x", "--version", "--debug"]])
def test_the_version_is_printed(capsys: pytest.CaptureFixture[str], args: list[str]) -> None:
    assert ended(capsys, *args) == (0, f"{__version__}\n", "")


def test_a_file_may_ask_for_the_version(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.project("--version")
    assert ended(capsys, "x") == (0, f"{__version__}\n", "")


def test_even_the_version_needs_a_good_file(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.user("--unheard-of")
    code, out, err = ended(capsys, "--version")
    assert (code, out) == (2, "")
    assert "--unheard-of" in err


# --- layers


def test_the_nearest_layer_wins(place: Place) -> None:
    place.project("--max-parallel 2 --repeat 2 --subsets 2")
    place.user("--max-parallel 3 --repeat 3")
    args = parse_args(["--max-parallel", "4"])
    assert (args["max_parallel"], args["repeat"], args["subsets"], args["deflake"]) == (4, 3, 2, 1)


def test_an_explicit_default_wins_over_a_file(place: Place) -> None:
    place.project("--max-parallel 3 --cluster a.B --results-root r")
    place.user("--cluster ducktape.cluster.vagrant.VagrantCluster")
    args = parse_args(["--max-parallel", "1", "--results-root", "./results"])
    assert args["max_parallel"] == 1
    assert args["results_root"] == "./results"
    assert args["cluster"] == ConsoleDefaults.CLUSTER_TYPE


def test_a_flag_of_a_file_is_turned_off_by_its_opposite(place: Place) -> None:
    place.project("--debug --compress --no-teardown")
    place.user("--no-compress")
    args = parse_args(["--no-debug", "--no-no-teardown"])
    assert (args["debug"], args["compress"], args["no_teardown"]) == (False, False, False)


def test_a_flag_turned_off_in_a_file_is_turned_on_again(place: Place) -> None:
    place.project("--no-debug")
    assert parse_args(["--debug"])["debug"] is True
    assert parse_args(["x"])["debug"] is False


def test_lists_replace_each_other(place: Place) -> None:
    place.project("--exclude a b")
    place.user("--exclude c")
    assert parse_args(["x"])["exclude"] == ["c"]
    assert parse_args(["x", "--exclude"])["exclude"] == []


@pytest.mark.filterwarnings(
    "ignore:the word .* is neither an option nor an existing path:ducktape.errors.CompatibilityWarning"
)
def test_paths_of_a_file_hold_when_the_command_line_has_none(place: Place) -> None:
    place.project("a b")
    assert parse_args(["--debug"])["test_path"] == ["a", "b"]
    assert parse_args(["c"])["test_path"] == ["c"]
    place.user("d")
    assert parse_args(["--debug"])["test_path"] == ["d"]


@pytest.mark.filterwarnings(
    "ignore:the word .* is neither an option nor an existing path:ducktape.errors.CompatibilityWarning"
)
def test_an_explicit_current_directory_wins_over_the_paths_of_a_file(place: Place) -> None:
    place.project("a b")
    assert parse_args([os.getcwd()])["test_path"] == [os.getcwd()]


def test_an_abbreviation_works_in_a_file_too(place: Place) -> None:
    place.project("--ignore --max 4")
    args = parse_args(["x"])
    assert (args["ignore_node_type"], args["max_parallel"]) == (True, 4)


def test_another_user_file_can_be_named(place: Place, tmp_path: Path) -> None:
    place.user("--repeat 3 --subsets 3")
    write(tmp_path / "other", "--repeat 4")
    for spelled in ([f"--config-file={tmp_path / 'other'}"], ["--config", str(tmp_path / "other")]):
        args = parse_args(spelled)
        assert (args["repeat"], args["subsets"]) == (4, 1)


def test_the_home_directory_is_expanded_in_the_name_of_the_file(place: Place) -> None:
    write(place.folder / "home" / "other", "--repeat 4")
    assert parse_args(["--config-file", "~/other"])["repeat"] == 4


def test_a_file_that_is_missing_is_an_error_if_it_was_named() -> None:
    assert parse_args(["x"])["repeat"] == 1
    with pytest.raises(FileNotFoundError) as error:
        parse_args(["--config-file", "/nowhere/config"])
    assert error.value.filename == "/nowhere/config"


def test_an_empty_file_says_nothing(place: Place) -> None:
    place.project("")
    assert parse_args(["x"])["repeat"] == 1


def test_a_byte_order_mark_belongs_to_no_option(place: Place) -> None:
    place.project("\ufeff--repeat 4")
    assert parse_args(["x"])["repeat"] == 4


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("--debug\nmax-parallel 4", 2, "'max-parallel' is not an option: did you mean --max-parallel?"),
        ("max_parallel=4", 1, "'max_parallel=4' is not an option: did you mean --max-parallel?"),
        ("--debug\n\ncluster sandbox", 3, "'cluster' is not an option: did you mean --cluster?"),
        ("Results-Root: there", 1, "'Results-Root:' is not an option: did you mean --results-root?"),
        ("--debug\n--repeat\nmany", 2, "argument --repeat: invalid int value: 'many': write a whole number"),
    ],
)
def test_a_mistake_in_a_file_is_told_in_one_line_with_its_place(
    place: Place, capsys: pytest.CaptureFixture[str], text: str, line: int, told: str
) -> None:
    place.project(text)
    code, out, err = ended(capsys, "x")
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"\S+: error: \.ducktape/config, line {line}: {re.escape(told)}\n", err), err


@pytest.mark.parametrize("word", ["odd", "x y"])
def test_a_word_that_is_no_path_is_tolerated_unless_strict(
    place: Place, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    place.project(f"--debug '{word}'")
    problem = f"the word '{word}' is neither an option nor an existing path, and is taken for tests"
    with pytest.warns(CompatibilityWarning) as warned:
        assert parse_args(["--repeat", "2"])["test_path"] == [word]
    assert [str(each.message) for each in warned] == [problem]
    code, _, err = ended(capsys, "x", "--strict")
    assert (code, err.partition(": error: ")[2]) == (2, f".ducktape/config, line 1: {problem}\n")


def test_paths_and_symbols_in_a_file_are_nobodys_mistake(place: Place, recwarn: pytest.WarningsRecorder) -> None:
    (place.folder / "work" / "suites").mkdir()
    words = ["suites", "./nowhere", "a::B.c", "b.yml", "c.py"]
    place.project(" ".join(words))
    assert parse_args(["--strict"])["test_path"] == words
    assert list(recwarn) == []


@pytest.mark.filterwarnings("ignore:--config-file has no effect")
def test_a_file_cannot_name_another_file(place: Place, tmp_path: Path) -> None:
    write(tmp_path / "other", "--repeat 4")
    place.project(f"--config-file {tmp_path / 'other'}")
    assert parse_args(["x"])["repeat"] == 1


def test_the_files_are_looked_for_where_the_defaults_say_now(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ConsoleDefaults, "PROJECT_CONFIG_FILE", str(write(tmp_path / "p", "--repeat 4")))
    monkeypatch.setattr(ConsoleDefaults, "USER_CONFIG_FILE", str(write(tmp_path / "u", "--subsets 5")))
    monkeypatch.setattr(ConsoleDefaults, "CLUSTER_TYPE", "a.B")
    args = parse_args(["x"])
    assert (args["repeat"], args["subsets"], args["cluster"]) == (4, 5, "a.B")


def test_a_directory_in_place_of_a_file_is_an_error(place: Place) -> None:
    (place.folder / "work" / ".ducktape" / "config").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        parse_args(["x"])


@pytest.mark.parametrize("text", ["--unheard-of", "--max-parallel many", "a --debug b"])
def test_a_wrong_option_in_a_file_is_an_error_of_the_command_line(
    place: Place, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    place.project(text)
    code, out, err = ended(capsys, "x")
    assert (code, out) == (2, "")
    assert ": error: .ducktape/config, line 1: " in err


# --- content of files


def test_a_file_is_read_line_by_line_over_option_and_value(place: Place) -> None:
    place.project(
        """
        # a comment, with 'an open quote
        --cluster
            a.B   # of ours

        --globals {"x": "a b"} --max-parallel
        3
        --results-root 'my results' --exclude "a b" c
        --parameters {"x":"a"}
        """
    )
    args = parse_args(["x"])
    assert args["cluster"] == "a.B"
    assert args["globals"] == '{"x": "a b"}'
    assert args["max_parallel"] == 3
    assert args["results_root"] == "my results"
    assert args["exclude"] == ["a b", "c"]
    assert args["parameters"] == '{"x":"a"}'
    assert args["test_path"] == ["x"]


def test_a_file_becomes_a_command_line(tmp_path: Path) -> None:
    file = write(tmp_path / "config", "--debug\n\n# no\n--repeat 3 é")
    assert config_file_to_args_list(str(file)) == ["--debug", "--repeat", "3", "é"]


def test_no_file_cannot_be_read() -> None:
    with pytest.raises(RuntimeError, match=r"^config_file is None$"):
        config_file_to_args_list(None)


# --- helpers


def test_the_user_file_is_the_default_or_the_one_named(place: Place) -> None:
    assert get_user_config_file(["x"]) == str(place.folder / "home" / ".ducktape" / "config")
    assert get_user_config_file(["--config-file", "~/other"]) == str(place.folder / "home" / "other")


def test_the_user_file_is_found_on_any_good_command_line() -> None:
    assert get_user_config_file(["--no-debug", "--config-file", "/other"]) == "/other"


def test_only_what_differs_from_the_defaults_is_reported() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--number", type=int, default=3)
    parser.add_argument("--name", default="x")
    assert parse_non_default_args(parser, {"number": 3, "name": "x"}, ["--number", "3", "--name", "y"]) == {"name": "y"}


def test_the_parser_has_no_side_effects(place: Place) -> None:
    parser = create_ducktape_parser()
    assert os.listdir(place.folder / "work") == []
    assert vars(parser.parse_args(["x"])) == {**DOCUMENTED_DEFAULTS, **NEWER_DEFAULTS, "test_path": ["x"]}


@pytest.mark.parametrize(("value", "allowed"), [("1", True), ("", False)])
def test_an_environment_variable_allows_empty_lists(monkeypatch: pytest.MonkeyPatch, value: str, allowed: bool) -> None:
    monkeypatch.setenv("DUCKTAPE_ALLOW_EMPTY_TESTS_LIST", value)
    assert parse_args(["x"])["allow_empty_tests_list"] is allowed
