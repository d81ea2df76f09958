# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock

import pytest

from ducktape.cluster.finite_subcluster import FiniteSubcluster
from ducktape.errors import TimeoutError
from ducktape.services.background_thread import BackgroundThreadService
from ducktape.services.service import Service
from ducktape.services.support.diagnostics import dump_services
from ducktape.tests.test import Test
from ducktape.utils.support.hooks import HookError, answer_of, called, name_of
from ducktape.utils.util import wait_until
from ducktape.utils.wait import condition, wait_for
from ducktape.utils.waiting.probes import fits_text
from tests.unit.services.fakes import FakeContext

HOOKS = f"{__name__}.Hooks"


def nameless(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: function(*args)


class Hooks:
    """The same hook in all the forms in which calling it runs nothing."""

    async def coroutine(self, *_: Any) -> bool:
        raise AssertionError

    def generator(self, *_: Any) -> Iterator[bool]:
        yield self._never()

    async def async_generator(self, *_: Any) -> AsyncIterator[bool]:
        yield self._never()

    @contextlib.contextmanager
    def context(self, *_: Any) -> Iterator[bool]:
        yield self._never()

    @contextlib.asynccontextmanager
    async def async_context(self, *_: Any) -> AsyncIterator[bool]:
        yield self._never()

    @nameless
    def nameless(self, *_: Any) -> Iterator[bool]:
        yield self._never()

    async def __call__(self, *_: Any) -> bool:
        raise AssertionError

    def _never(self) -> bool:
        raise AssertionError


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


FORMS: dict[str, tuple[Callable[..., Any], str]] = {
    "async": (Hooks().coroutine, f"{HOOKS}.coroutine is async"),
    "generator": (Hooks().generator, f"{HOOKS}.generator contains 'yield'"),
    "async generator": (Hooks().async_generator, f"{HOOKS}.async_generator is async"),
    "partial": (functools.partial(Hooks.coroutine, Hooks()), f"{HOOKS}.coroutine is async"),
    "decorated generator": (decorated(Hooks().generator), f"{HOOKS}.generator contains 'yield'"),
    "context manager": (Hooks().context, f"{HOOKS}.context contains 'yield'"),
    "async context manager": (Hooks().async_context, f"{HOOKS}.async_context is async"),
    "behind a nameless decorator": (Hooks().nameless, "Hooks.nameless, called by .* contains 'yield'"),
    "callable object": (Hooks(), "Hooks.__call__, called by"),
    "lambda": (lambda *_: Hooks().coroutine(), r"Hooks.coroutine, called by .*<lambda>, is async"),
    "mock": (AsyncMock(), "is async"),
}


@pytest.fixture(params=list(FORMS.values()), ids=list(FORMS))
def form(request: pytest.FixtureRequest) -> tuple[Callable[..., Any], str]:
    function, complaint = request.param
    return function, complaint


def test_a_hook_of_which_nothing_runs_is_an_error(form: tuple[Callable[..., Any], str]) -> None:
    function, complaint = form
    for call in (called, answer_of):
        with pytest.raises(HookError, match=complaint):
            call(function)


def test_conditions_and_callbacks_of_which_nothing_runs_are_errors_at_once(
    form: tuple[Callable[..., Any], str],
) -> None:
    function, complaint = form
    waits: list[Callable[[], object]] = [
        lambda: wait_until(function, timeout_sec=60),
        lambda: wait_until(function, timeout_sec=60, retry_on_exc=True),
        lambda: wait_until(lambda: False, timeout_sec=0.01, err_msg=function),
        lambda: wait_for(condition(function), 60),
        lambda: wait_for(~condition(function), 60),
        lambda: fits_text("", function),
    ]
    for wait in waits:
        with pytest.raises(HookError, match=complaint):
            wait()


def test_whatever_a_hook_returns_on_purpose_is_passed_on() -> None:
    lines = (line for line in "ab")
    assert called(lambda: lines) is lines
    for value in (None, 0, iter([1]), contextlib.nullcontext(), Mock(), MagicMock()):
        give = functools.partial(lambda it: it, value)
        assert (called(give), answer_of(give)) == (value, value)


def test_something_that_has_to_be_awaited_is_no_answer() -> None:
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(HookError, match="Future, which has to be awaited"):
            answer_of(loop.create_future)
    finally:
        loop.close()


@pytest.mark.parametrize("lazy", [map, filter])
def test_what_is_only_computed_later_is_no_answer(lazy: Callable[..., Any]) -> None:
    with pytest.raises(HookError, match="which always counts as true: use any"):
        wait_until(lambda: lazy(str, []), timeout_sec=60)


def test_names_are_told_with_their_module() -> None:
    assert name_of(functools.partial(test_names_are_told_with_their_module)) == (
        f"{__name__}.test_names_are_told_with_their_module"
    )
    assert name_of(Hooks()) == HOOKS


def _service(hook: str, form: Any, base: type[Service] = Service) -> Any:
    def stop_node(self: Any, node: Any, **_: Any) -> None:
        """Has nothing to stop."""

    # The name of the function's code, which is what tells a body from what is returned
    code = form.__code__.replace(co_name=hook)
    function = type(form)(code, form.__globals__, hook)
    function.__qualname__ = f"Server.{hook}"
    kind = type("Server", (base,), {"stop_node": stop_node, hook: function})
    return kind(FakeContext(), 1)


@pytest.mark.parametrize("form", [Hooks.coroutine, Hooks.generator, Hooks.async_generator])
def test_no_hook_of_a_service_passes_silently(form: Callable[..., Any]) -> None:
    uses: dict[str, Callable[[Any], object]] = {
        "start": lambda service: service.run(),
        "start_node": lambda service: service.start(),
        "stop_node": lambda service: service.start(),
        "clean_node": lambda service: service.clean(),
        "wait": lambda service: service.run(),
        "wait_node": lambda service: service.wait(),
        "stop": lambda service: Service.run_parallel(service),
        "work": lambda service: service.for_nodes(service.work),
    }
    for hook, use in uses.items():
        service = _service(hook, form)
        if hook == "stop":
            service.wait = lambda: None
        with pytest.raises(HookError, match=r"is async|contains 'yield'"):
            use(service)
    with pytest.raises(HookError):
        _service("allocate_nodes", form)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the thread ends with the error
@pytest.mark.parametrize("form", [Hooks.coroutine, Hooks.generator])
def test_a_worker_of_which_nothing_runs_is_the_failure_of_its_node(form: Callable[..., Any]) -> None:
    service = _service("_worker", form, BackgroundThreadService)
    service.start()
    with pytest.raises(Exception, match="HookError"):
        service.wait(20)


def test_ending_and_dumping_say_of_which_hooks_nothing_ran() -> None:
    said: list[str] = []

    def note(_: int, line: str) -> None:
        said.append(line)

    for hook in ("stop", "clean", "free", "dump"):
        service = _service(hook, Hooks.coroutine)
        services = service.context.services
        services.stop_all()
        services.clean_all()
        dump_services([service], note)
        services.free_all()
        said += services.problems
    assert [line.partition(" service")[0] for line in said] == [
        "Error stopping",
        "Error cleaning",
        "Error freeing",
        "Error dumping the state of",
    ]
    assert all("HookError" in line for line in said)


def test_methods_of_a_test_are_called_for_good() -> None:
    class Unprepared(Test):
        setUp = tearDown = Hooks.coroutine  # type: ignore[assignment]

    test = Unprepared(FakeContext())  # type: ignore[arg-type]
    for method in (test.setup, test.teardown):
        with pytest.raises(HookError):
            method()


def test_a_cluster_of_which_nothing_runs_is_an_error() -> None:
    class Later(FiniteSubcluster):
        free_single = do_alloc = Hooks.coroutine  # type: ignore[assignment]

    cluster = Later([])
    with pytest.raises(HookError):
        cluster.alloc(cluster.available())
    with pytest.raises(HookError):
        cluster.free([object()])  # type: ignore[list-item]


def test_time_that_is_over_is_still_a_timeout() -> None:
    with pytest.raises(TimeoutError, match="too late"):
        wait_until(lambda: False, timeout_sec=0.01, err_msg=lambda: "too late")
