# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from ducktape.tests.loading.discovery import (
    DEFAULT_TEST_FILE_PATTERN,
    DEFAULT_TEST_FUNCTION_PATTERN,
    find_files,
    find_methods,
    import_failure,
    import_test_module,
    module_name,
)
from ducktape.tests.loading.symbols import LoaderException
from ducktape.tests.test import Test


@pytest.fixture(autouse=True)
def _clean_imports() -> Iterator[None]:
    path, modules = list(sys.path), dict(sys.modules)
    yield
    sys.path[:] = path
    for name in [name for name in sys.modules if name not in modules]:
        del sys.modules[name]
    sys.modules.update(modules)


def _write(path: Path, text: str = "") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def _files(path: Path | str) -> list[str]:
    return find_files(str(path), DEFAULT_TEST_FILE_PATTERN)


def _methods(text: str, cls_name: str = "", method_name: str = "") -> list[str]:
    module = ModuleType("made_up")
    exec(f"from ducktape.tests.test import Test\n{text}", vars(module))
    found = find_methods(module, DEFAULT_TEST_FUNCTION_PATTERN, cls_name, method_name)
    return [f"{method.cls.__name__}.{method.function.__name__}" for method in found]


# from paths to files


def test_an_existing_file_is_taken_whatever_its_name(tmp_path: Path) -> None:
    file = _write(tmp_path / "whatever.txt")
    assert _files(file) == [file]


def test_a_glob_takes_only_names_of_tests(tmp_path: Path) -> None:
    files = [_write(tmp_path / name) for name in ("b_test.py", "test_a.py", "helper.py", "test_c.pyc", "atest.py")]
    assert _files(tmp_path / "*") == files[:2]
    assert _files(tmp_path / "help*.py") == []


def test_a_double_star_is_a_star(tmp_path: Path) -> None:
    shallow = _write(tmp_path / "a" / "test_a.py")
    _write(tmp_path / "a" / "b" / "test_b.py")
    assert _files(tmp_path / "**" / "test_*.py") == [shallow]


def test_directories_are_searched_for_packages(tmp_path: Path) -> None:
    for name in ("", "z/", "a/", "plain/below/"):
        _write(tmp_path / name / "__init__.py")
    for name in ("plain/test_no.py", "a/helper.py"):
        _write(tmp_path / name)
    tests = [_write(tmp_path / name) for name in ("test_q.py", "a/test_q.py", "plain/below/test_q.py", "z/test_q.py")]
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert _files(tmp_path) == tests
    assert _files(tmp_path / "[az]") == [tests[1], tests[3]]


def test_a_directory_may_be_called_like_a_glob(tmp_path: Path) -> None:
    _write(tmp_path / "odd[1]" / "__init__.py")
    test = _write(tmp_path / "odd[1]" / "test_x.py")
    other = _write(tmp_path / "odd1" / "test_x.py")
    assert _files(tmp_path / "odd[1]") == [test]
    assert _files(tmp_path / "odd[1]" / "test_x.py") == [test]
    assert _files(tmp_path / "odd[12]" / "test_x.py") == [other]


def test_nothing_is_found_at_a_missing_path(tmp_path: Path) -> None:
    assert _files(tmp_path / "gone") == []


# names of modules


def test_modules_of_packages_are_named_from_their_root(tmp_path: Path) -> None:
    for name in ("top", "top/sub"):
        _write(tmp_path / name / "__init__.py")
    assert module_name(str(tmp_path / "top" / "sub" / "test_x.py"), ()) == "top.sub.test_x"
    assert module_name(str(tmp_path / "top" / "sub" / "test_x.py"), (str(tmp_path / "top"),)) == "top.sub.test_x"


def test_a_file_in_a_plain_directory_is_named_by_itself(tmp_path: Path) -> None:
    assert module_name(str(tmp_path / "suite" / "test_x.py"), ()) == "test_x"


