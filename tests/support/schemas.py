# SPDX-License-Identifier: Apache-2.0
"""The published schemas of ``report.json``, the journal and ``ducktape history --json``, and checks against them."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema
import referencing

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "schemas"
REPORT, JOURNAL, HISTORY = "report.schema.json", "journal.schema.json", "history.schema.json"


def problems_of(content: object, schema: str) -> list[str]:
    """Return one line for each place where a value differs from a schema, or has a key that the schema lacks."""
    found = sorted(_validator(schema).iter_errors(content), key=lambda error: list(map(str, error.absolute_path)))
    return [f"{error.json_path}: {error.message}" for error in found]


def problems_of_session(directory: Path) -> list[str]:
    """Return the problems of all reports and the journal of a session, each with its file."""
    found = [
        f"report.json {each}" for each in problems_of(json.loads((directory / "report.json").read_bytes()), REPORT)
    ]
    for path in directory.glob("*/**/report.json"):
        content = json.loads(path.read_bytes())
        found += [f"{path.relative_to(directory)} {each}" for each in problems_of(content, f"{REPORT}#/$defs/result")]
    for number, line in enumerate((directory / "journal.jsonl").read_bytes().splitlines(), start=1):
        found += [f"journal.jsonl:{number} {each}" for each in problems_of(json.loads(line), JOURNAL)]
    return found


def published(name: str) -> dict[str, Any]:
    """Return a schema as it is published."""
    content: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return content


@functools.cache
def _validator(schema: str) -> Any:
    resources = [
        (name, referencing.Resource.from_contents(_complete(published(name)))) for name in (REPORT, JOURNAL, HISTORY)
    ]
    registry: referencing.Registry[Any] = referencing.Registry().with_resources(resources)
    return jsonschema.Draft202012Validator({"$ref": schema}, registry=registry)


def _complete(schema: Any) -> Any:
    """Return a schema that refuses keys which it does not describe, and which readers must ignore."""
    if isinstance(schema, list):
        return [_complete(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    complete = {name: _complete(value) for name, value in schema.items()}
    if complete.get("type") == "object" and "required" in complete and "allOf" not in complete:
        complete.setdefault("additionalProperties", False)
    return complete
