# SPDX-License-Identifier: Apache-2.0
"""Loggers that get their handlers when they are first asked for."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from io import TextIOWrapper

from ducktape.utils.support.files import NO_ROOM, without_waiting


class LoggerMaker(ABC):
    """Makes one logger of the standard library and configures it at its first use."""

    def __init__(self, logger_name: str) -> None:
        self.logger_name = logger_name

    @property
    def logger(self) -> logging.Logger:
        """The logger, configured once however often it is asked for."""
        # Subclasses configure this attribute, or put another logger in its place
        if "_logger" not in vars(self):
            self._logger = logging.getLogger(self.logger_name)
        if not self.configured:
            self.configure_logger()
        return self._logger

    @property
    def configured(self) -> bool:
        """Whether the logger has handlers already."""
        logger: logging.Logger = vars(self).get("_logger") or logging.getLogger(self.logger_name)
        return bool(logger.handlers)

    @abstractmethod
    def configure_logger(self) -> None:
        """Give the logger its level and handlers."""


class FileLoggerMaker(LoggerMaker):
    """Makes a logger that writes two files and the console, where it shows all lines with ``debug``."""

    stem = ""  # of the names of the files
    line_format = ""
    console_level = logging.INFO

    def __init__(self, logger_name: str, log_dir: str, debug: bool) -> None:
        super().__init__(logger_name)
        self.log_dir = log_dir
        self.debug = debug

    def configure_logger(self) -> None:
        """Make the directory and add the three handlers unless they are there."""
        if not self.configured:
            level = logging.DEBUG if self.debug else self.console_level
            add_handlers(logging.getLogger(self.logger_name), self.log_dir, self.stem, self.line_format, level)


class _LossReporter(logging.Handler):
    """Reports once that lines are being lost, and why, instead of a traceback for each of them."""

    _reported = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name in the standard library
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        if not self._reported:
            self._reported = True
            _report_loss(getattr(self, "baseFilename", "console"), error)


class _LogFile(_LossReporter, logging.FileHandler):
    """A file in which every character can be written, if need be as an escape sequence."""

    def __init__(self, path: str) -> None:
        logging.FileHandler.__init__(self, path, encoding="utf-8", errors="backslashreplace")

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="utf-8", errors="backslashreplace", opener=without_waiting)


class _Console(_LossReporter, logging.StreamHandler):  # type: ignore[type-arg]  # generic for type checkers alone
    """Standard output; characters that it does not know are shown as escape sequences."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        return line.encode(encoding, "backslashreplace").decode(encoding)


def add_handlers(logger: logging.Logger, directory: str, stem: str, line_format: str, console_level: int) -> None:
    """Let a logger write ``<stem>.info`` and ``<stem>.debug`` in a directory, and the console."""
    logger.setLevel(logging.DEBUG)
    # Without standard output the library would take standard error
    console = logging.NullHandler() if sys.stdout is None else _Console(sys.stdout)
    console.setLevel(console_level)
    console.setFormatter(logging.Formatter(line_format))
    for handler in (*_log_files(directory, stem, line_format), console):
        logger.addHandler(handler)


@contextlib.contextmanager
def also_to_files(logger: logging.Logger, directory: str, stem: str, line_format: str) -> Iterator[None]:
    """Let a logger write two more files for the length of a block."""
    handlers = _log_files(directory, stem, line_format)
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            with contextlib.suppress(OSError):
                handler.close()


def _log_files(directory: str, stem: str, line_format: str) -> list[logging.Handler]:
    """Open ``<stem>.info`` and ``<stem>.debug`` to append to them; reports what cannot be opened."""
    handlers: list[logging.Handler] = []
    for name, level in (("info", logging.INFO), ("debug", logging.DEBUG)):
        path = os.path.join(directory, f"{stem}.{name}")
        try:
            os.makedirs(directory, exist_ok=True)
            handler = _LogFile(path)
        except OSError as error:
            _report_loss(path, error)
            continue
        handler.setLevel(level)
        handler.setFormatter(logging.Formatter(line_format))
        handlers.append(handler)
    return handlers


def _report_loss(place: str, error: OSError) -> None:
    if error.errno in NO_ROOM:
        return  # the driver reports a full disk; a thousand tests need not report it too
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"Log lines are being lost: {place}: {error}\n")


def close_logger(logger: logging.Logger | None) -> None:
    """Close and remove every handler of a logger; ``None`` is allowed."""
    if logger is None:
        return
    for handler in list(logger.handlers):
        with contextlib.suppress(OSError):  # what a full disk did not take cannot be saved here
            handler.close()
        logger.removeHandler(handler)
