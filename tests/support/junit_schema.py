# SPDX-License-Identifier: Apache-2.0
"""The rules that readers of JUnit files have in common, and a check of a file against them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree import ElementTree

_COUNT = r"\d+"
_SECONDS = r"\d+(\.\d+)?(e-\d+)?"
_MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
_TEXT = r"[\s\S]*"
_WORDS = r"[\s\S]+"
_VERDICTS = ("failure", "error", "skipped")


class _Rule(NamedTuple):
    """What an element has to have, may have and may contain; attributes are given with their patterns."""

    required: dict[str, str]
    optional: dict[str, str]
    children: tuple[str, ...] = ()
    has_text: bool = False


_RULES = {
    "testsuites": _Rule(
        {"tests": _COUNT, "failures": _COUNT},
        {"name": _TEXT, "time": _SECONDS, "disabled": _COUNT, "errors": _COUNT, "timestamp": _MOMENT},
        ("testsuite",),
    ),
    "testsuite": _Rule(
        {"name": _WORDS, "tests": _COUNT, "failures": _COUNT, "errors": _COUNT},
        {"time": _SECONDS, "disabled": _COUNT, "skipped": _COUNT, "timestamp": _MOMENT},
        ("properties", "testcase", "system-out", "system-err"),
    ),
    "testcase": _Rule(
        {"name": _WORDS, "classname": _WORDS, "time": _SECONDS},
        {"status": _TEXT, "assertions": r"\d*", "file": _WORDS, "line": r"[1-9]\d*", "timestamp": _MOMENT},
        (*_VERDICTS, "properties", "system-out", "system-err"),
    ),
    "properties": _Rule({}, {}, ("property",)),
    "property": _Rule({"name": _WORDS, "value": _TEXT}, {}),
    "failure": _Rule({}, {"message": _TEXT, "type": _TEXT}, has_text=True),
    "error": _Rule({}, {"message": _TEXT, "type": _TEXT}, has_text=True),
    "skipped": _Rule({}, {"message": _TEXT}, has_text=True),
    "system-out": _Rule({}, {}, has_text=True),
    "system-err": _Rule({}, {}, has_text=True),
}


def problems_of(text: str) -> list[str]:
    """Return one line for each rule that a file breaks; raises ``ParseError`` if it is no XML at all."""
    root = ElementTree.fromstring(text)
    if root.tag != "testsuites":
        return [f"the root is {root.tag}"]
    return [*_problems(root), *_wrong_counts(root)]


def _problems(element: ElementTree.Element) -> Iterator[str]:
    rule = _RULES[element.tag]
    known = {**rule.required, **rule.optional}
    yield from (f"{element.tag}: no {name}" for name in rule.required if name not in element.attrib)
    for name, value in element.attrib.items():
        if name not in known or not re.fullmatch(known[name], value):
            yield f"{element.tag}: {name}={value!r}"
    if (element.text or "").strip() and not rule.has_text:
        yield f"{element.tag}: text"
    once = [child.tag for child in element if child.tag not in ("testsuite", "testcase", "property")]
    yield from (f"{element.tag}: several {tag}" for tag in sorted(set(once)) if once.count(tag) > 1)
    if sum(child.tag in _VERDICTS for child in element) > 1:
        yield f"{element.tag}: several verdicts"
    for child in element:
        if child.tag in rule.children:
            yield from _problems(child)
        else:
            yield f"{element.tag}: {child.tag} is unknown"


def _wrong_counts(root: ElementTree.Element) -> Iterator[str]:
    for element in root.iter():
        for name, path in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")):
            found = sum(1 for _ in element.iter(path))
            if element.tag.startswith("testsuite") and element.get(name, str(found)) != str(found):
                yield f"{element.tag}: {name} is {element.get(name)}, not {found}"
