# SPDX-License-Identifier: Apache-2.0
"""From paths to files, from files to modules, from modules to test methods."""

from __future__ import annotations

import glob
import importlib
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.machinery import PathFinder
from types import FunctionType, ModuleType, TracebackType
from typing import NamedTuple

from ducktape.tests.loading.symbols import LoaderException
from ducktape.tests.test import Test
from ducktape.tests.test_context import shown
from ducktape.utils.support.guard import value_or

DEFAULT_TEST_FILE_PATTERN = r"(^test_.*\.py$)|(^.*_test\.py$)"
DEFAULT_TEST_FUNCTION_PATTERN = "(^test.*)|(.*test$)"

_PACKAGE_MARKER = "__init__.py"
# Earlier releases installed packages of these names, so directories without __init__.py were never found under them
_NEVER_NAMESPACES = frozenset({"tests", "systests"})

_NEVER_TESTS = frozenset({"__pycache__", "node_modules", "site-packages"})
_RARELY_TESTS = frozenset({"build", "dist", "venv", "env", "virtualenv"})
# What each virtual environment has, whichever tool has made it
_ENVIRONMENT_MARKS = ("pyvenv.cfg", os.path.join("conda-meta", "history"), os.path.join("bin", "activate"))


class ModuleAndFile(NamedTuple):
    """An imported test module, and the absolute path of the file that was asked for."""

    module: ModuleType
    file: str


@dataclass(frozen=True)
class ImportFailure:
    """A test file that could not be imported, and the name that its module would have had."""

    file: str
    module: str
    summary: str  # the exception in one line, then its traceback
    error: str = ""  # type and message of the exception


class MarkedMethod(NamedTuple):
    """One test method of a class, before its marks apply; the class has the same position in every run."""

    position: int
    cls: type
    function: FunctionType


def find_files(path: str, file_pattern: str, skipped: list[str] | None = None) -> list[str]:
    """Return the test files that a path names, sorted: itself, or matches below a directory or glob in packages.

    Directories of tools, which are searched only if the path names them, are added to ``skipped``.
    """
    path = os.path.abspath(path)
    skipped = [] if skipped is None else skipped
    if os.path.isfile(path):
        return [path]
    # A directory may be called like a glob
    found = [path] if os.path.isdir(path) else _matches(path, skipped)
    files: dict[str, None] = {}
    for each in found:
        if os.path.isdir(each):
            files.update(dict.fromkeys(_files_below(each, file_pattern, skipped)))
        elif re.match(file_pattern, os.path.basename(each)):
            files[each] = None
    return list(files)


def _matches(pattern: str, skipped: list[str]) -> list[str]:
    """Return the paths that a glob matches, except those that its wildcards find in directories of tools."""
    wild = [number for number, part in enumerate(pattern.split(os.sep)) if glob.has_magic(part)]
    kept = []
    for each in sorted(glob.glob(pattern)):
        parts = each.split(os.sep)
        directories = [os.sep.join(parts[: number + 1]) for number in wild]
        foreign = next((directory for directory in directories if _is_foreign(directory)), None)
        if foreign is None:
            kept.append(each)
        elif foreign not in skipped:
            skipped.append(foreign)
    return kept


def _files_below(directory: str, file_pattern: str, skipped: list[str]) -> Iterator[str]:
    for parent, directories, names in os.walk(directory):
        foreign = {name for name in directories if _is_foreign(os.path.join(parent, name))}
        skipped += sorted(os.path.join(parent, name) for name in foreign)
        directories[:] = sorted(set(directories) - foreign)
        if _PACKAGE_MARKER not in names:
            continue
        yield from (os.path.join(parent, name) for name in sorted(names) if re.match(file_pattern, name))


