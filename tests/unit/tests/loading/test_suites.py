# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ducktape.errors import CompatibilityWarning
from ducktape.tests.loading.suites import Suite, is_suite_file, read_suites
from ducktape.tests.loading.symbols import LoaderException


def _write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def _error(file: str) -> str:
    with pytest.raises(LoaderException) as error:
        read_suites([file])
    return str(error.value)


@pytest.mark.filterwarnings("ignore:the suite two has the unknown key comment:ducktape.errors.CompatibilityWarning")
def test_a_suite_is_a_list_or_a_mapping(tmp_path: Path) -> None:
    text = (
        "one: [./a, 'b.py::C.m@{\"x\": 1}']\ntwo: {included: [c], excluded: [d], comment: 5}\nthree: {excluded: [e]}\n"
    )
    file = _write(tmp_path / "s.yml", text)
    assert read_suites([file]) == [
        Suite("one", file, ("./a", 'b.py::C.m@{"x": 1}'), ()),
        Suite("two", file, ("c",), ("d",)),
        Suite("three", file, (), ("e",)),
    ]
    assert read_suites([file])[0].base_dir == str(tmp_path)


def test_relative_paths_begin_at_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = _write(tmp_path / "s.yml", "one: [a]")
    monkeypatch.chdir(tmp_path)
    assert [suite.file for suite in read_suites(["s.yml"])] == [file]


def test_imports_are_read_once_and_from_where_they_stand(tmp_path: Path) -> None:
    first = _write(tmp_path / "a" / "first.yml", "import: ../b/second.yml\none: [x]")
    second = _write(tmp_path / "b" / "second.yml", "import: [./second.yml, ../a/first.yml, third.yml]\ntwo: [y]")
    third = _write(tmp_path / "b" / "third.yml", f"import: [{first}]\n")
    assert [suite.name for suite in read_suites([first])] == ["one", "two"]
    assert [suite.name for suite in read_suites([third, second, third])] == ["two", "one"]


def test_of_equal_keys_the_last_one_counts(tmp_path: Path) -> None:
    file = _write(tmp_path / "s.yml", "one: [a]\none: [b]")
    with pytest.warns(CompatibilityWarning, match="the suite one stands twice: the last one counts"):
        suites = read_suites([file])
    assert suites == [Suite("one", file, ("b",), ())]


def test_a_name_need_not_be_a_text(tmp_path: Path) -> None:
    assert read_suites([_write(tmp_path / "s.yml", "5: [a]")])[0].name == "5"


def test_a_missing_file(tmp_path: Path) -> None:
    assert _error(str(tmp_path / "s.yml")) == f"Path {tmp_path}/s.yml does not exist"


def test_a_directory(tmp_path: Path) -> None:
    assert _error(str(tmp_path)) == f"{tmp_path} is not a file, so it cannot be a test suite"


@pytest.mark.parametrize("text", ["one: [", "import ducktape\nx = {1: [}", "a: b: c"])
def test_text_that_is_no_yaml_is_one_readable_line(tmp_path: Path, text: str) -> None:
    file = _write(tmp_path / "s.yml", text)
    message = _error(file)
    assert message.startswith(f"Failed to load test suite from file: {file}: ")
    assert "\n" not in message
    assert "line 1" in message or "line 2" in message


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "s.yml").write_bytes(b"\xff\xfe\xff")
    assert _error(str(tmp_path / "s.yml")).startswith(f"Failed to load test suite from file: {tmp_path}/s.yml: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Test suite file is empty: {file}"),
        ("# nothing", "Test suite file is empty: {file}"),
        ("- a", "Malformed test suite file: {file}"),
        ("text", "Malformed test suite file: {file}"),
        ("one:", "Empty test suite one in {file}"),
        ("one: []", "Empty test suite one in {file}"),
        ("import:", "Empty test suite import in {file}"),
        ("import: 5", "Malformed test suite import in {file}"),
        ("one: text", "Malformed test suite one in {file}"),
        ("one: 5", "Malformed test suite one in {file}"),
        ("one: {included: text}", "Expected test_discovery_symbols to be a list."),
        ("one: {included: [a], excluded: b}", "Expected test_discovery_symbols to be a list."),
    ],
)
def test_wrong_forms(tmp_path: Path, text: str, message: str) -> None:
    file = _write(tmp_path / "s.yml", text)
    found = _error(file)
    assert found.startswith(message.format(file=file))
    assert len(found) > len(message.format(file=file)) + 20  # then comes what to write instead


@pytest.mark.parametrize("text", ["one: [5]", 'one:\n- path@{"a": 1}', "one: {included: [null]}", "import: [5]"])
def test_items_that_are_no_text_are_named(tmp_path: Path, text: str) -> None:
    file = _write(tmp_path / "s.yml", text)
    message = _error(file)
    assert message.startswith(f"Malformed test suite {'import' if 'import' in text else 'one'} in {file}: ")
    assert "single quotes" in message


def test_both_spellings_of_the_ending_are_suites() -> None:
    assert [is_suite_file(each) for each in ("a.yml", "a.yaml", "a.py", "a.yml::X")] == [True, True, False, False]


def test_yaml_is_loaded_by_the_first_suite_only() -> None:
    program = "import sys, ducktape.tests.loader; print([m for m in ('yaml', 'requests') if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert said.stdout.strip() == "[]"
