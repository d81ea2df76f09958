# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.services.service import Service
from ducktape.tests.loggermaker import close_logger
from ducktape.tests.session import SessionContext
from ducktape.tests.test_context import TestContext, TestLoggerMaker, _escape_pathname, test_logger


class SomeTest:
    """Of the class."""

    def test_it(self) -> None:
        """Of the method.
        With two lines."""

    def test_bare(self) -> None: ...


class UndocumentedTest:
    def test_it(self) -> None: ...


def session(results_dir: str | os.PathLike[str] = "/r/s", **options: Any) -> SessionContext:
    return SessionContext(session_id="s", results_dir=os.fspath(results_dir), **options)


def context(args: Any = None, **kwargs: Any) -> TestContext:
    keywords: dict[str, Any] = {
        "session_context": session(),
        "module": "pkg.test_some",
        "file": "/p/pkg/test_some.py",
        "cls": SomeTest,
        "function": SomeTest.test_it,
        "injected_args": args,
    }
    return TestContext(**{**keywords, **kwargs})


# --- names

NAMES: list[tuple[Any, str]] = [
    (None, ""),
    ({}, ""),
    ({"a": 1, "b": 2}, "a=1.b=2"),
    ({"b": 1, "a": 2}, "b=1.a=2"),
    ({"a": True, "b": 1.5, "c": -3}, "a=True.b=1.5.c=-3"),
    ({"a": "x y\tz", "b": "it's", "c": '"q"'}, "a=xyz.b=it.s.c=.q"),
    ({"a": "/etc/foo bar/", "b": "..", "c": "a=b"}, "a=.etc.foobar.b=.c=a=b"),
    ({"a": [1, 2], "b": {"k": "v"}, "c": (1,)}, "a=.1.2.b=.k.v.c=.1"),
    ({"a": "", "b": "é"}, "a=.b=é"),
    ({"a": "end."}, "a=end"),
    ({"a": None}, "a=None"),
]


@pytest.mark.parametrize(("args", "name"), NAMES)
def test_arguments_are_spelled_in_the_name(args: Any, name: str) -> None:
    it = context(args)
    assert it.injected_args_name == name
    assert it.test_id == it.test_name == "pkg.test_some.SomeTest.test_it" + (f".{name}" if name else "")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("", ""),
        (" a\n b ", "ab"),
        ("..a..", "a"),
        (".", ""),
        ("a!!b??c", "a.b.c"),
        ("x-y=z_1.2", "x-y=z_1.2"),
        ("名前", "名前"),
        ("!a!", "a"),
    ],
)
def test_escaping_leaves_words_dots_dashes_equals_and_underscores(text: str, escaped: str) -> None:
    assert _escape_pathname(text) == escaped


def test_parts_that_are_absent_are_left_out_of_the_id() -> None:
    assert TestContext(session_context=None).test_id == ""
    assert TestContext(session_context=None, module="m").test_id == "m"
    assert TestContext(session_context=None, cls=SomeTest, function=SomeTest.test_it).test_id == "SomeTest.test_it"


def test_a_disambiguator_ends_the_name_but_not_the_name_of_the_arguments() -> None:
    it = context({"a": 1})
    it.disambiguator = "-2"
    assert it.test_id == "pkg.test_some.SomeTest.test_it.a=1-2"
    assert it.injected_args_name == "a=1"


# --- directories


@pytest.mark.parametrize(("args", "name"), NAMES)
def test_the_directory_has_one_level_for_all_arguments(args: Any, name: str) -> None:
    level = f"/{name}" if name else ""
    assert TestContext.results_dir(context(args), 4) == f"/r/s/SomeTest/test_it{level}/4"
    assert TestContext.results_dir(context(args), None) == f"/r/s/SomeTest/test_it{level}"


@pytest.mark.parametrize(
    ("args", "levels"),
    [
        (None, ""),
        ({}, ""),
        ({"b": "_y", "a": "-x"}, "/a=-x/b=_y"),
        ({"c": "a=b", "b": "..", "a": "/etc/foo bar/"}, "/a=.etc.foobar/b=/c=a=b"),
    ],
)
def test_nested_directories_have_a_level_per_argument_sorted_by_name(args: Any, levels: str) -> None:
    it = context(args, session_context=session(nested_result_dirs=True))
    assert TestContext.results_dir(it, 4) == f"/r/s/SomeTest/test_it{levels}/4"
    assert TestContext.logger_name(it, 4) == TestContext.logger_name(context(args), 4)


