# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import requests
from requests.adapters import BaseAdapter

from ducktape.tests import loader as loader_module
from ducktape.tests.loader import LoaderException, NoTestsError, TestLoader
from ducktape.tests.session import SessionContext

_HEAD = """\
from ducktape.mark import ignore, matrix, parametrize
from ducktape.mark.resource import cluster
from ducktape.tests.test import Test
"""
_LOG = logging.getLogger("unit.loader")


@pytest.fixture(autouse=True)
def _clean_imports(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG, logger=_LOG.name)
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in [name for name in sys.modules if name not in modules]:
        if not name.startswith(("ducktape", "yaml", "requests")):
            del sys.modules[name]


class Tree:
    """A directory with test files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, text: str = "") -> str:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def test(self, name: str, cls_name: str = "T", *methods: str, extra: str = "") -> str:
        body = "".join(f"    def {method}(self, **kw): pass\n" for method in methods or ("test_a",))
        return self.write(name, f"{_HEAD}class {cls_name}(Test):\n{extra}{body}")

    def package(self, name: str, *files: str) -> str:
        self.write(f"{name}/__init__.py")
        for file in files:
            self.test(f"{name}/{file}")
        return str(self.root / name)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def _session(tmp: str = "/nowhere", **kwargs: Any) -> SessionContext:
    return SessionContext(session_id="s", results_dir=tmp, **kwargs)


def _loader(**kwargs: Any) -> TestLoader:
    return TestLoader(kwargs.pop("session_context", _session()), _LOG, **kwargs)


def _ids(*symbols: str, exclude: list[str] | None = None, **kwargs: Any) -> list[str]:
    return [test.test_id for test in _loader(**kwargs).load(symbols, exclude)]


def _said(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


# construction


def test_the_range_of_subsets_is_checked() -> None:
    for subset in (2, 3, -1):
        with pytest.raises(ValueError, match=r"^The subset to execute must be in the range \[0, subsets-1\]$"):
            _loader(subset=subset, subsets=2)


def test_a_loader_needs_a_logger_and_a_number() -> None:
    with pytest.raises(AssertionError):
        TestLoader(_session(), None)  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        _loader(repeat=0)


def test_parameters_are_an_object() -> None:
    with pytest.raises(LoaderException, match="must be an object"):
        _loader(injected_args=[1])


def test_a_symbol_is_parsed_to_four_parts() -> None:
    parse = _loader()._parse_discovery_symbol
    assert parse('p::C.m@{"x": 1}', "/base") == ("/base/p", "C", "m", {"x": 1})
    assert parse("p") == ("p", "", "", None)


def test_parameters_of_all_and_of_one_test_exclude_each_other() -> None:
    with pytest.raises(LoaderException, match=r"^Cannot use both global and per-method test parameters$"):
        _loader(injected_args={"x": 1}).load(["p::C.m@{}"])


# loading


def test_tests_are_unique_and_sorted(tree: Tree) -> None:
    package = tree.package("duckpack", "test_b.py", "test_a.py")
    expected = ["duckpack.test_a.T.test_a", "duckpack.test_b.T.test_a"]
    assert _ids(f"{package}/test_b.py", package, f"{package}/*.py::T") == expected


def test_relative_symbols_begin_at_the_current_directory(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.test("test_here.py")
    monkeypatch.chdir(tree.root)
    (test,) = _loader().load(["./test_here.py"])
    assert (test.file, test.test_id) == (str(tree.root / "test_here.py"), "test_here.T.test_a")


def test_symbols_may_be_any_iterable_but_text(tree: Tree) -> None:
    file = tree.test("test_iter.py")
    assert [test.test_id for test in _loader().load(iter([file]))] == ["test_iter.T.test_a"]
    with pytest.raises(LoaderException, match=r"^Expected test_discovery_symbols to be a list\.$"):
        _loader().load(file)


def test_excluded_symbols_are_a_list(tree: Tree) -> None:
    file = tree.test("test_list.py")
    with pytest.raises(LoaderException, match=r"^Expected test_discovery_symbols to be a list\.$"):
        _loader().load([file], file)


def test_what_is_excluded_is_dropped(tree: Tree) -> None:
    package = tree.package("duckpack", "test_a.py", "test_b.py", "sub/test_c.py")
    tree.write("duckpack/sub/__init__.py")
    two = tree.test("duckpack/test_two.py", "Two", "test_x", "test_y")
    assert _ids(
        package, exclude=[f"{two}::Two.test_x", f"{package}/sub", f"{package}/test_[b]*", f"{package}/gone"]
    ) == [
        "duckpack.test_a.T.test_a",
        "duckpack.test_two.Two.test_y",
    ]


def test_one_parametrization_can_be_excluded(tree: Tree) -> None:
    file = tree.test("test_ex.py", extra="    @matrix(x=[1, (2,)])\n")
    assert _ids(file, exclude=[file + '::T.test_a@{"x": [2]}']) == ["test_ex.T.test_a.x=1"]


def test_excluding_everything_is_told_apart(tree: Tree) -> None:
    file = tree.test("test_all.py")
    with pytest.raises(NoTestsError, match=r"^No tests to run!$"):
        _loader().load([file], [file])


def test_a_path_that_matches_nothing_is_warned_about(tree: Tree, caplog: pytest.LogCaptureFixture) -> None:
    file = tree.test("test_there.py")
    assert _ids(file, f"{tree.root}/gone.py", exclude=[f"{tree.root}/gone_too.py"]) == ["test_there.T.test_a"]
    (warning,) = _said(caplog, logging.WARNING)
    assert warning.startswith(f"No test files found for {tree.root}/gone.py ")


def test_a_symbol_without_tests_is_warned_about(tree: Tree, caplog: pytest.LogCaptureFixture) -> None:
    file = tree.test("test_there.py")
    assert _ids(file, file + '::Gone.test_b@{"x": 1}') == ["test_there.T.test_a"]
    assert _said(caplog, logging.WARNING) == [
        f"No tests loaded for {tree.root} - test_there.py - Gone - test_b - {{'x': 1}}",
        f"Didn't find any tests in {file} ",
        f"{file}: there is no test class Gone",
    ]


@pytest.mark.parametrize("excluding", [True, False])
def test_a_file_that_is_no_python_file_is_an_error(tree: Tree, excluding: bool) -> None:
    file, other = tree.test("test_there.py"), tree.write("notes.txt")
    with pytest.raises(LoaderException, match=rf"^Expected absolute path ending in '\.py' but got {other}: name a "):
        _loader().load([file] if excluding else [file, other], [other] if excluding else [])


def test_the_list_is_cut_and_then_repeated(tree: Tree) -> None:
    package = tree.package("duckpack", *(f"test_{letter}.py" for letter in "abc"))
    tests = _loader(subset=0, subsets=2, repeat=2).load([package])
    assert [test.module for test in tests] == [f"duckpack.test_{letter}" for letter in "acac"]
    assert tests[0] is tests[2]
    assert _loader(subset=3, subsets=4).load([package]) == []


def test_more_repetitions_than_there_is_room_for_are_told(tree: Tree) -> None:
    package = tree.package("duckpack", "test_a.py")
    with pytest.raises(LoaderException) as caught:
        _loader(repeat=10**20).load([package])
    assert str(caught.value) == "There is no room for 100000000000000000000 times as many tests"


def test_the_function_pattern_can_be_changed(tree: Tree) -> None:
    file = tree.test("test_pattern.py", "T", "check_a", "test_b")
    loader = _loader()
    loader.test_function_pattern = "check_.*"
    assert [test.test_id for test in loader.load([file])] == ["test_pattern.T.check_a"]


def test_the_file_pattern_can_be_changed(tree: Tree) -> None:
    package = tree.package("duckpack", "check_a.py", "test_b.py")
    loader = _loader()
    loader.test_file_pattern = r"check_.*\.py$"
    assert [test.test_id for test in loader.load([package])] == ["duckpack.check_a.T.test_a"]


def test_parameters_make_one_test_of_each_method(tree: Tree) -> None:
    file = tree.test("test_par.py", "T", "test_a", "test_b", extra="    @ignore\n    @matrix(x=[1, 2])\n")
    tests = _loader(injected_args={"y": 7}).load([file])
    assert [(test.test_id, test.ignore) for test in tests] == [
        ("test_par.T.test_a.y=7", True),
        ("test_par.T.test_b.y=7", False),
    ]


def test_a_misplaced_mark_ends_the_search(tree: Tree) -> None:
    file = tree.test("test_mis.py", extra="    @matrix(x=[1, 2])\n    @cluster(num_nodes=1)\n")
    with pytest.raises(LoaderException, match=r"^test_mis\.T\.test_a in .* cluster use annotation is not"):
        _loader().load([file])


def test_discover_looks_at_one_file(tree: Tree) -> None:
    tree.test("test_disc.py", "T", "test_a", "test_b", extra="    @matrix(x=[1, 2])\n")
    loader, directory = _loader(), str(tree.root)
    assert len(loader.discover(directory, "test_disc.py", "", None)) == 3
    (test,) = loader.discover(directory, "test_disc.py", "T", "test_a", {"x": 1})
    assert (test.test_id, vars(test)["cluster"]) == ("test_disc.T.test_a.x=1", None)
    assert loader.discover(directory, "test_disc.py", "Gone", "") == []


def test_contexts_get_what_the_loader_was_given(tree: Tree) -> None:
    session = _session()
    (test,) = _loader(session_context=session, cluster=["node"]).load([tree.test("test_given.py")])
    assert (test.session_context, vars(test)["cluster"]) == (session, ["node"])


# ids


def test_files_of_one_name_keep_their_tests(tree: Tree, caplog: pytest.LogCaptureFixture) -> None:
    one, two = tree.test("one/test_twin.py"), tree.test("two/test_twin.py", "T", "test_a", "test_b")
    for symbols in ([one, two], [two, one], [one, two, one, two]):
        tests = _loader().load(symbols)
        assert [(test.test_id, test.file) for test in tests] == [
            ("test_twin.T.test_a", one),
            ("test_twin.T.test_a-2", two),
            ("test_twin.T.test_b", two),
        ]
    assert len(_said(caplog, logging.WARNING)) == 3
    assert "test_twin.T.test_a: test_twin.T.test_a, test_twin.T.test_a-2" in _said(caplog, logging.WARNING)[0]


def test_excluding_one_of_two_files_of_one_name_leaves_the_other(tree: Tree) -> None:
    one, two = tree.test("one/test_twin.py"), tree.test("two/test_twin.py")
    tests = _loader().load([one, two], [one])
    assert [(test.test_id, test.file) for test in tests] == [("test_twin.T.test_a-2", two)]
    assert [test.file for test in _loader().load([two], [one])] == [two]


def test_a_number_belongs_to_the_test_and_not_to_the_selection(tree: Tree) -> None:
    file = tree.test("test_num.py", extra="    @matrix(x=[1, '1'])\n")
    by_number = {test.injected_args["x"]: test.test_id for test in _loader().load([file])}
    assert set(by_number.values()) == {"test_num.T.test_a.x=1", "test_num.T.test_a.x=1-2"}
    for value, test_id in by_number.items():
        assert _ids(f"{file}::T.test_a@{json.dumps({'x': value})}") == [test_id]


def test_a_file_behind_a_link_is_the_same_file(tree: Tree) -> None:
    file = tree.test("real/test_link.py")
    (tree.root / "link").symlink_to("real")
    assert _ids(file, f"{tree.root}/link/test_link.py") == ["test_link.T.test_a"]
    assert _ids(f"{tree.root}/link/test_link.py") == ["test_link.T.test_a"]


def test_equal_parametrizations_are_one_test(tree: Tree) -> None:
    file = tree.test("test_eq.py", extra="    @parametrize(x=1)\n    @matrix(x=[1, 2])\n")
    assert _ids(file) == ["test_eq.T.test_a.x=1", "test_eq.T.test_a.x=2"]


def test_ids_are_the_same_under_any_hash_seed(tree: Tree) -> None:
    extra = "    @matrix(x={'a b', 'ab', 'a  b', 'c'}, y=[1, '1'])\n"
    file = tree.test("test_seed.py", extra=extra.replace("{", "['a b', 'ab', *{").replace("}", "}]"))
    program = (
        "import logging, sys; from ducktape.tests.loader import TestLoader as L\n"
        "print([t.test_id for t in L(None, logging.getLogger()).load(sys.argv[1:])])"
    )
    outputs = set()
    for seed in "123":
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-c", program, file]
        outputs.add(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)
    assert len(outputs) == 1
    assert outputs.pop().count("test_seed.T.test_a.x=ab.y=1-") == 5


# files that cannot be imported


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import os\nos._exit(0)", "SystemExit: os._exit was called, which would have ended the whole run"),
        (
            "import os\nos.execlp('true', 'true')",
            "SystemExit: os.execv was called, which would have ended the whole run",
        ),
        ("x = = 1", "SyntaxError: invalid syntax (test_broken.py, line 1)"),
        ("assert False, 'no'", "AssertionError: no"),
        ("from ducktape.mark import matrix\nmatrix(x=5)", "DucktapeError: Expected all values in @matrix"),
    ],
)
def test_a_broken_file_is_kept_in_mind(tree: Tree, caplog: pytest.LogCaptureFixture, text: str, error: str) -> None:
    package = tree.package("duckpack", "test_fine.py")
    broken = tree.write("duckpack/test_broken.py", text)
    loader = _loader()
    assert [test.test_id for test in loader.load([package, broken])] == ["duckpack.test_fine.T.test_a"]
    (failure,) = loader.import_failures
    assert (failure.file, failure.module) == (broken, "duckpack.test_broken")
    assert failure.summary.splitlines()[0].startswith(error.split(":")[0] + "(")
    assert f'File "{broken}", line ' in failure.summary
    (line,) = _said(caplog, logging.ERROR)
    start = "Failed to import duckpack.test_broken, which may indicate a broken test that cannot be loaded: "
    assert line.startswith(start + error)


def test_a_process_that_is_forked_during_an_import_ends_as_it_wants_to(tree: Tree) -> None:
    forking = """
    pid = os.fork()
    if not pid:
        os._exit(7)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""
    leave = os._exit
    (test,) = _loader().load([tree.test("test_fork.py", extra=f"    import os\n{forking}")])
    assert test.cls.status == 7
    assert os._exit is leave


