# SPDX-License-Identifier: Apache-2.0
"""Which command lines ask for something else than a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from ducktape.command_line.doctor import command as doctor
from ducktape.command_line.options.subcommands import find_subcommand
from ducktape.command_line.report import command as report


@pytest.mark.parametrize(
    "argv",
    [
        ["doctor"],
        ["doctor", "--json", "--timeout", "3"],
        ["doctor", "--help"],
        ["--cluster", "some.Cluster", "doctor", "--json"],
        ["--cluster=doctor", "--debug", "doctor"],
        ["--cluster", "doctor", "doctor", "-h"],
    ],
)
def test_the_exact_name_in_first_place_is_a_subcommand(argv: list[str]) -> None:
    assert find_subcommand(argv) is doctor.main


@pytest.mark.parametrize(
    "argv", [["report"], ["report", "results", "--output", "x"], ["--results-root", "doctor", "report", "doctor"]]
)
def test_each_name_has_its_own_program(argv: list[str]) -> None:
    assert find_subcommand(argv) is report.main


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["./report"],
        ["--cluster", "report", "tests"],
        ["./doctor"],
        ["doctor/"],
        ["doctor.py"],
        ["tests", "doctor"],
        ["--cluster", "doctor", "tests"],
        ["--cluster", "doctor"],
        ["--exclude", "doctor"],
        ["--debug", "tests", "doctor"],
        ["--no-such-option", "--repeat", "doctor"],
    ],
)
def test_anything_else_is_a_run(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert find_subcommand(argv) is None
    assert tuple(capsys.readouterr()) == ("", "")


@pytest.mark.parametrize("name", ["doctor", "report"])
def test_a_path_of_the_same_name_is_told_how_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_subcommand([name]) is not None
    assert capsys.readouterr().err == ""
    (tmp_path / name).mkdir()
    assert find_subcommand([name]) is not None
    assert find_subcommand([f"./{name}"]) is None
    line = f"{name} is taken for the subcommand: the path of that name here is written ./{name}\n"
    assert capsys.readouterr().err == line
