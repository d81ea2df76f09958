# SPDX-License-Identifier: Apache-2.0
"""What existing suites do with marks, contexts and the loader, line by line."""

from __future__ import annotations

import functools
import logging
import os
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Iterator
from enum import Enum, IntEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import MagicMock

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.mark import defaults, env, ignore, matrix, parametrize, parametrized
from ducktape.mark._mark import Ignore, Mark, _inject
from ducktape.mark.mark_expander import MarkedFunctionExpander
from ducktape.mark.resource import CLUSTER_SIZE_KEYWORD, CLUSTER_SPEC_KEYWORD, ClusterUseMetadata, cluster
from ducktape.tests.loader import TestLoader
from ducktape.tests.session import SessionContext, SessionLoggerMaker
from ducktape.tests.test import TestContext

_HEAD = """\
import os
from ducktape.mark import ignore, matrix, parametrize
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test
"""


@pytest.fixture(autouse=True)
def _clean_imports() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in [name for name in sys.modules if name.startswith(("test_wild", "wildpack")) and name not in modules]:
        del sys.modules[name]


def _expand(function: Any, **kwargs: Any) -> list[Any]:
    return MarkedFunctionExpander(function=function, **kwargs).expand()


def _load(symbols: list[str], session_context: Any = None, **kwargs: Any) -> list[TestContext]:
    return TestLoader(session_context=session_context, logger=logging.getLogger("wild"), **kwargs).load(symbols=symbols)


def _write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_HEAD + text, encoding="utf-8")
    return str(path)


# Marks


def test_a_mark_of_users_returns_a_new_list() -> None:
    class Twice(Mark):
        def apply(self, seed_context: Any, context_list: list[Any]) -> list[Any]:
            return [
                context.copy(injected_args={**(context.injected_args or {}), "run": run})
                for context in context_list
                for run in (1, 2)
            ]

    def function(run: int) -> None: ...

    Mark.mark(function, Twice())
    assert [context.injected_args for context in _expand(function)] == [{"run": 1}, {"run": 2}]


def test_ignore_is_subclassed_with_a_constructor_without_arguments() -> None:
    class IgnoreOnSmallMachines(Ignore):
        def __init__(self, reason: str) -> None:
            Ignore.__init__(self)
            self.reason = reason

        def apply(self, seed_context: Any, context_list: list[Any]) -> list[Any]:
            for context in context_list:
                context.ignore = context.ignore or self.reason == "small"
            return list(context_list)

    def function() -> None: ...

    Mark.mark(function, IgnoreOnSmallMachines("small"))
    (context,) = _expand(function)
    assert context.ignore is True


def test_a_mark_that_calls_itself_a_parametrization_is_one() -> None:
    class Versions(Mark):
        @property
        def name(self) -> str:
            return "PARAMETRIZE"

        def apply(self, seed_context: Any, context_list: list[Any]) -> list[Any]:
            made = [
                seed_context.copy(
                    function=_inject(version=version)(seed_context.function), injected_args={"version": version}
                )
                for version in ("1.0", "2.0")
            ]
            return made + context_list

    def function(self: str, version: str) -> str:
        return f"{self} {version}"

    Mark.mark(function, Versions())
    assert parametrized(function)
    contexts = _expand(function)
    assert [context.injected_args for context in contexts] == [{"version": "1.0"}, {"version": "2.0"}]
    assert [context.function("run") for context in contexts] == ["run 1.0", "run 2.0"]
    (given,) = MarkedFunctionExpander(function=function).expand({"version": "3.0"})
    assert given.function("run") == "run 3.0"


def test_cluster_metadata_is_applied_by_hand() -> None:
    def function() -> None: ...

    Mark.mark(function, ClusterUseMetadata(num_nodes=3, flavour="big"))
    (context,) = _expand(function)
    assert context.cluster_use_metadata == {"num_nodes": 3, "flavour": "big"}
    assert context.expected_num_nodes == 3


def test_cluster_metadata_is_read_tested_and_assigned() -> None:
    (context,) = _expand(lambda self: None)
    assert not context.cluster_use_metadata
    context.cluster_use_metadata = {"num_nodes": 2}
    context.ignore = context.ignore or bool(context.cluster_use_metadata)
    assert (context.expected_num_nodes, context.ignore) == (2, True)


def test_marks_are_carried_over_by_attribute() -> None:
    def with_retries(f: Any) -> Any:
        @functools.wraps(f)
        def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
            return ["retried", f(self, *args, **kwargs)]

        wrapped.marks = f.marks  # type: ignore[attr-defined]
        wrapped.mark_names = f.mark_names  # type: ignore[attr-defined]
        return wrapped

    @cluster(num_nodes=1)
    @with_retries
    @matrix(x=[1, 2])
    def function(self: Any, x: int) -> int:
        return x

    contexts = _expand(function)
    assert [context.function(None) for context in contexts] == [["retried", 2], ["retried", 1]]
    assert [context.expected_num_nodes for context in contexts] == [1, 1]