def test_an_interrupt_is_no_broken_file(tree: Tree) -> None:
    with pytest.raises(KeyboardInterrupt):
        _loader().load([tree.write("test_int.py", "raise KeyboardInterrupt")])


def test_nothing_but_broken_files_is_no_test_with_a_failure(tree: Tree) -> None:
    loader = _loader()
    with pytest.raises(NoTestsError):
        loader.load([tree.write("test_br.py", "1 / 0")])
    assert [failure.module for failure in loader.import_failures] == ["test_br"]


def test_each_load_has_failures_of_its_own(tree: Tree) -> None:
    fine, broken, loader = tree.test("test_fine.py"), tree.write("test_br.py", "1 / 0"), _loader()
    loader.load([fine, broken])
    loader.load([fine])
    assert loader.import_failures == []


def test_a_broken_file_can_be_excluded(tree: Tree, caplog: pytest.LogCaptureFixture) -> None:
    package = tree.package("duckpack", "test_fine.py")
    broken = tree.write("duckpack/test_broken.py", "1 / 0")
    loader = _loader()
    loader.load([package, broken], [broken])
    assert loader.import_failures == []
    assert _said(caplog, logging.ERROR) == []
    loader.load([package], [f"{broken}::T"])
    assert [failure.file for failure in loader.import_failures] == [broken]


