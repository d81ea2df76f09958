# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ducktape.tests.loggermaker import LoggerMaker, add_handlers, also_to_files, close_logger

_NUMBERS = itertools.count()


class CountingMaker(LoggerMaker):
    """Writes to memory, and remembers how often it was asked to configure."""

    def __init__(self, logger_name: str) -> None:
        super().__init__(logger_name)
        self.configurations = 0

    def configure_logger(self) -> None:
        self.configurations += 1
        logging.getLogger(self.logger_name).addHandler(logging.NullHandler())


@pytest.fixture
def name() -> Iterator[str]:
    """A logger name that no other test uses."""
    unused = f"test_loggermaker.{next(_NUMBERS)}"
    yield unused
    close_logger(logging.getLogger(unused))


def test_a_logger_is_configured_when_it_is_first_asked_for(name: str) -> None:
    maker = CountingMaker(name)
    assert (maker.configured, maker.configurations) == (False, 0)
    assert maker.logger is logging.getLogger(name)
    assert (maker.configured, maker.configurations) == (True, 1)


def test_a_logger_is_configured_once_however_many_makers_ask(name: str) -> None:
    first, second = CountingMaker(name), CountingMaker(name)
    assert first.logger is second.logger is first.logger
    assert (first.configurations, second.configurations) == (1, 0)


def test_a_logger_with_a_handler_of_the_user_counts_as_configured(name: str) -> None:
    logging.getLogger(name).addHandler(logging.NullHandler())
    maker = CountingMaker(name)
    assert maker.configured
    assert maker.logger is logging.getLogger(name)
    assert maker.configurations == 0


def test_a_maker_that_does_not_say_how_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="configure_logger"):
        LoggerMaker("x")  # type: ignore[abstract]


