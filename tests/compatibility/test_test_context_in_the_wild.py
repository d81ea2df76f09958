# SPDX-License-Identifier: Apache-2.0
"""What existing suites do with TestContext and Test."""

from __future__ import annotations

import importlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape.services.service import Service
from ducktape.tests.session import SessionContext
from ducktape.tests.test import Test
from ducktape.tests.test_context import TestContext
from tests.compatibility.running import LOCALHOST, ids, report, run, write


class QuietService(Service):
    """A service of which nothing runs anywhere."""

    logs = {
        "wanted": {"path": "/nowhere/wanted", "collect_default": True},
        "unwanted": {"path": "/nowhere/unwanted", "collect_default": False},
    }

    def clean_node(self, node: Any, **kwargs: Any) -> None:
        pass


class ContextOfTheirs(TestContext):
    """Users take over everything from another context this way."""

    def __init__(self, other: TestContext) -> None:
        super().__init__()
        self.__dict__.update(**other.__dict__)

    @property
    def test_name(self) -> str:
        return f"theirs.{super().test_name}"


@pytest.fixture
def unpatched() -> Iterator[None]:
    """Puts back what a test replaces on the class."""
    name, directory = TestContext.__dict__["test_name"], TestContext.__dict__["results_dir"]
    yield
    TestContext.test_name = name  # type: ignore[method-assign]
    TestContext.results_dir = directory  # type: ignore[method-assign]


# subclasses


def test_a_subclass_starts_without_arguments_and_takes_over_the_attributes_of_another(context: TestContext) -> None:
    context.injected_args = {"a": 1}

    theirs = ContextOfTheirs(context)

    assert (theirs.test_id, theirs.cluster, list(theirs.services)) == ("theirs.wild.a=1", context.cluster, [])


def test_a_context_without_a_session_answers_everything_that_does_not_need_one() -> None:
    bare = TestContext()

    assert (bare.test_id, bare.globals, bare.expected_num_nodes, list(bare.services)) == ("", {}, 0, [])


def test_contexts_of_a_subclass_that_a_mark_returned_are_run(tmp_path: Path) -> None:
    write(
        tmp_path / "test_theirs.py",
        """
        from ducktape.mark import parametrize
        from ducktape.mark._mark import Mark
        from ducktape.tests.test import Test, TestContext


        class ContextOfTheirs(TestContext):
            def __init__(self, other):
                super().__init__()
                self.__dict__.update(**other.__dict__)

            @property
            def test_name(self):
                return "theirs." + super().test_name


        class Rename(Mark):
            @property
            def name(self):
                return "RENAME"

            def apply(self, seed_context, context_list):
                return [ContextOfTheirs(context) for context in context_list]


        def rename(function):
            Mark.mark(function, Rename())
            return function


        class RenamedTest(Test):
            @rename
            @parametrize(x=1)
            def test_renamed(self, x):
                return type(self.test_context).__name__
        """,
    )

    run(tmp_path, "test_theirs.py", *LOCALHOST)

    (result,) = report(tmp_path)["results"]
    assert (result["test_id"], result["test_status"], result["data"]) == (
        "theirs.test_theirs.RenamedTest.test_renamed.x=1",
        "PASS",
        "ContextOfTheirs",
    )


# replacing the name and the directory at import


def test_ids_follow_a_test_name_that_was_replaced_on_the_class(context: TestContext, unpatched: None) -> None:
    TestContext.test_name = property(lambda self: f"patched-{self.module_name}")  # type: ignore[method-assign, assignment]

    assert (context.test_id, TestContext.logger_name(context, 4)) == ("patched-wild", "patched-wild-4")


def test_log_files_follow_a_results_directory_that_was_replaced_on_the_class(
    context: TestContext, tmp_path: Path, unpatched: None
) -> None:
    TestContext.results_dir = staticmethod(  # type: ignore[method-assign]
        lambda test_context, test_index: str(tmp_path / "patched" / str(test_index))
    )
    context.test_index = 7

    context.logger.info("here")

    assert sorted(path.name for path in (tmp_path / "patched" / "7").iterdir()) == ["test_log.debug", "test_log.info"]


