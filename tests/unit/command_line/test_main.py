# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ast
import datetime
import json
import os
import pickle
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ducktape import command_line
from ducktape.command_line.main import (
    get_user_defined_globals,
    main,
    setup_results_directory,
    update_latest_symlink,
)
from ducktape.utils.persistence import PDict
from tests.support.program import suite, write

SUITE = """
    from ducktape.mark import ignore, matrix
    from ducktape.mark.resource import cluster
    from ducktape.tests.test import Test

    class ATest(Test):
        @cluster(num_nodes=3)
        @matrix(x=[1, 2])
        def test_some(self, x):
            pass

        @ignore
        @cluster(num_nodes=1)
        def test_ignored(self):
            pass

        def test_undeclared(self):
            pass
"""


@dataclass
class Ended:
    """How the program ended, and what it left."""

    code: object
    out: str
    err: str


class Console:
    """The program in this very process, for everything that happens before tests are run."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def run(self, *args: str) -> Ended:
        self._monkeypatch.setattr(sys, "argv", ["ducktape", *args])
        code: object = 0
        try:
            main()
        except SystemExit as error:
            code = error.code
        captured = self._capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    @property
    def left(self) -> list[str]:
        """What the program has made in its working directory."""
        return sorted(os.listdir(self.folder))


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Console]:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DUCKTAPE_ALLOW_EMPTY_TESTS_LIST", raising=False)
    path, modules = list(sys.path), set(sys.modules)
    yield Console(folder, monkeypatch, capsys)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.split(".")[0] == "suite":
            del sys.modules[name]


# --- options


@pytest.mark.parametrize("args", [[], ["--help"], ["--version"]])
def test_nothing_is_made_by_help_and_version(console: Console, args: list[str]) -> None:
    ended = console.run(*args)
    assert (ended.code, ended.err, console.left) == (0, "", [])


def test_an_unknown_option_ends_with_2(console: Console) -> None:
    ended = console.run("--unheard-of")
    assert (ended.code, ended.out, console.left) == (2, "", [])


def test_parameters_that_are_no_json_are_told_in_one_line(console: Console) -> None:
    ended = console.run("x", "--parameters", "{x}")
    assert (ended.code, ended.err, console.left) == (1, "", [])
    assert re.fullmatch(r"parameters are not valid json: .+\n", ended.out)


@pytest.mark.parametrize("text", ["[1]", "3", "null", '"x"'])
def test_parameters_that_are_no_object_are_told_in_one_line(console: Console, text: str) -> None:
    ended = console.run("x", "--parameters", text)
    assert (ended.code, ended.err, console.left) == (1, "", [])
    assert ended.out == f"parameters are not a JSON object but {text}\n"


def test_empty_parameters_are_no_parameters(console: Console) -> None:
    ended = console.run(suite(console.folder, SUITE), "--collect-only", "--parameters", "")
    assert (ended.code, "Collected 4 tests:" in ended.out) == (0, True)


@pytest.mark.parametrize("text", ["{x}", "[1]", "3", "nowhere/globals.json"])
def test_wrong_globals_are_told(console: Console, text: str) -> None:
    ended = console.run("x", "--globals", text)
    assert (ended.code, ended.out, console.left) == (1, "", [])
    assert "lobals" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    "args",
    [
        ["--repeat", "0"],
        ["--repeat", "-3"],
        ["--subset", "1"],
        ["--subset", "-1"],
        ["--subsets", "3", "--subset", "3"],
        ["--subsets", "0"],
        ["--subsets", "-2"],
    ],
)
def test_impossible_numbers_are_told_in_one_line(console: Console, args: list[str]) -> None:
    ended = console.run(suite(console.folder, SUITE), *args, "--collect-only")
    assert ended.code == 1
    assert re.fullmatch(r"--\w+ must be .+\n", ended.err)
    assert "Traceback" not in ended.err


def test_a_directory_in_place_of_a_configuration_file_is_told_in_one_line(console: Console) -> None:
    (console.folder / ".ducktape" / "config").mkdir(parents=True)
    ended = console.run("x")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "Cannot read the configuration file .ducktape/config: Is a directory\n"


# --- globals


def test_no_globals_are_an_empty_dict_that_stays_empty() -> None:
    values = get_user_defined_globals(None)
    assert values == {}
    with pytest.raises(NotImplementedError):
        values["x"] = 1


def test_globals_come_as_text_or_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "globals.json"
    file.write_text('{"x": ["é"]}', encoding="utf-8")
    for given in ('{"x": ["é"]}', str(file)):
        values = get_user_defined_globals(given)
        assert isinstance(values, PDict)
        assert values == {"x": ["é"]}
        assert pickle.loads(pickle.dumps(values)) == values


def test_a_file_goes_before_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "{}", '{"from": "file"}')
    assert get_user_defined_globals("{}") == {"from": "file"}


def test_globals_that_are_neither_are_told_with_both_reasons() -> None:
    with pytest.raises(ValueError) as error:
        get_user_defined_globals("{x}")
    first, second = str(error.value).split("\n")
    assert first.startswith("Expecting property name")
    assert second == "globals parameter {x} is neither valid JSON nor a valid path to a JSON file."


def test_a_file_that_is_no_json_is_the_error_of_the_parser(tmp_path: Path) -> None:
    file = write(tmp_path / "globals.json", "{x}")
    with pytest.raises(json.JSONDecodeError, match=r"is not valid JSON: .*: line 1 column 2") as error:
        get_user_defined_globals(str(file))
    assert str(error.value).startswith(f"The globals file {file} ")


def test_globals_that_are_no_object_are_told_with_their_type(tmp_path: Path) -> None:
    file = write(tmp_path / "globals.json", "[1]")
    with pytest.raises(ValueError, match=r"object.*Instead found \[1\], which parsed to <class 'list'>$") as error:
        get_user_defined_globals(str(file))
    assert str(file) in str(error.value)
    with pytest.raises(ValueError, match=r"object.*Instead found 3, which parsed to <class 'int'>$"):
        get_user_defined_globals("3")


# --- directories


def test_the_directory_of_a_session_is_made_with_its_parents(tmp_path: Path) -> None:
    setup_results_directory(str(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("kind", ["file", "directory", "dangling link"])
def test_what_exists_is_not_overwritten(tmp_path: Path, kind: str) -> None:
    taken = tmp_path / "s"
    if kind == "file":
        taken.write_text("x")
    elif kind == "directory":
        taken.mkdir()
    else:
        taken.symlink_to("nowhere")
    message = re.escape(f"A file or directory at {taken} already exists. Exiting without overwriting.")
    with pytest.raises(Exception, match=f"^{message}$"):
        setup_results_directory(str(taken))


def test_latest_is_a_relative_link_that_follows_the_sessions(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        update_latest_symlink(str(tmp_path), str(tmp_path / name))
        assert os.readlink(tmp_path / "latest") == name
    assert sorted(os.listdir(tmp_path)) == ["latest", "one", "two"]


def test_latest_points_right_when_it_dangled_or_the_root_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "real" / "s").mkdir(parents=True)
    (tmp_path / "real" / "latest").symlink_to("gone")
    (tmp_path / "root").symlink_to("real")
    update_latest_symlink(str(tmp_path / "root"), str(tmp_path / "root" / "s"))
    assert (tmp_path / "root" / "latest").resolve() == tmp_path / "real" / "s"


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_latest_that_is_no_link_is_left_alone_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    latest = tmp_path / "latest"
    latest.write_text("x") if kind == "file" else latest.mkdir()
    update_latest_symlink(str(tmp_path), str(tmp_path / "s"))
    assert not latest.is_symlink()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert str(latest) in caplog.text


# --- loading


def without_log(out: str) -> str:
    return "".join(line for line in out.splitlines(keepends=True) if not line.startswith("["))


def session_of(console: Console, number: int = 1) -> Path:
    return console.folder / "results" / f"{datetime.date.today().isoformat()}--{number:03d}"


def test_collecting_lists_the_tests_and_runs_nothing(console: Console) -> None:
    suite_path = suite(console.folder, SUITE)
    file = console.folder / "suite" / "test_it.py"
    ended = console.run(suite_path, "--collect-only", "--collect-num-nodes", "--cluster", "no.such.Cluster")
    assert (ended.code, ended.err) == (0, "")
    rows = [
        ("test_ignored", "None", "True", '[{"num_nodes": 1, "os": "linux"}]'),
        ("test_some", "{'x': 1}", "False", '[{"num_nodes": 3, "os": "linux"}]'),
        ("test_some", "{'x': 2}", "False", '[{"num_nodes": 3, "os": "linux"}]'),
        ("test_undeclared", "None", "False", "[]"),
    ]
    assert without_log(ended.out) == "Collected 4 tests:\n" + "".join(
        f"    <module=suite.test_it, cls=ATest, function={function}, injected_args={args}, file={file}, "
        f"ignore={ignore}, cluster_spec={spec}>\n"
        for function, args, ignore, spec in rows
    )
    assert "]: Discovered 4 tests to run\n" in ended.out
    assert ended.out.index("Discovered") < ended.out.index("Collected")
    assert sorted(os.listdir(session_of(console))) == ["session_log.debug", "session_log.info"]
    assert os.listdir(console.folder / "results") == [session_of(console).name]
    assert (console.folder / ".ducktape/metadata/session_id").read_text() == session_of(console).name


def test_collecting_counts_the_declared_nodes(console: Console) -> None:
    ended = console.run(suite(console.folder, SUITE), "--collect-num-nodes")
    assert (ended.code, without_log(ended.out)) == (0, "7\n")


def test_the_repeated_list_is_collected(console: Console) -> None:
    ended = console.run(suite(console.folder, SUITE), "--collect-num-nodes", "--repeat", "3")
    assert without_log(ended.out) == "21\n"


def test_every_option_is_in_the_debug_log(console: Console) -> None:
    console.run(suite(console.folder, SUITE), "--collect-only", "--max-parallel", "7", "--globals", '{"x":1}')
    log = (session_of(console) / "session_log.debug").read_text()
    for line in ("Configuration: max_parallel=7", "Configuration: globals={'x': 1}", "Configuration: sample=None"):
        assert f"]: {line}\n" in log
    assert "Configuration" not in (session_of(console) / "session_log.info").read_text()


@pytest.mark.parametrize(
    ("symbol", "message"),
    [
        ("nowhere", "No tests to run!"),
        ("nowhere.yml", "Path {folder}/nowhere.yml does not exist"),
        ("suite::A.b@{x", "Invalid discovery symbol: cannot parse params: "),
    ],
)
def test_what_cannot_be_found_is_told(console: Console, symbol: str, message: str) -> None:
    ended = console.run(symbol)
    assert (ended.code, ended.err) == (1, "")
    assert f"\nFailed while trying to discover tests: {message.format(folder=console.folder)}" in f"\n{ended.out}"
    assert sorted(os.listdir(session_of(console))) == ["session_log.debug", "session_log.info"]
    assert os.listdir(console.folder / "results") == [session_of(console).name]


def test_sessions_that_found_nothing_are_counted_too(console: Console) -> None:
    console.run("nowhere")
    console.run(suite(console.folder, SUITE), "--collect-only")
    assert sorted(os.listdir(console.folder / "results")) == [session_of(console, n).name for n in (1, 2)]


@pytest.mark.parametrize("how", ["option", "variable"])
def test_nothing_to_collect_can_be_allowed(console: Console, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    if how == "variable":
        monkeypatch.setenv("DUCKTAPE_ALLOW_EMPTY_TESTS_LIST", "1")
    options = ["--allow-empty-tests-list"] if how == "option" else []
    ended = console.run("nowhere", "--collect-only", *options)
    assert (ended.code, without_log(ended.out)) == (0, "Collected 0 tests:\n")


def test_broken_files_are_listed_on_standard_error_when_collecting(console: Console) -> None:
    suite_path = suite(console.folder, SUITE)
    broken = write(console.folder / "suite" / "test_broken.py", "import nothing_of_that_name\n")
    ended = console.run(suite_path, "--collect-only")
    assert ended.code == 0
    assert without_log(ended.out).startswith("Collected 4 tests:\n")
    assert ended.err.startswith(f"{broken} could not be imported: ")
    assert "No module named 'nothing_of_that_name'" in ended.err
    assert "Failed to import suite.test_broken, which may indicate a broken test" in ended.out


def test_broken_files_can_be_ignored_when_collecting(console: Console) -> None:
    suite_path = suite(console.folder, SUITE)
    write(console.folder / "suite" / "test_broken.py", "import nothing_of_that_name\n")
    ended = console.run(suite_path, "--collect-only", "--ignore-import-errors")
    assert (ended.code, ended.err) == (0, "")
    assert "[ERROR:" in ended.out


# --- cluster


@pytest.mark.parametrize(
    ("args", "error", "detail"),
    [
        (["--cluster", "suite.clusters.Refusing"], "<class 'ZeroDivisionError'>", "refused cluster_file=f.json"),
        (["--cluster", "suite.broken.Fine"], "<class 'ModuleNotFoundError'>", "No module named 'nothing_of_that_name'"),
    ],
)
def test_a_cluster_that_cannot_be_made_is_told(console: Console, args: list[str], error: str, detail: str) -> None:
    suite_path = suite(console.folder, SUITE)
    write(
        console.folder / "suite" / "clusters.py",
        """
        from ducktape.cluster.localhost import LocalhostCluster

        class Fine(LocalhostCluster):
            pass

        def Refusing(**kwargs):
            raise ZeroDivisionError("refused " + ", ".join(f"{key}={kwargs[key]}" for key in sorted(kwargs)))
        """,
    )
    write(console.folder / "suite" / "broken.py", "import nothing_of_that_name\n")
    ended = console.run(suite_path, "--cluster-file", "f.json", *args)
    assert (ended.code, ended.err) == (1, "")
    assert f"\nFailed to load cluster:  {error}" in ended.out
    assert "Traceback (most recent call last):\n" in ended.out
    assert detail in ended.out.splitlines()[-1] + ended.out.splitlines()[-2]
    assert os.listdir(console.folder / "results") == [session_of(console).name]


# --- exits


def test_only_the_main_module_and_the_public_parser_end_the_program() -> None:
    package = Path(command_line.__file__).parent
    exits = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Attribute) and node.attr in ("exit", "_exit"))
        or (isinstance(node, ast.Name) and node.id == "SystemExit")
    }
    assert exits == {"main.py", "parse_args.py"}