def test_each_handler_takes_the_lines_of_its_level(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger(name)
    add_handlers(logger, str(tmp_path), "it", "%(levelname)s %(message)s", logging.WARNING)
    for level in (logging.DEBUG, logging.INFO, logging.WARNING):
        logger.log(level, "text é")
    assert (tmp_path / "it.debug").read_text(encoding="utf-8") == "DEBUG text é\nINFO text é\nWARNING text é\n"
    assert (tmp_path / "it.info").read_text(encoding="utf-8") == "INFO text é\nWARNING text é\n"
    captured = capsys.readouterr()
    assert captured.out == "WARNING text é\n"
    assert captured.err == ""


def test_log_files_are_appended_to(name: str, tmp_path: Path) -> None:
    (tmp_path / "it.info").write_text("of before\n", encoding="utf-8")
    logger = logging.getLogger(name)
    add_handlers(logger, str(tmp_path), "it", "%(message)s", logging.CRITICAL)
    logger.info("new")
    assert (tmp_path / "it.info").read_text(encoding="utf-8") == "of before\nnew\n"


def test_lines_are_passed_on_to_a_root_logger_of_the_user(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger(name)
    add_handlers(logger, str(tmp_path), "it", "%(message)s", logging.CRITICAL)
    with caplog.at_level(logging.DEBUG):
        logger.info("seen by root")
    assert [record.getMessage() for record in caplog.records] == ["seen by root"]


def test_closing_removes_and_closes_every_handler(name: str, tmp_path: Path) -> None:
    logger = logging.getLogger(name)
    add_handlers(logger, str(tmp_path), "it", "%(message)s", logging.CRITICAL)
    streams = [handler.stream for handler in logger.handlers if isinstance(handler, logging.FileHandler)]
    close_logger(logger)
    assert logger.handlers == []
    assert [stream.closed for stream in streams if stream is not None] == [True, True]
    close_logger(logger)


def test_closing_no_logger_does_nothing() -> None:
    close_logger(None)


def test_two_more_files_are_written_for_the_length_of_a_block(name: str, tmp_path: Path) -> None:
    logger = logging.getLogger(name)
    add_handlers(logger, str(tmp_path), "it", "%(message)s", logging.CRITICAL)
    logger.info("before")
    with also_to_files(logger, str(tmp_path / "attempt-1"), "it", "%(levelname)s %(message)s"):
        logger.info("within")
        logger.debug("small")
        during = len(logger.handlers)
    logger.info("after")
    assert (during, len(logger.handlers)) == (5, 3)
    assert (tmp_path / "attempt-1" / "it.info").read_text() == "INFO within\n"
    assert (tmp_path / "attempt-1" / "it.debug").read_text() == "INFO within\nDEBUG small\n"
    assert (tmp_path / "it.info").read_text() == "before\nwithin\nafter\n"


def test_the_files_of_a_block_are_closed_whatever_happens_in_it(name: str, tmp_path: Path) -> None:
    logger = logging.getLogger(name)
    with pytest.raises(ValueError), also_to_files(logger, str(tmp_path), "it", "%(message)s"):
        streams = [handler.stream for handler in logger.handlers if isinstance(handler, logging.FileHandler)]
        raise ValueError
    assert logger.handlers == []
    assert [stream is not None and stream.closed for stream in streams] == [True, True]


def test_a_directory_that_cannot_be_made_costs_its_files_alone(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    logger = logging.getLogger(name)
    add_handlers(logger, str(tmp_path / "file"), "it", "%(message)s", logging.INFO)
    logger.info("still on the console")
    captured = capsys.readouterr()
    assert captured.out == "still on the console\n"
    told = [line.partition(": [Errno")[0] for line in captured.err.splitlines()]
    assert told == [f"Log lines are being lost: {tmp_path / 'file' / name}" for name in ("it.info", "it.debug")]


def test_a_named_pipe_in_the_place_of_a_log_costs_its_lines_and_holds_nobody_up(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "it.info")
    logger = logging.getLogger(name)
    add_handlers(logger, str(tmp_path), "it", "%(message)s", logging.CRITICAL)
    logger.info("kept in the other file")
    close_logger(logger)
    told = (
        f"Log lines are being lost: {tmp_path / 'it.info'}: [Errno 6] No such device or address: '{tmp_path}/it.info'"
    )
    assert capsys.readouterr().err.splitlines() == [told]
    assert (tmp_path / "it.debug").read_text() == "kept in the other file\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_a_full_disk_costs_lines_and_is_left_to_the_driver_to_tell(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "it.info").symlink_to("/dev/full")
    logger = logging.getLogger(name)
    add_handlers(logger, str(tmp_path), "it", "%(message)s", logging.CRITICAL)
    for _ in range(5):
        logger.info("x" * 100)
    assert capsys.readouterr().err == ""
    assert (tmp_path / "it.debug").read_text().count("\n") == 5
    close_logger(logger)
    assert logger.handlers == []


def test_other_errors_of_a_handler_are_shown_as_ever(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Unshowable:
        def __str__(self) -> str:
            raise ZeroDivisionError("no text")

    logger = logging.getLogger(name)
    logger.propagate = False  # pytest has a handler of its own, which is less patient
    add_handlers(logger, str(tmp_path), "it", "%(message)s", logging.CRITICAL)
    logger.info("one %s", Unshowable())
    assert "ZeroDivisionError: no text" in capsys.readouterr().err


def test_subclasses_configure_their_own_attribute_or_replace_it(name: str) -> None:
    class Configuring(LoggerMaker):
        def configure_logger(self) -> None:
            self._logger.addHandler(logging.NullHandler())

    class Replacing(LoggerMaker):
        def configure_logger(self) -> None:
            self._logger = logging.getLogger(f"{name}.other")
            self._logger.addHandler(logging.NullHandler())

    assert Configuring(name).logger is logging.getLogger(name)
    assert Replacing(f"{name}.first").logger is logging.getLogger(f"{name}.other")
    close_logger(logging.getLogger(f"{name}.other"))


def test_without_standard_output_lines_go_to_the_files_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    logger = logging.getLogger(name)
    add_handlers(logger, str(tmp_path), "log", "%(message)s", logging.INFO)
    logger.info("a line")
    assert (tmp_path / "log.info").read_text("utf-8") == "a line\n"
    assert capsys.readouterr().err == ""