def _is_foreign(directory: str) -> bool:
    """Return whether a directory belongs to a tool, such as a virtual environment."""
    name = os.path.basename(directory)
    if not os.path.isdir(directory):
        return False
    if name.startswith(".") or name in _NEVER_TESTS or name.endswith((".egg-info", ".egg", ".dist-info")):
        return True
    if any(os.path.lexists(os.path.join(directory, mark)) for mark in _ENVIRONMENT_MARKS):
        return True
    # Unlike the names above these may be those of packages
    return name in _RARELY_TESTS and not os.path.isfile(os.path.join(directory, _PACKAGE_MARKER))


class _Place(NamedTuple):
    """Where a module is imported from: its dotted name, and the directories that come first on the path meanwhile."""

    file: str
    name: str
    roots: tuple[str, ...]

    @property
    def can_be_named(self) -> bool:
        """Whether an import statement could name the file: no part of its path has a dot."""
        return self.name.count(".") == os.path.relpath(self.file, self.roots[0]).count(os.sep)


def module_name(path: str, search_path: Sequence[str] | None = None) -> str:
    """Return the dotted name under which a test file is imported.

    Packages are named from the first directory upwards that has no ``__init__.py``. A file in a plain directory is
    named by itself alone, unless the search path, by default ``sys.path``, makes a namespace package of its directory.
    """
    return _place(path, sys.path if search_path is None else search_path).name


def _place(path: str, search_path: Sequence[str]) -> _Place:
    file = os.path.abspath(path)
    if not file.endswith(".py"):
        remedy = "name a Python file, a directory or a suite file"
        if file.endswith((".yml", ".yaml")):
            remedy = "a suite file is named alone, without ::, and another suite file lists it below import"
        raise LoaderException(f"Expected absolute path ending in '.py' but got {file}: {remedy}")
    directory = os.path.dirname(file)
    root = directory
    while os.path.isfile(os.path.join(root, _PACKAGE_MARKER)) and os.path.dirname(root) != root:
        root = os.path.dirname(root)
    above = _namespace_root(root, search_path)
    if above is None:
        return _Place(file, _dotted(file, root), (root,))
    return _Place(file, _dotted(file, above), (above, root))


def _dotted(file: str, root: str) -> str:
    return os.path.relpath(file, root).removesuffix(".py").replace(os.sep, ".")


def _namespace_root(directory: str, search_path: Sequence[str]) -> str | None:
    """Return the highest directory above that makes a package of this one, or ``None``."""
    entries = {os.path.realpath(entry or os.curdir) for entry in search_path}
    above = directory
    found = None
    while os.path.dirname(above) != above:
        below, above = above, os.path.dirname(above)
        first = os.path.basename(below)
        if "." in first:
            break
        if os.path.realpath(above) not in entries or first in _NEVER_NAMESPACES:
            continue
        spec = PathFinder.find_spec(first, list(search_path))
        locations = spec.submodule_search_locations if spec is not None else None
        if any(_same_path(location, below) for location in locations or ()):
            found = above
    return found


def import_test_module(path: str, search_path: Sequence[str] | None = None) -> ModuleAndFile:
    """Import a test file under its dotted name, whatever else has that name already.

    The directory above its package comes first on ``sys.path`` meanwhile and stays at the end afterwards. A module of
    the same name from another file stays what ``sys.modules`` knows.

    Raises:
        LoaderException: the file is no Python file.
        Exception: whatever importing the file raises, ``SystemExit`` included.
    """
    place = _place(path, sys.path if search_path is None else search_path)
    own_root = place.roots[-1]
    if own_root not in sys.path:
        sys.path.append(own_root)
    known = sys.modules.get(place.name)
    if known is not None and _is_from(known, place.file):
        return ModuleAndFile(known, place.file)
    sys.path[:0] = place.roots
    try:
        return ModuleAndFile(_import(place), place.file)
    finally:
        for root in place.roots:
            if root in sys.path:  # the module may have changed the list
                sys.path.remove(root)


