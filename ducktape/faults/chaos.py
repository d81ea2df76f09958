# SPDX-License-Identifier: Apache-2.0
"""Random faults, in a sequence that can be repeated by its seed."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from random import Random, SystemRandom
from typing import TypeVar, Union

from ducktape.errors import TimeoutError
from ducktape.faults.errors import FaultError, FaultUnavailable
from ducktape.faults.fault import Fault
from ducktape.utils.support.guard import error_of
from ducktape.utils.support.hooks import answer_of

Maker = Callable[..., Fault]
M = TypeVar("M", bound=Maker)
Plan = Union[Sequence[M], Mapping[M, float]]  # the keys of a mapping are of exactly its type


class RandomFaults(Fault):
    """Faults one after another, in a thread, with pauses in between.

    Attributes:
        seed: repeats the sequence.
        history: the faults that were injected, in order.
    """

    kind = "random"

    def __init__(self, plan: Plan[M], seed: int | None, interval: float, pause: float | None) -> None:
        if not plan:
            raise ValueError("a plan needs at least one function that makes a fault")
        if interval <= 0:
            raise ValueError(f"an interval of {interval} seconds is too short")
        super().__init__([])
        weights = dict(plan) if isinstance(plan, Mapping) else dict.fromkeys(plan, 1.0)
        self._makers, self._weights = list(weights), list(weights.values())
        self.seed = SystemRandom().randrange(1 << 32) if seed is None else seed
        self.details = {"seed": self.seed, "interval": interval}
        self.history: list[Fault] = []
        self._interval = interval
        self._pause = interval if pause is None else pause
        self._stopped = threading.Event()
        self._started = threading.Event()
        self._thread: threading.Thread | None = None
        self._unavailable: dict[int, str] = {}
        self._error: BaseException | None = None

    def __str__(self) -> str:
        return f"random faults (seed={self.seed}, every {self._interval} seconds)"

    def wait_effective(self, timeout_sec: float = 60) -> None:
        """Block until the first fault is in effect; raises :class:`FaultUnavailable` if no fault is available."""
        if not self._started.wait(timeout_sec):
            raise TimeoutError(f"{self}: none has come into effect within {timeout_sec} seconds")
        self._raise_errors()
        self.effective = self._clock.now()

    def _probe(self) -> None:
        """Each fault probes for itself before it is injected."""

    def _inject(self) -> None:
        self.history, self._error, self._unavailable = [], None, {}
        self._stopped, self._started = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"faults-{self.seed}", daemon=True)
        self._thread.start()

    def _heal(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            self._note_healed("test")
        self._raise_errors()

    @property
    def _are_all_unavailable(self) -> bool:
        return not self.history and len(self._unavailable) >= len(self._makers)

    def _raise_errors(self) -> None:
        if self._error is not None:
            raise self._error
        if self._are_all_unavailable:
            raise FaultUnavailable("; ".join(self._unavailable.values()))

    def _run(self) -> None:
        self._error = error_of(self._run_all)
        self._started.set()

    def _run_all(self) -> None:
        rng = Random(self.seed)
        while not self._stopped.is_set():
            # Draw the same amount of random numbers whether or not the fault is available, so only the seed decides
            number = rng.choices(range(len(self._makers)), self._weights)[0]
            own_rng = Random(rng.getrandbits(64))
            lasts, rests = (rng.uniform(0.5, 1) * length for length in (self._interval, self._pause))
            if self._run_one(number, own_rng, lasts):
                self._stopped.wait(rests)
            elif self._are_all_unavailable:
                break

    def _run_one(self, number: int, rng: Random, lasts: float) -> bool:
        """Make a fault, inject it, wait and heal it; returns whether it was available."""
        maker = self._makers[number]
        fault = answer_of(maker, rng) if _takes_rng(maker) else answer_of(maker)
        if not isinstance(fault, Fault):
            raise FaultError(f"a function of the plan returned {fault!r}, which is no fault")
        fault.details["random_seed"] = self.seed
        try:
            fault.inject()
        except FaultUnavailable as error:
            fault._log(logging.WARNING, f"left out: {error}")
            name = getattr(maker, "__name__", str(number))
            self._unavailable[number] = f"{name}: {error}" if len(self._makers) > 1 else str(error)
            self._stopped.wait(0.05)
            return False
        try:
            if not self.history:
                fault._log(logging.INFO, f"is the first of {self}")
            self.history.append(fault)
            fault.wait_effective()
            self._started.set()
            self._stopped.wait(lasts)
        finally:
            fault.heal()
        fault.wait_healed()
        return True


def _takes_rng(maker: Maker) -> bool:
    try:
        parameters = inspect.signature(maker).parameters.values()
    except (TypeError, ValueError):
        return False
    needed = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(one.kind in needed and one.default is inspect.Parameter.empty for one in parameters)


def random(plan: Plan[M], seed: int | None = None, interval: float = 5, *, pause: float | None = None) -> RandomFaults:
    """Inject one fault after another in the background, until healed.

    Args:
        plan: functions that each make a fault, such as ``lambda: isolate(node)``, or a mapping from those to their
            weights. A function with a parameter gets a ``random.Random`` to choose nodes with:
            ``lambda rng: isolate(rng.choice(nodes))``.
        seed: repeats a sequence; a new one by default, which stands in the log and in the record of each fault.
        interval: maximum duration of a fault in seconds; the minimum is half of it.
        pause: likewise the time between two faults; the interval by default.

    Returns:
        A fault with ``seed`` and ``history``. Unavailable faults are left out; if all are, :class:`FaultUnavailable` is
        raised. An error of the plan is raised on healing.
    """
    return RandomFaults(plan, seed, interval, pause)