def test_the_search_path_makes_a_namespace_package_of_a_plain_directory(tmp_path: Path) -> None:
    file = _write(tmp_path / "suite" / "sub" / "test_x.py")
    assert module_name(file, (str(tmp_path),)) == "suite.sub.test_x"
    assert module_name(file, (str(tmp_path / "suite"),)) == "sub.test_x"
    assert module_name(file, (str(tmp_path / "suite"), str(tmp_path))) == "suite.sub.test_x"


def test_a_real_package_elsewhere_hides_a_namespace_package(tmp_path: Path) -> None:
    _write(tmp_path / "other" / "suite" / "__init__.py")
    file = _write(tmp_path / "suite" / "test_x.py")
    assert module_name(file, (str(tmp_path), str(tmp_path / "other"))) == "test_x"


def test_a_plain_directory_called_tests_is_no_namespace_package(tmp_path: Path) -> None:
    assert module_name(_write(tmp_path / "tests" / "test_x.py"), (str(tmp_path),)) == "test_x"


def test_only_python_files_have_a_module_name(tmp_path: Path) -> None:
    with pytest.raises(
        LoaderException, match=r"^Expected absolute path ending in '\.py' but got .*/suite\.yaml: a suite file is "
    ):
        module_name(str(tmp_path / "suite.yaml"))


# importing


def test_a_module_is_imported_once(tmp_path: Path) -> None:
    _write(tmp_path / "duckpack" / "__init__.py")
    file = _write(tmp_path / "duckpack" / "test_once.py", "from duckpack import helper")
    _write(tmp_path / "duckpack" / "helper.py")
    imported = import_test_module(file)
    assert (imported.module.__name__, imported.file) == ("duckpack.test_once", file)
    assert imported.module is sys.modules["duckpack.test_once"]
    assert import_test_module(file).module is imported.module


def test_the_root_is_first_while_importing_and_last_afterwards(tmp_path: Path) -> None:
    file = _write(tmp_path / "test_path_order.py", "import sys\nseen = list(sys.path)")
    before = list(sys.path)
    imported = import_test_module(file)
    assert imported.module.seen[0] == str(tmp_path)
    assert sys.path == [*before, str(tmp_path)]
    import_test_module(_write(tmp_path / "test_other.py"))
    assert sys.path == [*before, str(tmp_path)]


def test_a_relative_import_works_in_a_namespace_package(tmp_path: Path) -> None:
    _write(tmp_path / "nsuite" / "helper.py", "value = 5")
    file = _write(tmp_path / "nsuite" / "test_ns.py", "from .helper import value\nimport helper")
    imported = import_test_module(file, [str(tmp_path)])
    assert (imported.module.__name__, imported.module.value) == ("nsuite.test_ns", 5)


def test_files_of_one_name_are_all_loaded(tmp_path: Path) -> None:
    one = _write(tmp_path / "one" / "test_twin.py", "place = 'one'")
    two = _write(tmp_path / "two" / "test_twin.py", "place = 'two'")
    modules = [import_test_module(file).module for file in (one, two, one)]
    assert [module.place for module in modules] == ["one", "two", "one"]
    assert [module.__name__ for module in modules] == ["test_twin"] * 3
    assert sys.modules["test_twin"] is modules[0] is modules[2]


def test_a_package_whose_name_is_taken_is_loaded_from_its_own_place(tmp_path: Path) -> None:
    for place in ("one", "two"):
        _write(tmp_path / place / "duckpack" / "__init__.py")
        _write(tmp_path / place / "duckpack" / "helper.py", f"place = '{place}'")
    text = "from duckpack.helper import place\nfrom . import helper"
    one = _write(tmp_path / "one" / "duckpack" / "test_it.py", text)
    two = _write(tmp_path / "two" / "duckpack" / "test_it.py", text)
    first, second = import_test_module(one).module, import_test_module(two).module
    assert (first.place, second.place, second.helper.place) == ("one", "two", "two")
    assert second.__name__ == "duckpack.test_it"
    assert sys.modules["duckpack.test_it"] is first
    assert sys.modules["duckpack"].__path__ == [str(tmp_path / "one" / "duckpack")]


