# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from ducktape.tests.driver.failure_cause import Cause, cause_of_death, failed, paragraphs
from ducktape.tests.event import Outcome


@pytest.mark.parametrize(
    ("exit_code", "text"),
    [
        (0, "Test process exited with code 0 before reporting a result"),
        (3, "Test process exited with code 3 before reporting a result"),
        (-9, "Test process was killed by SIGKILL (signal 9) before reporting a result"),
        (-11, "Test process was killed by SIGSEGV (signal 11) before reporting a result"),
        (-63, "Test process was killed by signal 63 before reporting a result"),
    ],
)
def test_a_dead_process_is_described_by_its_exit_code(exit_code: int, text: str) -> None:
    assert cause_of_death(exit_code) == Cause(text, "crash")


def test_an_unknown_exit_code_is_described_too() -> None:
    assert cause_of_death(None).text.startswith("Test process exited")


def test_a_test_that_could_not_speak_fails_with_the_cause() -> None:
    assert failed(Cause("It died", "crash"), 10, 12) == Outcome("fail", "It died", None, 10, 12, 0, [], "crash")


def test_paragraphs_without_text_are_left_out() -> None:
    assert paragraphs("Test aborted", "", "stacks\n", "") == "Test aborted\n\nstacks\n"
    assert paragraphs("", "") == ""
