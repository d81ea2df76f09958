# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import jinja2
import pytest

from ducktape.errors import CompatibilityWarning
from ducktape.template import TemplateRenderer
from ducktape.utils.support import strictness
from ducktape.utils.support import templates as template_engine

REPOSITORY = Path(__file__).parents[2]

Project = Callable[[dict[str, str]], None]


class Base(TemplateRenderer):
    INHERITED = "inherited"
    OVERRIDDEN = "base"


class Renderer(Base):
    CONSTANT = "constant"
    OVERRIDDEN = "class"
    reads = 0

    def __init__(self) -> None:
        self.own = "own"

    @property
    def number(self) -> int:
        self.reads += 1
        return 5

    @cached_property
    def words(self) -> list[str]:
        return ["a", "b"]

    @property
    def broken(self) -> str:
        raise ZeroDivisionError("only when used")

    def method(self) -> str:
        return "called"


@pytest.mark.filterwarnings("ignore:.* in this template:ducktape.errors.CompatibilityWarning")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ CONSTANT }} {{ INHERITED }} {{ OVERRIDDEN }} {{ own }}", "constant inherited class own"),
        ("{{ absent }}|", "|"),
        ("{{ own }}\n\n", "own\n"),
        ("{% if true %}\nx\n{% endif %}\n", "\nx\n"),
        ("{{ '<&>' }}", "<&>"),
        ("{{ number }}", "5"),
        ("{% for word in words %}{{ word }}{{ number }};{% endfor %}", "a5;b5;"),
        ("{{ self.own }}", ""),
    ],
)
def test_texts_are_rendered(text: str, expected: str) -> None:
    assert Renderer().render_template(text) == expected


def test_instance_attributes_shadow_class_constants_and_keywords_shadow_both() -> None:
    renderer = Renderer()
    renderer.CONSTANT = "instance"
    assert renderer.render_template("{{ CONSTANT }} {{ number }}") == "instance 5"
    assert renderer.render_template("{{ CONSTANT }} {{ number }}", CONSTANT="keyword", number=7) == "keyword 7"


def test_an_attribute_of_an_unknown_name_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        Renderer().render_template("{{ absent.attribute }}")


def test_properties_are_read_only_when_a_template_uses_them() -> None:
    renderer = Renderer()
    assert renderer.render_template("{{ own }}") == "own"
    assert renderer.reads == 0
    with pytest.raises(ZeroDivisionError, match="only when used"):
        renderer.render_template("{{ broken }}")


def test_compiled_templates_see_properties_too() -> None:
    template = jinja2.Environment(variable_start_string="<<", variable_end_string=">>").from_string("<< number >>")
    assert Renderer().render_template(template) == "5"
    assert Renderer().render_template(jinja2.Template("{{ number }}{{ x }}"), x=1) == "51"


def test_a_context_class_of_the_environment_keeps_working() -> None:
    class Shouting(jinja2.runtime.Context):
        def resolve_or_missing(self, key: str) -> Any:
            value = super().resolve_or_missing(key)
            return value.upper() if isinstance(value, str) else value

    environment = jinja2.Environment()
    environment.context_class = Shouting
    assert Renderer().render_template(environment.from_string("{{ own }} {{ number }}")) == "OWN 5"


def test_anything_with_a_render_method_is_a_template() -> None:
    class Own:
        def render(self, variables: dict[str, Any]) -> str:
            return f"{variables['own']} {variables['number']} {variables['x']}"

    assert Renderer().render_template(Own(), x=1) == "own 5 1"


def test_something_else_is_no_template() -> None:
    with pytest.raises(TypeError, match="Expected a string or an object with a method render, not int"):
        Renderer().render_template(5)


def test_the_context_is_class_then_instance() -> None:
    renderer = Renderer()
    renderer.OVERRIDDEN = "instance"
    context = renderer._get_ctx()
    assert [context[name] for name in ("CONSTANT", "INHERITED", "OVERRIDDEN", "own", "number")] == [
        "constant",
        "inherited",
        "instance",
        "own",
        5,
    ]
    assert context["method"] is Renderer.method


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("a.b.c", ("a", "b/templates")),
        ("a.b", ("a", "templates")),
        ("a.b.c.d", ("a", "b/c/templates")),
        ("hi", ("hi", "templates")),
        ("", ("", "templates")),
    ],
)
def test_the_package_search_path_follows_the_module_name(module: str, expected: tuple[str, str]) -> None:
    assert TemplateRenderer._package_search_path(module) == expected


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Writes files below a directory on the import path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))

    def write(files: dict[str, str]) -> None:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        importlib.invalidate_caches()

    return write


CLASS = "from ducktape.template import TemplateRenderer\nclass R(TemplateRenderer):\n    VALUE = 'v'\n"


def load(name: str) -> ModuleType:
    return importlib.import_module(name)


def test_files_beside_the_module_are_found(project: Project) -> None:
    project(
        {
            "tpl_one/__init__.py": "",
            "tpl_one/sub/__init__.py": "",
            "tpl_one/sub/service.py": CLASS + "    @property\n    def prop(self): return 'p'\n",
            "tpl_one/sub/templates/a/main.conf": "{% if VALUE %}\n{{ VALUE }} {{ x }}\n{% endif %}\n"
            "{% include 'part' %}",
            "tpl_one/sub/templates/part": "part {{ prop }}",
        }
    )
    assert load("tpl_one.sub.service").R().render("a/main.conf", x=1) == "v 1\npart p"


