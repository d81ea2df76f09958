# SPDX-License-Identifier: Apache-2.0
"""The output of a running command as an iterator with look-ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic

from ducktape.cluster.transport import CommandStream, LineSplitter
from ducktape.utils.support.guard import OnError
from ducktape.utils.support.hooks import called

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T = TypeVar("T", default=str)
else:
    from typing import TypeVar

    T = TypeVar("T")


class SSHOutputIter(Generic[T]):
    """Iterates over output, with look-ahead.

    Args:
        iter_obj_func: returns an iterator over the rest of the output; called again after a timeout.
        channel_file: has ``channel.gettimeout()`` and ``channel.settimeout()``; needed by ``has_next`` with a timeout.
    """

    def __init__(self, iter_obj_func: Callable[[], Iterable[T]], channel_file: Any = None) -> None:
        self.iter_obj_func = iter_obj_func
        self.iter_obj: Iterator[T] = iter(iter_obj_func())
        self.channel_file = channel_file
        self.sentinel = object()
        self.cached: Any = self.sentinel

    def __iter__(self) -> SSHOutputIter[T]:
        return self

    def __next__(self) -> T:
        if self.cached is not self.sentinel:
            item: T = self.cached
            self.cached = self.sentinel
            return item
        try:
            return next(self.iter_obj)
        except TimeoutError as error:
            if isinstance(self.channel_file, OutputFile):
                self.channel_file.give_up(error)
            raise

    def next(self) -> T:
        """The next item.

        Raises:
            StopIteration: there is none.
        """
        return next(self)

    def has_next(self, timeout_sec: float | None = None) -> bool:
        """Return whether another item is available in time; it is kept for ``next``.

        Args:
            timeout_sec: seconds to wait; 0 only checks what has arrived; ``None`` waits without limit.

        Returns:
            ``False`` at the end of the output, and after the timeout; in the latter case the iterator stays usable.

        Raises:
            AssertionError: a timeout was given, but there is no channel.
            RemoteCommandError: the command failed; raised once.
        """
        if timeout_sec is not None and self.channel_file is None:
            raise AssertionError("should have descriptor to enforce timeout")
        if self.cached is not self.sentinel:
            return True
        if self.channel_file is None:
            return self._look_ahead()
        channel = self.channel_file.channel
        previous = channel.gettimeout()
        channel.settimeout(timeout_sec)
        try:
            return self._look_ahead()
        except TimeoutError:
            self.iter_obj = iter(self.iter_obj_func())
            return False
        finally:
            channel.settimeout(previous)

    def close(self) -> None:
        """Discard the rest of the output and release its channel; the command keeps running."""
        self.cached = self.sentinel
        self.iter_obj = iter(())
        if isinstance(self.channel_file, OutputFile):
            self.channel_file.close()

    def _look_ahead(self) -> bool:
        self.cached = next(self.iter_obj, self.sentinel)
        return self.cached is not self.sentinel


class OutputFile:
    """The output of one command for ``SSHOutputIter``: lines, and a channel with a timeout.

    ``finish`` checks exit status and error output; ``examine`` is called with errors of the connection.
    """

    def __init__(
        self,
        stream: CommandStream,
        *,
        callback: Callable[[str], object] | None,
        finish: Callable[[int, bytes], None],
        examine: Callable[[Exception], None],
    ) -> None:
        self.channel = stream
        self._callback = callback
        self._finish = finish
        self._examine = examine
        self._splitter = LineSplitter()
        self._ready: Iterator[str] = iter(())
        self._over = False
        self._ended = False

    def lines(self) -> Iterator[Any]:
        """Yield the remaining lines; after a timeout, a new call continues."""
        with OnError(self._close_after_error):
            while not self._over:
                callback = self._callback
                yield from self._ready if callback is None else (called(callback, line) for line in self._ready)
                piece = self._ask(self.channel.read)
                if piece:
                    self._ready = self._splitter.feed(piece)
                else:
                    self._over = True
            last = self._splitter.rest()
            if last:
                yield last if self._callback is None else called(self._callback, last)
            if self._ended:
                return
            status = self._ask(self.channel.exit_status)
        errors = self.channel.stderr()
        self.close()
        self._finish(status, errors)

    def give_up(self, error: Exception) -> None:
        """End the iteration because of a timeout."""
        self.close()
        self._examine(error)

    def close(self) -> None:
        """Release the channel; remaining lines are dropped."""
        self._over = True
        self._ended = True
        self._ready = iter(())
        self._splitter = LineSplitter()
        self.channel.close()

    def _close_after_error(self, error: BaseException) -> None:
        # A timeout may be followed by a new call, and a generator dropped by the garbage collector must not close a
        # channel, which could block forever
        if not isinstance(error, (GeneratorExit, TimeoutError)):
            self.close()

    def _ask(self, question: Callable[[], T]) -> T:
        with OnError(self._examine_error):
            return question()

    def _examine_error(self, error: BaseException) -> None:
        # Only the iterator knows whether a timeout is an error: for has_next() it is a result
        if isinstance(error, Exception) and not isinstance(error, TimeoutError):
            self._examine(error)
