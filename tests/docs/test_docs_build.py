# SPDX-License-Identifier: Apache-2.0
"""The documentation builds without a warning and describes the program that there is."""

from __future__ import annotations

import argparse
import html
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ducktape.command_line.doctor.command import create_doctor_parser
from ducktape.command_line.init.command import create_init_parser
from ducktape.command_line.nodes.command import create_nodes_parser
from ducktape.command_line.parse_args import create_ducktape_parser
from ducktape.command_line.release.command import create_release_parser
from ducktape.command_line.report.command import create_report_parser
from ducktape.command_line.shell.command import create_shell_parser

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the documentation, warnings being errors, and return the folder of its pages."""
    target = tmp_path_factory.mktemp("docs")
    pages = target / "html"
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    completed = subprocess.run(
        [*command, "-d", str(target / "doctrees"), str(ROOT / "docs"), str(pages)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert completed.returncode == 0, completed.stderr
    return pages


def _text(page: Path) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def test_every_page_is_reached_from_the_front_page(pages: Path) -> None:
    front = (pages / "index.html").read_text(encoding="utf-8")
    sources = {path.stem for path in (ROOT / "docs").glob("*.rst")} - {"index"}
    assert {name for name in sources if f'href="{name}.html"' not in front} == set()


def test_pages_have_a_dark_mode_a_search_and_copy_buttons(pages: Path) -> None:
    page = (pages / "quick_start.html").read_text(encoding="utf-8")
    assert 'class="theme-toggle"' in page
    assert 'action="search.html"' in page
    assert re.search(r'<script src="_static/copybutton\.js', page)
    assert '"$ "' in (pages / "_static" / "copybutton.js").read_text(encoding="utf-8").replace("'", '"')


@pytest.fixture(scope="module")
def described(pages: Path) -> set[str]:
    """Return the names of modules, classes, functions and members that have an entry in the API reference."""
    entry = re.compile(r'<dt class="sig sig-object py" id="(ducktape\.[\w.]+)"')
    return {name for page in pages.glob("api_*.html") for name in entry.findall(page.read_text(encoding="utf-8"))}


USED_BY_SUITES = (
    "cluster.cluster.Cluster",
    "cluster.cluster_node.ClusterNode",
    "cluster.remoteaccount.LogMonitor",
    "cluster.remoteaccount.RemoteAccount",
    "cluster.remoteaccount.RemoteProcess",
    "cluster.remoteaccount.SSHOutputIter",
    "faults.Fault",
    "services.background_thread.BackgroundThreadService",
    "services.process.ProcessService",
    "services.service.Service",
    "services.workload.Workload",
    "tests.test.Test",
    "tests.test_context.TestContext",
)


@pytest.mark.parametrize("path", USED_BY_SUITES)
def test_every_method_of_the_main_classes_is_described_also_those_of_mixins(described: set[str], path: str) -> None:
    module, _, name = f"ducktape.{path}".rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    own = [base for base in cls.__mro__ if base.__module__.startswith("ducktape.")]
    verbs = {
        verb
        for base in own
        for verb, value in vars(base).items()
        if not verb.startswith("_") and inspect.isroutine(value)
    }
    missing = {verb for verb in verbs if f"ducktape.{path}.{verb}" not in described}
    assert missing - {"setUp", "tearDown"} == set()


@pytest.mark.parametrize("module", ["faults", "mark", "mark.resource", "utils.wait", "utils.util", "errors"])
def test_every_function_and_class_of_the_main_modules_is_described(described: set[str], module: str) -> None:
    imported = importlib.import_module(f"ducktape.{module}")
    names = getattr(imported, "__all__", None) or [name for name in vars(imported) if not name.startswith("_")]
    values = {name: getattr(imported, name) for name in names}
    wanted = {name for name, value in values.items() if inspect.isclass(value) or inspect.isfunction(value)}
    homes = {name.rpartition(".")[2] for name in described}
    assert wanted - homes == set()
    assert len(wanted) >= 2


def test_hooks_have_a_page(pages: Path) -> None:
    page = _text(pages / "api_hooks.html")
    hooks = ("start_node", "stop_node", "clean_node", "wait_node", "dump", "command", "files", "ready", "work", "setup")
    assert [hook for hook in hooks if f"{hook}(" not in page] == []


def test_every_option_of_the_program_is_described(pages: Path) -> None:
    reference = (pages / "running_tests.html").read_text(encoding="utf-8")
    shown = [action for action in create_ducktape_parser()._actions if action.help != argparse.SUPPRESS]
    options = [name for action in shown for name in action.option_strings]
    missing = [name for name in options if f'id="cmdoption-ducktape-{name.lstrip("-")}"' not in reference]
    assert missing == []


def test_the_text_of_the_reference_is_that_of_the_program(pages: Path) -> None:
    reference = " ".join(_text(pages / "running_tests.html").split())
    for action in create_ducktape_parser()._actions:
        if action.help == argparse.SUPPRESS:
            continue
        first_words = " ".join((action.help or "").replace("%%", "%").split()[:4])
        if "%(" not in first_words:
            assert first_words in reference


def test_the_pages_mention_no_option_that_does_not_exist() -> None:
    parsers = (
        create_ducktape_parser(),
        create_doctor_parser(),
        create_init_parser(),
        create_nodes_parser(),
        create_release_parser(),
        create_report_parser(),
        create_shell_parser(),
    )
    known = {name for parser in parsers for action in parser._actions for name in action.option_strings}
    mentioned = {
        (path.name, option)
        for path in [*(ROOT / "docs").glob("*.rst"), ROOT / "README.md"]
        for option in re.findall(r"ducktape[^\n`]* (--[a-z][a-z-]*)", path.read_text(encoding="utf-8"))
    }
    assert {pair for pair in mentioned if pair[1] not in known} == set()
