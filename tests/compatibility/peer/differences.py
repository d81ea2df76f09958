# SPDX-License-Identifier: Apache-2.0
"""Where this program collects something else than the published one, and why.

Everything that is not listed here has to be equal: ids, order, arguments, marks, node counts, directories, exit codes
and messages.
"""

from __future__ import annotations

from dataclasses import dataclass

_NAMES = "names.test_static_and_class_methods.StaticTest."

# Static methods, class methods and nested classes with matching names were collected although they cannot run.
NEVER_COLLECTED = frozenset(
    {f"{_NAMES}test_class_method", f"{_NAMES}test_nested", f"{_NAMES}test_static"},
)

# Marks of this kind were lost: `@ignore()` with parentheses ignored nothing, and `@defaults` forgot what was ignored
# below it. Each entry is the id of a test up to its arguments.
NOW_IGNORED = frozenset(
    {
        "marks.test_differences.DifferencesTest.test_ignore_with_parentheses",
        "marks.test_differences.DifferencesTest.test_defaults_over_ignore",
        "marks.test_examples.ExamplesTest.test_ignore_the_empty_one",
        *(
            f"marks.test_stacks.StacksTest.test_{bottom_up}"
            for bottom_up in (
                "matrix_ignore_defaults",
                "parametrize_ignore_defaults",
                "defaults_ignore_defaults",
                "matrix_env_parametrize_ignore_defaults_cluster",
            )
        ),
    }
)

# The same for `@env`, while the variable is not set.
NOW_IGNORED_WITHOUT_THE_VARIABLE = frozenset(
    f"marks.test_stacks.StacksTest.test_{bottom_up}"
    for bottom_up in ("matrix_env_defaults", "parametrize_env_defaults")
)

# A matrix over nothing made no test at all, so that nobody saw that it had come to nothing.
EMPTY_MATRIX = "marks.test_differences.DifferencesTest.test_matrix_over_nothing"


@dataclass(frozen=True)
class Difference:
    """How one invocation comes out differently.

    Args:
        why: the defect of the published program.
        added: ids that are collected in addition.
        removed: ids that are not collected any more.
        exit_code: the exit code, where it is another one.
        failure: the message of a failure, where it is another one; `<corpus>` stands for the directory.
    """

    why: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    exit_code: int | None = None
    failure: str | None = None


_COINCIDING = tuple(
    f"coinciding.test_coinciding.CoincidingTest.test_{rest}"
    for rest in ("blanks.x=ab-2", "types.x=1-2", "dots.x=a.y=b.y=b-2")
)
_IN_A_DOTTED_DIRECTORY = "test_folder.py.test_inside.GlobInsideTest.test_inside"
_DISCOVERY = "Failed while trying to discover tests: "
_OVER_NOTHING = "a matrix over nothing is one ignored test"
_YAML_ERROR = "the cause was printed as a tuple with addresses; it is one readable line"
_NO_SUITE_THERE = "a file of the wrong kind escaped as a traceback; it is one line"
_MISPLACED = "an assertion escaped as a traceback; it is one line that names the test"
_ONE_NAME = "two files of one name: the first was imported for both and the tests of the second were lost"

DIFFERENCES: dict[str, Difference] = {
    "the file differences in marks": Difference(_OVER_NOTHING, added=(EMPTY_MATRIX,)),
    "the folder marks, as a script": Difference(_OVER_NOTHING, added=(EMPTY_MATRIX,)),
    "several folders": Difference(_OVER_NOTHING, added=(EMPTY_MATRIX,)),
    "several folders in another order": Difference(_OVER_NOTHING, added=(EMPTY_MATRIX,)),
    "the folder pack, as a script": Difference(
        "the name of a module hung on the directories that earlier files had put on the search path",
        added=("inner.test_below_loose.BelowLooseTest.test_below_loose",),
        removed=("pack.loose.inner.test_below_loose.BelowLooseTest.test_below_loose",),
    ),
    "the current directory": Difference(
        "all that is said of the folders below", added=(EMPTY_MATRIX, _IN_A_DOTTED_DIRECTORY, *_COINCIDING)
    ),
    "the folder tests, as a script": Difference(
        "a package of users that is named tests gave way to an installed one of that name",
        added=("tests.test_user_package.UserPackageTest.test_in_a_package_named_tests",),
        exit_code=0,
    ),
    "one name in two plain directories, as a script": Difference(_ONE_NAME, added=("test_same.SameTest.test_from_b",)),
    "a directory named like a test file": Difference(
        "a directory whose name has a dot cannot be named in an import; its tests were lost",
        added=(_IN_A_DOTTED_DIRECTORY,),
        exit_code=0,
    ),
    "a file that is no python file": Difference(
        "a suite file with the other ending of YAML files escaped as a traceback; it is taken for what it is",
        added=("pack.test_plain.PlainTest.test_a", "pack.test_plain.PlainTest.test_b"),
        exit_code=0,
    ),
    "json for a tuple": Difference(
        "arguments were compared without regard to what JSON makes of them, so tuples could never be selected",
        added=("values.test_values.ValuesTest.test_tuples.a=.1.2",),
        exit_code=0,
    ),
    "excluding a suite file": Difference(
        _NO_SUITE_THERE,
        failure=f"{_DISCOVERY}Expected absolute path ending in '.py' but got <corpus>/suites/list.yml",
    ),
    "suite names_a_suite": Difference(
        _NO_SUITE_THERE,
        failure=f"{_DISCOVERY}Expected absolute path ending in '.py' but got <corpus>/suites/list.yml",
    ),
    "suite number_item": Difference(
        "an item that is no text escaped as a traceback; it is one line",
        failure=f"{_DISCOVERY}Malformed test suite number_item in <corpus>/suites/number_item.yml: ",
    ),
    "suite json_unquoted": Difference(
        _YAML_ERROR, failure=f"{_DISCOVERY}Failed to load test suite from file: <corpus>/suites/json_unquoted.yml: "
    ),
    "suite yaml_error": Difference(
        _YAML_ERROR, failure=f"{_DISCOVERY}Failed to load test suite from file: <corpus>/suites/yaml_error.yml: "
    ),
    "suite imports_python": Difference(
        _YAML_ERROR, failure=f"{_DISCOVERY}Failed to load test suite from file: <corpus>/pack/test_plain.py: "
    ),
    "parameters for a test without any": Difference(
        "a method without parameters came out twice, and the one with arguments could not run",
        removed=("pack.test_plain.PlainTest.test_a",),
    ),
    "a partial": Difference(
        "a callable without a name aborted loading; it is no plain function and is passed over",
        added=("partials.test_partial.PartialTest.test_beside_the_partial",),
        exit_code=0,
    ),
    "a misplaced ignore": Difference(
        _MISPLACED,
        failure=f"{_DISCOVERY}misplaced.test_misplaced_ignore.MisplacedIgnoreTest.test_with_nothing_below",
    ),
    "a misplaced cluster": Difference(
        _MISPLACED,
        failure=f"{_DISCOVERY}misplaced.test_misplaced_cluster.MisplacedClusterTest.test_with_nothing_below",
    ),
    "coinciding ids": Difference(
        "of several tests whose escaped arguments coincide one was kept by chance; now none is lost", added=_COINCIDING
    ),
}
