# SPDX-License-Identifier: Apache-2.0
"""Faults at random, in a sequence that its seed repeats."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from random import Random, SystemRandom
from typing import Union

from ducktape.errors import TimeoutError
from ducktape.faults.errors import FaultError, FaultUnavailable
from ducktape.faults.fault import Fault
from ducktape.utils.support.hooks import answer_of

Maker = Callable[..., Fault]
Plan = Union[Sequence[Maker], Mapping[Maker, float]]


class Storm(Fault):
    """One fault after the other, in a thread, with pauses in between.

    Attributes:
        seed: repeats the sequence.
        history: the faults that were injected, in order.
    """

    kind = "random"

    def __init__(self, plan: Plan, seed: int | None, interval: float, pause: float | None) -> None:
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
        self._over = threading.Event()
        self._begun = threading.Event()
        self._thread: threading.Thread | None = None
        self._unavailable: dict[int, str] = {}
        self._error: BaseException | None = None

    def __str__(self) -> str:
        return f"random faults (seed={self.seed}, every {self._interval} seconds)"

    def wait_effective(self, timeout_sec: float = 60) -> None:
        """Block until the first fault is in effect.

        Args:
            timeout_sec: seconds.

        Raises:
            FaultUnavailable: none of the plan can be done.
            TimeoutError: (the framework's) none has come into effect.
        """
        if not self._begun.wait(timeout_sec):
            raise TimeoutError(f"{self}: none has come into effect within {timeout_sec} seconds")
        self._complain()
        self.effective = self._clock.now()

    def _probe(self) -> None:
        """Each fault looks for itself, when its turn comes."""

    def _inject(self) -> None:
        self.history, self._error, self._unavailable = [], None, {}
        self._over, self._begun = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._blow, name=f"faults-{self.seed}", daemon=True)
        self._thread.start()

    def _heal(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            self._note_healed("test")
        self._complain()

    def _complain(self) -> None:
        if self._error is not None:
            raise self._error
        if not self.history and len(self._unavailable) >= len(self._makers):
            raise FaultUnavailable("; ".join(self._unavailable.values()))

    def _blow(self) -> None:
        dice = Random(self.seed)
        try:
            while not self._over.is_set():
                # Always the same number of throws, whatever becomes of the fault: the sequence depends on nothing else
                number = dice.choices(range(len(self._makers)), self._weights)[0]
                own_dice = Random(dice.getrandbits(64))
                lasts, rests = (dice.uniform(0.5, 1) * length for length in (self._interval, self._pause))
                if self._strike(number, own_dice, lasts):
                    self._over.wait(rests)
                elif not self.history and len(self._unavailable) >= len(self._makers):
                    break
        except BaseException as error:
            self._error = error
        finally:
            self._begun.set()

    def _strike(self, number: int, dice: Random, lasts: float) -> bool:
        """Make a fault, inject it, wait and heal it; returns whether the machines could do it."""
        maker = self._makers[number]
        fault = answer_of(maker, dice) if _takes_dice(maker) else answer_of(maker)
        if not isinstance(fault, Fault):
            raise FaultError(f"a function of the plan returned {fault!r}, which is no fault")
        fault.details["random_seed"] = self.seed
        try:
            fault.inject()
        except FaultUnavailable as error:
            fault._log(logging.WARNING, f"left out: {error}")
            name = getattr(maker, "__name__", str(number))
            self._unavailable[number] = f"{name}: {error}" if len(self._makers) > 1 else str(error)
            self._over.wait(0.05)
            return False
        try:
            if not self.history:
                fault._log(logging.INFO, f"is the first of {self}")
            self.history.append(fault)
            fault.wait_effective()
            self._begun.set()
            self._over.wait(lasts)
        finally:
            fault.heal()
        fault.wait_healed()
        return True


def _takes_dice(maker: Maker) -> bool:
    try:
        parameters = inspect.signature(maker).parameters.values()
    except (TypeError, ValueError):
        return False
    needed = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(one.kind in needed and one.default is inspect.Parameter.empty for one in parameters)


def random(plan: Plan, seed: int | None = None, interval: float = 5, *, pause: float | None = None) -> Storm:
    """Inject one fault after the other in the background, until healed.

    Args:
        plan: functions that each make a fault, such as ``lambda: isolate(node)``, or a mapping from those to their
            weights. One with a parameter is given a ``random.Random`` to choose nodes with:
            ``lambda dice: isolate(dice.choice(nodes))``.
        seed: repeats the sequence; by default a new one, which the log tells and the records of each fault.
        interval: seconds that a fault lasts at most; at least half of that.
        pause: likewise the time between two faults; the same by default.

    Returns:
        A fault as all others are, with ``seed`` and ``history``. What machines cannot do is left out; if that is
        everything, :class:`FaultUnavailable` is raised. An error of the plan is raised when it heals.
    """
    return Storm(plan, seed, interval, pause)
