# SPDX-License-Identifier: Apache-2.0
"""Suite files: lists of test symbols under names, in YAML."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ducktape.tests.loading.suggestions import similar_file
from ducktape.tests.loading.symbols import LoaderException
from ducktape.utils.support.files import read_text
from ducktape.utils.support.similar import closest
from ducktape.utils.support.strictness import tolerate

_IMPORT = "import"
_INCLUDED = "included"
_EXCLUDED = "excluded"
_RESEMBLANCE = 0.7
_EXAMPLE = "write its tests below its name, each on a line such as '- path/test_x.py'"


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
        raise LoaderException(f"Path {file} does not exist{similar_file(file)}")
    if not os.path.isfile(file):
        raise LoaderException(f"{file} is not a file, so it cannot be a test suite")
    loader = None
    try:
        loader = yaml.FullLoader(read_text(file))
        root = loader.get_single_node()
        content = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        reason = " ".join(f"{place}{error.problem or error.context}".split())
        raise LoaderException(f"Failed to load test suite from file: {file}: {reason}") from error
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 text: {error.reason} at byte {error.start}"
        raise LoaderException(f"Failed to load test suite from file: {file}: {reason}") from error
    except (yaml.YAMLError, OSError, ValueError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise LoaderException(f"Failed to load test suite from file: {file}: {reason}") from error
    finally:
        if loader is not None:
            loader.dispose()
    if not content:
        raise LoaderException(f"Test suite file is empty: {file}: write 'name:' and below it a list of tests")
    if not isinstance(content, dict):
        raise LoaderException(f"Malformed test suite file: {file}: it has no 'name:' above its tests")
    seen: set[object] = set()
    for key, _ in root.value if root is not None else ():
        if key.value in seen:
            tolerate(f"the suite {key.value} stands twice: the last one counts", file, key.start_mark.line + 1)
        seen.add(key.value)
    return content


def _imports(content: dict[object, object], file: str) -> Iterator[str]:
    if _IMPORT not in content:
        return
    imported = content[_IMPORT]
    if not imported:
        raise LoaderException(f"Empty test suite {_IMPORT} in {file}: list other suite files there, or remove it")
    if isinstance(imported, str):
        imported = [imported]
    if not isinstance(imported, list):
        raise LoaderException(f"Malformed test suite {_IMPORT} in {file}: it is not a list of suite files")
    for path in _strings(imported, _IMPORT, file):
        yield os.path.abspath(os.path.join(os.path.dirname(file), path))


def _suite(name: str, body: object, file: str) -> Suite:
    if not body:
        raise LoaderException(f"Empty test suite {name} in {file}: {_EXAMPLE}")
    if isinstance(body, list):
        return Suite(name, file, _strings(body, name, file), ())
    if not isinstance(body, dict):
        raise LoaderException(f"Malformed test suite {name} in {file}: it is not a list: {_EXAMPLE}")
    for key in body:
        if key not in (_INCLUDED, _EXCLUDED):
            close = closest(str(key), (_INCLUDED, _EXCLUDED), _RESEMBLANCE)
            meant = f": did you mean {close}?" if close else ""
            tolerate(f"the suite {name} has the unknown key {key}, which is ignored{meant}", file)
    included = _strings(body.get(_INCLUDED), name, file)
    excluded = _strings(body.get(_EXCLUDED), name, file)
    return Suite(name, file, included, excluded)


def _strings(items: object, name: str, file: str) -> tuple[str, ...]:
    if not items:
        return ()
    if not isinstance(items, list):
        problem = f"The tests of suite {name} in {file} are not one: {_EXAMPLE}"
        raise LoaderException(f"Expected test_discovery_symbols to be a list. {problem}")
    for item in items:
        if not isinstance(item, str):
            raise LoaderException(
                f"Malformed test suite {name} in {file}: {item!r} is not a string; "
                "put the symbol into single quotes if YAML reads it as something else"
            )
    return tuple(items)