def test_a_package_called_tests_is_the_users(tmp_path: Path) -> None:
    import tests

    _write(tmp_path / "tests" / "__init__.py")
    _write(tmp_path / "tests" / "helper.py", "value = 7")
    file = _write(tmp_path / "tests" / "test_mine.py", "from tests.helper import value")
    imported = import_test_module(file).module
    assert (imported.__name__, imported.value, imported.__file__) == ("tests.test_mine", 7, file)
    assert sys.modules["tests"] is tests


def test_a_package_called_ducktape_does_not_hide_the_framework(tmp_path: Path) -> None:
    _write(tmp_path / "ducktape" / "__init__.py")
    file = _write(tmp_path / "ducktape" / "test_mine.py", "from ducktape.tests.test import Test")
    imported = import_test_module(file).module
    assert (imported.__name__, imported.Test) == ("ducktape.test_mine", Test)


@pytest.mark.parametrize("name", ["math.py", "json.py", "test.dotted.py", "test-dash.py"])
def test_any_name_of_a_file_will_do(tmp_path: Path, name: str) -> None:
    file = _write(tmp_path / name, "value = 5")
    assert import_test_module(file).module.value == 5
    assert json.loads("1") == 1
    assert sys.modules["json"] is json


def test_a_failed_import_leaves_everything_as_it_was(tmp_path: Path) -> None:
    _write(tmp_path / "one" / "duckpack" / "__init__.py")
    _write(tmp_path / "two" / "duckpack" / "__init__.py")
    import_test_module(_write(tmp_path / "one" / "duckpack" / "test_it.py"))
    known = sys.modules["duckpack"]
    with pytest.raises(ZeroDivisionError):
        import_test_module(_write(tmp_path / "two" / "duckpack" / "test_it.py", "1 / 0"))
    assert sys.modules["duckpack"] is known
    with pytest.raises(ZeroDivisionError):
        import_test_module(_write(tmp_path / "three" / "json.py", "1 / 0"))
    assert sys.modules["json"] is json
    assert sys.path[0] != str(tmp_path / "three")


def test_a_fresh_process_loads_the_same_file(tmp_path: Path) -> None:
    _write(tmp_path / "duckpack" / "__init__.py")
    file = _write(tmp_path / "duckpack" / "test_fresh.py")
    program = (
        "import sys; from ducktape.tests.loading.discovery import import_test_module as i; print(i(sys.argv[1]).module)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    said = subprocess.run(
        [sys.executable, "-c", program, file], capture_output=True, text=True, check=True, env=environment
    )
    assert said.stdout.strip() == f"<module 'duckpack.test_fresh' from '{file}'>"


def test_a_failure_shows_the_users_lines(tmp_path: Path) -> None:
    file = _write(tmp_path / "test_broken.py", "import no_such_module")
    try:
        import_test_module(file)
    except ImportError as e:
        failure = import_failure(file, "test_broken", e)
    assert (failure.file, failure.module) == (file, "test_broken")
    assert failure.error == "ModuleNotFoundError: No module named 'no_such_module'"
    lines = failure.summary.splitlines()
    # From Python 3.15 on, the name of the module follows the message.
    assert lines[0].startswith("""ModuleNotFoundError("No module named 'no_such_module'""")
    assert lines[1] == "Traceback (most recent call last):"
    assert f'  File "{file}", line 1, in <module>' in lines
    assert lines[-1] == failure.error
    assert "importlib" not in failure.summary
    assert __file__ not in failure.summary


# what is a test


