# SPDX-License-Identifier: Apache-2.0
"""The suite of etcd, run as a user runs it, and the checker of histories that it relies on."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systests.etcd.etcd_service import PACKAGES
from systests.etcd.history import DONE, REFUSED, UNKNOWN, Operation, Read, Swap, as_lines, problems
from tests.support.needs import require
from tests.support.program import CHECKOUT, Program
from tests.system.own_addresses import Network, nodes_with_own_addresses
from tests.system.results import Runs, collected_logs, service_of, skip_without

# Elections and failovers have deadlines of their own
pytestmark = pytest.mark.quiet

SUITE = str(CHECKOUT / "systests" / "etcd")
# Begins with partitions of two different members
SEED = 45
TESTS = (
    "test_leader_is_killed",
    "test_leader_stands_still",
    "test_partition.isolated=follower",
    "test_partition.isolated=leader",
    "test_random_faults",
)


def swap(client: str, old: str | None, new: str, begin: float, end: float, outcome: str = DONE, key: str = "k") -> Swap:
    return Swap(client, key, old, new, outcome, begin, end)


def read(client: str, value: str | None, begin: float, end: float, key: str = "k") -> Read:
    return Read(client, key, value, begin, end)


# ---- histories that are as they should be


def test_one_value_after_the_other_is_fine() -> None:
    history: list[Operation] = [
        read("a", None, 0, 1),
        swap("a", None, "1", 2, 3),
        read("b", "1", 4, 5),
        swap("b", "1", "2", 6, 7),
        read("a", "2", 8, 9),
    ]
    assert problems(history, {"k": "2"}) == []


def test_at_the_same_time_either_order_is_fine() -> None:
    write = swap("a", None, "1", 0, 10)
    assert problems([write, read("b", None, 5, 6), read("b", "1", 7, 8)], {"k": "1"}) == []
    assert problems([write, read("b", "1", 1, 2), read("b", "1", 7, 8)], {"k": "1"}) == []
    assert problems([write, swap("b", "1", "2", 5, 6)], {"k": "2"}) == []


def test_an_operation_without_an_answer_may_have_happened_or_not() -> None:
    lost = swap("a", None, "1", 0, 1, UNKNOWN)
    assert problems([lost], {"k": "1"}) == []
    assert problems([lost], {"k": None}) == []
    assert problems([lost, swap("b", None, "2", 2, 3)], {"k": "2"}) == []
    assert problems([lost, swap("b", "1", "2", 2, 3)], {"k": "2"}) == []


def test_an_operation_without_an_answer_may_happen_long_after_it() -> None:
    late = swap("a", None, "1", 0, 1, UNKNOWN)
    assert problems([late, read("b", None, 5, 6), read("b", "1", 7, 8)], {"k": "1"}) == []


def test_registers_are_independent() -> None:
    history: list[Operation] = [
        swap("a", None, "1", 0, 1, key="x"),
        swap("a", None, "2", 2, 3, key="y"),
        read("b", None, 4, 5, key="z"),
    ]
    assert problems(history, {"x": "1", "y": "2", "z": None}) == []


# ---- histories that no correct register has


def test_an_acknowledged_update_that_another_one_replaced_unseen_is_lost() -> None:
    history: list[Operation] = [swap("a", None, "1", 0, 1), swap("a", "1", "2", 2, 3), swap("b", "1", "3", 4, 5)]
    [problem] = problems(history, {"k": "3"})
    assert problem == "lost update: a replaced 1 by 2 in k: done (2.000 to 3.000)"


def test_two_clients_that_both_replace_nothing_lose_an_update() -> None:
    history: list[Operation] = [swap("a", None, "1", 0, 5), swap("b", None, "2", 0, 5)]
    assert problems(history, {"k": "2"}) == ["lost update: a replaced None by 1 in k: done (0.000 to 5.000)"]


def test_an_acknowledged_update_that_is_gone_in_the_end_is_lost() -> None:
    history: list[Operation] = [swap("a", None, "1", 0, 1), swap("a", "1", "2", 2, 3)]
    assert problems(history, {"k": "1"}) == ["lost update: a replaced 1 by 2 in k: done (2.000 to 3.000)"]
    assert [problem[:11] for problem in problems(history, {"k": None})] == ["lost update", "lost update"]


def test_an_update_that_was_refused_must_not_happen() -> None:
    history: list[Operation] = [swap("a", None, "1", 0, 1, REFUSED)]
    assert problems(history, {"k": "1"}) == ["a replaced None by 1 in k: refused (0.000 to 1.000), but it took effect"]


def test_a_value_that_was_read_must_have_been_there() -> None:
    history: list[Operation] = [swap("a", None, "1", 0, 1, UNKNOWN), read("b", "1", 2, 3), swap("b", None, "2", 4, 5)]
    assert problems(history, {"k": "2"}) == ["b read 1 from k (2.000 to 3.000), which was never there"]


def test_a_read_of_the_past_is_found() -> None:
    history: list[Operation] = [swap("a", None, "1", 0, 1), swap("a", "1", "2", 2, 3), read("b", "1", 4, 5)]
    [problem] = problems(history, {"k": "2"})
    assert problem.startswith("back in time: b read 1 from k (4.000 to 5.000), after a replaced 1 by 2")


def test_a_client_that_goes_back_is_found_even_while_the_write_goes_on() -> None:
    history: list[Operation] = [swap("a", None, "1", 0, 10), read("b", "1", 1, 2), read("b", None, 3, 4)]
    [problem] = problems(history, {"k": "1"})
    assert problem == "back in time: b read None from k (3.000 to 4.000), after b read 1 from k (1.000 to 2.000)"


def test_a_client_that_goes_back_behind_another_one_is_found() -> None:
    history: list[Operation] = [swap("a", None, "1", 0, 9, UNKNOWN), read("b", "1", 1, 2), read("c", None, 3, 4)]
    [problem] = problems(history, {"k": "1"})
    assert problem.startswith("back in time: c read None")


def test_a_value_that_is_read_before_anybody_asked_to_write_it_is_found() -> None:
    history: list[Operation] = [read("b", "1", 0, 1), swap("a", None, "1", 2, 3)]
    [problem] = problems(history, {"k": "1"})
    assert problem.startswith("back in time: a replaced None by 1")


def test_writes_in_an_order_that_contradicts_time_are_found() -> None:
    history: list[Operation] = [swap("a", "2", "1", 0, 1), swap("b", None, "2", 2, 3)]
    [problem] = problems(history, {"k": "1"})
    assert problem.startswith("back in time: b replaced None by 2")


def test_a_last_value_that_nobody_wrote_is_found() -> None:
    assert problems([swap("a", None, "1", 0, 1)], {"k": "9"}) == ["the value 9 is one that nobody wrote"]


def test_values_that_replace_each_other_are_found() -> None:
    history: list[Operation] = [swap("a", "2", "1", 0, 5), swap("b", "1", "2", 0, 5)]
    [problem] = problems(history, {"k": "1"})
    assert problem.startswith("the values lead in a circle")


def test_a_history_from_which_nothing_can_be_told_is_not_taken_for_a_good_one() -> None:
    twice = [swap("a", None, "1", 0, 1, UNKNOWN), swap("b", None, "1", 2, 3, UNKNOWN)]
    assert problems(twice, {"k": "1"}) == ["a value of k was written twice, so nothing can be told"]
    assert problems([read("a", None, 0, 1)], {}) == ["nobody looked for the last value of k"]


# ---- any history


def simulated(
    seed: int, *, lose: bool = False, stale: bool = False
) -> tuple[Sequence[Operation], dict[str, str | None]]:
    """What clients of a register see, each operation of which happens at one moment between its begin and its end.

    Args:
        seed: of all that is left to chance.
        lose: one acknowledged write, the value of which nobody has seen yet, is forgotten.
        stale: one read, at the end, returns what was there before the last write.
    """
    chance = random.Random(seed)
    value: str | None = None
    moments = []
    free = dict.fromkeys(("a", "b", "c"), 0.0)
    for number in range(40):
        client = chance.choice(sorted(free))
        begin = free[client] + chance.random()
        end = begin + chance.random() * 5
        answered = chance.random() < 0.8
        # What nobody waits for any more may happen at any time
        moment = chance.uniform(begin, end if answered else end + 20)
        moments.append((moment, number, client, begin, end, answered))
        free[client] = end
    history: list[Operation] = []
    seen: dict[str, str | None] = dict.fromkeys(free)
    for _, number, client, begin, end, answered in sorted(moments):
        if chance.random() < 0.4:
            if answered:
                history.append(read(client, value, begin, end))
                seen[client] = value
            continue
        # A client that has seen too little for a while is refused
        old = seen[client] if chance.random() < 0.5 else value
        outcome = DONE if old == value else REFUSED
        history.append(swap(client, old, str(number), begin, end, outcome if answered else UNKNOWN))
        if outcome == DONE:
            value = str(number)
    last = max(each.end for each in history) + 30
    history.append(swap("a", value, "end", last, last + 1))
    if lose:
        return history, {"k": value}
    if stale:
        history.append(read("b", value, last + 2, last + 3))
    return history, {"k": "end"}


@given(st.integers())
def test_what_a_register_does_is_never_found_fault_with(seed: int) -> None:
    assert problems(*simulated(seed)) == []


@given(st.integers(), st.sampled_from(["lose", "stale"]))
def test_what_is_lost_or_stale_is_always_found(seed: int, what: str) -> None:
    history, last = simulated(seed, **{what: True})
    begin = {"lose": "lost update: a replaced", "stale": "back in time: b read"}[what]
    assert [problem[: len(begin)] for problem in problems(history, last)] == [begin]


def test_a_history_is_kept_as_lines_in_the_order_of_time() -> None:
    lines = as_lines([read("b", "1", 2, 3), swap("a", None, "1", 0, 1)])
    assert lines.splitlines() == [
        '{"kind": "Swap", "client": "a", "key": "k", "old": null, "new": "1", "outcome": "done", "begin": 0, "end": 1}',
        '{"kind": "Read", "client": "b", "key": "k", "value": "1", "begin": 2, "end": 3}',
    ]


# ---- the suite


BROKEN = {
    "unconditional": ("test_leader_is_killed", "lost update: client"),
    "stale": ("test_random_faults", "back in time: client"),
    "stale-member": (
        'test_partition@{"isolated": "follower"}',
        "is cut off from the majority and answers all the same",
    ),
}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Network]]:
    """Machines that are reached by SSH."""
    require("bridges", "sshd")
    skip_without(PACKAGES)
    with nodes_with_own_addresses(tmp_path_factory.mktemp("servers"), 12) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def runs(network: tuple[str, Network], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Runs of the suite, of all of it or of one test."""
    with Runs(tmp_path_factory.mktemp("etcd")) as runs:
        runs.start("ssh", SUITE, "--cluster", "json", "--cluster-file", network[0], "--max-parallel", "3")
        runs.start("sandbox", SUITE, "--cluster", "sandbox", "--max-parallel", "3")
        for name, (test, _) in BROKEN.items():
            settings = json.dumps({"broken": name.partition("-")[0], "seed": SEED, "faults": 2})
            runs.start(name, f"{SUITE}/test_etcd.py::EtcdTest.{test}", "--cluster", "sandbox", "--globals", settings)
        yield runs