@pytest.mark.parametrize("by_session", [True, False])
def test_broken_files_may_be_ignored(tree: Tree, caplog: pytest.LogCaptureFixture, by_session: bool) -> None:
    fine, broken = tree.test("test_fine.py"), tree.write("test_br.py", "1 / 0")
    if by_session:
        loader = _loader(session_context=_session(ignore_import_errors=True))
    else:
        loader = _loader(ignore_import_errors=True)
    assert len(loader.load([fine, broken])) == 1
    assert loader.import_failures == []
    assert len(_said(caplog, logging.ERROR)) == 1


def test_a_genuine_import_error_in_a_package_is_not_hidden(tree: Tree) -> None:
    tree.package("duckpack", "test_fine.py")
    broken = tree.write("duckpack/test_sub.py", "import sub")
    loader = _loader()
    loader.load([f"{tree.root}/duckpack"])
    assert [failure.file for failure in loader.import_failures] == [broken]


# leaves


def test_a_parent_is_no_test_once_a_child_is_known(tree: Tree) -> None:
    tree.package("duckpack")
    parent = tree.test("duckpack/test_a_parent.py", "Parent")
    child_text = "from duckpack.test_a_parent import Parent\nclass Child(Parent): pass\n"
    child = tree.write("duckpack/test_b_child.py", child_text)
    assert _ids(f"{tree.root}/duckpack") == ["duckpack.test_b_child.Child.test_a"]
    assert _ids(child, parent) == ["duckpack.test_b_child.Child.test_a"]


