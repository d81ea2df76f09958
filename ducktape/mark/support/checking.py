# SPDX-License-Identifier: Apache-2.0
"""Detects mistakes in marks, once the tests are known."""

from __future__ import annotations

import difflib
import inspect
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping

from ducktape.mark._mark import Ignore, IgnoreAll, Mark, MarkedTest
from ducktape.mark.consts import CLUSTER_NODE_TYPE_KEYWORD, CLUSTER_SIZE_KEYWORD, CLUSTER_SPEC_KEYWORD
from ducktape.mark.policies import ExpectedFailure

_KNOWN = (CLUSTER_SIZE_KEYWORD, CLUSTER_SPEC_KEYWORD, CLUSTER_NODE_TYPE_KEYWORD)
# Common misspellings, without underscores and in lower case
_SIZES = ("nodes", "node", "nnodes", "nodesnum", "nodecount", "nodescount", "numofnodes", "nrofnodes", "numberofnodes")
_MEANT = {
    **dict.fromkeys((*_SIZES, "clustersize", "numclusternodes"), CLUSTER_SIZE_KEYWORD),
    "clusterspecification": CLUSTER_SPEC_KEYWORD,
    "clustertype": CLUSTER_NODE_TYPE_KEYWORD,
}
_RESEMBLANCE = 0.8
_NAMES = "names no parametrization of this test"


def mistakes(marks: Iterable[Mark], contexts: Iterable[MarkedTest]) -> list[str]:
    """Return the errors in the marks of a method, given its tests."""
    tests = list(contexts)
    found = [mistake_in(metadata) for metadata in _cluster_uses(tests)]
    found += [_unknown_arguments(mark, tests) for mark in marks if type(mark) is ExpectedFailure]
    return list(dict.fromkeys(each for each in found if each))


def oddities(
    function: Callable[..., object] | None, marks: Iterable[Mark], contexts: Iterable[MarkedTest]
) -> list[str]:
    """Return the warnings about the marks of a method, given its tests."""
    tests = list(contexts)
    found = [each for metadata in _cluster_uses(tests) for each in oddities_in(metadata)]
    for mark in marks:
        wanted = _arguments(mark) if type(mark) in (Ignore, ExpectedFailure) else {}
        if wanted and not any(bool(wanted == test.injected_args) for test in tests):
            found.append(f"{_spelled(mark)} {_NAMES}, so it has no effect")
    found += _unexpected_arguments(function, tests)
    return list(dict.fromkeys(found))


def kept_keywords(contexts: Iterable[MarkedTest]) -> list[str]:
    """Return the unknown keywords of ``@cluster``, which are kept as metadata."""
    return list(dict.fromkeys(key for use in _cluster_uses(list(contexts)) for key in use if key not in _KNOWN))


def marks_of_class(cls: type) -> list[str]:
    """Return the decorators for methods that were applied to a class, without effect."""
    written = [mark for parent in cls.__mro__ for mark in vars(parent).get("marks", ())]
    return [f"@{_decorator_name(mark)}" for mark in written if isinstance(mark, Mark)]


def mistake_in(metadata: Mapping[str, object]) -> str | None:
    """Return the error in the keywords of ``@cluster``, if there is one."""
    for key in metadata:
        if key not in _KNOWN and (meant := _resembling(key)) is not None:
            return f"@cluster has the unknown keyword {key}: did you mean {meant}?"
    size, spec = metadata.get(CLUSTER_SIZE_KEYWORD), metadata.get(CLUSTER_SPEC_KEYWORD)
    if size is None and spec is None:
        for key, value in metadata.items():
            if key not in _KNOWN and (
                _is_count(value) or _is_spec(value) or (isinstance(value, str) and value.strip().isdecimal())
            ):
                meant = CLUSTER_SPEC_KEYWORD if _is_spec(value) else CLUSTER_SIZE_KEYWORD
                return (
                    f"@cluster has the unknown keyword {key} and neither {CLUSTER_SIZE_KEYWORD} nor "
                    f"{CLUSTER_SPEC_KEYWORD}, so it would take the whole cluster: did you mean {meant}?"
                )
    return None


