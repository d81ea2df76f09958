# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ducktape
from ducktape.errors import TimeoutError
from ducktape.utils import util
from ducktape.utils.util import ducktape_version, load_function, package_is_installed, wait_until


class Script:
    """A condition that answers, or raises, one item after the other and then repeats the last."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.calls = 0

    def __call__(self) -> object:
        answer = self.answers[min(self.calls, len(self.answers) - 1)]
        self.calls += 1
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    fake = Clock()
    monkeypatch.setattr(util, "time", fake)
    yield fake


def test_success_returns_at_once(clock: Clock) -> None:
    wait_until(Script("yes"), 10, 5)
    assert clock.slept == []


def test_success_is_found_after_as_many_pauses_as_failures(clock: Clock) -> None:
    wait_until(Script(False, None, 1), timeout_sec=10, backoff_sec=2)
    assert clock.slept == [2, 2]


def test_an_exception_propagates_at_once(clock: Clock) -> None:
    with pytest.raises(ZeroDivisionError):
        wait_until(lambda: 1 / 0, 10, 5)
    assert clock.slept == []


def test_a_timeout_comes_before_the_attempt_after_the_limit(clock: Clock) -> None:
    condition = Script(False)
    with pytest.raises(TimeoutError, match=r"^too slow$") as raised:
        wait_until(condition, 10, 4, "too slow")
    assert (condition.calls, clock.slept, raised.value.__cause__) == (3, [4, 4, 4], None)


def test_without_time_there_is_no_attempt(clock: Clock) -> None:
    condition = Script(True)
    for timeout_sec in (0, -1):
        with pytest.raises(TimeoutError):
            wait_until(condition, timeout_sec)
    assert condition.calls == 0


def test_a_late_success_counts(clock: Clock) -> None:
    def slow() -> bool:
        clock.now += 100
        return True

    wait_until(slow, timeout_sec=1)


def test_exceptions_can_count_as_not_yet(clock: Clock) -> None:
    condition = Script(ValueError(1), KeyError(2), True)
    wait_until(condition, 10, 1, retry_on_exc=True)
    assert condition.calls == 3


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_interruptions_are_never_swallowed(clock: Clock, interruption: type[BaseException]) -> None:
    with pytest.raises(interruption):
        wait_until(Script(interruption()), 10, 1, retry_on_exc=True)
    assert clock.slept == []


def test_the_cause_is_the_exception_of_the_last_attempt(clock: Clock) -> None:
    last = ValueError("last")
    with pytest.raises(TimeoutError) as raised:
        wait_until(Script(ValueError("first"), last), 2, 1, retry_on_exc=True)
    assert raised.value.__cause__ is last


def test_there_is_no_cause_when_the_last_attempt_answered(clock: Clock) -> None:
    with pytest.raises(TimeoutError) as raised:
        wait_until(Script(ValueError("first"), False), 2, 1, retry_on_exc=True)
    assert raised.value.__cause__ is None


def test_a_message_is_computed_only_when_needed(clock: Clock) -> None:
    message = Script("computed")
    wait_until(Script(True), 1, err_msg=message)
    assert message.calls == 0
    with pytest.raises(TimeoutError, match=r"^computed$"):
        wait_until(Script(False), 1, err_msg=message)
    assert message.calls == 1


@pytest.mark.parametrize("message", [None, 5, ["a"]])
def test_a_message_may_be_anything(clock: Clock, message: object) -> None:
    with pytest.raises(TimeoutError) as raised:
        wait_until(Script(False), 1, 1, message)
    assert raised.value.args == (message,)


def test_the_wall_clock_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1 / 0)
    wait_until(Script(False, True), 10, 0)


def test_the_version_is_that_of_the_package() -> None:
    assert ducktape_version() == ducktape.__version__


def test_packages_are_found_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_package_for_test.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))
    names = ["json", "no_such_package_at_all", "broken_package_for_test"]
    assert [package_is_installed(name) for name in names] == [True, False, False]


def test_functions_and_classes_are_loaded() -> None:
    assert load_function("ducktape.utils.util.wait_until") is wait_until
    assert load_function("collections.OrderedDict").__name__ == "OrderedDict"


@pytest.mark.parametrize(
    ("path", "kind", "message"),
    [
        ("ducktape.__version__", Exception, "Function __version__ from module ducktape is not callable"),
        (
            "ducktape.absent",
            Exception,
            "Function could not be loaded from the module path ducktape.absent, verify that it is '.' seperated",
        ),
        ("no_such_module_at_all.f", ModuleNotFoundError, "No module named 'no_such_module_at_all'"),
        ("f", ValueError, "'f' names no function in a module: write it as package.module.function"),
        (".f", ValueError, "'.f' names no function in a module: write it as package.module.function"),
        ("json.", ValueError, "'json.' names no function in a module: write it as package.module.function"),
    ],
)
def test_what_cannot_be_loaded_is_explained(path: str, kind: type[Exception], message: str) -> None:
    load: Callable[[str], object] = load_function
    with pytest.raises(kind) as raised:
        load(path)
    assert (type(raised.value), str(raised.value)) == (kind, message)
