# SPDX-License-Identifier: Apache-2.0
"""Imports point down or sideways, never up, and never in a circle."""

from __future__ import annotations

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.architecture.floors import FLOORS, FRONT_DOORS, ROOT_MODULE, floor_of
from tests.architecture.sources import PACKAGE, ROOT, imports, modules, tree

ROOMS = {name: path for name, path in modules().items() if name != ROOT_MODULE and name not in FRONT_DOORS}


def _upward(module: str, path: Path) -> list[str]:
    here = floor_of(module)
    found = []
    for line, target in imports(module, path, frozenset(modules())):
        there = floor_of(target)
        if target in ROOMS and here is not None and there is not None and there > here:
            found.append(f"{path.relative_to(ROOT)}:{line}: floor {here} imports {target} from floor {there}")
    return found


def _graph() -> dict[str, set[str]]:
    known = frozenset(modules())
    return {name: {t for _, t in imports(name, path, known) if t != name} for name, path in modules().items()}


def test_the_package_is_where_the_tests_look_for_it() -> None:
    assert modules()["ducktape"] == PACKAGE / "__init__.py"


def test_every_module_lives_on_a_floor() -> None:
    homeless = [module for module in ROOMS if floor_of(module) is None]
    assert homeless == [], "give each a floor in tests/architecture/floors.py"


def test_imports_point_down_or_sideways() -> None:
    assert [line for module, path in ROOMS.items() for line in _upward(module, path)] == []


def test_no_module_imports_itself_through_others() -> None:
    try:
        TopologicalSorter(_graph()).prepare()
    except CycleError as error:
        pytest.fail("a circle of imports: " + " -> ".join(reversed(error.args[1])))


def test_modules_import_from_the_defining_module_rather_than_from_a_front_door() -> None:
    used = [
        f"{path.relative_to(ROOT)}:{line}: {target}"
        for module, path in ROOMS.items()
        for line, target in imports(module, path, frozenset(modules()))
        if target in FRONT_DOORS
    ]
    assert used == []


def test_the_root_of_the_package_imports_nothing_of_the_house() -> None:
    assert list(imports(ROOT_MODULE, modules()[ROOT_MODULE], frozenset(modules()))) == []


def test_nothing_below_the_command_line_imports_it() -> None:
    wrong = {
        f"{name} imports {target}"
        for name, path in ROOMS.items()
        if floor_of(name) != 8
        for _, target in imports(name, path, frozenset(modules()))
        if floor_of(target) == 8
    }
    assert wrong == set()


def test_imports_are_absolute() -> None:
    relative = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules().values()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.level > 0
    ]
    assert relative == []


# The machinery of these tests, tried on small files: a rule that cannot fail protects nothing.

KNOWN = frozenset({"ducktape", "ducktape.errors", "ducktape.cluster", "ducktape.cluster.json", "ducktape.tests.runner"})


def _imported(tmp_path: Path, text: str, module: str = "ducktape.cluster.sample") -> list[tuple[int, str]]:
    path = tmp_path / "sample.py"
    path.write_text(text, encoding="utf-8")
    return sorted(imports(module, path, KNOWN))


def test_an_import_inside_a_function_counts(tmp_path: Path) -> None:
    assert _imported(tmp_path, "def f():\n    from ducktape.tests.runner import TestRunner\n") == [
        (2, "ducktape.tests.runner")
    ]


def test_an_import_for_type_checkers_only_counts(tmp_path: Path) -> None:
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import ducktape.tests.runner\n"
    assert _imported(tmp_path, text) == [(3, "ducktape.tests.runner")]


def test_a_module_imported_from_its_package_counts_as_the_module(tmp_path: Path) -> None:
    assert _imported(tmp_path, "from ducktape.cluster import json\nfrom ducktape import errors\n") == [
        (1, "ducktape.cluster.json"),
        (2, "ducktape.errors"),
    ]


def test_a_relative_import_is_resolved(tmp_path: Path) -> None:
    assert _imported(tmp_path, "from .json import JsonCluster\nfrom .. import errors\n") == [
        (1, "ducktape.cluster.json"),
        (2, "ducktape.errors"),
    ]


def test_foreign_modules_do_not_count(tmp_path: Path) -> None:
    assert _imported(tmp_path, "import json\nimport paramiko.client\nfrom collections import abc\n") == []