def longest_component(path: str) -> int:
    return max(len(part.encode()) for part in path.split("/"))


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("letter", ["x", "é"])
def test_an_overlong_name_is_shortened_always_to_the_same_text(nested: bool, letter: str) -> None:
    def directory(ending: str) -> str:
        args = {"a": letter * 500 + ending}
        return TestContext.results_dir(context(args, session_context=session(nested_result_dirs=nested)), 4)

    assert longest_component(directory("1")) <= 255
    assert directory("1") == directory("1")
    assert directory("1") != directory("2")
    assert directory("1").startswith(f"/r/s/SomeTest/test_it/a={letter * 100}")


def test_a_name_that_just_fits_is_kept() -> None:
    assert TestContext.results_dir(context({"a": "x" * 253}), 4) == f"/r/s/SomeTest/test_it/a={'x' * 253}/4"


def test_an_overlong_name_is_kept_in_the_id() -> None:
    assert context({"a": "x" * 500}).test_id == f"pkg.test_some.SomeTest.test_it.a={'x' * 500}"


@pytest.mark.parametrize(("index", "name"), [(None, ""), (7, "-7")])
def test_the_logger_is_named_after_test_and_index(index: int | None, name: str) -> None:
    assert TestContext.logger_name(context(), index) == f"pkg.test_some.SomeTest.test_it{name}"


# --- attributes


def test_attributes_are_as_given() -> None:
    metadata = {"num_nodes": 2}
    it = context({"a": 1}, cluster_use_metadata=metadata, ignore=True, unknown="x")
    assert (it.module, it.cls, it.function) == ("pkg.test_some", SomeTest, SomeTest.test_it)
    assert (it.file, it.injected_args, it.ignore) == ("/p/pkg/test_some.py", {"a": 1}, True)
    assert it.cluster_use_metadata == metadata
    assert it.cluster_use_metadata is not metadata
    assert (it.test_index, it.log_collect, it.test_suite_name) == (None, {}, None)
    assert list(it.services) == []


def test_nothing_is_required() -> None:
    it = TestContext()
    assert (it.module_name, it.cls_name, it.function_name, it.injected_args_name) == ("", "", "", "")
    assert (it.file, it.injected_args, it.ignore, it.cluster_use_metadata) == (None, None, False, {})
    assert it.expected_cluster_spec is not None
    assert it.expected_num_nodes == 0
    assert it.globals == {}
    assert it.description == ""


def test_the_file_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert context(file="pkg/test_some.py").file == str(tmp_path / "pkg" / "test_some.py")


def test_metadata_find_the_test_again() -> None:
    assert context({"a": 1}).test_metadata == {
        "directory": "/p/pkg",
        "file_name": "test_some.py",
        "cls_name": "SomeTest",
        "method_name": "test_it",
        "injected_args": {"a": 1},
    }


def test_the_description_is_that_of_the_method_or_else_of_the_class() -> None:
    # Newer Pythons take the indentation out of docstrings
    assert inspect.cleandoc(context().description) == "Of the method.\nWith two lines."
    assert context(function=SomeTest.test_bare).description == "Of the class."
    assert context(cls=UndocumentedTest, function=UndocumentedTest.test_it).description == ""


def test_globals_are_those_of_the_session() -> None:
    assert context(session_context=session(globals={"env": "ci"})).globals == {"env": "ci"}


def test_the_text_of_a_test_is_what_collecting_prints() -> None:
    it = context({"a": 1}, cluster_use_metadata={"num_nodes": 2})
    assert str(it) == (
        "<module=pkg.test_some, cls=SomeTest, function=test_it, injected_args={'a': 1}, file=/p/pkg/test_some.py, "
        'ignore=False, cluster_spec=[{"num_nodes": 2, "os": "linux"}]>'
    )
    assert "cluster_spec=[]>" in str(context())
    greedy = context(session_context=session(fail_greedy_tests=True), cluster=LocalhostCluster(num_nodes=2))
    assert "cluster_spec=None>" in str(greedy)


# --- nodes


def spec_text(it: TestContext) -> str:
    return str(it.expected_cluster_spec)


