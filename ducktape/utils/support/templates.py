# SPDX-License-Identifier: Apache-2.0
"""The template engine; import this module only to render something."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from importlib.util import find_spec
from types import FrameType
from typing import Any

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    Template,
    TemplateNotFound,
    Undefined,
)
from jinja2.runtime import Context

from ducktape.utils.support.lazy import resolved
from ducktape.utils.support.strictness import tolerate

# Modules between a template and the code that renders it
_MACHINERY = frozenset({__name__, "ducktape.template"})


class _Noticed(Undefined):
    """An unknown name, rendered as nothing with a warning."""

    def __str__(self) -> str:
        self._tolerate()
        return super().__str__()

    def __iter__(self) -> Iterator[object]:
        self._tolerate()
        return super().__iter__()

    def __contains__(self, item: object) -> bool:
        return False  # without going through the items

    def _tolerate(self) -> None:
        tolerate(f"{self._undefined_message} in this template: rendered as nothing", *_place_in_template())


def _place_in_template() -> tuple[str, int]:
    """Return the file and line that is being rendered; for a text those of the rendering call."""
    frame: FrameType | None = sys._getframe(2)
    found: tuple[str, int] | None = None
    while frame is not None:
        template = frame.f_globals.get("__jinja_template__")
        if isinstance(template, Template):
            line = template.get_corresponding_lineno(frame.f_lineno)
            if template.filename not in (None, "<template>"):
                return str(template.filename), line
            found = found or ("<template>", line)
        elif (
            found is not None
            and frame.f_globals.get("__name__") not in _MACHINERY
            and "jinja2" not in frame.f_code.co_filename.split(os.sep)
        ):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return found or ("<template>", 0)


class _ReadsLazily:
    """Mixed into the engine's context, to read lazy variables."""

    def resolve_or_missing(self, key: str) -> object:
        return resolved(super().resolve_or_missing(key))  # type: ignore[misc]


def environment_for_files(loader: BaseLoader) -> Environment:
    """Return the environment for template files, where lines with only a block leave no empty line."""
    return Environment(loader=loader, trim_blocks=True, lstrip_blocks=True, undefined=_Noticed)


def compile_text(text: str) -> Template:
    """Compile a text with the default environment."""
    return _environment_for_texts().from_string(text)


@functools.cache
def _environment_for_texts() -> Environment:
    # Made by the first text: it copies the filters and tests that suites have added to the engine's own until then
    return Environment(undefined=_Noticed)


def render(template: Any, variables: Mapping[str, object]) -> str:
    """Render a compiled template, or any object with a method ``render``; lazy variables are read on use."""
    if isinstance(template, Template):
        environment = template.environment
        stock: Any = environment.context_class
        if not issubclass(stock, _ReadsLazily):
            environment.context_class = _reading_lazily(stock)
    text: str = template.render(variables)
    return text


def loader_for(classes: Sequence[type], package_search_path: Callable[[str], tuple[str, str]]) -> BaseLoader:
    """Return a loader for the templates of a class and its bases, given the package and directory of a module."""
    loaders: list[BaseLoader] = []
    for cls in classes:
        try:
            directory = os.path.join(os.path.dirname(os.path.abspath(inspect.getfile(cls))), "templates")
            # A missing directory is only reported for the class itself
            if cls is classes[0] or os.path.isdir(directory):
                loaders.append(FileSystemLoader(directory))
        except (TypeError, OSError):  # defined interactively, or built in
            pass
        package, path = package_search_path(cls.__module__)
        # No such package, or one without this directory
        with contextlib.suppress(ImportError, ValueError):
            if find_spec(package) is not None:
                loaders.append(PackageLoader(package, path))
    if not loaders:
        wanted = f"{classes[0].__module__}.{classes[0].__qualname__}"
        raise OSError(
            f"No place to look for the templates of {wanted}: its module has neither a file nor an importable package "
            "with a directory 'templates'"
        )
    return _Search(loaders)


class _Search(ChoiceLoader):
    """Names all searched places if a template is in none."""

    def load(self, environment: Environment, name: str, globals: MutableMapping[str, Any] | None = None) -> Template:
        try:
            return super().load(environment, name, globals)
        except TemplateNotFound as error:
            if error.name != name:
                raise
            places: dict[str, None] = {}
            for loader in self.loaders:
                if isinstance(loader, FileSystemLoader):
                    places.update(dict.fromkeys(map(str, loader.searchpath)))
                elif isinstance(loader, PackageLoader):
                    places[f"{loader.package_path} of package {loader.package_name}"] = None
            raise TemplateNotFound(name, f"'{name}' not found in: {', '.join(places)}") from None


@functools.cache
def _reading_lazily(context_class: type[Context]) -> type[Context]:
    return type(f"Deferring{context_class.__name__}", (_ReadsLazily, context_class), {})