def test_every_id_directory_and_report_goes_through_the_two_replaced_functions(tmp_path: Path) -> None:
    write(
        tmp_path / "test_patched.py",
        """
        import os

        from ducktape.mark import parametrize
        from ducktape.tests.test import Test, TestContext


        def short_name(self):
            parts = [self.module_name, self.cls_name, self.function_name, self.injected_args_name]
            return "short:" + "/".join(part for part in parts if part)


        def short_dir(test_context, test_index):
            parts = [test_context.session_context.results_dir, test_context.cls.__name__[:3]]
            if test_context.function is not None:
                parts.append(test_context.function.__name__[-3:])
            if test_context.injected_args is not None:
                parts.append(test_context.injected_args_name)
            if test_index is not None:
                parts.append("n" + str(test_index))
            return os.path.join(*parts)


        TestContext.test_name = property(short_name)
        TestContext.results_dir = staticmethod(short_dir)


        class PatchedTest(Test):
            @parametrize(x=1)
            def test_one(self, x):
                return {"seen": TestContext.results_dir(self.test_context, self.test_context.test_index)}

            def test_two(self):
                raise AssertionError("on purpose")
        """,
    )

    done = run(tmp_path, "test_patched.py", *LOCALHOST)

    latest = (tmp_path / "results" / "latest").resolve()
    found = report(tmp_path)
    one, two = "short:test_patched/PatchedTest/test_one/x=1", "short:test_patched/PatchedTest/test_two"
    assert {r["test_id"]: r["relative_results_dir"] for r in found["results"]} == {
        one: "Pat/one/x=1/n1/",
        two: "Pat/two/n2/",
    }
    assert {r["data"]["seen"] for r in found["results"] if r["data"]} == {str(latest / "Pat" / "one" / "x=1" / "n1")}
    assert sorted(path.name for path in (latest / "Pat" / "one" / "x=1" / "n1").iterdir()) == [
        "data.json",
        "report.json",
        "report.txt",
        "test_log.debug",
        "test_log.info",
    ]
    assert sorted(path.name for path in latest.iterdir() if path.is_dir()) == ["Pat"]
    assert f"RunnerClient: {one}: PASS" in done.stdout
    assert f"test_id:    {two}" in (latest / "report.txt").read_text()
    assert set(found["client_status"]) == {
        f"TestKey(test_id={one!r}, test_index=1)",
        f"TestKey(test_id={two!r}, test_index=2)",
    }


# directories


def test_the_directory_of_a_test_asked_for_statically_and_joined_with_a_service_id(context: TestContext) -> None:
    service = QuietService(context, num_nodes=1)
    context.cls, context.function, context.test_index = QuietTest, QuietTest.test_quiet, 3

    directory = os.path.join(TestContext.results_dir(context, context.test_index), service.service_id)

    assert directory == os.path.join(
        context.session_context.results_dir, "QuietTest", "test_quiet", "3", f"QuietService-0-{id(service)}"
    )


# globals


@pytest.fixture
def with_globals(tmp_path: Path) -> TestContext:
    given = {"number": 3, "nested": {"deep": {"list": [1]}}, "class": "collections.OrderedDict"}
    return TestContext(session_context=SessionContext(session_id="s", results_dir=str(tmp_path), globals=given))


def test_globals_answer_in_brackets_and_get(with_globals: TestContext) -> None:
    found = with_globals.globals

    assert ("number" in found, "absent" in found, found["number"], found.get("absent", "default")) == (
        True,
        False,
        3,
        "default",
    )


def test_nested_globals(with_globals: TestContext) -> None:
    assert with_globals.globals["nested"]["deep"].get("list") == [1]


def test_a_class_whose_name_came_with_the_globals(with_globals: TestContext) -> None:
    module, name = with_globals.globals.get("class").rsplit(".", 1)

    assert getattr(importlib.import_module(module), name)(a=1) == {"a": 1}


# services and session


def test_iterating_over_the_services(context: TestContext) -> None:
    services = [QuietService(context, num_nodes=1), QuietService(context, num_nodes=2)]

    assert [s for s in context.services] == services  # noqa: C416 (as it is written in the wild)


def test_the_services_behind_the_registry(context: TestContext) -> None:
    services = [QuietService(context, num_nodes=1), QuietService(context, num_nodes=2)]

    assert list(context.services._services.values()) == services


def test_the_logger_of_a_service_is_a_logger(context: TestContext) -> None:
    assert isinstance(QuietService(context, num_nodes=1).logger, logging.Logger)


def test_what_is_read_from_the_session(context: TestContext, tmp_path: Path) -> None:
    session = context.session_context

    assert (session.max_parallel, session.session_id, session.results_dir) == (
        1,
        "2026-01-02--003",
        str(tmp_path / "results"),
    )


# Test


class QuietTest(Test):
    """Remembers the order in which its hooks are called."""

    __test__ = False

    def __init__(self, test_context: TestContext) -> None:
        super().__init__(test_context=test_context)
        self.called: list[str] = []

    def setUp(self) -> None:
        self.called.append("setUp")

    def tearDown(self) -> None:
        self.called.append("tearDown")

    def free_nodes(self) -> None:
        self.called.append("free_nodes")
        super().free_nodes()

    def test_quiet(self) -> None:
        """Does nothing."""


class LowerCaseTest(QuietTest):
    def setup(self) -> None:
        self.called.append("setup")
        super().setup()

    def teardown(self) -> None:
        self.called.append("teardown")


