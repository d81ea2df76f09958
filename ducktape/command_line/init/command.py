# SPDX-License-Identifier: Apache-2.0
"""Writes the files of a new suite, or of one more service or test."""

from __future__ import annotations

import argparse
import importlib.resources
import keyword
import os
import re
import string

from ducktape.command_line.options.errors import CommandError
from ducktape.command_line.options.subcommands import subcommand_parser

_SUITE = "systests"
_NEW = "__init__.py", "web_service.py", "templates/index.html", "test_web.py"


def main(argv: list[str]) -> int:
    """Write files that do not exist yet, and print their paths; returns 0."""
    options = create_init_parser().parse_args(argv)
    suite = _suite_in(options.directory)
    wanted: dict[str, str] = {}
    if not options.service and not options.test:
        config = os.path.join(options.directory, ".ducktape", "config")
        if not os.path.exists(config):
            wanted[config] = _text("config")
        wanted |= {os.path.join(suite, name): _text(os.path.basename(name)) for name in _NEW}
    if (options.service or options.test) and not os.path.exists(os.path.join(suite, "__init__.py")):
        wanted[os.path.join(suite, "__init__.py")] = _text("__init__.py")
    for name in options.service:
        words = _words(name)
        wanted[os.path.join(suite, f"{words}_service.py")] = _text("service.py", words)
        wanted[os.path.join(suite, "templates", f"{words}.conf")] = _text("service.conf", words)
    for name in options.test:
        words = _words(name)
        service = os.path.join(suite, f"{words}_service.py")
        template = "test.py" if service in wanted or os.path.exists(service) else "bare_test.py"
        wanted[os.path.join(suite, f"test_{words}.py")] = _text(template, words)
    _write_all(wanted)
    print(f"\nRun it: ducktape {os.path.relpath(suite)}")
    return 0


def create_init_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; has no side effects."""
    parser = subcommand_parser(
        "init",
        "[options] [DIR]",
        description=f"Write a small suite into {_SUITE}/ of a directory: a service, its template, tests and options "
        "that run it on the sandbox. Existing files are never overwritten.",
        epilog="To run the tests in a directory of that name: ducktape ./init",
    )
    parser.add_argument("directory", nargs="?", metavar="DIR", default=".", help="The current directory by default.")
    parser.add_argument(
        "--service", action="append", default=[], metavar="NAME", help="Add only a service, such as --service store."
    )
    parser.add_argument("--test", action="append", default=[], metavar="NAME", help="Add only a test file.")
    return parser


def _suite_in(directory: str) -> str:
    """Return the directory of the suite: the given one if it is a package, else one below it."""
    is_suite = os.path.exists(os.path.join(directory, "__init__.py"))
    return os.path.normpath(directory if is_suite else os.path.join(directory, _SUITE))


def _words(name: str) -> str:
    """Return a name as a part of module names, such as ``key_value`` for ``KeyValue`` and ``key-value``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[-\s]+", "_", name).lower()
    if not re.fullmatch(r"[a-z][a-z0-9_]*", words) or keyword.iskeyword(words):
        raise CommandError(f"{name!r} cannot be the name of a module: use letters, digits and _")
    return words


def _text(template: str, words: str = "") -> str:
    folder = importlib.resources.files("ducktape").joinpath("templates").joinpath("init")
    source = folder.joinpath(f"{template}.in").read_text(encoding="utf-8")
    class_name = "".join(part.capitalize() for part in words.split("_"))
    # Not the engine of the suite's own templates, whose braces are part of the text
    return string.Template(source).safe_substitute(name=words, Name=class_name)


def _write_all(wanted: dict[str, str]) -> None:
    """Write all files or none."""
    existing = [path for path in wanted if os.path.lexists(path)]
    if existing:
        raise CommandError(f"{existing[0]} exists already, and nothing was written: remove it, or name another DIR")
    for path, text in wanted.items():
        try:
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            with open(path, "x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise CommandError(f"Cannot write {path}: {error.strerror}") from error
        print(os.path.relpath(path))
