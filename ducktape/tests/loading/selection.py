# SPDX-License-Identifier: Apache-2.0
"""Which of the tests run, and in which order: pure functions over lists of contexts."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ducktape.tests.test_context import TestContext

T = TypeVar("T")


def argument_key(arguments: Any, *, exact: bool = True) -> Hashable:
    """Return a key that is equal for two values that look the same in JSON.

    Args:
        arguments: JSON-ready.
        exact: distinguish ``1``, ``1.0`` and ``True``; otherwise equal numbers count as the same.
    """
    if isinstance(arguments, dict):
        items = ((key, argument_key(each, exact=exact)) for key, each in arguments.items())
        return ("object", frozenset(items))
    if isinstance(arguments, list):
        return ("array", tuple(argument_key(each, exact=exact) for each in arguments))
    if isinstance(arguments, float) and (exact or math.isnan(arguments)):
        return ("float", repr(arguments))  # NaN is not even equal to itself, and -0.0 is to 0.0
    return (type(arguments).__name__, arguments) if exact else arguments


def unique(contexts: Iterable[TestContext]) -> list[TestContext]:
    """Return each context once, in the order of their first appearance."""
    return list({id(context): context for context in contexts}.values())


def without(contexts: Iterable[TestContext], excluded: Iterable[TestContext]) -> list[TestContext]:
    """Return the contexts that are not among the excluded ones."""
    gone = {id(context) for context in excluded}
    return [context for context in contexts if id(context) not in gone]


@dataclass(frozen=True)
class Identities:
    """The identities of tests.

    Args:
        ids: test id by ``id()`` of the context.
        positions: place in the order that the tests were given in, by ``id()`` of the context.
        kept: by ``id()`` of a context, the one that is kept because both are the same test.
        renamed: new ids of different tests that shared an id, by that id.
    """

    ids: dict[int, str] = field(default_factory=dict)
    positions: dict[int, int] = field(default_factory=dict)
    kept: dict[int, TestContext] = field(default_factory=dict)
    renamed: dict[str, list[str]] = field(default_factory=dict)

    def distinct(self, contexts: Iterable[TestContext]) -> list[TestContext]:
        """Return each test once."""
        return unique(self.kept.get(id(context), context) for context in contexts)

    def settle(self, contexts: Iterable[TestContext]) -> list[TestContext]:
        """Return each test once, sorted by its id."""
        return sorted(self.distinct(contexts), key=lambda context: (self.ids[id(context)], self.positions[id(context)]))


def disambiguate(contexts: Sequence[TestContext]) -> Identities:
    """Give different tests different ids; the first of several keeps its own, the others get ``-2``, ``-3``, ….

    Args:
        contexts: all tests that there are, in an order that is the same in every run. Their ``disambiguator`` is set.
    """
    identities = Identities()
    groups: dict[str, list[TestContext]] = {}
    for position, context in enumerate(contexts):
        test_id = context.test_id
        identities.ids[id(context)] = test_id
        identities.positions[id(context)] = position
        groups.setdefault(test_id, []).append(context)
    taken = set(groups)
    for test_id, group in groups.items():
        if len(group) > 1:
            _rename(test_id, _distinct(group, identities.kept), taken, identities)
    return identities


def _distinct(group: Sequence[TestContext], kept: dict[int, TestContext]) -> list[TestContext]:
    distinct: list[TestContext] = []
    for context in group:
        same = next((each for each in distinct if _is_same_test(each, context)), None)
        if same is None:
            distinct.append(context)
        else:
            kept[id(context)] = same
    return distinct


def _rename(test_id: str, group: Sequence[TestContext], taken: set[str], identities: Identities) -> None:
    if len(group) == 1:
        return
    names = [test_id]
    number = 1
    for context in group[1:]:
        number += 1
        while f"{test_id}-{number}" in taken:
            number += 1
        context.disambiguator = f"-{number}"
        new_id = context.test_id
        taken.add(f"{test_id}-{number}")
        identities.ids[id(context)] = new_id
        names.append(new_id)
    identities.renamed[test_id] = names


def _is_same_test(one: TestContext, other: TestContext) -> bool:
    """Return whether two contexts of one id are one test that was named twice."""
    if one.cls is not other.cls or _base_function(one) is not _base_function(other):
        return False
    arguments, others = one.injected_args, other.injected_args
    try:
        return bool(arguments == others) and _types_of(arguments) == _types_of(others)
    except Exception:  # the values are the user's, and so is their comparison
        return False


def _types_of(arguments: Mapping[str, Any] | None) -> dict[str, type]:
    """Return the types of arguments: Decimal("1.5") and 1.5 are equal, and two tests all the same."""
    return {name: type(value) for name, value in (arguments or {}).items()}


def _base_function(context: TestContext) -> Any:
    """Return the method without the arguments that were bound to it."""
    function = context.function
    while (inner := getattr(function, "function", None)) is not None:
        function = inner
    return function


def subset(tests: Sequence[T], index: int, count: int) -> list[T]:
    """Return every ``count``-th test, beginning with number ``index``."""
    return list(tests[index::count])


def balanced_subset(
    tests: Sequence[TestContext], durations: Mapping[str, float], index: int, count: int
) -> list[TestContext]:
    """Return one of ``count`` parts of the tests that take about the same time each.

    Args:
        tests: sorted by id.
        durations: seconds by test id; a test that is missing counts with the mean. Empty means nothing is known, and
            the tests are dealt out one by one. Whoever takes one of the parts has to give the same durations: only then
            each test is in exactly one part.
        index: which part.
        count: how many parts there are.
    """
    if not durations:
        return subset(tests, index, count)
    mean = sum(durations.values()) / len(durations)
    timed = [(durations.get(test.test_id, mean), test) for test in tests]
    timed.sort(key=lambda pair: pair[0], reverse=True)
    bins = [(0.0, number) for number in range(count)]
    chosen = []
    for seconds, test in timed:
        total, number = bins[0]
        heapq.heapreplace(bins, (total + seconds, number))
        if number == index:
            chosen.append(test)
    return chosen


def shuffle(tests: Sequence[T], seed: int) -> list[T]:
    """Return the tests in a random order that is the same whenever the tests and the seed are."""
    shuffled = list(tests)
    random.Random(seed).shuffle(shuffled)
    return shuffled


def repeat(tests: Sequence[T], times: int) -> list[T]:
    """Return the whole list several times in a row.

    Raises:
        MemoryError: there is no room for that many.
    """
    try:
        return list(tests) * times
    except OverflowError as error:
        raise MemoryError(str(error)) from error


def sample(tests: Collection[T], size: int, rng: random.Random) -> list[T]:
    """Return a random sample of the tests, or all of them if there are fewer.

    Raises:
        ValueError: the size is negative.
    """
    everything = list(tests)
    return everything if size >= len(everything) else rng.sample(everything, size)