def wrong_value_in(metadata: Mapping[str, object]) -> str | None:
    """Return the error in the values of ``@cluster``, if there is one."""
    size = metadata.get(CLUSTER_SIZE_KEYWORD)
    if size is not None and not _is_count(size):
        return f"@cluster({CLUSTER_SIZE_KEYWORD}={reprlib.repr(size)}): expected a whole number from 0 on"
    spec = metadata.get(CLUSTER_SPEC_KEYWORD)
    if spec is not None and not _is_spec(spec):
        return f"@cluster({CLUSTER_SPEC_KEYWORD}={reprlib.repr(spec)}): expected a ClusterSpec"
    return None


def oddities_in(metadata: Mapping[str, object]) -> Iterator[str]:
    """Yield warnings about keywords of ``@cluster`` without effect."""
    size, spec, node_type = (metadata.get(key) for key in _KNOWN)
    if size is not None and spec is not None:
        yield f"@cluster has both {CLUSTER_SPEC_KEYWORD} and {CLUSTER_SIZE_KEYWORD}: the latter has no effect"
    elif node_type is not None and (size is None or spec is not None):
        yield f"@cluster has {CLUSTER_NODE_TYPE_KEYWORD} without {CLUSTER_SIZE_KEYWORD}: it has no effect"


def _resembling(key: str) -> str | None:
    """Return the probably intended keyword."""
    plain = key.replace("_", "").casefold()
    if plain in _MEANT:
        return _MEANT[plain]
    known = {each.replace("_", ""): each for each in _KNOWN}
    close = difflib.get_close_matches(plain, known, n=1, cutoff=_RESEMBLANCE)
    return known[close[0]] if close else None


def _is_count(value: object) -> bool:
    # Includes integers of numerical libraries
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        return False
    return int(value.__index__()) >= 0  # type: ignore[attr-defined]


def _is_spec(value: object) -> bool:
    # Duck typing, since not every test module needs to import ClusterSpec
    return not isinstance(value, type) and callable(getattr(value, "size", None)) and hasattr(value, "nodes")


def _cluster_uses(contexts: list[MarkedTest]) -> list[Mapping[str, object]]:
    """Return the distinct cluster declarations of tests."""
    found: list[Mapping[str, object]] = []
    for context in contexts:
        metadata = context.cluster_use_metadata
        if metadata and isinstance(metadata, Mapping) and not any(_is_same(metadata, each) for each in found[-4:]):
            found.append(metadata)
    return found


def _is_same(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Return whether two mappings contain identical objects, without calling their code."""
    return len(one) == len(other) and all(key in other and value is other[key] for key, value in one.items())


def _arguments(mark: Mark) -> Mapping[str, object]:
    return mark.injected_args or {}


def _parametrized(contexts: list[MarkedTest]) -> list[Mapping[str, object]]:
    return [context.injected_args for context in contexts if isinstance(context.injected_args, Mapping)]


def _unknown_arguments(mark: Mark, contexts: list[MarkedTest]) -> str | None:
    given = _parametrized(contexts)
    known = {name for arguments in given for name in arguments}
    unknown = [name for name in _arguments(mark) if name not in known]
    # The names of arguments are unknown for the ignored test of an empty matrix
    if not unknown or (not given and any(context.ignore for context in contexts)):
        return None
    names = ", ".join(sorted(known)) or "none"
    return f"{_spelled(mark)} {_NAMES}: there is no argument {unknown[0]} (arguments: {names})"


def _unexpected_arguments(function: Callable[..., object] | None, contexts: list[MarkedTest]) -> Iterator[str]:
    if function is None:
        return
    try:
        # Decorators of users may accept other arguments than the wrapped function
        parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):
        return
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return
    accepted = {each.name for each in parameters if each.kind is not each.POSITIONAL_ONLY}
    given = dict.fromkeys(name for arguments in _parametrized(contexts) for name in arguments)
    for name in given:
        if name not in accepted:
            yield f"the parametrization gives an argument {name}, which the method does not take: calling it will fail"


def _spelled(mark: Mark) -> str:
    names = ", ".join(f"{name}=…" for name in _arguments(mark))
    reason = '"…", ' if isinstance(mark, ExpectedFailure) else ""
    return f"@{_decorator_name(mark)}({reason}{names})"


def _decorator_name(mark: Mark) -> str:
    if isinstance(mark, IgnoreAll):
        return "ignore"
    return {"ClusterUseMetadata": "cluster", "ExpectedFailure": "expected_failure"}.get(
        type(mark).__name__, type(mark).__name__.lower()
    )
