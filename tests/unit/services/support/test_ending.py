# SPDX-License-Identifier: Apache-2.0
"""Many services are ended whatever one of them raises; an interrupt is raised at the end."""

from __future__ import annotations

import pytest

from ducktape.services.support.ending import end_each


class Ended:
    """What was ended, failed and left out; names that begin with ``bad`` fail, those with ``late`` are interrupted."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def end(self, name: str) -> None:
        self.seen.append(f"end {name}")
        if name.startswith("bad"):
            raise ValueError
        if name.startswith("late"):
            raise KeyboardInterrupt

    def failed(self, name: str, error: BaseException) -> None:
        self.seen.append(f"{type(error).__name__} {name}")

    def left_out(self, name: str, error: KeyboardInterrupt) -> None:
        self.seen.append(f"left out {name}")


def test_an_error_does_not_keep_others_from_their_end() -> None:
    it = Ended()
    end_each(["bad", "good"], it.end, it.failed, left_out=it.left_out)
    assert it.seen == ["end bad", "ValueError bad", "end good"]


def test_others_are_ended_after_an_interrupt() -> None:
    it = Ended()
    with pytest.raises(KeyboardInterrupt):
        end_each(["late", "bad", "good"], it.end, it.failed)
    assert it.seen == ["end late", "KeyboardInterrupt late", "end bad", "ValueError bad", "end good"]


def test_others_are_left_out_after_an_interrupt_if_that_is_wanted() -> None:
    it = Ended()
    with pytest.raises(KeyboardInterrupt):
        end_each(["bad", "late", "good", "last"], it.end, it.failed, left_out=it.left_out)
    assert it.seen == [
        *("end bad", "ValueError bad", "end late", "KeyboardInterrupt late"),
        *("left out good", "left out last"),
    ]
