# SPDX-License-Identifier: Apache-2.0
"""Which of the tests run, and in which order: pure functions over lists of contexts."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ducktape.tests.test_context import TestContext
from ducktape.utils.support.guard import value_or

T = TypeVar("T")


def argument_key(arguments: object, *, exact: bool = True) -> Hashable:
    """Return a key that is equal for values of the same JSON, where ``1``, ``1.0`` and ``True`` differ if ``exact``."""
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
    """The identities of tests, by ``id()`` of their contexts."""

    ids: dict[int, str] = field(default_factory=dict)
    positions: dict[int, int] = field(default_factory=dict)  # in the order that the tests were given in
    kept: dict[int, TestContext] = field(default_factory=dict)  # instead of another context of the same test
    renamed: dict[str, list[str]] = field(default_factory=dict)  # new ids of different tests that shared an id

    def distinct(self, contexts: Iterable[TestContext]) -> list[TestContext]:
        """Return each test once."""
        return unique(self.kept.get(id(context), context) for context in contexts)

    def settle(self, contexts: Iterable[TestContext]) -> list[TestContext]:
        """Return each test once, sorted by its id."""
        return sorted(self.distinct(contexts), key=lambda context: (self.ids[id(context)], self.positions[id(context)]))


def disambiguate(contexts: Iterable[TestContext]) -> Identities:
    """Give different tests different ids; the first of several keeps its own, the others get ``-2``, ``-3``, ….

    The contexts are all tests, in an order that is the same in every run. Their ``disambiguator`` is set.
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
        distinct: list[TestContext] = []
        numbers = itertools.count(2)
        for context in group:
            same = next((each for each in distinct if _is_same_test(each, context)), None)
            if same is not None:
                identities.kept[id(context)] = same
                continue
            if distinct:
                number = next(number for number in numbers if f"{test_id}-{number}" not in taken)
                taken.add(f"{test_id}-{number}")
                context.disambiguator = f"-{number}"
                identities.ids[id(context)] = context.test_id
            distinct.append(context)
        if len(distinct) > 1:
            identities.renamed[test_id] = [identities.ids[id(context)] for context in distinct]
    return identities


def _is_same_test(one: TestContext, other: TestContext) -> bool:
    """Return whether two contexts of one id are one test that was named twice."""
    if one.cls is not other.cls or _base_function(one) is not _base_function(other):
        return False
    arguments, others = one.injected_args, other.injected_args
    # The values are the user's, and so is their comparison
    return value_or(False, lambda: bool(arguments == others) and _types_of(arguments) == _types_of(others))


def _types_of(arguments: Mapping[str, object] | None) -> dict[str, type]:
    """Return the types of arguments: Decimal("1.5") and 1.5 are equal, and two tests all the same."""
    return {name: type(value) for name, value in (arguments or {}).items()}


def _base_function(context: TestContext) -> object:
    """Return the method without the arguments that were bound to it."""
    function: object = context.function
    while (inner := getattr(function, "function", None)) is not None:
        function = inner
    return function


def subset(tests: Sequence[T], index: int, count: int) -> list[T]:
    """Return every ``count``-th test, beginning with number ``index``."""
    return list(tests[index::count])


def balanced_subset(
    tests: Sequence[TestContext], durations: Mapping[str, float], index: int, count: int
) -> list[TestContext]:
    """Return one of ``count`` parts of the tests, sorted by id, that take about the same time each.

    A test without a duration counts with the mean; without any durations the tests are dealt out one by one. Whoever
    takes one of the parts has to give the same durations: only then each test is in exactly one part.
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
    """Return the whole list several times in a row; raises ``MemoryError`` if there is no room for that many."""
    try:
        return list(tests) * times
    except OverflowError as error:
        raise MemoryError(str(error)) from error


def sample(tests: Collection[T], size: int, rng: random.Random) -> list[T]:
    """Return a random sample of the tests, or all of them if there are fewer."""
    everything = list(tests)
    return everything if size >= len(everything) else rng.sample(everything, size)