def test_an_imported_leaf_runs_in_both_modules(tree: Tree) -> None:
    tree.package("duckpack", "test_a.py")
    tree.write("duckpack/test_b.py", "from duckpack.test_a import T")
    assert _ids(f"{tree.root}/duckpack") == ["duckpack.test_a.T.test_a", "duckpack.test_b.T.test_a"]


# suites


def test_suites_are_seen_from_their_own_directory(tree: Tree) -> None:
    tree.package("duckpack", "test_a.py", "test_b.py")
    suite = tree.write("suites/s.yml", "one: [../duckpack/test_a.py]\ntwo: {included: [../duckpack/test_b.py]}")
    assert _ids(suite) == ["duckpack.test_a.T.test_a", "duckpack.test_b.T.test_a"]


def test_what_one_suite_excludes_another_may_include(tree: Tree) -> None:
    package = tree.package("duckpack", "test_a.py", "test_b.py")
    text = "one: {included: [duckpack], excluded: [duckpack/test_a.py]}\n"
    suite = tree.write("s.yml", text)
    assert _ids(suite) == ["duckpack.test_b.T.test_a"]
    assert _ids(suite, f"{package}/test_a.py") == ["duckpack.test_a.T.test_a", "duckpack.test_b.T.test_a"]
    both = tree.write("t.yaml", text + "two: [duckpack/test_a.py]")
    assert _ids(both) == ["duckpack.test_a.T.test_a", "duckpack.test_b.T.test_a"]
    assert _ids(both, exclude=[f"{package}/test_a.py"]) == ["duckpack.test_b.T.test_a"]


