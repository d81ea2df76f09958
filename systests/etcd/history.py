# SPDX-License-Identifier: Apache-2.0
"""What clients did to some registers, and whether a correct register could have answered like that.

Every write is a compare-and-set that names the value it replaces, and no value is ever written twice. So what happened
to a register can be told from its last value: it was written by one operation, which replaced a value that was written
by another one, and so on, back to the beginning. These operations form the register's *chain*. Whatever was
acknowledged has to be on it, whatever was refused must not, and an operation without an answer may or may not be there.
The place of each value on the chain then says whether anybody was shown the past.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

DONE = "done"
REFUSED = "refused"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Read:
    """One client was told the value of a register.

    Args:
        client: who asked.
        key: of the register.
        value: the answer; ``None`` for a register that nobody has written.
        begin: before the question was sent; in seconds, on one clock for all clients.
        end: after the answer came.
    """

    client: str
    key: str
    value: str | None
    begin: float
    end: float

    def __str__(self) -> str:
        return f"{self.client} read {self.value} from {self.key} ({self.begin:.3f} to {self.end:.3f})"


@dataclass(frozen=True)
class Swap:
    """One client wanted to replace a value of a register by another one.

    Args:
        client: who asked.
        key: of the register.
        old: the value that had to be there; ``None`` for a register that nobody has written.
        new: the value that nobody else ever writes.
        outcome: ``DONE``, ``REFUSED`` because another value was there, or ``UNKNOWN`` without an answer that says.
        begin: before the question was sent; in seconds, on one clock for all clients.
        end: after the answer came; without an answer, after the client gave up.
    """

    client: str
    key: str
    old: str | None
    new: str
    outcome: str
    begin: float
    end: float

    def __str__(self) -> str:
        return (
            f"{self.client} replaced {self.old} by {self.new} in {self.key}: {self.outcome} "
            f"({self.begin:.3f} to {self.end:.3f})"
        )


Operation = Read | Swap


def problems(history: Iterable[Operation], last: dict[str, str | None]) -> list[str]:
    """Return what no correct registers could have done, one sentence for each; empty if all is well.

    Args:
        history: all operations of all clients, in any order.
        last: value of each register after all operations had ended.
    """
    by_key: dict[str, list[Operation]] = {key: [] for key in last}
    for operation in history:
        if operation.key not in by_key:
            return [f"nobody looked for the last value of {operation.key}"]
        by_key[operation.key].append(operation)
    return [problem for key, operations in by_key.items() for problem in _problems_of_one(operations, last[key])]


def as_lines(history: Iterable[Operation]) -> str:
    """Return a history as text, one operation a line, in the order in which they began."""
    ordered = sorted(history, key=lambda operation: operation.begin)
    return "".join(f"{json.dumps({'kind': type(each).__name__, **asdict(each)})}\n" for each in ordered)


def _problems_of_one(operations: list[Operation], last: str | None) -> list[str]:
    swaps = [operation for operation in operations if isinstance(operation, Swap)]
    writers = {swap.new: swap for swap in swaps}
    if len(writers) < len(swaps):
        return [f"a value of {swaps[0].key} was written twice, so nothing can be told"]
    chain, broken = _chain(writers, last)
    if broken is not None:
        return [broken]
    places = {value: place for place, value in enumerate(chain)}
    return (
        _wrong_outcomes(swaps, places)
        + [
            f"{each}, which was never there"
            for each in operations
            if isinstance(each, Read) and each.value not in places
        ]
        + _travels_in_time(operations, places)
    )


def _chain(writers: dict[str, Swap], last: str | None) -> tuple[list[str | None], str | None]:
    """Return the values that a register had, in order, or why that cannot be told."""
    chain = [last]
    while (value := chain[-1]) is not None:
        if value not in writers:
            return [], f"the value {value} is one that nobody wrote"
        if len(chain) > len(writers):
            return [], f"the values lead in a circle that contains {value}"
        chain.append(writers[value].old)
    return chain[::-1], None


def _wrong_outcomes(swaps: list[Swap], places: dict[str | None, int]) -> list[str]:
    lost = [f"lost update: {each}" for each in swaps if each.outcome == DONE and each.new not in places]
    ghosts = [f"{each}, but it took effect" for each in swaps if each.outcome == REFUSED and each.new in places]
    return lost + ghosts


def _travels_in_time(operations: list[Operation], places: dict[str | None, int]) -> list[str]:
    """Return the operations that saw less than what had been seen or written before they began.

    Reads lie between the writes of a chain. With all of them in line, the one thing that can be wrong is that an
    operation ended before another one began, and its place in the line is behind the other's.
    """
    line = {each: place for each in operations if (place := _place(each, places)) is not None}
    begins = sorted(line, key=lambda each: each.begin)
    # Nobody knows when an operation without an answer took effect, if at all, so none has to come after it
    ends = sorted((each for each in line if not _is_open(each)), key=lambda each: each.end)
    found = []
    latest: Operation | None = None
    ended = 0
    for operation in begins:
        while ended < len(ends) and ends[ended].end < operation.begin:
            if latest is None or line[ends[ended]] > line[latest]:
                latest = ends[ended]
            ended += 1
        if latest is not None and line[operation] < line[latest]:
            found.append(f"back in time: {operation}, after {latest}")
    return found


def _place(operation: Operation, places: dict[str | None, int]) -> int | None:
    """Return where in line an operation is: even for writes, odd for reads of what was written; none if nowhere."""
    if isinstance(operation, Read):
        return 2 * places[operation.value] + 1 if operation.value in places else None
    if operation.outcome == REFUSED or operation.new not in places:
        return None
    return 2 * places[operation.new]


def _is_open(operation: Operation) -> bool:
    return isinstance(operation, Swap) and operation.outcome == UNKNOWN
