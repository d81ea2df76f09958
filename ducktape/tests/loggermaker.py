# SPDX-License-Identifier: Apache-2.0
"""Loggers that get their handlers when they are first asked for."""

from __future__ import annotations

import logging
import os
import sys
from abc import ABC, abstractmethod


class LoggerMaker(ABC):
    """Makes one named logger and configures it at its first use.

    Args:
        logger_name: the name under which the logger is known to the standard library.
    """

    def __init__(self, logger_name: str) -> None:
        self.logger_name = logger_name

    @property
    def logger(self) -> logging.Logger:
        """The logger, configured once however often it is asked for."""
        if not self.configured:
            self.configure_logger()
        return logging.getLogger(self.logger_name)

    @property
    def configured(self) -> bool:
        """Whether the logger has handlers already."""
        return bool(logging.getLogger(self.logger_name).handlers)

    @abstractmethod
    def configure_logger(self) -> None:
        """Give the logger its level and handlers."""


def add_handlers(logger: logging.Logger, directory: str, stem: str, line_format: str, console_level: int) -> None:
    """Let a logger write ``<stem>.info``, ``<stem>.debug`` and the console.

    Args:
        logger: gets level DEBUG and three handlers.
        directory: an existing directory for the two files, which are appended to.
        stem: first part of the file names.
        line_format: format of every line.
        console_level: lines below this level do not reach standard output.
    """
    logger.setLevel(logging.DEBUG)
    formatter = logging.Formatter(line_format)
    handlers: list[tuple[logging.Handler, int]] = [
        (logging.FileHandler(os.path.join(directory, f"{stem}.info"), encoding="utf-8"), logging.INFO),
        (logging.FileHandler(os.path.join(directory, f"{stem}.debug"), encoding="utf-8"), logging.DEBUG),
        (logging.StreamHandler(sys.stdout), console_level),
    ]
    for handler, level in handlers:
        handler.setLevel(level)
        handler.setFormatter(formatter)
        logger.addHandler(handler)


def close_logger(logger: logging.Logger | None) -> None:
    """Close and remove every handler of a logger; ``None`` is allowed."""
    if logger is None:
        return
    for handler in list(logger.handlers):
        handler.close()
        logger.removeHandler(handler)
