# SPDX-License-Identifier: Apache-2.0
"""How large the package is and how it is written: ``python -m benchmarks.figures --compare REVISION``."""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import tokenize
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.table import columns, number, ratio

ROOT = Path(__file__).resolve().parents[1]
BROAD = {"Exception", "BaseException"}
NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Figures:
    """What was counted in the modules of one package.

    Attributes:
        lines: all lines of all modules.
        code: lines without blank ones, comments and docstrings.
        modules: files, packages included.
        helpers: functions and methods whose names begin with one underscore.
        single: places of those that are called once in the package and used nowhere else.
        broad: places of handlers and ``contextlib.suppress`` that catch every exception.
        any: uses of ``typing.Any``.
        longest: modules with their lines, longest first.
    """

    lines: int
    code: int
    modules: int
    helpers: int
    single: tuple[str, ...]
    broad: tuple[str, ...]
    any: int
    longest: tuple[tuple[str, int], ...]


def count(sources: Mapping[str, str]) -> Figures:
    """Count.

    Args:
        sources: the text of every module, by its path.
    """
    trees = {name: ast.parse(text, filename=name) for name, text in sources.items()}
    lengths = Counter({name: len(text.splitlines()) for name, text in sources.items()})
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    helpers = [node for node in nodes if isinstance(node, Function) and _is_private(node.name)]
    return Figures(
        lines=lengths.total(),
        code=sum(_code_lines(sources[name], tree) for name, tree in trees.items()),
        modules=len(sources),
        helpers=len(helpers),
        single=tuple(_with_one_caller(trees)),
        broad=tuple(
            f"{name}:{node.lineno}"
            for name, tree in trees.items()
            for node in ast.walk(tree)
            if isinstance(node, ast.ExceptHandler | ast.Call) and _catches_everything(node)
        ),
        any=sum(_name(node) == "Any" for node in nodes if isinstance(node, ast.Name | ast.Attribute)),
        longest=tuple(lengths.most_common(10)),
    )


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _name(node: ast.AST) -> str:
    """Return the last part of a dotted name, empty for any other expression."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _code_lines(text: str, tree: ast.Module) -> int:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    lines = {line for t in tokens if t.type not in NO_CODE for line in range(t.start[0], t.end[0] + 1)}
    for node in ast.walk(tree):
        if isinstance(node, Function | ast.ClassDef | ast.Module) and ast.get_docstring(node, clean=False) is not None:
            lines -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return len(lines)


def _with_one_caller(trees: Mapping[str, ast.Module]) -> list[str]:
    """Return the private helpers that one place calls; a hook that several classes define is none of them."""
    nodes = [node for tree in trees.values() for node in ast.walk(tree)]
    attributes = Counter(
        node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    )
    imported = Counter(alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names)
    methods = Counter(method.name for method in _methods(nodes))
    found = []
    for module, tree in trees.items():
        inside = list(ast.walk(tree))
        names = Counter(node.id for node in inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
        calls = Counter(_name(node.func) for node in inside if isinstance(node, ast.Call))
        of_classes = set(_methods(inside))
        for helper in inside:
            if not isinstance(helper, Function) or not _is_private(helper.name) or calls[helper.name] != 1:
                continue
            is_method = helper in of_classes
            uses = attributes[helper.name] if is_method else names[helper.name] + imported[helper.name]
            if uses == 1 and (not is_method or methods[helper.name] == 1):
                found.append(f"{module}:{helper.lineno} {helper.name}")
    return found


def _methods(nodes: Iterable[ast.AST]) -> list[Function]:
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    return [member for owner in classes for member in owner.body if isinstance(member, Function)]


def _catches_everything(node: ast.ExceptHandler | ast.Call) -> bool:
    if isinstance(node, ast.ExceptHandler):
        return node.type is None or _is_broad(node.type)
    return _name(node.func) == "suppress" and any(map(_is_broad, node.args))


def _is_broad(caught: ast.expr) -> bool:
    return any(map(_is_broad, caught.elts)) if isinstance(caught, ast.Tuple) else _name(caught) in BROAD


def read(package: Path) -> dict[str, str]:
    """Return the text of every module of a package by its path."""
    return {
        path.relative_to(package).as_posix(): path.read_text(encoding="utf-8") for path in sorted(package.rglob("*.py"))
    }


def read_revision(revision: str) -> dict[str, str]:
    """Return the text of every module as a revision of this checkout has it."""
    command = ["git", "archive", "--format=zip", revision, "ducktape"]
    archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        names = sorted(name for name in files.namelist() if name.endswith(".py"))
        return {name.removeprefix("ducktape/"): files.read(name).decode("utf-8") for name in names}


def table(named: Mapping[str, Figures]) -> str:
    """Return figures as text, a column for each name; of two columns, the third is the change."""
    rows = [["", *named]]
    for label, digits, value in ROWS:
        rows.append([label, *(number(value(figures), digits=digits) for figures in named.values())])
    if len(named) == 2:
        rows[0].append("change")
        before, after = named.values()
        for row, (_, _, value) in zip(rows[1:], ROWS, strict=True):
            change = ratio(value(after) - value(before), value(before))
            row.append("-" if change is None else f"{100 * change:+.1f} %")
    return "\n".join(columns(rows))


ROWS: tuple[tuple[str, int, Callable[[Figures], float]], ...] = (
    ("lines", 0, lambda f: f.lines),
    ("lines of code", 0, lambda f: f.code),
    ("modules", 0, lambda f: f.modules),
    ("private helpers", 0, lambda f: f.helpers),
    ("private helpers with one caller", 0, lambda f: len(f.single)),
    ("broad excepts", 0, lambda f: len(f.broad)),
    ("broad excepts per 1000 lines", 1, lambda f: 1000 * len(f.broad) / f.lines),
    ("Any", 0, lambda f: f.any),
    ("Any per 1000 lines", 1, lambda f: 1000 * f.any / f.lines),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the figures of the working tree, or of a revision, alone or beside those of another revision."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.figures", description=__doc__)
    parser.add_argument("--rev", help="count this revision in place of the working tree")
    parser.add_argument("--compare", metavar="REV", help="show the figures of this revision before the others")
    parser.add_argument("--places", action="store_true", help="name the helpers with one caller and the broad excepts")
    args = parser.parse_args(argv)
    after = count(read_revision(args.rev) if args.rev else read(ROOT / "ducktape"))
    before = {args.compare: count(read_revision(args.compare))} if args.compare else {}
    print(table({**before, args.rev or "working tree": after}))
    print("\nlongest modules\n" + "\n".join(f"{lines:6}  {name}" for name, lines in after.longest))
    if args.places:
        print("\n".join(["\nprivate helpers with one caller", *after.single, "\nbroad excepts", *after.broad]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