def test_marks_are_carried_over_by_dict() -> None:
    def wrap(func: Any) -> Any:
        def test_wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
            return func(self, *args, **kwargs)

        test_wrapper.__dict__.update(**func.__dict__)
        return test_wrapper

    @wrap
    @parametrize(x=1)
    @ignore
    @parametrize(x=2)
    def function(self: Any, x: int) -> int:
        return x

    assert parametrized(function)
    assert [(context.injected_args, context.ignore) for context in _expand(function)] == [
        ({"x": 1}, False),
        ({"x": 2}, True),
    ]


def test_marks_live_as_a_list_and_a_set_in_the_dict_of_the_function() -> None:
    @ignore
    @matrix(x=[1])
    def function(x: int) -> None: ...

    assert isinstance(function.__dict__["marks"], list)
    assert function.__dict__["mark_names"] == {"IGNORE", "MATRIX"}


def test_ignore_with_two_positional_arguments_does_not_raise_at_import(tmp_path: Path) -> None:
    file = _write(
        tmp_path / "test_wild_ignore.py",
        "class T(Test):\n    @ignore('slow', 'JIRA-1')\n    def test_a(self): pass\n    def test_b(self): pass\n",
    )
    assert [test.function_name for test in _load([file])] == ["test_a", "test_b"]


def test_env_takes_values_with_a_comparison_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class NotEmpty:
        def __eq__(self, other: object) -> bool:
            return bool(other)

        __hash__ = None  # type: ignore[assignment]

    function = env(WILD_VARIABLE=NotEmpty())(lambda self: None)
    assert [context.ignore for context in _expand(function)] == [True]
    monkeypatch.setenv("WILD_VARIABLE", "anything")
    function = env(WILD_VARIABLE=NotEmpty())(lambda self: None)
    assert [context.ignore for context in _expand(function)] == [False]


def test_clusters_between_groups_cover_what_is_below_and_has_none() -> None:
    @cluster(num_nodes=30)
    @matrix(a=[7, 8])
    @parametrize(a=6)
    @cluster(num_nodes=20)
    @matrix(a=[3, 4])
    @parametrize(a=2)
    @cluster(num_nodes=10)
    @parametrize(a=1)
    def function(a: int) -> None: ...

    uses = {context.injected_args["a"]: context.expected_num_nodes for context in _expand(function)}
    assert uses == {1: 10, 2: 20, 3: 20, 4: 20, 6: 30, 7: 30, 8: 30}


def test_a_matrix_over_an_empty_list_is_one_ignored_test(tmp_path: Path) -> None:
    text = "class T(Test):\n    @cluster(num_nodes=1)\n    @matrix(x=[], y=[1, 2])\n    def test_a(self, x, y): pass\n"
    (test,) = _load([_write(tmp_path / "test_wild_empty.py", text)])
    assert (test.test_id, test.ignore, test.injected_args) == ("test_wild_empty.T.test_a", True, None)


def test_the_expander_takes_a_mock_as_session_context() -> None:
    function = cluster(num_nodes=1)(parametrize(x=1)(lambda self, x: x))
    for session_context in (MagicMock(), SimpleNamespace(globals={"a": 1})):
        (context,) = MarkedFunctionExpander(session_context=session_context, function=function).expand()
        assert context.globals is session_context.globals


def test_the_loader_takes_a_mock_as_session_context(tmp_path: Path) -> None:
    file = _write(tmp_path / "test_wild_mock.py", "class T(Test):\n    def test_a(self): pass\n")
    loader = TestLoader(MagicMock(), MagicMock())
    assert [test.test_id for test in loader.load([file])] == ["test_wild_mock.T.test_a"]
    assert not loader.ignore_import_errors


def test_specs_are_handed_to_cluster_and_come_back() -> None:
    spec = ClusterSpec.simple_linux(4)
    (context,) = _expand(cluster(cluster_spec=spec)(lambda self: None))
    assert context.expected_cluster_spec is spec
    assert context.expected_cluster_spec.size() == 4
    assert context.cluster_use_metadata[CLUSTER_SPEC_KEYWORD] is spec
    (other,) = _expand(cluster(num_nodes=2)(lambda self: None))
    assert other.cluster_use_metadata[CLUSTER_SIZE_KEYWORD] == 2


class Level(IntEnum):
    LOW = 1


