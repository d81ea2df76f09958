# SPDX-License-Identifier: Apache-2.0
"""Declarations of cluster use that cannot be meant, and marks that have no effect."""

from __future__ import annotations

import logging
import re
import reprlib
import textwrap
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.mark.resource import cluster
from ducktape.mark.support.checking import kept_keywords, mistake_in, oddities_in, wrong_value_in
from ducktape.tests.loader import LoaderException, TestLoader
from ducktape.tests.test_context import TestContext


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        *((key, "num_nodes") for key in ("num_node", "numnodes", "NUM_NODES", "nodes", "cluster_size", "nnum_nodes")),
        *((key, "num_nodes") for key in ("number_of_nodes", "n_nodes", "node_count", "num_nodess", "num__nodes")),
        *((key, "cluster_spec") for key in ("clusterspec", "cluster_specs", "ClusterSpec", "cluter_spec")),
        *((key, "node_type") for key in ("node_types", "nodetype", "NODE_TYPE", "node_typ")),
    ],
)
@pytest.mark.parametrize("beside", [{}, {"num_nodes": 1}])
def test_a_misspelt_keyword_is_an_error_that_names_what_was_meant(key: str, meant: str, beside: dict[str, Any]) -> None:
    assert mistake_in({**beside, key: 2}) == f"@cluster has the unknown keyword {key}: did you mean {meant}?"


@pytest.mark.parametrize("value", [3, 0, "3", ClusterSpec.simple_linux(2)])
def test_an_unknown_keyword_that_seems_to_say_a_size_is_an_error_where_nothing_else_does(value: Any) -> None:
    told = mistake_in({"workers": value})
    assert told is not None
    assert told.startswith("@cluster has the unknown keyword workers and neither num_nodes nor cluster_spec")
    assert mistake_in({"workers": value, "num_nodes": 3}) is None


@pytest.mark.parametrize("value", ["2", -1, True, 2.0, [1], b"2"])
def test_a_number_of_nodes_is_a_whole_number(value: Any) -> None:
    assert wrong_value_in({"num_nodes": value}) == f"@cluster(num_nodes={value!r}): expected a whole number from 0 on"


@pytest.mark.parametrize("value", [3, "spec", ClusterSpec])
def test_a_spec_is_a_spec(value: Any) -> None:
    assert (
        wrong_value_in({"cluster_spec": value})
        == f"@cluster(cluster_spec={reprlib.repr(value)}): expected a ClusterSpec"
    )


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"num_nodes": 0},
        {"num_nodes": None},
        {"num_nodes": 2, "node_type": "large"},
        {"cluster_spec": ClusterSpec.simple_linux(2)},
        {"num_nodes": 3, "log_allow_list": ["x"], "jira": "X-1", "owner": "me"},
    ],
)
def test_what_suites_write_is_no_mistake(metadata: dict[str, Any]) -> None:
    assert mistake_in(metadata) is None
    assert list(oddities_in(metadata)) == []


def test_what_has_no_effect_is_told() -> None:
    spec = ClusterSpec.simple_linux(2)
    assert list(oddities_in({"node_type": "large"})) == ["@cluster has node_type without num_nodes: it has no effect"]
    assert list(oddities_in({"cluster_spec": spec, "num_nodes": 2})) == [
        "@cluster has both cluster_spec and num_nodes: the latter has no effect"
    ]
    context = TestContext(cluster_use_metadata={"num_nodes": 1, "owner": "me"})
    assert kept_keywords([context]) == ["owner"]


def load(folder: Path, text: str, **options: Any) -> list[str]:
    """Load a file of one class with the given body; returns the ids of its tests."""
    head = "from ducktape.mark import *\nfrom ducktape.mark import expected_failure\n"
    imports = "from ducktape.mark.resource import *\nfrom ducktape.tests.test import Test\n\n"
    (folder / "test_it.py").write_text(
        f"{head}{imports}class T(Test):\n{textwrap.indent(textwrap.dedent(text), '    ')}"
    )
    excluded = options.pop("excluded", None)
    loader = TestLoader(None, logging.Logger("unused", logging.CRITICAL), **options)
    return [test.test_id for test in loader.load([str(folder / "test_it.py")], excluded)]


MISTAKES = """
    @cluster(num_node=2)
    def test_a(self): ...
    @cluster(num_nodes=1)
    def test_b(self): ...
    @parametrize(x=1)
    @cluster(num_nodes=2)
    def test_c(self, x): ...
    @expected_failure("bug", y=1)
    @cluster(num_nodes=1)
    @parametrize(x=1)
    def test_d(self, x): ...
"""


def test_all_mistakes_are_told_at_once_with_their_places(tmp_path: Path) -> None:
    with pytest.raises(LoaderException) as error:
        load(tmp_path, MISTAKES)
    file = tmp_path / "test_it.py"
    assert str(error.value).splitlines() == [
        "",
        f"  test_it.T.test_a in {file}:8: @cluster has the unknown keyword num_node: did you mean num_nodes?",
        f"  test_it.T.test_c in {file}: cluster use annotation is not being applied to any test cases "
        "(marks apply to the decorators below them)",
        f'  test_it.T.test_d in {file}:15: @expected_failure("…", y=…) names no parametrization of this test: '
        "there is no argument y (arguments: x)",
    ]


def test_tests_with_mistakes_can_be_excluded(tmp_path: Path) -> None:
    excluded = [f"{tmp_path}/test_it.py::T.test_{letter}" for letter in "acd"]
    assert load(tmp_path, MISTAKES, excluded=excluded) == ["test_it.T.test_b"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("@ignore(x=7)\n@parametrize(x=1)\ndef test_a(self, x): ...", "@ignore(x=…) names no parametrization"),
        ("@matrix(z=[1])\ndef test_a(self, x): ...", "gives an argument z, which the method does not take"),
        (
            "@cluster(num_nodes=1, owner='me')\ndef test_a(self): ...",
            "the keyword owner of @cluster has no meaning",
        ),
    ],
)
def test_what_has_no_effect_is_tolerated(tmp_path: Path, body: str, told: str) -> None:
    with pytest.warns(match=re.escape(told)):
        assert load(tmp_path, body)


def test_a_mark_on_a_class_is_told(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "from ducktape.mark import ignore\nfrom ducktape.tests.test import Test\n\n"
        "@ignore\nclass T(Test):\n    def test_a(self): ...\n"
    )
    with pytest.warns(match="@ignore on the class T has no effect: write it on its methods"):
        TestLoader(None, logging.Logger("unused", logging.CRITICAL)).load([str(tmp_path / "test_it.py")])


def test_parameters_of_the_command_line_need_not_fit_the_marks(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    assert load(tmp_path, "@ignore(x=1)\n@parametrize(x=1)\ndef test_a(self, x): ...", injected_args={"z": 1})
    assert list(recwarn) == []


def test_a_decorator_that_is_applied_by_hand_is_checked_as_well() -> None:
    def test() -> None: ...

    assert cluster(num_node=2)(test) is test
    marks: Any = vars(test)["marks"]
    assert mistake_in(marks[0].metadata) is not None