def test_a_cluster_spec_comes_first() -> None:
    wanted = ClusterSpec.simple_linux(3, "large")
    it = context(cluster_use_metadata={"cluster_spec": wanted, "num_nodes": 7})
    assert it.expected_cluster_spec is wanted
    assert it.expected_num_nodes == 3


def test_a_number_of_nodes_may_have_a_type() -> None:
    assert spec_text(context(cluster_use_metadata={"num_nodes": 2})) == '[{"num_nodes": 2, "os": "linux"}]'
    typed = context(cluster_use_metadata={"num_nodes": 2, "node_type": "large"})
    assert spec_text(typed) == '[{"node_type": "large", "num_nodes": 2, "os": "linux"}]'


def test_no_nodes_is_a_declaration_too() -> None:
    it = context(
        cluster_use_metadata={"num_nodes": 0},
        cluster=LocalhostCluster(num_nodes=2),
        session_context=session(fail_greedy_tests=True),
    )
    assert (spec_text(it), it.expected_num_nodes) == ("[]", 0)


@pytest.mark.parametrize("metadata", [{"num_nodes": 2, "node_type": "large"}, {"cluster_spec": None, "num_nodes": 2}])
def test_node_types_can_be_ignored(metadata: dict[str, Any]) -> None:
    it = context(cluster_use_metadata=metadata, session_context=session(ignore_node_type=True))
    assert spec_text(it) == '[{"num_nodes": 2, "os": "linux"}]'


def test_node_types_of_a_cluster_spec_can_be_ignored_and_it_stays_as_it_was() -> None:
    wanted = ClusterSpec.simple_linux(2, "large")
    it = context(cluster_use_metadata={"cluster_spec": wanted}, session_context=session(ignore_node_type=True))
    assert spec_text(it) == '[{"num_nodes": 2, "os": "linux"}]'
    assert str(wanted) == '[{"node_type": "large", "num_nodes": 2, "os": "linux"}]'


@pytest.mark.parametrize("metadata", [{}, {"node_type": "large"}])
def test_a_test_that_does_not_say_takes_the_whole_cluster(metadata: dict[str, Any]) -> None:
    it = context(cluster_use_metadata=metadata)
    assert (spec_text(it), it.expected_num_nodes) == ("[]", 0)
    it.cluster = LocalhostCluster(num_nodes=5)
    assert (spec_text(it), it.expected_num_nodes) == ('[{"num_nodes": 5, "os": "linux"}]', 5)


def test_a_test_that_does_not_say_can_be_refused() -> None:
    it = context(cluster=LocalhostCluster(num_nodes=5), session_context=session(fail_greedy_tests=True))
    assert (it.expected_cluster_spec, it.expected_num_nodes) == (None, 0)


def test_a_cluster_without_nodes_is_none_even_for_greedy_tests() -> None:
    it = context(cluster=LocalhostCluster(num_nodes=0), session_context=session(fail_greedy_tests=True))
    assert spec_text(it) == "[]"


def test_a_context_without_a_session_works_with_nodes_too() -> None:
    it = context(session_context=None, cluster=LocalhostCluster(num_nodes=2))
    assert it.expected_num_nodes == 2


# --- copies


def test_a_copy_has_the_same_fields_and_the_given_changes() -> None:
    it = context({"a": 1}, cluster_use_metadata={"num_nodes": 2})
    it.test_index = 4
    it.log_collect[("x", None)] = True
    copied = it.copy(injected_args={"a": 2}, ignore=True)
    assert (copied.injected_args, copied.ignore, it.injected_args, it.ignore) == ({"a": 2}, True, {"a": 1}, False)
    assert (copied.module, copied.cls, copied.function, copied.file) == (it.module, it.cls, it.function, it.file)
    assert copied.cluster_use_metadata == {"num_nodes": 2}
    assert copied.cluster_use_metadata is not it.cluster_use_metadata
    assert (copied.test_index, copied.log_collect) == (None, {})
    assert copied.services is not it.services


# --- logs and the end


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[TestContext]:
    it = context(session_context=session(tmp_path), module=f"m{tmp_path.name}")
    it.test_index = 3
    yield it
    close_logger(logging.getLogger(TestContext.logger_name(it, 3)))