class Kind(str, Enum):
    FAST = "fast"


class Plain(Enum):
    ONE = 1


class Pair(NamedTuple):
    left: int
    right: str


@pytest.mark.parametrize(
    "value",
    [
        "text",
        1,
        True,
        None,
        1.5,
        [1, 2],
        (1, 2),
        {"k": [1]},
        OrderedDict(a=1),
        Level.LOW,
        Kind.FAST,
        Pair(1, "r"),
        Plain.ONE,
    ],
)
def test_all_kinds_of_values_are_injected_as_they_are(value: Any) -> None:
    function = parametrize(x=value)(lambda self, x: x)
    (context,) = _expand(function)
    assert context.function(None) is value
    assert context.injected_args["x"] is value
    assert context.test_id


@pytest.mark.parametrize(
    ("value", "text"),
    [("(1, 2)", "[1, 2]"), ("{1: 'a'}", '{"1": "a"}'), ("Level.LOW", "1"), ("Kind.FAST", '"fast"'), ("None", "null")],
)
def test_values_are_selected_by_what_json_shows_of_them(tmp_path: Path, value: str, text: str) -> None:
    enums = "import enum\nclass Level(enum.IntEnum):\n    LOW = 1\nclass Kind(str, enum.Enum):\n    FAST = 'fast'\n"
    tests = f"class T(Test):\n    @matrix(x=[{value}, 'other'])\n    def test_a(self, x): pass\n"
    file = _write(tmp_path / "test_wild_values.py", enums + tests)
    (test,) = _load([f'{file}::T.test_a@{{"x": {text}}}'])
    assert test.injected_args["x"] != "other"


def test_ids_may_be_longer_than_a_file_name() -> None:
    function = parametrize(**{f"argument_{n}": "v" * 20 for n in range(9)})(lambda self, **kw: None)
    (context,) = _expand(function, module="m")
    assert len(context.test_id) > 255


def test_defaults_stand_first_in_ids() -> None:
    function = defaults(z=[1])(parametrize(x=2)(lambda self, x, z: x))
    assert [context.injected_args_name for context in _expand(function)] == ["z=1.x=2"]


# TestContext and Test


class _OwnContext(TestContext):
    def __init__(self, other: TestContext, extra: str) -> None:
        super().__init__()
        self.__dict__.update(**other.__dict__)
        self.extra = extra


def test_contexts_of_an_own_class_come_back_from_a_mark(tmp_path: Path) -> None:
    class Own(Mark):
        def apply(self, seed_context: Any, context_list: list[Any]) -> list[Any]:
            return [_OwnContext(context, "more") for context in context_list]

    @cluster(num_nodes=2)
    @defaults(y=[1])
    @parametrize(x=1)
    def function(self: Any, x: int, y: int) -> int:
        return x + y

    Mark.mark(function, Own())
    session = SessionContext(session_id="s", results_dir=str(tmp_path))
    (context,) = MarkedFunctionExpander(session_context=session, module="m", function=function).expand()
    assert isinstance(context, _OwnContext)
    assert (context.extra, context.test_id, context.expected_num_nodes) == ("more", "m.function.y=1.x=1", 2)
    assert (context.session_context, context.function(None), context.injected_args) == (session, 2, {"y": 1, "x": 1})
    assert isinstance(context.copy(injected_args={}), _OwnContext)


def test_the_loader_orders_and_disambiguates_contexts_of_an_own_class(tmp_path: Path) -> None:
    file = _write(
        tmp_path / "test_wild_own.py",
        """
from ducktape.mark._mark import Mark
from ducktape.tests.test import TestContext

class Own(TestContext):
    def __init__(self, other):
        super().__init__()
        self.__dict__.update(**other.__dict__)

class OwnMark(Mark):
    def apply(self, seed_context, context_list):
        return [Own(context) for context in context_list]

def own(function):
    Mark.mark(function, OwnMark())
    return function

class T(Test):
    @own
    @matrix(x=["a b", "ab", "0"])
    def test_a(self, x): pass
""",
    )
    tests = _load([file])
    assert [type(test).__name__ for test in tests] == ["Own"] * 3
    assert [test.test_id for test in tests] == [
        "test_wild_own.T.test_a.x=0",
        "test_wild_own.T.test_a.x=ab",
        "test_wild_own.T.test_a.x=ab-2",
    ]