@pytest.mark.parametrize(
    ("module", "floor"),
    [
        ("ducktape.errors", 0),
        ("ducktape.utils.util", 0),
        ("ducktape.command_line.defaults", 0),
        ("ducktape.cluster.node_spec", 1),
        ("ducktape.cluster.linux_remoteaccount", 2),
        ("ducktape.cluster.vagrant", 3),
        ("ducktape.mark._mark", 4),
        ("ducktape.services.service", 4),
        ("ducktape.cluster.ssh.transport", 2),
        ("ducktape.cluster.sandbox.cluster", 3),
        ("ducktape.cluster.pool.lease", 3),
        ("ducktape.tests.test", 5),
        ("ducktape.tests.reports.text", 5),
        ("ducktape.mark.mark_expander", 6),
        ("ducktape.tests.runner", 6),
        ("ducktape.tests.driver.supervisor", 6),
        ("ducktape.tests.reports.html", 7),
        ("ducktape.command_line.main", 8),
        ("ducktape.__main__", 8),
        ("ducktape.tests.a_room_that_nobody_planned", None),
    ],
)
def test_floors_are_those_of_the_table(module: str, floor: int | None) -> None:
    assert floor_of(module) == floor


def _documented_floors() -> set[tuple[int, str]]:
    page = (ROOT / "docs" / "architecture.rst").read_text(encoding="utf-8")
    table = page[page.index(".. list-table::") : page.index("A module directly below a package")]
    rows = [row.split("\n", 1) for row in table.split("   * - ")[2:]]
    return {(int(floor), name) for floor, cells in rows for name in cells.split("``")[1::2]}


def test_the_page_on_the_architecture_shows_the_same_floors() -> None:
    assert _documented_floors() == {(floor, pattern) for floor, patterns in FLOORS for pattern in patterns}


def _picture() -> list[tuple[int, str]]:
    page = (ROOT / "docs" / "architecture.rst").read_text(encoding="utf-8")
    lines = page[page.index("   floor  folder of") :].split("\n\n")[0].splitlines()[1:]
    return [(int(floor), folder) for floor, folder, *_ in map(str.split, lines)]


def test_the_picture_shows_each_folder_on_the_floors_of_its_modules() -> None:
    packages = {name for name, path in modules().items() if path.name == "__init__.py"}
    inside = {
        (floor_of(module), path.parent.relative_to(PACKAGE).as_posix())
        for module, path in modules().items()
        if module not in packages
    }
    picture = _picture()
    assert len(picture) == len(set(picture))
    assert set(picture) == inside
    assert [floor for floor, _ in picture] == sorted((floor for floor, _ in picture), reverse=True)


def _walk() -> dict[int, list[str]]:
    """Return the modules of each step of the walk of one test."""
    page = (ROOT / "docs" / "architecture.rst").read_text(encoding="utf-8")
    title = "One test, from the command line to the report\n"
    section = re.split(r"\n\w[^\n]*\n-{5,}\n", page[page.index(title) + len(title) :])[0]
    steps = re.split(r"^(\d+)\. ", section, flags=re.MULTILINE)[1:]
    return {
        int(number): re.findall(r"``([\w.]+)``", step) for number, step in zip(steps[::2], steps[1::2], strict=True)
    }


def test_the_walk_of_a_test_names_modules_in_each_step() -> None:
    walk = _walk()
    assert list(walk) == list(range(1, 14))
    assert [number for number, names in walk.items() if not names] == []
    named = [name for names in walk.values() for name in names]
    assert [name for name in named if f"ducktape.{name}" not in modules()] == []


def test_the_walk_of_a_test_passes_every_folder_in_which_a_run_happens() -> None:
    folders = {name.rpartition(".")[0] for names in _walk().values() for name in names}
    engine = {folder.replace("/", ".") for _, folder in _picture() if folder.startswith("tests")}
    assert engine | {"command_line.options", "command_line.session", "cluster", "services.support"} <= folders


def test_modules_directly_below_a_package_are_those_that_are_documented_as_public() -> None:
    page = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")
    documented = set(re.findall(r"^``(ducktape\.\w+\.\w+)``", page, re.MULTILINE))
    packages = {name for name, path in modules().items() if path.name == "__init__.py"}
    assert {name for name in set(modules()) - packages if name.count(".") == 2} == documented


def test_packages_that_are_two_levels_deep_have_nothing_below_them_but_modules() -> None:
    packages = {name for name, path in modules().items() if path.name == "__init__.py"}
    assert {name for name in packages if name.count(".") > 2} == set()
