# SPDX-License-Identifier: Apache-2.0
"""The package as text: its modules, their syntax trees, and which of its modules each of them imports."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "ducktape"


@cache
def modules() -> dict[str, Path]:
    """Return every module of the package with its file; a package goes by its own name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def imports(module: str, path: Path, known: frozenset[str]) -> tuple[tuple[int, str], ...]:
    """Return line and name of every module in ``known`` that a file imports, wherever in the file the import stands.

    ``from package import name`` means the module ``package.name`` where there is one, and the package otherwise.
    """
    return tuple(_imports(module, path, known))


def _imports(module: str, path: Path, known: frozenset[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from ((node.lineno, name) for name in _nearest(alias.name, known))
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, path, node)
            for alias in node.names:
                yield from ((node.lineno, name) for name in _nearest(f"{base}.{alias.name}", known))


def _nearest(name: str, known: frozenset[str]) -> list[str]:
    """Return the longest leading part of a dotted name that is a module, if any is."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return [name] if name else []


def _absolute(module: str, path: Path, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    base = package[: len(package) - (node.level - 1)]
    return ".".join([*base, node.module] if node.module else base)


@cache
def tracked_files() -> tuple[Path, ...]:
    """Return the files that belong to the project: what git tracks or would, or everything where there is no git."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        skipped = {".git", ".venv", ".bench", ".tox", "build", "dist", "results", "_build", "__pycache__"}
        return tuple(
            path
            for path in sorted(ROOT.rglob("*"))
            if path.is_file() and not skipped.intersection(path.relative_to(ROOT).parts) and "cache" not in str(path)
        )
    return tuple(path for path in (ROOT / name for name in sorted(listed) if name) if path.is_file())
