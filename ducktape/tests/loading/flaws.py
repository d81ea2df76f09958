# SPDX-License-Identifier: Apache-2.0
"""Tests without a usable name, directory or demand for nodes: each is one failed test."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import Any

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.node_container import NodeContainer
from ducktape.json_serializable import jsonable
from ducktape.mark.consts import CLUSTER_SIZE_KEYWORD, CLUSTER_SPEC_KEYWORD
from ducktape.mark.resource import wrong_value_in
from ducktape.tests.test_context import TestContext, shown

_RAISED_BY_VALUES = (Exception, SystemExit)
_OF_THE_CLUSTER = {CLUSTER_SIZE_KEYWORD, CLUSTER_SPEC_KEYWORD}
_MOST_NODES = 1_000_000
_LONGEST_REASON = 1000


class FlawedTest(TestContext):
    """Placeholder for a test that cannot be run; the runner fails it when its turn comes.

    Args:
        context: the test.
        flaw: what is wrong with it, in one line.
    """

    def __init__(self, context: TestContext, flaw: str) -> None:
        known = vars(context)
        super().__init__(
            session_context=known.get("session_context"),
            module=_text(known.get("module")) or None,
            file=known.get("file") if isinstance(known.get("file"), str) else None,
            cls=_named(known.get("cls")),
            function=_named(known.get("function")),
            injected_args=_plain(known.get("injected_args")),
        )
        self.flaw = flaw

    @property
    def expected_cluster_spec(self) -> ClusterSpec | None:
        """No nodes."""
        return ClusterSpec.empty()


def sound(context: Any, *, has_cluster: bool = False) -> Any:
    """Return a test, or a placeholder if it cannot be run.

    Args:
        context: what marks have made; its values come from code of the user.
        has_cluster: whether it has the cluster of the run, on which its demand may depend.
    """
    if isinstance(context, FlawedTest):
        return context
    try:
        _look_at(context)
        if has_cluster:
            os.fsencode(TestContext.results_dir(context, 0))
        if has_cluster or _OF_THE_CLUSTER & context.cluster_use_metadata.keys():
            _look_at_demand(context)
            repr(context)
    except _RAISED_BY_VALUES as error:
        return FlawedTest(context, f"The test cannot be run: {type(error).__name__}: {shown(error)[:_LONGEST_REASON]}")
    return context


def _look_at(context: TestContext) -> None:
    """Evaluate everything that the driver will evaluate."""
    texts = (context.test_id, context.module_name, context.cls_name, context.function_name, context.description)
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"its name or description is no text but a {type(text).__name__}")
    json.dumps(jsonable(context.injected_args))


def _look_at_demand(context: TestContext) -> None:
    wrong = wrong_value_in(context.cluster_use_metadata)
    if wrong is not None:
        raise ValueError(wrong)
    try:
        _look_at_spec(context)
    except _RAISED_BY_VALUES as error:
        wanted = ", ".join(f"{name}={value!r}" for name, value in context.cluster_use_metadata.items())
        raise ValueError(f"@cluster({wanted}) makes no sense: {type(error).__name__}: {shown(error)}") from error


def _look_at_spec(context: TestContext) -> None:
    size = context.cluster_use_metadata.get(CLUSTER_SIZE_KEYWORD)
    if isinstance(size, int) and size > _MOST_NODES:
        raise ValueError("no cluster has so many nodes")
    spec = context.expected_cluster_spec
    if spec is None:
        return
    str(spec)
    NodeContainer().can_remove_spec(spec)
    if not isinstance(spec.size(), int):
        raise TypeError(f"the number of nodes is a {type(spec.size()).__name__}")


def _named(code: Any) -> Any:
    """Return an object that has only the name of a class or function."""
    if code is None:
        return None
    try:
        name = code.__name__
    except Exception:  # code of a metaclass
        name = None
    return SimpleNamespace(__name__=_text(name) or "unnamed", __doc__=None)


def _plain(arguments: Any) -> dict[str, Any] | None:
    if not isinstance(arguments, dict):
        return None
    return {_text(name) or "unnamed": shown(value) for name, value in list(arguments.items())}


def _text(value: Any) -> str:
    return str.__str__(value) if isinstance(value, str) else ""
