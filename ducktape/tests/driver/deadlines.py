# SPDX-License-Identifier: Apache-2.0
"""How long a test may take, and the next step when it takes longer; a pure function of time."""

from __future__ import annotations

import dataclasses
import enum
import math

from ducktape.tests.test_context import TestContext

# Of each phase in the life of a test: which limit it counts for.
SETUP, TEST, DUMP, TEARDOWN, STOP, COLLECT, CLEAN = "setup", "test", "dump", "teardown", "stop", "collect", "clean"
_SECONDS_FOR_STACKS = 0.3
_SECONDS_TO_ANSWER = 5.0
_SECONDS_TO_LEAVE = 60.0  # the phase in which it was interrupted: some clean up, others swallow the interrupt
_SECONDS_TO_COLLECT = 300.0


@dataclasses.dataclass(frozen=True)
class Limits:
    """Seconds that the phases of a test may take; ``None`` is without limit."""

    setup: float | None = None  # constructor and setup
    test: float | None = None
    teardown: float | None = None  # as long again for stopping the services, and for cleaning them
    collect: float = _SECONDS_TO_COLLECT  # collecting the logs, once the test was asked to end
    silence: float = math.inf  # without any sign of life
    ending: float = _SECONDS_TO_COLLECT  # the limit of the teardown of a test that was asked to end and has none
    origin: dict[str, str] = dataclasses.field(default_factory=dict)  # where each limit comes from, for messages

    def of(self, phase: str, *, ending: bool) -> float:
        """Return how long a phase may take."""
        if phase in (DUMP, COLLECT):
            return self.collect if ending else math.inf
        if phase in (TEARDOWN, STOP, CLEAN):
            limit = self.ending if ending and self.teardown is None else self.teardown
        else:
            limit = {SETUP: self.setup, TEST: self.test}.get(phase)
        return math.inf if limit is None else limit


def limits_of(context: TestContext, *, silence: float, ending: float) -> Limits:
    """Return the limits of a test: those of its mark go before those of the session."""
    marked = context.timeouts
    session = context.session_context
    if getattr(session, "debugger", None):
        return Limits(ending=ending)  # an editor does not tell when it stops the test
    general = getattr(session, "test_timeout", None)
    origin = {} if general is None else dict.fromkeys((SETUP, TEST), "--test-timeout")
    origin.update(dict.fromkeys(marked, "@timeout"))
    return Limits(
        setup=marked.get(SETUP, general),
        test=marked.get(TEST, general),
        teardown=marked.get(TEARDOWN),
        collect=getattr(session, "collect_timeout", None) or min(_SECONDS_TO_COLLECT, ending),
        silence=silence,
        ending=ending,
        origin=origin,
    )


class Step(enum.Enum):
    """What is to be done to a test whose time is over."""

    ASK = "ask for stacks"
    INTERRUPT = "interrupt"
    KILL = "kill"


class Watch:
    """The time of one test's process, from its start to the last step of its ending.

    A test whose time is over is first asked for its stacks, a moment later interrupted, and killed when it does not
    even acknowledge that. One that does continues with the next phase, which has its own limit. ``now`` is in seconds
    of a monotonic clock.
    """

    def __init__(self, limits: Limits, now: float) -> None:
        self.limits = limits
        self.phase = ""
        self.phase_since = now
        self.last_heartbeat = now
        self.ending = False
        self._ask_at: float | None = None
        self._interrupted_at: float | None = None
        self._killed = False
        self._paused_at: float | None = None

    def heartbeat(self, now: float) -> None:
        """Note a sign of life."""
        self.last_heartbeat = now

    def entered(self, phase: str, now: float) -> None:
        """Note that the test is in a new phase."""
        self.phase, self.phase_since, self.last_heartbeat = phase, now, now
        self._ask_at = self._interrupted_at = self._paused_at = None

    @property
    def is_paused(self) -> bool:
        """Whether a debugger has stopped the time."""
        return self._paused_at is not None

    def paused(self, now: float) -> None:
        """Note that a debugger has stopped the test; one that was asked to end gets no more time."""
        if self._paused_at is None and self._ask_at is None and self._interrupted_at is None:
            self._paused_at = now

    def resumed(self, now: float) -> None:
        """Note that the test goes on; the time in the debugger counts for no limit."""
        if self._paused_at is not None:
            self.phase_since += now - self._paused_at
            self.last_heartbeat, self._paused_at = now, None

    @property
    def deadline(self) -> float:
        """When something has to be done next."""
        if self._killed or self._paused_at is not None:
            return math.inf
        if self._interrupted_at is not None:
            if self.last_heartbeat <= self._interrupted_at:
                return self._interrupted_at + min(_SECONDS_TO_ANSWER, self.limits.ending)
            return self._interrupted_at + min(_SECONDS_TO_LEAVE, self.limits.of(TEARDOWN, ending=True))
        if self._ask_at is not None:
            return self._ask_at + _SECONDS_FOR_STACKS
        return min(self.last_heartbeat + self.limits.silence, self.phase_since + self._limit)

    @property
    def _limit(self) -> float:
        return self.limits.of(self.phase, ending=self.ending)

    def due(self, now: float) -> Step | None:
        """Return what has to be done now, and count it as done; ``None`` for nothing."""
        if now < self.deadline:
            return None
        if self._interrupted_at is not None:
            self._killed = True
            return Step.KILL
        if self._ask_at is not None:
            self.interrupted(now)
            return Step.INTERRUPT
        # A thread with a signal pending is passed over when the next one comes, and only the main thread, blocked as it
        # may be, can act on a request to end. So the one has to be dealt with before the other is sent.
        self._ask_at = now
        self.ending = True
        return Step.ASK

    def interrupted(self, now: float) -> None:
        """Note that the test is asked to end."""
        self.resumed(now)
        self.ending = True
        self._interrupted_at = now

    def describe(self, now: float) -> str:
        """Say in one line which time is over."""
        if now >= self.phase_since + self._limit:
            origin = self.limits.origin.get(TEARDOWN if self.phase in (STOP, CLEAN) else self.phase)
            source = f" ({origin})" if origin else ""
            return f"its {self.phase} took longer than {self._limit:g} seconds{source}"
        return f"nothing was heard of the test for {self.limits.silence:g} seconds"
