# SPDX-License-Identifier: Apache-2.0
"""Renders configuration files from templates."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ducktape.utils.support.lazy import Lazy, LazyDict

if TYPE_CHECKING:
    import jinja2


class TemplateRenderer:
    """Renders templates with the attributes of the rendering object.

    Variables are the attributes of the class, those of the instance, and the keywords of the call; later ones win.
    Properties are read on use. Unknown names are rendered as nothing, with a warning if they are printed; with
    ``--strict`` they are errors.

    Attributes:
        template_loader: the loader of files, created by the first ``render``. A class that sets it also has to set
            ``template_env``.
        template_env: the Jinja2 environment of ``render``.
    """

    template_loader: jinja2.BaseLoader
    template_env: jinja2.Environment

    def render_template(self, template: object, **kwargs: object) -> str:
        """Render a text.

        Args:
            template: the text, compiled with Jinja2's default settings, or an object with a method ``render``.
            **kwargs: further variables.

        Returns:
            The rendered text.

        Raises:
            TypeError: ``template`` is neither.
            jinja2.TemplateError: the template is invalid, or uses an attribute of an unknown name.
        """
        # Imported on use, since the engine is large
        from ducktape.utils.support import templates as template_engine

        if isinstance(template, str):
            template = template_engine.compile_text(template)
        if not hasattr(template, "render"):
            raise TypeError(f"Expected a string or an object with a method render, not {type(template).__name__}")
        variables = LazyDict(self._get_ctx())
        variables.update(kwargs)
        return template_engine.render(template, variables)

    def render(self, path: str, **kwargs: object) -> str:
        """Render a file.

        The file is searched in the directory ``templates`` next to the module of the object's class, then in that of
        the class's package, then likewise for its base classes.

        Args:
            path: relative to such a directory, with ``/`` between its parts.
            **kwargs: further variables.

        Returns:
            The rendered text.

        Raises:
            jinja2.TemplateNotFound: there is no such file.
            OSError: there is no directory to search.
        """
        if not hasattr(self, "template_loader"):
            from ducktape.utils.support import templates as template_engine

            # Not the templates of the framework
            classes = [cls for cls in type(self).__mro__ if cls not in (TemplateRenderer, object)]
            loader = template_engine.loader_for(classes, self._package_search_path)
            # Assigned before the loader, since other threads check that one
            self.template_env = template_engine.environment_for_files(loader)
            self.template_loader = loader
        return self.render_template(self.template_env.get_template(path), **kwargs)

    def _get_ctx(self) -> dict[str, Any]:
        cls = type(self)
        variables = LazyDict()
        for name in dir(cls):
            try:
                value = getattr(cls, name)
            except AttributeError:  # a descriptor that only works for instances
                continue
            variables[name] = Lazy(self, name) if isinstance(value, (property, cached_property)) else value
        variables.update(vars(self))
        return variables

    @staticmethod
    def _package_search_path(module_name: str) -> tuple[str, str]:
        """Return the package of a module and the directory of its templates within that package."""
        parts = module_name.split(".")
        return parts[0], "/".join([*parts[1:-1], "templates"])
