# SPDX-License-Identifier: Apache-2.0
"""The directive ``option-reference``: every option of the program, asked of its parser while the pages are built."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from ducktape.command_line.parse_args import create_ducktape_parser


class OptionReference(SphinxDirective):
    """Writes one entry per option, in the groups, the order and the words of ``ducktape --help``."""

    def run(self) -> list[nodes.Node]:
        """Return the entries."""
        parser = create_ducktape_parser()
        lines = [".. program:: ducktape", ""]
        for group in parser._action_groups:
            shown = [action for action in group._group_actions if action.help is not argparse.SUPPRESS]
            if shown:
                lines += [f".. rubric:: {(group.title or '').capitalize()}", ""]
            for action in shown:
                if not action.help:
                    raise self.error(f"{'/'.join(action.option_strings) or action.dest} has no help text")
                lines += [*_entry(action), ""]
        container = nodes.container()
        self.state.nested_parse(StringList(lines, source="the parser"), self.content_offset, container)
        return container.children


def _entry(action: argparse.Action) -> Iterator[str]:
    value = _value(action)
    names = [f"{name} {value}".rstrip() for name in action.option_strings] or [value]
    yield f".. option:: {', '.join(names)}"
    yield ""
    yield f"   {_escaped(' '.join((action.help or '').replace('%%', '%').split()))}"
    if action.option_strings and action.nargs != 0 and action.default not in (None, argparse.SUPPRESS):
        yield ""
        yield f"   Default: ``{action.default}``"


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    name = f"<{action.metavar or action.dest}>"
    return {"*": f"[{name} ...]", "+": f"{name} [{name} ...]", "?": f"[{name}]"}.get(str(action.nargs), name)


def _escaped(text: str) -> str:
    """Return text in which nothing is taken for markup."""
    return "".join(f"\\{character}" if character in "*`|_\\" else character for character in text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known to Sphinx."""
    app.add_directive("option-reference", OptionReference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
