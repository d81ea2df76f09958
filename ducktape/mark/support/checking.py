# SPDX-License-Identifier: Apache-2.0
"""Detects mistakes in marks, once the tests are known."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping

from ducktape.mark._mark import Ignore, IgnoreAll, Mark, MarkedTest
from ducktape.mark.policies import ExpectedFailure
from ducktape.mark.resource import mistake_in, oddities_in, unknown_keywords

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
    return list(dict.fromkeys(key for use in _cluster_uses(list(contexts)) for key in unknown_keywords(use)))


def marks_of_class(cls: type) -> list[str]:
    """Return the decorators for methods that were applied to a class, without effect."""
    written = [mark for parent in cls.__mro__ for mark in vars(parent).get("marks", ())]
    return [f"@{_decorator_name(mark)}" for mark in written if isinstance(mark, Mark)]


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