def _import(place: _Place) -> ModuleType:
    if not place.can_be_named:
        return _execute(place)
    top = place.name.partition(".")[0]
    if top not in sys.modules:
        return _import_by_name(place)
    if top == place.name:
        return _execute(place)  # the module of another file has the name
    directory = os.path.join(place.roots[0], top)
    if any(_same_path(each, directory) for each in getattr(sys.modules[top], "__path__", ())):
        return _import_by_name(place)
    if top == __name__.partition(".")[0]:
        return _execute(place)  # the test itself needs this package: it cannot be hidden for one of the same name
    hidden = _take_out(top)
    try:
        return _import_by_name(place)
    finally:
        _take_out(top)
        sys.modules.update(hidden)


def _import_by_name(place: _Place) -> ModuleType:
    importlib.invalidate_caches()
    module = importlib.import_module(place.name)
    if _is_from(module, place.file):
        return module
    return _execute(place)


def _execute(place: _Place) -> ModuleType:
    """Run a file as a module of the given name, without asking who else has the name."""
    spec = importlib.util.spec_from_file_location(place.name, place.file)
    assert spec is not None
    assert spec.loader is not None  # there is one for every .py file
    module = importlib.util.module_from_spec(spec)
    previous = sys.modules.get(place.name)
    sys.modules[place.name] = module
    with ExitStack() as undo:
        if previous is None:
            undo.callback(sys.modules.pop, place.name, None)
        else:
            undo.callback(sys.modules.__setitem__, place.name, previous)
        spec.loader.exec_module(module)
        if previous is None:
            undo.pop_all()
    return module


def _take_out(top: str) -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name == top or name.startswith(f"{top}.")]
    return {name: sys.modules.pop(name) for name in names}


def _is_from(module: ModuleType, file: str) -> bool:
    origin = getattr(module, "__file__", None)
    return isinstance(origin, str) and _same_path(origin, file)


def _same_path(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def import_failure(path: str, name: str, exc: BaseException) -> ImportFailure:
    """Describe why a file could not be imported, with the part of the traceback that begins in the file."""
    frames: list[TracebackType] = []
    following = exc.__traceback__
    while following is not None:
        frames.append(following)
        following = following.tb_next
    files = [frame.tb_frame.f_code.co_filename for frame in frames]
    first = max((number for number, file in enumerate(files) if file == __file__), default=-1) + 1
    while first < len(files) and (files[first] == importlib.__file__ or files[first].startswith("<frozen importlib")):
        first += 1
    tb = frames[first] if first < len(frames) else None
    lines = "".join(traceback.format_exception(type(exc), exc, tb)).rstrip()
    headline = value_or(type(exc).__name__, repr, exc)
    return ImportFailure(os.path.abspath(path), name, f"{headline}\n{lines}", f"{type(exc).__name__}: {shown(exc)}")


def find_methods(
    module: ModuleType, function_pattern: str, cls_name: str = "", method_name: str = ""
) -> list[MarkedMethod]:
    """Return the test methods of a module, in the order of its classes and of the methods' names.

    Classes that it imported from elsewhere count too; classes that have subclasses do not. Empty names stand for all.
    """
    classes: dict[type, int] = {}
    for position, value in enumerate(list(vars(module).values())):
        # isinstance() takes list[int] for a class on Python 3.10
        is_test_class = issubclass(type(value), type) and value is not Test and issubclass(value, Test)
        if is_test_class and cls_name in ("", value.__name__) and not type.__subclasses__(value):
            classes.setdefault(value, position)
    found: list[MarkedMethod] = []
    for cls, position in classes.items():
        functions: dict[int, FunctionType] = {}  # each once, whatever names it has
        for name in sorted(dir(cls)):
            value = next((vars(parent)[name] for parent in cls.__mro__ if name in vars(parent)), None)
            if isinstance(value, FunctionType):
                functions.setdefault(id(value), value)
        found += [
            MarkedMethod(position, cls, function)
            for function in functions.values()
            if method_name in ("", function.__name__) and re.match(function_pattern, function.__name__)
        ]
    return found
