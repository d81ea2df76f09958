# SPDX-License-Identifier: Apache-2.0
"""Tests that were to run and did not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ducktape.json_serializable import strict

if TYPE_CHECKING:
    from ducktape.tests.test_context import TestContext


@dataclasses.dataclass(frozen=True, slots=True)
class NotRun:
    """A test that never ran, or whose end nobody saw, and why, as in ``the run was interrupted``."""

    test_id: str
    module_name: str
    cls_name: str
    function_name: str
    injected_args: dict[str, object] | None  # JSON-ready
    file_name: str | None
    why: str

    @classmethod
    def of(cls, test_context: TestContext, why: str) -> NotRun:
        """Return the entry of a test."""
        return cls(
            test_id=test_context.test_id,
            module_name=test_context.module_name,
            cls_name=test_context.cls_name,
            function_name=test_context.function_name,
            injected_args=strict(test_context.json_arguments),
            file_name=test_context.file,
            why=strict(why),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the entry as ``report.json`` and the journal have it."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> NotRun:
        """Return the entry that :meth:`to_json` was asked of; ``ValueError`` if it has no ``test_id``."""
        if not isinstance(content.get("test_id"), str):
            raise ValueError("an entry of a test that did not run has no test_id")
        return cls(
            test_id=content["test_id"],
            module_name=content.get("module_name") or "",
            cls_name=content.get("cls_name") or "",
            function_name=content.get("function_name") or "",
            injected_args=content.get("injected_args"),
            file_name=content.get("file_name"),
            why=content.get("why") or "",
        )
