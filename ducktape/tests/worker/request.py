# SPDX-License-Identifier: Apache-2.0
"""What a child process is asked to do: run a test, or clean up after one whose process died."""

from __future__ import annotations

import dataclasses
import signal
from typing import Any

from ducktape.tests.driver.retries import Plan
from ducktape.tests.event import Attempt
from ducktape.tests.loading.discovery import import_test_module
from ducktape.tests.loading.expansion import bind
from ducktape.tests.recording.bounds import DEFAULT_DATA_BYTES
from ducktape.tests.test_context import TestContext
from ducktape.utils.support.stable_text import numbers_from_order, numbers_in_order

STACKS_FILE = "stacks.txt"
CLEAN_UP_STACKS_FILE = "clean-up-stacks.txt"
# Only tests that use this one themselves are disturbed; SIGUSR1 is what people take first
STACKS_SIGNAL = signal.SIGUSR2

# What a context consists of beside its code
_FIELDS = ("session_context", "module", "file", "injected_args", "ignore", "cluster_use_metadata")
_OF_MARKS = ("disambiguator", "timeouts", "expected_failure", "tags")


@dataclasses.dataclass
class RunSettings:
    """Settings of a test's process.

    Attributes:
        test_index: number of the test within the session.
        plan: how often it is to be run.
        earlier: the attempts of processes before this one.
        nodes: names of the nodes that it may use.
        fail_bad_cluster_utilization: fail a test that used fewer nodes than it was given.
        mark: what the processes that it starts on this machine are known by.
        driver_pid: process id of the driver, which adopts those of them that lose their parents.
        max_data_bytes: most that the test may return, as JSON.
    """

    test_index: int
    plan: Plan = dataclasses.field(default_factory=Plan)
    earlier: list[Attempt] = dataclasses.field(default_factory=list)
    nodes: list[str] = dataclasses.field(default_factory=list)
    fail_bad_cluster_utilization: bool = False
    mark: str = ""
    driver_pid: int = 0
    max_data_bytes: int = DEFAULT_DATA_BYTES


@dataclasses.dataclass
class TestRequest:
    """All that a child needs to run one test.

    A child that was forked finds the context in memory. Any other one gets the description of a context whose code it
    imports itself; arguments, marks and cluster are those of the driver either way.

    Args:
        context: the test.
        cluster: the nodes that it may use.
        settings: its number and how it is to be run.
    """

    __test__ = False

    context: TestContext
    cluster: Any
    settings: RunSettings

    def __getstate__(self) -> dict[str, Any]:
        context = self.context
        return {
            **{name: value for name, value in vars(self).items() if name != "context"},
            "function_name": context.function_name,
            "cls_name": context.cls_name,
            "fields": {name: getattr(context, name) for name in _FIELDS},
            "argument_order": numbers_in_order(context.injected_args, context.argument_numbers),
            "of_marks": {name: getattr(context, name) for name in _OF_MARKS},
        }

    def loaded(self) -> TestContext:
        """Return the context, with its class and method imported if this process does not have them yet.

        Raises:
            Exception: whatever importing the test's module raises.
        """
        if "context" not in vars(self):
            self.context = self._import_context()
        self.context.cluster = self.cluster
        return self.context

    def _import_context(self) -> TestContext:
        state = vars(self)
        fields = state["fields"]
        cls = getattr(import_test_module(fields["file"]).module, state["cls_name"])
        function = bind(_method(cls, state["function_name"]), fields["injected_args"])
        context = TestContext(cls=cls, function=function, **fields)
        if state["argument_order"]:
            context.argument_numbers = numbers_from_order(context.injected_args, state["argument_order"])
        for name, value in state["of_marks"].items():
            if value != getattr(context, name):
                setattr(context, name, value)
        return context


@dataclasses.dataclass
class CleanUpRequest(TestRequest):
    """All that a child needs to stop, collect and clean the services of a test whose process is dead.

    Args:
        nodes: those of the test.
        services: what the registry of the dead process recorded of its services.
        dump: whether the services are to show their state first, because the test took too long.
        collect: whether their logs are still to be collected.
    """

    nodes: list[Any] = dataclasses.field(default_factory=list)
    services: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    dump: bool = False
    collect: bool = True


def _method(cls: type, function_name: str) -> Any:
    """Find a test method by its own name, which need not be that of the attribute."""
    candidates = (getattr(cls, name) for name in [function_name, *dir(cls)] if hasattr(cls, name))
    return next(each for each in candidates if getattr(each, "__name__", None) == function_name)
