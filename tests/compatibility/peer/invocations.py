# SPDX-License-Identifier: Apache-2.0
"""The command lines that are put to both programs, over one copy of the corpus."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

CORPUS = Path(__file__).resolve().parent.parent / "corpus"


@dataclass(frozen=True)
class Invocation:
    """One command line; `--collect-only` is added to every one.

    Args:
        arguments: what follows the program's name.
        as_script: started through the console script, where the current directory is not on `sys.path`.
        environment: variables that are set in addition.
        detail: what is recorded of each test: its id ("ids"), also its text and number of nodes ("tests"), or also its
            directory and description ("everything").
    """

    arguments: tuple[str, ...]
    as_script: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    detail: Literal["ids", "tests", "everything"] = "tests"


def _one(*arguments: str, **environment: str) -> Invocation:
    return Invocation(arguments, environment=environment)


_FOLDERS = ("pack", "names", "inherit", "marks", "values", "globbed", "tests")

_MARKS = (
    "examples",
    "clusters",
    "stacks",
    "decorators_of_users",
    "mark_subclasses",
    "marks_by_hand",
    "differences",
)

INVOCATIONS: dict[str, Invocation] = {
    # one folder at a time, in full
    **{f"the folder {name}": Invocation((name,), detail="everything") for name in _FOLDERS if name != "marks"},
    **{f"the file {name} in marks": _one(f"marks/test_{name}.py") for name in _MARKS},
    **{f"the folder {name}, as a script": Invocation((name,), as_script=True, detail="ids") for name in _FOLDERS},
    "several folders": Invocation(_FOLDERS[:-1], detail="ids"),
    "several folders in another order": Invocation(tuple(reversed(_FOLDERS[:-1])), detail="ids"),
    "the current directory": Invocation((".", "--exclude", "broken"), detail="ids"),
    "marks with the variable set": _one("marks/test_examples.py", CORPUS_FLAG="yes"),
    "marks with both variables set": _one("marks/test_examples.py", CORPUS_FLAG="yes", CORPUS_OTHER="2"),
    "stacks with the variable set": _one("marks/test_stacks.py", CORPUS_FLAG="yes"),
    # files
    "a file": _one("pack/test_plain.py"),
    "a file twice": _one("pack/test_plain.py", "pack/test_plain.py", "pack"),
    "an absolute file": _one("{corpus}/pack/test_plain.py"),
    "a path through the parent directory": _one("pack/../plain/test_alone.py"),
    "a file that matches no pattern": _one("whatever.py"),
    "a helper inside a package": _one("pack/helper.py"),
    "a file without tests beside one with tests": _one("pack/test_nothing.py", "pack/test_plain.py"),
    "only a file without tests": _one("pack/test_nothing.py"),
    "a file below a directory without init": _one("pack/loose/test_no_init.py"),
    "a package below a directory without init": _one("pack/loose/inner"),
    "a package below a directory without init, as a script": Invocation(("pack/loose/inner",), as_script=True),
    "a package in a plain directory": _one("shelf/kit"),
    "a package in a plain directory, as a script": Invocation(("shelf/kit",), as_script=True),
    "a plain directory with a package": _one("shelf"),
    "a file in a package in a plain directory": _one("shelf/kit/test_kit.py", "plain/test_pair.py"),
    "files in plain directories": _one("plain/test_alone.py", "test_at_the_top.py"),
    "files in plain directories, as a script": Invocation(
        ("plain/test_alone.py", "test_at_the_top.py"), as_script=True
    ),
    "one name in two plain directories": _one("same_a/test_same.py", "same_b/test_same.py"),
    "one name in two plain directories, as a script": Invocation(
        # The published program has one test from two files here, and keeps one of the files by chance.
        ("same_a/test_same.py", "same_b/test_same.py"),
        as_script=True,
        detail="ids",
    ),
    "a directory with a blank": _one("dir with blank/test_blank.py"),
    "a file in a directory with brackets": _one("odd[1]/test_bracket.py"),
    "a directory with brackets": _one("globbed/test_one.py", "odd[1]"),
    "a missing file": _one("pack/test_gone.py"),
    "a missing file beside an existing one": _one("pack/test_gone.py", "pack/test_plain.py"),
    "a file that is no python file": _one("suites/other_ending.yaml"),
    # globs
    "a glob of files": _one("globbed/test_*.py"),
    "a glob of all": _one("globbed/*"),
    "a glob with a question mark": _one("globbed/test_t?o.py"),
    "a glob with brackets": _one("globbed/test_[ot]*.py"),
    "a glob over directories": _one("pack/*"),
    "a double star": _one("pack/**/test_*.py"),
    "a glob that finds only names out of the pattern": _one("globbed/fo*.py"),
    "a glob with a class": _one("globbed/*.py::GlobTwoTest"),
    # classes and methods
    "a directory named like a test file": _one("test_folder.py"),
    "a class": _one("pack/test_two_classes.py::FirstTest"),
    "a method": _one("pack/test_two_classes.py::FirstTest.test_shared_name"),
    "a method of any class": _one("pack/test_two_classes.py::.test_shared_name"),
    "an empty class part": _one("pack/test_two_classes.py::"),
    "a class of a directory": _one("pack::FirstTest"),
    "a class that is not there": _one("pack/test_two_classes.py::GoneTest", "pack/test_plain.py"),
    "a class that is no test": _one("pack/test_two_classes.py::NotATest", "pack/test_plain.py"),
    "a method that is not there": _one("pack/test_two_classes.py::FirstTest.test_gone", "pack/test_plain.py"),
    "a class pattern": _one("pack/test_two_classes.py::First*"),
    "a method that matches no pattern": _one("pack/test_plain.py::PlainTest.helper"),
    "a parent that is no leaf": _one("inherit/test_leaf_rule.py::ParentTest", "inherit/test_leaf_rule.py"),
    "the children before the grandchildren": _one("inherit/test_children.py", "inherit/test_grandchildren.py"),
    "the children alone": _one("inherit/test_children.py"),
    # arguments after the at sign
    "json": _one('marks/test_examples.py::ExamplesTest.test_matrix@{"x": 1, "y": "a"}'),
    "json in another order": _one('marks/test_examples.py::ExamplesTest.test_matrix@{"y": "a", "x": 1}'),
    "json that equals no test": _one('marks/test_examples.py::ExamplesTest.test_matrix@{"x": 1}', "plain"),
    "a json list": _one('marks/test_examples.py::ExamplesTest.test_matrix@[{"x": 1, "y": "a"}, {"x": 2, "y": "b"}]'),
    "empty json": _one("marks/test_examples.py::ExamplesTest.test_ignore_the_empty_one@{}"),
    "empty json for a test without parameters": _one("pack/test_plain.py::PlainTest.test_a@{}", "plain"),
    "json with nested values": _one('marks/test_examples.py::ExamplesTest.test_mixed@{"x": 1, "y": {"b": [2]}}'),
    "json with null": _one('marks/test_examples.py::ExamplesTest.test_mixed@{"x": 9, "y": null}'),
    "json with two colons and an at sign": _one('values/test_values.py::ValuesTest.test_characters@{"a": "@::x"}'),
    "json for any class": _one('marks/test_examples.py::.test_parametrize_over_matrix@{"x": 3}'),
    "json after a class": _one('marks/test_examples.py::ExamplesTest@{"x":3}', "plain"),
    "json for a tuple": _one('values/test_values.py::ValuesTest.test_tuples@{"a": [1, 2]}', "plain"),
    "json for an enum": _one('values/test_values.py::ValuesTest.test_text_enum@{"a": "one"}'),
    "bad json": _one('marks/test_examples.py::ExamplesTest.test_matrix@{"x": '),
    # excluding
    "excluding a file": _one("pack", "--exclude", "pack/test_plain.py"),
    "excluding a directory": _one("pack", "--exclude", "pack/nested"),
    "excluding a class and a method": _one(
        "pack", "--exclude", "pack/test_two_classes.py::FirstTest.test_first_only", "pack/plain_test.py::AlsoPlainTest"
    ),
    "excluding a parametrization": _one(
        "marks/test_examples.py::ExamplesTest.test_matrix",
        "--exclude",
        'marks/test_examples.py::ExamplesTest.test_matrix@{"x": 1, "y": "a"}',
    ),
    "excluding a glob": _one("globbed", "--exclude", "globbed/test_*.py"),
    "excluding a missing file": _one("pack/nested", "--exclude", "pack/test_gone.py"),
    "excluding a file without tests": _one("pack/nested", "--exclude", "pack/test_nothing.py"),
    "excluding nothing": _one("pack/nested", "--exclude"),
    "excluding everything": _one("pack/nested", "--exclude", "pack"),
    "excluding from a suite": _one("suites/list.yml", "--exclude", "pack/nested/deeper"),
    "excluding a suite file": _one("pack", "--exclude", "suites/list.yml"),
    # suites
    **{
        f"suite {name}": _one(f"suites/{name}.yml")
        for name in (
            "list",
            "mapping",
            "two_suites",
            "with_json",
            "imports",
            "import_one",
            "cyclic_a",
            "cyclic_b",
            "self_import",
            "excluded_elsewhere",
            "unknown_keys",
            "duplicate_keys",
            "missing_beside",
            "class_only",
            "empty",
            "empty_really",
            "top_is_a_list",
            "top_is_text",
            "empty_suite",
            "empty_list",
            "empty_import",
            "text_suite",
            "number_suite",
            "no_tests",
            "only_excluded",
            "included_is_text",
            "excluded_is_text",
            "number_item",
            "json_unquoted",
            "yaml_error",
            "missing_import",
            "imports_python",
            "imports_a_directory",
            "names_a_suite",
            "excludes_all",
            "gone",
        )
    },
    "a suite and a symbol": _one("suites/list.yml", "plain/test_alone.py"),
    "two suite files": _one("suites/cyclic_a.yml", "suites/mapping.yml"),
    "a directory named as a suite": _one("suites/more"),
    # other options
    "parameters": _one("marks/test_examples.py::ExamplesTest.test_matrix", "--parameters", '{"x": 7, "y": "q"}'),
    "parameters over a whole file": _one(
        "marks/test_clusters.py::ClustersTest.test_between_groups", "--parameters", '{"a": 7}'
    ),
    "parameters over an ignored test": _one(
        "marks/test_examples.py::ExamplesTest.test_ignored_below", "--parameters", '{"x": 7}'
    ),
    "parameters for a test without any": _one("pack/test_plain.py::PlainTest.test_a", "--parameters", '{"x": 7}'),
    "parameters and json": _one(
        'marks/test_examples.py::ExamplesTest.test_matrix@{"x": 1}', "--parameters", '{"x": 7}'
    ),
    "parameters that are no json": _one("pack", "--parameters", "x=1"),
    "empty parameters": _one("marks/test_examples.py::ExamplesTest.test_matrix", "--parameters", "{}"),
    **{
        f"subset {n} of 3": Invocation(("pack", "globbed", "--subsets", "3", "--subset", str(n)), detail="ids")
        for n in range(3)
    },
    "an empty subset": _one("pack/test_plain.py", "--subsets", "9", "--subset", "8"),
    "a subset out of range": _one("pack/test_plain.py", "--subsets", "2", "--subset", "2"),
    "a negative subset": _one("pack/test_plain.py", "--subsets", "2", "--subset", "-1"),
    "a subset with excludes": Invocation(
        ("pack", "--subsets", "2", "--subset", "1", "--exclude", "pack/nested"), detail="ids"
    ),
    "repeated": _one("pack/test_plain.py", "--repeat", "3"),
    "a repeated subset": _one("pack", "--repeat", "2", "--subsets", "4", "--subset", "1"),
    "repeated no times": _one("pack/test_plain.py", "--repeat", "0"),
    "node types ignored": _one("marks/test_clusters.py", "--ignore-node-type"),
    "greedy tests fail": _one("marks/test_clusters.py", "--fail-greedy-tests"),
    "nested result directories": Invocation(
        ("marks/test_examples.py", "values/test_values.py", "--nested-result-dirs"), detail="everything"
    ),
    "long names": Invocation(("values/test_values.py::ValuesTest.test_long",), detail="ids"),
    "nothing found": _one("suites"),
    "an unknown option": _one("pack", "--no-such-option"),
    # broken files
    "a broken folder": _one("broken"),
    **{
        f"broken file {name}": _one(f"broken/test_{name}.py", "plain/test_alone.py")
        for name in ("syntax_error", "import_error", "missing_name", "raises", "raises_assertion", "sub")
    },
    "only a broken file": _one("broken/test_raises.py"),
    "a partial": _one("partials/test_partial.py"),
    "a misplaced ignore": _one("misplaced/test_misplaced_ignore.py"),
    "a misplaced cluster": _one("misplaced/test_misplaced_cluster.py"),
    "a matrix over a number": _one("misplaced/test_not_iterable.py", "misplaced/test_well_placed.py"),
    "coinciding ids": Invocation(("coinciding",), detail="ids"),
}


def staged(target: Path) -> Path:
    """Copy the corpus to `target` and add what does not belong into a checkout.

    Args:
        target: a path that does not exist yet.

    Returns:
        `target`, which is the working directory of every invocation.
    """
    shutil.copytree(CORPUS, target, ignore=shutil.ignore_patterns("__pycache__", "results", ".ducktape"))
    os.symlink("nested", target / "pack" / "linked")
    return target
