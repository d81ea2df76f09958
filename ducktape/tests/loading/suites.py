# SPDX-License-Identifier: Apache-2.0
"""Suite files: lists of test symbols under names, in YAML."""

from __future__ import annotations

import difflib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ducktape.tests.loading.symbols import LoaderException
from ducktape.utils.support.files import read_text
from ducktape.utils.support.strictness import tolerate

_IMPORT = "import"
_INCLUDED = "included"
_EXCLUDED = "excluded"


@dataclass(frozen=True)
class Suite:
    """One suite of a file: the symbols of the tests that belong to it, and those of tests that it leaves out."""

    name: str
    file: str
    included: tuple[str, ...]
    excluded: tuple[str, ...]

    @property
    def base_dir(self) -> str:
        """Where the relative symbols begin."""
        return os.path.dirname(self.file)


def is_suite_file(symbol: str) -> bool:
    """Return whether a symbol of the command line names a suite file."""
    return symbol.endswith((".yml", ".yaml"))


def read_suites(paths: Iterable[str]) -> list[Suite]:
    """Read suite files, each once, and return their suites, those of a file before those of its imports."""
    waiting = deque(os.path.abspath(path) for path in paths)
    seen: set[str] = set()
    suites: list[Suite] = []
    while waiting:
        file = waiting.popleft()
        real = os.path.realpath(file)
        if real in seen:
            continue
        seen.add(real)
        content = _read_yaml(file)
        waiting.extend(_imports(content, file))
        suites.extend(_suite(str(name), body, file) for name, body in content.items() if name != _IMPORT)
    return suites


def _read_yaml(file: str) -> dict[object, object]:
    import yaml  # only runs with suite files pay for it

    if not os.path.exists(file):
        raise LoaderException(f"Path {file} does not exist")
    if not os.path.isfile(file):
        raise LoaderException(f"{file} is not a file, so it cannot be a test suite")
    try:
        content = yaml.load(read_text(file), Loader=yaml.FullLoader)
    except (yaml.YAMLError, OSError, ValueError) as e:
        reason = " ".join(str(e).split())
        raise LoaderException(f"Failed to load test suite from file: {file}: {reason}") from e
    if not content:
        raise LoaderException(f"Test suite file is empty: {file}")
    if not isinstance(content, dict):
        raise LoaderException(f"Malformed test suite file: {file}")
    return content


def _imports(content: dict[object, object], file: str) -> Iterator[str]:
    if _IMPORT not in content:
        return
    imported = content[_IMPORT]
    if not imported:
        raise LoaderException(f"Empty test suite {_IMPORT} in {file}")
    if isinstance(imported, str):
        imported = [imported]
    if not isinstance(imported, list):
        raise LoaderException(f"Malformed test suite {_IMPORT} in {file}")
    for path in _strings(imported, _IMPORT, file):
        yield os.path.abspath(os.path.join(os.path.dirname(file), path))


def _suite(name: str, body: object, file: str) -> Suite:
    if not body:
        raise LoaderException(f"Empty test suite {name} in {file}")
    if isinstance(body, list):
        return Suite(name, file, _strings(body, name, file), ())
    if not isinstance(body, dict):
        raise LoaderException(f"Malformed test suite {name} in {file}")
    for key in body:
        if key not in (_INCLUDED, _EXCLUDED):
            close = difflib.get_close_matches(str(key).casefold(), (_INCLUDED, _EXCLUDED), n=1, cutoff=0.7)
            meant = f": did you mean {close[0]}?" if close else ""
            tolerate(f"the suite {name} has the unknown key {key}, which is ignored{meant}", file)
    included = _strings(body.get(_INCLUDED), name, file)
    excluded = _strings(body.get(_EXCLUDED), name, file)
    return Suite(name, file, included, excluded)


def _strings(items: object, name: str, file: str) -> tuple[str, ...]:
    if not items:
        return ()
    if not isinstance(items, list):
        raise LoaderException("Expected test_discovery_symbols to be a list.")
    for item in items:
        if not isinstance(item, str):
            raise LoaderException(
                f"Malformed test suite {name} in {file}: {item!r} is not a string; "
                "put the symbol into single quotes if YAML reads it as something else"
            )
    return tuple(items)