def passed_everywhere(run: Program) -> None:
    assert run.statuses == dict.fromkeys(TESTS, "PASS"), run.output
    assert run.process.returncode == 0
    assert run.survivors() == []


def members_of(run: Program) -> list[str]:
    """The logs of the members after their leader was killed."""
    return collected_logs(run, run.result("test_leader_is_killed"), "EtcdService", "etcd-{}.log")


def test_the_suite_passes_on_the_sandbox(runs: Runs) -> None:
    passed_everywhere(runs.finished("sandbox"))


def test_the_members_show_in_the_collected_logs(runs: Runs) -> None:
    run = runs.finished("sandbox")
    logs = members_of(run)
    assert sorted(log.count('"msg":"starting an etcd server"') for log in logs) == [1, 1, 2], "one was killed"
    assert sum(log.count("became leader") for log in logs) >= 2
    result = run.result("test_leader_is_killed")
    assert (result["nodes_allocated"], len(service_of(result, "EtcdClients")["nodes"])) == (4, 1)


def test_what_the_clients_did_is_in_the_report_and_beside_it(runs: Runs) -> None:
    run = runs.finished("sandbox")
    result = run.result("test_random_faults")
    data = result["data"]
    assert sorted(data) == ["done", "faults", "refused", "seed", "unknown"]
    assert (data["faults"] >= 4, data["done"] >= 50, data["refused"] > 0) == (True, True, True)
    directory = run.folder / "results" / "latest" / result["relative_results_dir"]
    history = [json.loads(line) for line in (directory / "history.jsonl").read_text().splitlines()]
    swaps = [each["outcome"] for each in history if each["kind"] == "Swap"]
    assert {outcome: swaps.count(outcome) for outcome in (DONE, REFUSED, UNKNOWN)} == {
        outcome: data[outcome] for outcome in (DONE, REFUSED, UNKNOWN)
    }
    log = (directory / "test_log.info").read_text()
    assert f"the seed of the faults is {data['seed']}" in log


def test_the_suite_passes_on_machines_that_are_reached_by_ssh(runs: Runs, network: tuple[str, Network]) -> None:
    run = runs.finished("ssh")
    passed_everywhere(run)
    assert sorted(log.count('"msg":"starting an etcd server"') for log in members_of(run)) == [1, 1, 2]
    _, machines = network
    assert (set(machines.processes()) - set(machines.servers), machines.files()) == (set(), [])


@pytest.mark.parametrize("name", BROKEN)
def test_bad_clients_are_found_out(runs: Runs, name: str) -> None:
    run = runs.finished(name)
    [result] = run.report["results"]
    assert (result["test_status"], run.process.returncode) == ("FAIL", 1), run.output
    assert BROKEN[name][1] in result["summary"]
