# SPDX-License-Identifier: Apache-2.0
"""Expands a marked method to its tests."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from ducktape.mark._mark import Mark, Parametrize, _is_parametrize_mark, parametrized
from ducktape.mark.policies import Policy, class_marks
from ducktape.tests.test_context import TestContext
from ducktape.utils.support.hooks import called
from ducktape.utils.support.stable_text import numbers_of


class MarkedFunctionExpander:
    """Creates the tests of one method by its marks; the arguments become attributes of their contexts."""

    def __init__(
        self,
        session_context: object = None,
        module: str | None = None,
        cls: type | None = None,
        function: Callable[..., object] | None = None,
        file: str | None = None,
        cluster: object = None,
    ) -> None:
        self.seed_context = TestContext(
            session_context=session_context, module=module, cls=cls, function=function, file=file, cluster=cluster
        )
        self.context_list: list[TestContext] = [] if parametrized(function) else [self.seed_context]

    def expand(self, test_parameters: Mapping[str, object] | None = None) -> list[TestContext]:
        """Return the tests; ``test_parameters`` are the arguments of the only one, instead of all parametrizations."""
        own: list[Mark] = getattr(self.seed_context.function, "marks", [])
        # Policies of a parametrization are set by the marks above it, else by those of the method below all
        # parametrizations, else by the class
        lowest = list(itertools.takewhile(lambda mark: not _is_parametrize_mark(mark), own))
        policies = [mark for mark in lowest if isinstance(mark, Policy)]
        others = [mark for mark in lowest if not isinstance(mark, Policy)]
        marks = [*others, *own[len(lowest) :], *policies, *class_marks(self.seed_context.cls)]
        if test_parameters is not None:
            marks = [mark for mark in marks if not _is_parametrize_mark(mark)]
            self.context_list = Parametrize(**test_parameters).apply(self.seed_context, [])
        for mark in marks:
            self.context_list = called(mark.apply, self.seed_context, self.context_list)
        numbers = numbers_of(context.injected_args for context in reversed(self.context_list))
        for context in self.context_list if numbers else ():
            context.argument_numbers = numbers
        return self.context_list
