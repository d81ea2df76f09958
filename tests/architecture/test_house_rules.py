# SPDX-License-Identifier: Apache-2.0
"""Small rules that hold for every file."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, modules, tracked_files, tree

SPDX = "SPDX-License-Identifier: Apache-2.0"
COMMENTED = {".py", ".toml", ".ini", ".cfg", ".yml", ".yaml", ".sh", ".rst", ".md", ".css", ".html", ".js", ".in"}
COMMENTED_NAMES = {"Makefile", "Vagrantfile", "run", "prepare"}

# Spelled with character classes, so that this file does not break its own rule
MACHINE_PATHS = re.compile(
    r"/w[o]rk/|/f[a]rm/|/r[o]ot/[.]pyenv|/o[p]t/(pypi|wheels)|/tmp/(b[a]sh_jobs|st[u]dio)|[.]l[i]brary/"
)
REGISTRY_HOSTS = re.compile(r"p[y]pi[.]org|python[h]osted[.]org|registry[.]n[p]mjs|(deb|security)[.]d[e]bian[.]org")

SERVER_MODULES = {"socketserver", "http.server", "xmlrpc.server", "wsgiref.simple_server", "multiprocessing.managers"}
# Only when it is asked for, and for editors on this machine
EDITOR_SERVER = "ducktape.tests.worker.debugger"
SERVER_CALLS = {"listen", "create_server", "start_server", "start_unix_server", "Listener"}
UNPICKLING = {
    "pickle": {"load", "loads", "Unpickler"},
    "marshal": {"load", "loads"},
    "dill": {"load", "loads"},
    "shelve": {"open"},
}


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _carries_a_license_line(path: Path) -> bool:
    """Whether a file is of a kind that has comments and is ours: what tests and tools read as data stays as it is."""
    if path.suffix not in COMMENTED and path.name not in COMMENTED_NAMES:
        return False
    if path.parent == ROOT / "ducktape" / "templates" / "init":
        return False  # they become files of users
    is_fragment = path.parent.name == "changelog.d" and path.name != "README.md"
    return path.suffix == ".py" or (path.relative_to(ROOT).parts[0] != "tests" and not is_fragment)


def test_every_file_names_its_license_once_at_its_top() -> None:
    wrong = []
    for path in filter(_carries_a_license_line, tracked_files()):
        # An empty file has nothing to license.
        top = path.read_text(encoding="utf-8").splitlines()[:5]
        if top and sum(SPDX in line for line in top) != 1:
            wrong.append(_relative(path))
    assert wrong == []


def test_the_first_line_of_every_module_is_its_license() -> None:
    wrong = [
        _relative(path)
        for path in tracked_files()
        if path.suffix == ".py"
        and path.stat().st_size
        and path.read_text(encoding="utf-8").split("\n")[0] != f"# {SPDX}"
    ]
    assert wrong == []


@pytest.mark.parametrize("pattern", [MACHINE_PATHS, REGISTRY_HOSTS], ids=["machine paths", "registry hosts"])
def test_no_file_names_a_machine_or_a_package_registry(pattern: re.Pattern[str]) -> None:
    found = []
    for path in tracked_files():
        text = path.read_bytes().decode("utf-8", errors="replace")
        found += [f"{_relative(path)}: {match[0]}" for match in pattern.finditer(text)]
    assert found == []


def test_the_patterns_find_what_they_are_for() -> None:
    assert MACHINE_PATHS.search("/wo" + "rk/main") is not None
    assert REGISTRY_HOSTS.search("https://py" + "pi.org/simple") is not None
    assert MACHINE_PATHS.search("a network/path of work/ and play") is None


def _calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call))


def _imported_names(path: Path) -> Iterator[tuple[int, str, str]]:
    """Give line, module and imported name (empty for a plain import)."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, node.module or "", alias.name) for alias in node.names)


def _called_name(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


LOCAL_SERVERS = frozenset({"ducktape.cluster.sandbox.node_init", "ducktape.cluster.sandbox.supervisor"})


def test_the_package_never_listens_on_a_port() -> None:
    found = []
    for module, path in modules().items():
        if module in LOCAL_SERVERS:
            # Files of this machine that only its owner may open, in place of ports
            assert "AF_INET" not in path.read_text()
        elif module == EDITOR_SERVER:
            servers = [ast.unparse(call) for call in _calls(path) if _called_name(call) in SERVER_CALLS]
            assert servers == ["debugpy.listen((_HOST, 0), in_process_debug_adapter=True)"]
            assert '_HOST = "127.0.0.1"' in path.read_text()
        else:
            calls = [call for call in _calls(path) if _called_name(call) in SERVER_CALLS]
            found += [f"{_relative(path)}:{call.lineno}: {_called_name(call)}()" for call in calls]
        for line, source, name in _imported_names(path):
            if source in SERVER_MODULES or f"{source}.{name}" in SERVER_MODULES:
                found.append(f"{_relative(path)}:{line}: {source}")
    assert found == []


def _unpickles(call: ast.Call) -> bool:
    function = call.func
    if not isinstance(function, ast.Attribute):
        return False
    if isinstance(function.value, ast.Name) and function.attr in UNPICKLING.get(function.value.id, set()):
        return True
    # `recv()` without a size is that of a multiprocessing connection, which unpickles; a socket's has a size.
    return function.attr == "recv" and not call.args and not call.keywords


def test_the_package_unpickles_nothing() -> None:
    found = []
    for path in modules().values():
        calls = [call for call in _calls(path) if _unpickles(call)]
        found += [f"{_relative(path)}:{call.lineno}: {ast.unparse(call.func)}" for call in calls]
        for line, source, name in _imported_names(path):
            if name in UNPICKLING.get(source, set()):
                found.append(f"{_relative(path)}:{line}: from {source} import {name}")
    assert found == []


def test_unpickling_would_be_noticed() -> None:
    calls = [
        node
        for node in ast.walk(ast.parse("pickle.loads(x)\nconnection.recv()\nsocket.recv(10)"))
        if isinstance(node, ast.Call)
    ]
    assert [_unpickles(call) for call in calls] == [True, True, False]


def test_classes_that_pytest_would_take_for_tests_say_that_they_are_not() -> None:
    wrong = [
        f"{module}.{name}"
        for module in sorted(set(modules()) - {"ducktape.__main__"})
        for name, value in vars(importlib.import_module(module)).items()
        if inspect.isclass(value) and name.startswith("Test") and value.__module__.startswith("ducktape")
        if getattr(value, "__test__", True) is not False
    ]
    assert wrong == []
