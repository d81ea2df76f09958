# SPDX-License-Identifier: Apache-2.0
"""What a child process is asked to do: run a test, or clean up after one whose process died."""

from __future__ import annotations

import dataclasses
import signal

from ducktape.cluster.cluster import Cluster
from ducktape.cluster.cluster_node import ClusterNode
from ducktape.tests.driver.retries import Plan
from ducktape.tests.event import Attempt
from ducktape.tests.loading.discovery import import_test_module
from ducktape.tests.loading.expansion import bind
from ducktape.tests.recording.bounds import DEFAULT_DATA_BYTES
from ducktape.tests.test_context import TestContext
from ducktape.utils.support.stable_text import numbers_from_order, numbers_in_order

STACKS_FILE = "stacks.txt"
OUTPUT_FILE = "stdout.txt"
CLEAN_UP_STACKS_FILE = "clean-up-stacks.txt"
# Only tests that use this one themselves are disturbed; SIGUSR1 is what people take first
STACKS_SIGNAL = signal.SIGUSR2

# What a context consists of beside its code
_FIELDS = ("session_context", "module", "file", "injected_args", "ignore", "cluster_use_metadata")
_OF_MARKS = ("disambiguator", "timeouts", "expected_failure", "tags", "allowed_logs")


@dataclasses.dataclass
class RunSettings:
    """Settings of a test's process."""

    test_index: int  # number of the test within the session
    plan: Plan = dataclasses.field(default_factory=Plan)
    earlier: list[Attempt] = dataclasses.field(default_factory=list)  # of processes before this one
    nodes: list[str] = dataclasses.field(default_factory=list)  # names of those that it may use
    fail_bad_cluster_utilization: bool = False  # fail a test that used fewer nodes than it was given
    mark: str = ""  # identifies the processes that it starts on this machine
    driver_pid: int = 0  # the driver adopts those of them that lose their parents
    why_no_debugger: str = "the run has no terminal"  # empty if a test may open one on the terminal
    post_mortem: bool = False  # open it where a test fails
    debugger: str | None = None  # wait for an editor to attach to it, before the test is constructed
    max_data_bytes: int = DEFAULT_DATA_BYTES  # most that the test may return, as JSON
    keep: str | None = None  # "on-failure" or "always": leave everything as it is, for people to look inside
    node_metrics: bool = False  # record what its nodes do
    keep_output: bool = False  # what the test prints goes to a file, since the terminal shows the progress of the run


@dataclasses.dataclass
class TestRequest:
    """All that a child needs to run one test.

    A child that was forked finds the context in memory. Any other one gets the description of a context whose code it
    imports itself; arguments, marks and cluster are those of the driver either way.
    """

    __test__ = False

    context: TestContext
    cluster: Cluster
    settings: RunSettings

    def __getstate__(self) -> dict[str, object]:
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
            state = vars(self)
            fields, own_name = state["fields"], state["function_name"]
            cls = getattr(import_test_module(fields["file"]).module, state["cls_name"])
            # The name of the attribute may be another one
            candidates = (getattr(cls, name) for name in [own_name, *dir(cls)] if hasattr(cls, name))
            method = next(each for each in candidates if getattr(each, "__name__", None) == own_name)
            context = TestContext(cls=cls, function=bind(method, fields["injected_args"]), **fields)
            if state["argument_order"]:
                context.argument_numbers = numbers_from_order(context.injected_args, state["argument_order"])
            for name, value in state["of_marks"].items():
                if value != getattr(context, name):
                    setattr(context, name, value)
            self.context = context
        self.context.cluster = self.cluster
        return self.context


@dataclasses.dataclass
class CleanUpRequest(TestRequest):
    """All that a child needs to stop, collect and clean the services of a test whose process is dead."""

    nodes: list[ClusterNode] = dataclasses.field(default_factory=list)
    services: list[dict[str, object]] = dataclasses.field(default_factory=list)  # their records
    dump: bool = False  # the services show their state first, because the test took too long
    collect: bool = True  # their logs are still to be collected
    keeps: bool = False  # nothing more than this: everything else stays as it is
    seconds_ago: float = 0.0  # when the attempt began