def test_names_of_tests() -> None:
    names = ["test", "testing", "latest", "b_test", "Test_x", "_test_x", "helper"]
    text = "class T(Test):\n" + "".join(f"    def {name}(self): pass\n" for name in names)
    assert _methods(text) == ["T.b_test", "T.latest", "T.test", "T.testing"]


def test_a_method_counts_by_its_own_name_once() -> None:
    text = "class T(Test):\n    def test_a(self): pass\n    test_b = alias = test_a\n    def helper(self): pass\n"
    assert _methods(text + "    test_c = helper\n") == ["T.test_a"]


def test_only_plain_functions_are_tests() -> None:
    text = (
        "import functools\n"
        "class T(Test):\n"
        "    def test_a(self): pass\n"
        "    @staticmethod\n    def test_static(): pass\n"
        "    @classmethod\n    def test_class(cls): pass\n"
        "    @property\n    def test_property(self): raise OSError\n"
        "    class test_nested: pass\n"
        "    test_partial = functools.partial(print)\n"
        "    test_value = 5\n"
        "    @functools.wraps(test_a)\n    def wrapped(self): pass\n"
    )
    assert _methods(text) == ["T.test_a", "T.test_a"]


def test_inherited_methods_count_and_parents_do_not() -> None:
    text = "class P(Test):\n    def test_p(self): pass\nclass C(P):\n    def test_c(self): pass\n"
    assert _methods(text) == ["C.test_c", "C.test_p"]


def test_an_overridden_method_replaces_the_inherited_one() -> None:
    text = "class P(Test):\n    def test_p(self): pass\nclass C(P):\n    test_p = None\n"
    assert _methods(text) == []


def test_values_that_only_look_like_classes_do_not_hurt() -> None:
    text = (
        "Names = list[str]\nimport typing\nAny = typing.Any\nNone_ = None\nclass T(Test):\n    def test_a(self): pass\n"
    )
    assert _methods(text + "Alias = T\n") == ["T.test_a"]


def test_class_and_method_are_compared_exactly() -> None:
    text = "".join(f"class {c}(Test):\n    def test_a(self): pass\n    def test_ab(self): pass\n" for c in ("A", "AB"))
    assert _methods(text, "A") == ["A.test_a", "A.test_ab"]
    assert _methods(text, "A", "test_a") == ["A.test_a"]
    assert _methods(text, "", "test_ab") == ["A.test_ab", "AB.test_ab"]
    assert _methods(text, "A*") == []


def test_directories_of_tools_hold_no_tests_unless_they_are_named(tmp_path: Path) -> None:
    def package(*parts: str) -> str:
        folder = tmp_path.joinpath(".checkout", *parts)
        folder.mkdir(parents=True)
        for name in ("__init__.py", "test_it.py"):
            (folder / name).touch()
        return str(folder / "test_it.py")

    own = [package(), package("build"), package("tools")]
    foreign = [package(*parts.split("/")) for parts in ("v/lib/p", "old/lib/p", "node_modules", ".tox/p", "dist/p")]
    (tmp_path / ".checkout" / "v" / "pyvenv.cfg").touch()
    (tmp_path / ".checkout" / "old" / "bin").mkdir()
    (tmp_path / ".checkout" / "old" / "bin" / "activate").touch()
    skipped: list[str] = []
    root = str(tmp_path / ".checkout")
    assert find_files(root, DEFAULT_TEST_FILE_PATTERN, skipped) == own
    assert [os.path.relpath(each, root) for each in skipped] == [".tox", "dist", "node_modules", "old", "v"]
    assert sorted(find_files(f"{root}/*", DEFAULT_TEST_FILE_PATTERN)) == sorted(own)
    assert [find_files(f"{root}/{name}", DEFAULT_TEST_FILE_PATTERN) for name in ("v", "node_modules", ".tox")] == [
        [foreign[0]],
        [foreign[2]],
        [foreign[3]],
    ]
    assert find_files(f"{root}/*/lib/p/test_*.py", DEFAULT_TEST_FILE_PATTERN) == []
