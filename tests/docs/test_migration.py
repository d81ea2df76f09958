# SPDX-License-Identifier: Apache-2.0
"""The options and names that the page about migration mentions exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from ducktape.command_line.parse_args import create_ducktape_parser

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "migration.rst").read_text(encoding="utf-8")


def test_the_switches_are_options_of_the_program() -> None:
    known = {name for action in create_ducktape_parser()._actions for name in action.option_strings}
    # A flag that a configuration file turns on has an opposite
    named = {name.replace("--no-debug", "--debug") for name in re.findall(r"``(--[a-z-]+)", PAGE)}
    assert named - known == set()
    assert {"--strict", "--ignore-import-errors", "--fail-on-teardown-error"} <= named


def test_each_row_of_a_table_has_a_cell_for_each_column() -> None:
    for table in PAGE.split(".. list-table::")[1:]:
        widths = re.search(r":widths: (.*)", table)
        assert widths is not None
        rows = re.split(r"^   \* - ", table, flags=re.MULTILINE)[1:]
        cells = [len(re.findall(r"^     - \S", row, re.MULTILINE)) + 1 for row in rows]
        assert set(cells) == {len(widths[1].split())}


def test_the_old_places_of_names_still_have_them() -> None:
    for module, names in {
        "tests.test": ("TestContext", "TestLoggerMaker"),
        "mark.resource": ("CLUSTER_SIZE_KEYWORD", "CLUSTER_SPEC_KEYWORD"),
        "cluster.cluster": ("ClusterNode",),
        "cluster.cluster_spec": ("NodeSpec", "LINUX", "WINDOWS", "SUPPORTED_OS_TYPES"),
    }.items():
        imported = importlib.import_module(f"ducktape.{module}")
        assert [name for name in names if not hasattr(imported, name)] == []
        assert f"ducktape.{module}" in PAGE
