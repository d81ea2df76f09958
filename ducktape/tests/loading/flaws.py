# SPDX-License-Identifier: Apache-2.0
"""Tests without a usable name, directory or demand for nodes: each is one failed test."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

from ducktape.cluster.cluster_spec import ClusterSpec
from ducktape.cluster.node_container import NodeContainer
from ducktape.json_serializable import jsonable
from ducktape.mark.consts import CLUSTER_SIZE_KEYWORD, CLUSTER_SPEC_KEYWORD
from ducktape.mark.support.checking import wrong_value_in
from ducktape.tests.test_context import TestContext, shown
from ducktape.utils.support.guard import UserCodeError, value_or

_OF_THE_CLUSTER = {CLUSTER_SIZE_KEYWORD, CLUSTER_SPEC_KEYWORD}
_MOST_NODES = 1_000_000
_LONGEST_REASON = 1000


class FlawedTest(TestContext):
    """Placeholder for a test that cannot be run, and why, in one line; the runner fails it when its turn comes."""

    def __init__(self, context: TestContext, flaw: str) -> None:
        known = vars(context)
        arguments = known.get("injected_args")
        super().__init__(
            session_context=known.get("session_context"),
            module=_text(known.get("module")) or None,
            file=known.get("file") if isinstance(known.get("file"), str) else None,
            cls=_named(known.get("cls")),
            function=_named(known.get("function")),
            injected_args={_text(name) or "unnamed": shown(value) for name, value in list(arguments.items())}
            if isinstance(arguments, dict)
            else None,
        )
        self.flaw = flaw

    @property
    def expected_cluster_spec(self) -> ClusterSpec | None:
        """No nodes."""
        return ClusterSpec.empty()


def sound(context: TestContext, *, has_cluster: bool = False) -> TestContext:
    """Return a test, or a placeholder if it cannot be run; its demand may depend on the cluster of the run."""
    if isinstance(context, FlawedTest):
        return context
    try:
        # Everything that the driver will evaluate
        names = (context.test_id, context.module_name, context.cls_name, context.function_name, context.description)
        for text in names:
            if not isinstance(text, str):
                raise TypeError(f"its name or description is no text but a {type(text).__name__}")
        json.dumps(jsonable(context.injected_args))
        if has_cluster:
            os.fsencode(TestContext.results_dir(context, 0))
        if has_cluster or _OF_THE_CLUSTER & context.cluster_use_metadata.keys():
            _check_demand(context)
            repr(context)
    except UserCodeError as error:
        return FlawedTest(context, f"The test cannot be run: {type(error).__name__}: {shown(error)[:_LONGEST_REASON]}")
    return context


def _check_demand(context: TestContext) -> None:
    wrong = wrong_value_in(context.cluster_use_metadata)
    if wrong is not None:
        raise ValueError(wrong)
    try:
        size = context.cluster_use_metadata.get(CLUSTER_SIZE_KEYWORD)
        if isinstance(size, int) and size > _MOST_NODES:
            raise ValueError("no cluster has so many nodes")
        spec = context.expected_cluster_spec
        if spec is not None:
            str(spec)
            NodeContainer().can_remove_spec(spec)
            if not isinstance(spec.size(), int):
                raise TypeError(f"the number of nodes is a {type(spec.size()).__name__}")
    except UserCodeError as error:
        wanted = ", ".join(f"{name}={value!r}" for name, value in context.cluster_use_metadata.items())
        raise ValueError(f"@cluster({wanted}) makes no sense: {type(error).__name__}: {shown(error)}") from error


def _named(code: object) -> SimpleNamespace | None:
    """Return an object that has only the name of a class or function, which may be code of a metaclass."""
    if code is None:
        return None
    name = value_or(None, getattr, code, "__name__")
    return SimpleNamespace(__name__=_text(name) or "unnamed", __doc__=None)


def _text(value: object) -> str:
    return str.__str__(value) if isinstance(value, str) else ""
