# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.tests.scheduling.queue import Entry, Place, WaitingTests
from ducktape.tests.test_context import TestContext


def _test(name: str, nodes: int | None, seconds: float, number: int = 0) -> Entry:
    spec = None if nodes is None else ClusterSpec.simple_linux(nodes)
    place = Place(name != "first", (-seconds, -(nodes or 0)), number)
    return Entry(place, seconds, TestContext(module=name), spec)


def _names(queue: WaitingTests) -> list[str | None]:
    return [entry.context.module for entry, _ in queue.in_order()]


def test_tests_of_one_demand_stand_in_one_line() -> None:
    tests = [_test("a", 1, 5.0), _test("b", 2, 7.0), _test("c", 1, 9.0), _test("first", 1, 1.0), _test("d", None, 1.0)]
    queue = WaitingTests(tests)
    assert _names(queue) == ["first", "c", "b", "a", "d"]
    assert [[entry.context.module for entry in line.entries] for line in queue.lines()] == [
        ["first"],
        ["c", "a"],
        ["b"],
        ["d"],
    ]
    assert [line.size for line in queue.lines()] == [1, 1, 2, 0]


def test_the_place_of_a_removed_test_is_returned() -> None:
    tests = [_test("a", 1, 5.0), _test("b", 1, 7.0)]
    queue = WaitingTests(tests)
    place, line = queue.remove(tests[1].context)
    assert place == Place(True, (-7.0, -1.0), 0)
    assert (len(queue), _names(queue)) == (1, ["a"])
    assert line is queue.lines()[0]
    queue.remove(tests[0].context)
    assert (queue.lines(), len(queue)) == ([], 0)


def test_a_repeated_test_leaves_its_first_place_first() -> None:
    test, other = _test("a", 1, 5.0, 0), _test("b", 1, 5.0, 1)
    again = test._replace(place=test.place._replace(number=2))
    queue = WaitingTests([again, other, test])
    assert _names(queue) == ["a", "b", "a"]
    queue.remove(test.context)
    assert _names(queue) == ["b", "a"]


def test_a_line_knows_who_is_done_in_time() -> None:
    line = WaitingTests([_test("a", 1, 5.0), _test("b", 1, 7.0, 1), _test("c", 1, 7.0, 2)]).lines()[0]
    found = [line.longest_within(seconds) for seconds in (9.0, 7.0, 6.0, 4.0)]
    assert [entry and entry.context.module for entry in found] == ["b", "b", "a", None]
