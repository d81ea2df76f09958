# SPDX-License-Identifier: Apache-2.0
"""From test methods and their marks to test contexts."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import NamedTuple

from ducktape.errors import CompatibilityWarning
from ducktape.json_serializable import jsonable_arguments
from ducktape.mark._mark import _inject
from ducktape.mark.mark_expander import MarkedFunctionExpander
from ducktape.mark.support.checking import kept_keywords, marks_of_class, mistakes, oddities
from ducktape.tests.loading.discovery import MarkedMethod, ModuleAndFile, find_methods
from ducktape.tests.loading.flaws import FlawedTest, sound
from ducktape.tests.loading.selection import argument_key, unique
from ducktape.tests.loading.symbols import LoaderException, TestSymbol
from ducktape.tests.test_context import TestContext, shown
from ducktape.utils.support.guard import UserCodeError
from ducktape.utils.support.strictness import tolerate


def bind(function: Callable[..., object], injected_args: Mapping[str, object] | None) -> Callable[..., object]:
    """Return a method that needs nothing but its instance."""
    return function if injected_args is None else _inject(**injected_args)(function)


class _Origin(NamedTuple):
    """Where the contexts of one method come from; sorts the same way in every run."""

    file: str
    module: str
    position: int
    method: str
    line: int


class _Expanded(NamedTuple):
    """The contexts of one method, and what is wrong with its marks; with mistakes there may be one context for all."""

    contexts: list[TestContext]
    by_arguments: dict[tuple[bool, Hashable], list[TestContext]]
    mistakes: list[str]

    def with_arguments(self, wanted: dict[str, object] | list[object]) -> list[TestContext]:
        """Return the contexts with some arguments."""
        index = self.by_arguments
        if not index:
            for context in self.contexts:
                for exact in (True, False):
                    key = argument_key(context.json_arguments, exact=exact)
                    index.setdefault((exact, key), []).append(context)
        numbers = self.contexts[0].argument_numbers if self.contexts else {}
        found: list[TestContext] = []
        for each in wanted if isinstance(wanted, list) else [wanted]:
            arguments = jsonable_arguments(each, numbers)
            keys = ((exact, argument_key(arguments, exact=exact)) for exact in (True, False))
            found += next((index[key] for key in keys if key in index), [])
        return unique(found)


class Expansion:
    """Makes the contexts of methods, those of one method once however often it is asked for.

    Arguments that are injected replace all parametrizations.
    """

    def __init__(
        self,
        session_context: object,
        cluster: object,
        injected_args: Mapping[str, object] | None,
        function_pattern: str,
    ) -> None:
        self._session_context = session_context
        self._cluster = cluster
        self._injected_args = injected_args
        self._function_pattern = function_pattern
        self._expanded: dict[tuple[_Origin, int, int], _Expanded] = {}

    def contexts(self, source: ModuleAndFile, symbol: TestSymbol) -> list[TestContext]:
        """Return the tests of one module that a symbol, whose path does not matter, names."""
        methods = find_methods(source.module, self._function_pattern, symbol.cls_name, symbol.method_name)
        expanded = [self._expand(source, method) for method in methods]
        if symbol.injected_args is None:
            return [context for each in expanded for context in each.contexts]
        return [context for each in expanded for context in each.with_arguments(symbol.injected_args)]

    def siblings(self, contexts: Iterable[TestContext]) -> list[TestContext]:
        """Return all tests of the methods that some tests come from, in an order that does not depend on the asking."""
        return [context for expanded in self._methods_of(contexts) for context in expanded.contexts]

    def check(self, contexts: Iterable[TestContext]) -> None:
        """Raise a ``LoaderException`` about the tests whose marks cannot be meant as they are written, if any."""
        found = list(dict.fromkeys(mistake for expanded in self._methods_of(contexts) for mistake in expanded.mistakes))
        if found:
            raise LoaderException(found[0] if len(found) == 1 else "\n  ".join(["", *found]))

    def _methods_of(self, contexts: Iterable[TestContext]) -> list[_Expanded]:
        wanted = {id(context) for context in contexts}
        touched = [
            (origin, expanded)
            for (origin, _, _), expanded in self._expanded.items()
            if any(id(context) in wanted for context in expanded.contexts)
        ]
        touched.sort(key=lambda pair: pair[0])
        return [expanded for _, expanded in touched]

    def _expand(self, source: ModuleAndFile, method: MarkedMethod) -> _Expanded:
        name, function = source.module.__name__, method.function
        line = function.__code__.co_firstlineno
        origin = _Origin(os.path.realpath(source.file), name, method.position, function.__name__, line)
        key = (origin, id(method.cls), id(function))
        if key not in self._expanded:
            self._expanded[key] = self._expand_marks(source, method)
        return self._expanded[key]

    def _expand_marks(self, source: ModuleAndFile, method: MarkedMethod) -> _Expanded:
        cls, function = method.cls, method.function
        place = (self._session_context, source.module.__name__, cls, function, source.file, self._cluster)
        test = f"{source.module.__name__}.{cls.__name__}.{function.__name__}"
        try:
            expander = MarkedFunctionExpander(*place)
            try:
                contexts = expander.expand(self._injected_args)
            except AssertionError as e:
                mistake = f"{test} in {source.file}: {e} (marks apply to the decorators below them)"
                return _Expanded([expander.seed_context], {}, [mistake])
            found = self._checked(test, method, contexts)
            return _Expanded(contexts if found else [sound(context) for context in contexts], {}, found)
        except UserCodeError as e:  # marks of users are code of users
            names = ("session_context", "module", "cls", "function", "file")
            flaw = f"The marks of the test failed: {type(e).__name__}: {shown(e)}"
            return _Expanded([FlawedTest(TestContext(**dict(zip(names, place, strict=False))), flaw)], {}, [])

    def _checked(self, test: str, method: MarkedMethod, contexts: list[TestContext]) -> list[str]:
        """Return the mistakes in the marks of a method, and warn of what is tolerated in them."""
        # Also when a decorator of a user has wrapped it
        code = getattr(inspect.unwrap(method.function), "__code__", method.function.__code__)
        file, line = code.co_filename, code.co_firstlineno
        # What replaces the parametrizations of a method need not fit its marks
        marks = [*getattr(method.function, "marks", ())] if self._injected_args is None else []
        found = [f"{test} in {file}:{line}: {mistake}" for mistake in mistakes(marks, contexts)]
        if found:
            return found
        odd = oddities(method.function if self._injected_args is None else None, marks, contexts)
        try:
            for oddity in odd:
                tolerate(f"{test}: {oddity}", file, line)
            for key in kept_keywords(contexts):
                # Suites that use one do so in hundreds of tests
                kept = f"the keyword {key} of @cluster has no meaning here; it is kept with the test"
                tolerate(kept, file, line, once_for=kept)
            for mark in marks_of_class(method.cls):
                no_effect = f"{mark} on the class {method.cls.__name__} has no effect: write it on its methods"
                tolerate(no_effect, file, once_for=no_effect)
        except CompatibilityWarning as warning:
            return [str(warning)]
        return []