def test_a_top_level_module_needs_no_package(project: Project) -> None:
    project({"tpl_single.py": CLASS, "templates/main": "{{ VALUE }}"})
    assert load("tpl_single").R().render("main") == "v"


def test_templates_of_base_classes_are_found_after_the_own_ones(project: Project) -> None:
    project(
        {
            "tpl_base/__init__.py": CLASS,
            "tpl_base/templates/both": "base",
            "tpl_base/templates/parent": "base {{ VALUE }} {% block b %}{% endblock %}",
            "tpl_derived/__init__.py": "from tpl_base import R\nclass D(R):\n    VALUE = 'd'\n",
            "tpl_derived/templates/both": "derived",
            "tpl_derived/templates/child": "{% extends 'parent' %}{% block b %}block{% endblock %}",
            "tpl_bare/__init__.py": "from tpl_base import R\nclass E(R):\n    pass\n",
        }
    )
    derived = load("tpl_derived").D()
    assert [derived.render(name) for name in ("both", "parent", "child")] == ["derived", "base d ", "base d block"]
    assert load("tpl_bare").E().render("both") == "base"


def test_a_template_that_is_nowhere_is_an_error_that_names_the_places(project: Project, tmp_path: Path) -> None:
    project({"tpl_none/__init__.py": CLASS})
    with pytest.raises(jinja2.TemplateNotFound) as raised:
        load("tpl_none").R().render("absent")
    assert raised.value.name == "absent"
    assert str(raised.value) == f"'absent' not found in: {tmp_path / 'tpl_none' / 'templates'}"


def test_without_any_place_to_look_there_is_an_error() -> None:
    class Homeless(TemplateRenderer):
        pass

    Homeless.__module__ = "no_such_module_at_all"
    with pytest.raises(OSError, match=r"No place to look for the templates of no_such_module_at_all\..*Homeless: "):
        Homeless().render("absent")


def test_loader_and_environment_are_made_once_and_can_be_given() -> None:
    class Given(TemplateRenderer):
        template_loader = jinja2.DictLoader({"name": "given {{ x }}"})
        template_env = jinja2.Environment(loader=template_loader)

    assert Given().render("name", x=1) == "given 1"
    assert "template_env" not in vars(Given())

    renderer = Renderer()
    with pytest.raises(jinja2.TemplateNotFound):
        renderer.render("absent")
    first = (renderer.template_loader, renderer.template_env)
    with pytest.raises(jinja2.TemplateNotFound):
        renderer.render("absent")
    assert (renderer.template_loader, renderer.template_env) == first


def test_two_threads_may_be_the_first_to_render(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project({"tpl_two/__init__.py": "", "tpl_two/service.py": CLASS, "tpl_two/templates/name": "{{ x }}"})
    renderer = load("tpl_two.service").R()
    made = template_engine.environment_for_files
    inner = []

    def slowly(loader: jinja2.BaseLoader) -> jinja2.Environment:
        # Another thread renders while this one is halfway
        monkeypatch.setattr(template_engine, "environment_for_files", made)
        inner.append(renderer.render("name", x="second"))
        return made(loader)

    monkeypatch.setattr(template_engine, "environment_for_files", slowly)
    assert renderer.render("name", x="first") == "first"
    assert inner == ["second"]


def test_the_engine_is_imported_by_the_first_template_only() -> None:
    program = (
        "import sys; from ducktape.template import TemplateRenderer; before = 'jinja2' in sys.modules; "
        "print(before, TemplateRenderer().render_template('x'), 'jinja2' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert output.stdout.split() == ["False", "x", "True"]


def test_texts_know_the_filters_that_a_suite_has_added_before_the_first_of_them() -> None:
    program = (
        "import jinja2, ducktape.utils.support.templates; from ducktape.template import TemplateRenderer\n"
        "jinja2.filters.FILTERS['twice'] = lambda text: text * 2\n"
        "print(TemplateRenderer().render_template('{{ 5 | twice }}'))"
    )
    output = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert output.stdout == "10\n"


class Printing(TemplateRenderer):
    """Renders texts."""


@pytest.mark.parametrize("text", ["a {{ b }}", "{% for x in b %}{% endfor %}", "{{ b | upper }}", "{{ 'x' ~ b }}"])
def test_an_undefined_variable_that_shows_is_told_with_the_place_of_the_call(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(strictness, "_register", strictness._Register(show=shown.append))
    line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
    Printing().render_template(text)
    assert shown == [f"{__file__}:{line}: 'b' is undefined in this template: rendered as nothing"]


@pytest.mark.parametrize(
    "text",
    [
        "{% if b %}x{% endif %}",
        "{{ b | default('') }}",
        "{{ b is defined }}",
        "{{ b or '' }}",
        "{% if 'x' in b %}x{% endif %}",
        "{% if b == 1 %}x{% endif %}",
    ],
)
def test_asking_for_an_undefined_variable_is_no_mistake(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(strictness, "_register", strictness._Register(strict=True))
    assert Printing().render_template(text) in ("", "False")


def test_printing_an_undefined_variable_is_an_error_when_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strictness, "_register", strictness._Register(strict=True))
    with pytest.raises(CompatibilityWarning, match="'b' is undefined in this template"):
        Printing().render_template("{{ b }}")