@pytest.mark.parametrize("text", ["one: [gone.py]", "one: {excluded: [test_a.py]}", "one: [test_a.py::Gone]"])
def test_a_suite_without_tests_is_an_error(tree: Tree, text: str) -> None:
    file = tree.test("test_a.py")
    with pytest.raises(LoaderException, match=r"^No tests found in  one$"):
        _loader().load([file, tree.write("s.yml", text)])


def test_a_suite_of_broken_files_leaves_the_others_running(tree: Tree) -> None:
    file = tree.test("test_a.py")
    tree.write("test_br.py", "1 / 0")
    loader = _loader()
    assert len(loader.load([file, tree.write("s.yml", "one: [test_br.py]")])) == 1
    assert [failure.module for failure in loader.import_failures] == ["test_br"]


def test_a_suite_may_exclude_a_broken_file(tree: Tree) -> None:
    tree.package("duckpack", "test_a.py")
    tree.write("duckpack/test_br.py", "1 / 0")
    loader = _loader()
    loader.load([tree.write("s.yml", "one: {included: [duckpack], excluded: [duckpack/test_br.py]}")])
    assert loader.import_failures == []


def test_a_suite_does_not_name_a_suite(tree: Tree) -> None:
    tree.test("test_a.py")
    other = tree.write("other.yml", "one: [test_a.py]")
    with pytest.raises(
        LoaderException, match=rf"^Expected absolute path ending in '\.py' but got {other}: a suite file is "
    ):
        _loader().load([tree.write("s.yml", "one: [test_a.py, other.yml]")])


# the historical report


def _report(tree: Tree) -> tuple[str, str]:
    package = tree.package("duckpack", *(f"test_{letter}.py" for letter in "abc"))
    times = {"a": 1.0, "b": 5.0, "c": 2.0}
    results = [{"test_id": f"duckpack.test_{x}.T.test_a", "run_time_seconds": times[x]} for x in times]
    return package, tree.write("old report.json", json.dumps({"results": results}))


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_historical_report_may_be_a_file(tree: Tree, form: str) -> None:
    package, report = _report(tree)
    where = form.format(report.replace(" ", "%20") if form != "{}" else report)
    parts = [_loader(subset=n, subsets=2, historical_report=where).load([package]) for n in range(2)]
    assert [[test.module for test in part] for part in parts] == [
        ["duckpack.test_b"],
        ["duckpack.test_c", "duckpack.test_a"],
    ]


def test_a_historical_report_may_be_a_session(tree: Tree) -> None:
    package, report = _report(tree)
    results = json.loads(Path(report).read_text())["results"]
    lines = [
        json.dumps(
            {"event": "finished", "time": 1.0, "test_id": each["test_id"], "result": each | {"test_status": "PASS"}}
        )
        for each in results
    ]
    journal = tree.write("session/journal.jsonl", "\n".join([*lines, ""]))
    for where in (journal, os.path.dirname(journal)):
        tests = _loader(subset=1, subsets=2, historical_report=where).load([package])
        assert [test.module for test in tests] == ["duckpack.test_c", "duckpack.test_a"]
    with pytest.raises(LoaderException, match="as historical report: FileNotFoundError"):
        _loader(historical_report=str(tree.root)).load([package])