def test_the_log_makes_its_directory_and_files_at_first_use(logged: TestContext, tmp_path: Path) -> None:
    directory = tmp_path / "SomeTest" / "test_it" / "3"
    assert os.listdir(tmp_path) == []
    logged.logger.debug("small")
    assert sorted(os.listdir(directory)) == ["test_log.debug", "test_log.info"]
    logged.logger.info("middle")
    assert (directory / "test_log.debug").read_text().count("\n") == 2
    [line] = (directory / "test_log.info").read_text().splitlines()
    assert line.startswith("[INFO  - ")
    assert " - test_test_context - test_the_log_makes_its_directory_and_files_at_first_use - lineno:" in line
    assert line.endswith("]: middle")


@pytest.mark.parametrize(("debug", "shown"), [(False, ["w"]), (True, ["d", "i", "w"])])
def test_the_console_shows_warnings_or_everything(
    logged: TestContext, capsys: pytest.CaptureFixture[str], debug: bool, shown: list[str]
) -> None:
    logged.session_context.debug = debug
    for level, text in ((logging.DEBUG, "d"), (logging.INFO, "i"), (logging.WARNING, "w")):
        logged.logger.log(level, text)
    assert [line.rpartition("]: ")[2] for line in capsys.readouterr().out.splitlines()] == shown


def test_a_logger_asked_for_twice_has_its_handlers_once(tmp_path: Path) -> None:
    name = f"twice.{tmp_path.name}"
    first = test_logger(name, str(tmp_path / "a"), False)
    assert test_logger(name, str(tmp_path / "b"), True) is first
    assert TestLoggerMaker(name, str(tmp_path / "c"), True).logger is first
    assert [isinstance(handler, logging.FileHandler) for handler in first.handlers] == [True, True, False]
    assert os.listdir(tmp_path) == ["a"]
    close_logger(first)


class Sized(Service):
    """A service that takes no nodes."""

    def __init__(self, context: Any) -> None:
        super().__init__(context, num_nodes=0)


def test_closing_removes_everything_and_may_be_done_twice(logged: TestContext) -> None:
    logged.cluster = LocalhostCluster(num_nodes=0)
    service = Sized(logged)
    scratch, service_scratch = Path(logged.local_scratch_dir), Path(service.local_scratch_dir)
    (scratch / "x").write_text("x")
    (service_scratch / "x").write_text("x")
    logger = logged.logger
    logged.close()
    assert (scratch.exists(), service_scratch.exists()) == (False, False)
    assert logger.handlers == []
    assert not hasattr(logged, "services")
    logged.close()


def test_closing_an_unused_context_makes_nothing(tmp_path: Path) -> None:
    context(session_context=session(tmp_path)).close()
    assert os.listdir(tmp_path) == []


def test_a_service_that_cannot_be_closed_does_not_keep_the_others_open(logged: TestContext) -> None:
    class Bad(Sized):
        def close(self) -> None:
            raise OSError("cannot")

    logged.cluster = LocalhostCluster(num_nodes=0)
    Bad(logged)
    good = Path(Sized(logged).local_scratch_dir)
    logged.close()
    assert not good.exists()


def test_the_scratch_directory_is_made_once(logged: TestContext) -> None:
    directory = logged.local_scratch_dir
    assert os.path.isdir(directory)
    assert logged.local_scratch_dir == directory
    logged.close()


def test_another_attempt_starts_without_services(logged: TestContext) -> None:
    logged.cluster = LocalhostCluster(num_nodes=0)
    Sized(logged)
    logged.log_collect[("x", None)] = True
    logged.renew_services()
    assert list(logged.services) == []
    assert logged.log_collect == {}


# --- marks


def test_a_test_without_marks_has_no_limits_no_reason_and_no_tags() -> None:
    for it in (context(), context(timeouts={}, expected_failure=None, tags=frozenset()), context().copy()):
        assert (it.timeouts, it.expected_failure, it.tags) == ({}, None, frozenset())
        assert it.timeouts is TestContext.timeouts  # there may be ten thousand of them


def test_what_marks_say_is_as_given_and_goes_with_copies() -> None:
    limits = {"test": 5.0}
    it = context(timeouts=limits, expected_failure="why", tags=frozenset({"slow"}))
    for each in (it, it.copy(injected_args={"x": 1})):
        assert each.timeouts is limits
        assert each.expected_failure == "why"
        assert each.tags == {"slow"}
    assert it.copy(tags=frozenset()).tags == frozenset()
