# SPDX-License-Identifier: Apache-2.0
"""Commands that had not ended when a test was interrupted."""

from __future__ import annotations

import threading

import pytest

from ducktape.cluster.account.in_flight import in_flight, unended_commands


def interrupted(command: str) -> list[str]:
    with pytest.raises(KeyboardInterrupt), in_flight("user@n1", command):
        raise KeyboardInterrupt
    return unended_commands()


def test_an_interrupted_command_is_named_once() -> None:
    assert interrupted("sleep 1000") == ["user@n1, for 0 s: sleep 1000"]
    assert unended_commands() == []


def test_a_command_that_ended_or_failed_is_forgotten() -> None:
    with in_flight("user@n1", "true"):
        pass
    with pytest.raises(ValueError, match="failed"), in_flight("user@n1", "false"):
        raise ValueError("failed")
    assert unended_commands() == []


def test_commands_of_other_threads_are_named_while_they_run() -> None:
    began, ended = threading.Event(), threading.Event()

    def run() -> None:
        with in_flight("user@n2", "tail -f log"):
            began.set()
            ended.wait(20)

    thread = threading.Thread(target=run)
    thread.start()
    began.wait(20)
    assert unended_commands() == ["user@n2, for 0 s: tail -f log"]
    ended.set()
    thread.join(20)
    assert unended_commands() == []


@pytest.mark.parametrize("command", ["server &", "server & sleep 9", "a && b & c"])
def test_output_that_a_background_command_keeps_open_is_explained(command: str) -> None:
    [text] = interrupted(command)
    assert text.endswith("\n    (a background command must redirect its output: command >log 2>&1 &)")


@pytest.mark.parametrize("command", ["a && b", "server >log 2>&1; wait", "a |& b", "a &>log"])
def test_other_uses_of_the_character_are_not(command: str) -> None:
    assert interrupted(command) == [f"user@n1, for 0 s: {command}"]


def test_it_is_short_and_has_no_secret() -> None:
    [text] = interrupted(f"login --password=hunter2 {'x' * 1000}\necho")
    assert "hunter2" not in text
    assert len(text) < 300
    assert "\n" not in text
