# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import subprocess
import textwrap
from pathlib import Path

import pytest

from benchmarks import figures
from benchmarks.figures import Figures, count, table


def _count(**modules: str) -> Figures:
    return count({f"{name}.py": textwrap.dedent(text).lstrip("\n") for name, text in modules.items()})


def test_blank_lines_comments_and_docstrings_are_no_code() -> None:
    counted = _count(
        a='''
        # comment
        """Docstring
        of two lines."""

        class A:
            """Docstring."""

            TEXT = """a

            string"""

            def f(self) -> int:  # comment
                """Docstring."""
                return (
                    1
                )
        ''',
        empty="",
    )
    assert (counted.lines, counted.code, counted.modules) == (16, 8, 2)


def test_a_helper_that_is_called_once_has_one_caller() -> None:
    counted = _count(
        a="""
        def _once(): pass
        def _twice(): pass
        def _never(): pass
        def public(): _once(); _twice(); _twice()
        def __getattr__(name): pass
        """,
    )
    assert (counted.helpers, counted.single) == (3, ("a.py:1 _once",))


def test_a_helper_that_is_also_passed_on_or_imported_has_more_than_one_use() -> None:
    counted = _count(
        a="""
        def _passed(): pass
        def _imported(): pass
        def public(): _passed(); _imported(); return map(_passed, [])
        """,
        b="from a import _imported",
    )
    assert (counted.helpers, counted.single) == (2, ())


def test_methods_are_counted_in_the_whole_package() -> None:
    counted = _count(
        a="""
        class A:
            def _alone(self): pass
            def _of_subclasses(self): pass
            def _hook(self): pass
            def public(self): self._alone(); self._of_subclasses(); self._hook()
        """,
        b="""
        class B(A):
            def _hook(self): pass
            def other(self): self._of_subclasses()
        """,
    )
    assert (counted.helpers, counted.single) == (4, ("a.py:2 _alone",))


@pytest.mark.parametrize(
    ("caught", "broad"),
    [
        ("except Exception: pass", True),
        ("except (OSError, BaseException) as e: pass", True),
        ("except builtins.Exception: pass", True),
        ("except: pass", True),
        ("except OSError: pass", False),
        ("except ExceptionGroup: pass", False),
    ],
)
def test_handlers_of_every_exception_are_broad(caught: str, broad: bool) -> None:
    assert _count(a=f"try: pass\n{caught}\n").broad == (("a.py:2",) if broad else ())


@pytest.mark.parametrize(
    ("call", "broad"),
    [
        ("contextlib.suppress(OSError, Exception)", True),
        ("suppress(BaseException)", True),
        ("suppress(OSError)", False),
    ],
)
def test_suppressing_every_exception_is_broad(call: str, broad: bool) -> None:
    assert _count(a=f"with {call}: pass\n").broad == (("a.py:1",) if broad else ())


def test_uses_of_any_are_counted_but_not_its_import() -> None:
    assert _count(a="from typing import Any\nx: Any = 1\ny: list[typing.Any] = []\nz = any([])\n").any == 2


def test_the_longest_modules_come_first() -> None:
    assert _count(a="1\n", b="1\n2\n3\n", c="1\n2\n").longest == (("b.py", 3), ("c.py", 2), ("a.py", 1))


def test_a_comparison_shows_the_change() -> None:
    before = _count(a="1\n" * 10)
    after = dataclasses.replace(before, lines=8, any=4)
    lines = {line.split("  ")[0]: line.split()[-4:] for line in table({"before": before, "after": after}).splitlines()}
    assert lines["lines"] == ["10", "8", "-20.0", "%"]
    assert lines["Any"][-3:] == ["0", "4", "-"]


def test_the_working_tree_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    (tmp_path / "ducktape" / "sub").mkdir(parents=True)
    (tmp_path / "ducktape" / "a.py").write_text("a = 1\n")
    (tmp_path / "ducktape" / "sub" / "b.py").write_text("b = 1\n\nc = 2\n")
    assert figures.main([]) == 0
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["modules", "2"] in printed
    assert ["lines", "4"] in printed
    assert ["3", "sub/b.py"] in printed


def test_a_revision_is_read_from_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    (tmp_path / "ducktape" / "sub").mkdir(parents=True)
    (tmp_path / "ducktape" / "sub" / "a.py").write_text("old = 1\n")
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "old"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "ducktape" / "sub" / "a.py").write_text("new = 1\nnew = 2\n")
    assert figures.read_revision("HEAD") == {"sub/a.py": "old = 1\n"}
    assert figures.read(tmp_path / "ducktape") == {"sub/a.py": "new = 1\nnew = 2\n"}