def test_times_that_are_none_do_not_count(tree: Tree) -> None:
    _, report = _report(tree)
    times = [1.0, -1, None, "5", True]
    results = [{"test_id": str(index), "run_time_seconds": seconds} for index, seconds in enumerate(times)]
    tree.write("old report.json", json.dumps({"results": results}).replace('"5"', "NaN"))
    assert loader_module.read_durations(report) == {"0": 1.0, "4": 1.0}


def test_only_a_report_that_is_named_divides_the_tests(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    # What lies below the results root differs between the machines that share the work
    package, report = _report(tree)
    session = os.path.join(str(tree.root), "results", "2026-01-01--001")
    os.makedirs(session)
    os.rename(report, os.path.join(session, "report.json"))
    monkeypatch.chdir(tree.root)
    tests = _loader(subset=0, subsets=2).load([package])
    assert [test.module for test in tests] == ["duckpack.test_a", "duckpack.test_c"]


def test_a_report_without_results_falls_back_to_plain_parts(tree: Tree) -> None:
    package, _ = _report(tree)
    empty = tree.write("empty.json", '{"results": []}')
    tests = _loader(subset=0, subsets=2, historical_report=empty).load([package])
    assert [test.module for test in tests] == ["duckpack.test_a", "duckpack.test_c"]


@pytest.mark.parametrize("text", ["[", "[]", "{}", '{"results": [5]}', '{"results": [{}]}'])
def test_a_report_that_is_none_is_one_clear_line(tree: Tree, text: str) -> None:
    file = tree.test("test_a.py")
    report = tree.write("r.json", text)
    with pytest.raises(LoaderException, match=f"^Cannot use {report} as historical report: "):
        _loader(historical_report=report).load([file])
    with pytest.raises(LoaderException, match="as historical report: FileNotFoundError"):
        _loader(historical_report=f"{tree.root}/gone.json").load([file])


class _Answering(BaseAdapter):
    def __init__(self, status: int, content: bytes) -> None:
        super().__init__()
        self.status = status
        self.content = content

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        response = requests.Response()
        response.status_code = self.status
        response.url = request.url or ""
        response._content = self.content
        return response

    def close(self) -> None: ...


@pytest.mark.parametrize("scheme", ["file://", "duck://"])
def test_adapters_on_the_session_fetch_the_report(tree: Tree, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.delitem(vars(loader_module), "_requests_session", raising=False)
    package, report = _report(tree)
    loader_module._requests_session.mount(scheme, _Answering(200, Path(report).read_bytes()))
    tests = _loader(subset=0, subsets=2, historical_report=f"{scheme}/no/such/file").load([package])
    assert [test.module for test in tests] == ["duckpack.test_b"]
    loader_module._requests_session.mount(scheme, _Answering(404, b"gone"))
    with pytest.raises(LoaderException, match="the server answered 404"):
        _loader(historical_report=f"{scheme}/no/such/file").load([package])
    monkeypatch.delitem(vars(loader_module), "_requests_session")


def test_the_session_is_made_once() -> None:
    assert loader_module._requests_session is loader_module._requests_session
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        loader_module.nothing


# speed


def test_thousands_of_parametrizations_take_linear_time(tree: Tree) -> None:
    seconds = {}
    for count in (1000, 8000):
        file = tree.test(f"test_many_{count}.py", extra=f"    @matrix(x=range({count // 10}), y='abcdefghij')\n")
        loader = _loader(subset=0, subsets=2)
        start = time.process_time()
        assert len(loader.load([file])) == count // 2
        seconds[count] = time.process_time() - start
    assert seconds[8000] < 8 * 4 * seconds[1000]


def test_the_session_may_be_any_object_that_fetches(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b'{"results": [{"test_id": "a", "run_time_seconds": 2}]}'
    session = Mock(**{"get.return_value.status_code": 200, "get.return_value.content": text})
    monkeypatch.setattr(loader_module, "_requests_session", session, raising=False)
    assert loader_module.read_durations("http://127.0.0.1:1/report.json") == {"a": 2.0}
