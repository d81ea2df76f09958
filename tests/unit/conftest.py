# SPDX-License-Identifier: Apache-2.0
"""What no test may leave behind for those after it."""

from __future__ import annotations

import pytest

from ducktape.utils.support import strictness


@pytest.fixture(autouse=True)
def own_register_of_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strictness, "_register", strictness._Register())