def test_a_patched_test_name_makes_every_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(context: TestContext) -> str:
        names = (context.module_name, context.cls_name, context.function_name, context.injected_args_name)
        return "/".join(reversed(names))

    monkeypatch.setattr(TestContext, "test_name", property(short))
    text = "class T(Test):\n    @matrix(x=[1, 2])\n    def test_b(self, x): pass\n    def test_a(self): pass\n"
    tests = _load([_write(tmp_path / "test_wild_name.py", text)])
    assert [test.test_id for test in tests] == [
        "/test_a/T/test_wild_name",
        "x=1/test_b/T/test_wild_name",
        "x=2/test_b/T/test_wild_name",
    ]


def test_a_patched_test_name_that_coincides_loses_no_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TestContext, "test_name", property(lambda context: context.cls_name))
    text = "class T(Test):\n    @matrix(x=[1, 2])\n    def test_b(self, x): pass\n    def test_a(self): pass\n"
    tests = _load([_write(tmp_path / "test_wild_same.py", text)])
    assert [(test.test_id, test.injected_args) for test in tests] == [("T", None), ("T", {"x": 2}), ("T", {"x": 1})]


def test_a_patched_results_dir_is_called_as_a_static_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def directory(context: TestContext, index: int) -> str:
        root = context.session_context.results_dir
        return os.path.join(root, context.cls.__name__, context.function.__name__, str(index))

    monkeypatch.setattr(TestContext, "results_dir", staticmethod(directory))
    file = _write(tmp_path / "test_wild_dir.py", "class T(Test):\n    def test_a(self): pass\n")
    (test,) = _load([file], SessionContext(session_id="s", results_dir="/results"))
    test.test_index = 4
    assert TestContext.results_dir(test, test.test_index) == "/results/T/test_a/4"


def test_globals_are_those_of_the_session(tmp_path: Path) -> None:
    file = _write(tmp_path / "test_wild_globals.py", "class T(Test):\n    def test_a(self): pass\n")
    session = SessionContext(session_id="s", results_dir="/r", globals={"a": {"b": 1}})
    (test,) = _load([file], session)
    assert "a" in test.globals
    assert test.globals["a"]["b"] == 1
    assert test.globals.get("c", 5) == 5


# How they are started


def test_the_loader_is_used_as_a_library(tmp_path: Path) -> None:
    text = "class T(Test):\n    @parametrize(x=1)\n    def test_a(self, x): return self, x\n"
    file = _write(tmp_path / "wildpack" / "test_wild_library.py", text)
    (tmp_path / "wildpack" / "__init__.py").touch()
    context = SessionContext(session_id="wild", results_dir=str(tmp_path))
    logger = SessionLoggerMaker(context).logger
    (test,) = TestLoader(session_context=context, logger=logger).load(symbols=[str(tmp_path / "wildpack")])
    assert (test.file, test.cls.__name__, test.injected_args) == (file, "T", {"x": 1})
    assert test.function("me") == ("me", 1)


def test_directories_globs_classes_methods_and_json_are_symbols(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "class T(Test):\n    @matrix(x=[1, 2])\n    def test_a(self, x): pass\n    def test_b(self): pass\n"
    _write(tmp_path / "wildpack" / "test_wild_symbols.py", text)
    (tmp_path / "wildpack" / "__init__.py").touch()
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    file = "../wildpack/test_wild_symbols.py"
    expected = {
        "../wildpack": ["test_a.x=1", "test_a.x=2", "test_b"],
        "../wild*/*_symbols.py": ["test_a.x=1", "test_a.x=2", "test_b"],
        f"{file}::T.test_a": ["test_a.x=1", "test_a.x=2"],
        f'{file}::T.test_a@{{"x": 1}}': ["test_a.x=1"],
    }
    prefix = "wildpack.test_wild_symbols.T."
    assert {symbol: [test.test_id.removeprefix(prefix) for test in _load([symbol])] for symbol in expected} == expected


def test_ids_and_order_do_not_depend_on_hash_seed_and_directory_order(tmp_path: Path) -> None:
    names = [f"test_wild_{letter}.py" for letter in "cabd"]
    text = "class T(Test):\n    @matrix(x=['a b', 'ab'], y=['u', 'v'])\n    def test_a(self, x, y): pass\n"
    for place, order in (("one", names), ("two", names[::-1])):
        for name in ["__init__.py", *order]:
            _write(tmp_path / place / "wildpack" / name, "" if name == "__init__.py" else text)
    program = (
        "import logging, sys; from ducktape.tests.loader import TestLoader as L\n"
        "print([(t.test_id, t.injected_args) for t in L(None, logging.getLogger()).load(sys.argv[1:])])"
    )
    said = set()
    for place, seed in (("one", "1"), ("two", "2"), ("one", "3")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-c", program, str(tmp_path / place / "wildpack")]
        said.add(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)
    assert len(said) == 1
    assert said.pop().count("-2'") == 8