def test_a_log_marked_for_collection_is_collected(context: TestContext) -> None:
    test, service = QuietTest(context), QuietService(context, num_nodes=1)

    test.mark_for_collect(service, "unwanted")

    assert [test.should_collect_log(name, service) for name in ("wanted", "unwanted")] == [True, True]


def test_all_logs_of_a_service_marked_for_collection(context: TestContext) -> None:
    test, service = QuietTest(context), QuietService(context, num_nodes=1)

    test.mark_for_collect(service)

    assert test.should_collect_log("unwanted", service) is True


def test_a_log_marked_against_collection_is_left(context: TestContext) -> None:
    test, service = QuietTest(context), QuietService(context, num_nodes=1)

    test.mark_no_collect(service, "wanted")

    assert [test.should_collect_log(name, service) for name in ("wanted", "unwanted")] == [False, False]


def test_what_was_marked_is_in_the_context(context: TestContext) -> None:
    test, service = QuietTest(context), QuietService(context, num_nodes=1)

    test.mark_for_collect(service, "unwanted")

    assert test.test_context.log_collect[("unwanted", service)] is True


def test_the_cluster_of_a_test_is_that_of_its_context(context: TestContext) -> None:
    assert QuietTest(context).cluster is context.cluster


def test_the_logger_of_a_test_is_that_of_its_context(context: TestContext) -> None:
    assert QuietTest(context).logger is context.logger


def test_camel_case_hooks_are_called_by_the_lower_case_ones(context: TestContext) -> None:
    test = QuietTest(context)

    test.setup()
    test.teardown()

    assert test.called == ["setUp", "tearDown"]


def test_lower_case_hooks_decide_about_the_camel_case_ones(context: TestContext) -> None:
    test = LowerCaseTest(context)

    test.setup()
    test.teardown()

    assert test.called == ["setup", "setUp", "teardown"]


def test_freeing_nodes_overridden_with_a_call_of_the_original(context: TestContext) -> None:
    test, service = QuietTest(context), QuietService(context, num_nodes=2)

    test.free_nodes()

    assert (test.called, service.nodes, context.cluster.num_available_nodes()) == (["free_nodes"], [], 5)


def test_overridden_hooks_in_a_real_run(tmp_path: Path) -> None:
    write(
        tmp_path / "test_hooks.py",
        """
        import json

        from ducktape.mark.resource import cluster
        from ducktape.tests.test import Test


        class HooksTest(Test):
            def __init__(self, test_context):
                super(HooksTest, self).__init__(test_context=test_context)
                self.called = ["__init__"]

            def setUp(self):
                self.called.append("setUp")

            @cluster(num_nodes=1)
            def test_hooks(self):
                self.called.append("test")
                self.logger.info("logged by the test")

            def tearDown(self):
                self.called.append("tearDown")

            def free_nodes(self):
                self.called.append("free_nodes")
                with open(self.test_context.globals["path"], "w") as f:
                    json.dump(self.called, f)
                super(HooksTest, self).free_nodes()
        """,
    )

    run(tmp_path, "test_hooks.py", *LOCALHOST, "--globals", json.dumps({"path": str(tmp_path / "called")}))

    assert ids(report(tmp_path)) == {"test_hooks.HooksTest.test_hooks": "PASS"}
    assert json.loads((tmp_path / "called").read_text()) == ["__init__", "setUp", "test", "tearDown", "free_nodes"]
    log = tmp_path / "results" / "latest" / "HooksTest" / "test_hooks" / "1" / "test_log.info"
    assert [line.rsplit("]: ", 1)[1] for line in log.read_text().splitlines() if "logged by" in line] == [
        "logged by the test"
    ]


def test_marks_for_collection_in_a_real_run(tmp_path: Path) -> None:
    write(
        tmp_path / "test_collect.py",
        """
        from ducktape.services.service import Service
        from ducktape.mark.resource import cluster
        from ducktape.tests.test import Test


        class Writer(Service):
            def __init__(self, context, base):
                super().__init__(context, num_nodes=1)
                self.logs = {
                    name: {"path": base + "/" + name, "collect_default": name == "default"}
                    for name in ("default", "marked", "left")
                }

            def start_node(self, node):
                for log in self.logs.values():
                    node.account.create_file(log["path"], "x")

            def clean_node(self, node):
                pass


        class CollectTest(Test):
            @cluster(num_nodes=1)
            def test_collect(self):
                service = Writer(self.test_context, self.test_context.globals["base"])
                service.start()
                self.mark_for_collect(service, "marked")
                self.mark_no_collect(service, "default")
        """,
    )

    run(tmp_path, "test_collect.py", *LOCALHOST, "--globals", json.dumps({"base": str(tmp_path)}))

    latest = tmp_path / "results" / "latest"
    assert [path.name for path in latest.glob("CollectTest/test_collect/1/Writer-*/localhost0/*")] == ["marked"]
