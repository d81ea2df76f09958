# SPDX-License-Identifier: Apache-2.0
"""One line per finished test, and below these a panel of the running ones.

The driver forks, so nothing here has a thread: lines are printed and the panel is drawn again when the run reports an
event, five times a second at most. The run reports one once a second at least.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.style import Style
from rich.table import Table
from rich.text import Text

from ducktape.tests.reports.traceback_view import is_frame, is_frame_of_framework
from ducktape.tests.result import TestResults
from ducktape.tests.status import FAIL
from ducktape.tests.worker.remote_errors import RAISED
from ducktape.tests.worker.request import OUTPUT_FILE
from ducktape.utils.support.files import read_start
from ducktape.utils.support.text import one_line

if TYPE_CHECKING:
    from ducktape.tests.recording.history import Changes

_SECONDS_BETWEEN_FRAMES = 0.2
_LINES_OF_OUTPUT = 5
_STYLES = {"PASS": "green", "FAIL": "bold red", "FLAKY": "yellow", "IGNORE": "dim"}
_LINES_OF_CAUSE = 8
_KIND_STYLES = {"new": "bold red", "still failing": "red", "flaky": "yellow", "fixed": "green"}


def elapsed(seconds: float) -> str:
    """Return a duration as ``7s``, ``3:05`` or ``1:02:03``."""
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{whole % 60:02d}"
    return f"{minutes}:{whole % 60:02d}" if minutes else f"{whole}s"


@dataclass
class _Running:
    """A test that is running."""

    test_id: str
    nodes: list[str]
    began: float
    phase: str = "starting"
    line: str = ""


@dataclass(eq=False)
class LiveProgress(logging.Handler):
    """Shows a run; also a handler of the session's log, whose warnings stand above the panel.

    ``durations`` are the expected seconds of tests, by id; ``argv`` are the arguments of the run, without secrets.
    """

    logger: logging.Logger
    total: int
    num_nodes: int
    slots: int
    verbose: bool = False
    quiet: bool = False
    console: Console = field(default_factory=lambda: Console(highlight=False))
    durations: Mapping[str, float] = field(default_factory=dict)
    argv: Sequence[str] = ()

    def __post_init__(self) -> None:
        super().__init__(logging.INFO if self.verbose else logging.WARNING)
        self._running: dict[int, _Running] = {}
        self._nodes: dict[int, list[str]] = {}
        self._counts: Counter[str] = Counter()
        self._finished: set[str] = set()
        self._began = time.monotonic()
        self._drawn = 0.0
        self._is_away = False
        self._lines: list[Text] = []
        self._live = self._new_panel()

    def _new_panel(self) -> Live:
        return Live(
            console=self.console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            get_renderable=self.panel,
        )

    # --- begin and end

    def __enter__(self) -> None:
        """Show the panel, and the warnings of the log above it instead of on the console."""
        self._console_handlers = [
            handler for handler in self.logger.handlers if not isinstance(handler, logging.FileHandler)
        ]
        for handler in self._console_handlers:
            self.logger.removeHandler(handler)
        self.logger.addHandler(self)
        self._live.start()

    def __exit__(self, *unused: object) -> None:
        """Remove the panel; the screen is then as if it had never been there."""
        self._is_away = False
        self.draw()
        self._live.stop()
        self.logger.removeHandler(self)
        for handler in self._console_handlers:
            self.logger.addHandler(handler)

    def emit(self, record: logging.LogRecord) -> None:
        """Show a log line above the panel; those of tests only with ``-v``, since each test has its log."""
        if not self.verbose and record.getMessage().startswith("RunnerClient: "):
            return
        style = "red" if record.levelno >= logging.ERROR else "yellow" if record.levelno >= logging.WARNING else "dim"
        if not self.quiet or record.levelno >= logging.ERROR:
            self._print(Text(one_line(record.getMessage(), 1000), style))

    # --- events

    def observe(self, event: str, fields: Mapping[str, object]) -> None:
        """Take an event of the run; see :class:`~ducktape.tests.driver.recorder.Recorder`."""
        index = fields.get("test_index")
        if event == "debugger":
            self._step_aside(away=bool(fields["is_open"]))
        if isinstance(index, int):
            self._take(event, index, fields)
        if time.monotonic() - self._drawn >= _SECONDS_BETWEEN_FRAMES:
            self.draw()

    def _step_aside(self, *, away: bool) -> None:
        """Leave the terminal to the debugger of a test, or return to it."""
        if away:
            self.draw()
            self._live.stop()
        elif self._is_away:
            # The old one would remove as many lines as it had, which are the debugger's now
            self._live = self._new_panel()
            self._live.start()
        self._is_away = away

    def draw(self) -> None:
        """Print the lines since the last frame, and the panel below them; neither while a debugger has the terminal."""
        if self._is_away:
            return
        if self._lines:
            # Which draws the panel again, if there is one
            lines, self._lines = self._lines, []
            self.console.print(*lines, sep="\n", no_wrap=True, overflow="ellipsis", crop=True)
        else:
            self._live.refresh()
        self._drawn = time.monotonic()

    def _take(self, event: str, index: int, fields: Mapping[str, object]) -> None:
        running = self._running.get(index)
        if event == "nodes_given":
            nodes = fields.get("nodes")
            self._nodes[index] = [str(node) for node in nodes] if isinstance(nodes, list) else []
        elif event == "started":
            self._running[index] = _Running(str(fields["test_id"]), self._nodes.get(index, []), time.monotonic())
        elif event == "nodes_returned":
            self._nodes.pop(index, None)
            self._running.pop(index, None)
        elif event == "finished":
            self._running.pop(index, None)
            self._finish(fields)
        elif running is not None and event == "phase":
            running.phase = str(fields["phase"])
        elif running is not None and event == "line":
            running.line = one_line(str(fields["line"]), 200) or running.line

    def _finish(self, fields: Mapping[str, object]) -> None:
        result = fields["result"]
        assert isinstance(result, Mapping)  # as the journal has it
        status = str(result.get("test_status"))
        self._counts[status] += 1
        self._finished.add(str(fields["test_id"]))
        if self.quiet and status != "FAIL":
            return
        seconds, nodes = float(result.get("run_time_seconds") or 0), int(result.get("nodes_allocated") or 0)
        facts = f"  {elapsed(seconds)}  {nodes} {'node' if nodes == 1 else 'nodes'}"
        test_id = _end_of(str(fields["test_id"]), self.console.width - len(facts) - 7)
        self._print(Text.assemble((f"{status:<6} ", _STYLES.get(status, "")), test_id, (facts, "dim")))
        if status == "FAIL":
            headline = str(result.get("summary") or "").strip().partition("\n")[0]
            self._print(Text(f"       {result.get('reason') or 'error'}: {one_line(headline, 400)}", "red"))
        if result.get("results_dir"):
            self._show_output(str(fields["test_id"]), os.path.join(str(result["results_dir"]), OUTPUT_FILE))

    def _show_output(self, test_id: str, path: str) -> None:
        """Show the beginning of what a test has printed; an empty file is removed."""
        text = ""
        with contextlib.suppress(OSError):
            text = read_start(path, 4096)
            if not text:
                os.remove(path)
        if not text.strip():
            return
        lines = text.splitlines()
        name = _end_of(test_id, self.console.width // 3)
        for line in lines[:_LINES_OF_OUTPUT]:
            self._print(Text.assemble((f"       {name} | ", "dim"), one_line(line, 400)))
        if len(lines) > _LINES_OF_OUTPUT:
            self._print(Text(f"       {name} | … all in {os.path.relpath(path)}", "dim"))

    def _print(self, line: Text) -> None:
        self._lines.append(harmless(line))

    # --- the panel

    def panel(self) -> Group:
        """Return the running tests, as far as the terminal has room, and the counts."""
        room = max(1, self.console.height - 4)
        now = time.monotonic()
        running = sorted(self._running.values(), key=lambda test: test.began)
        wide = self.console.width >= 100
        width = (self.console.width * 3 // 8 if wide else self.console.width - 20) - 1
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(width=width, no_wrap=True)
        table.add_column(width=9, no_wrap=True)
        table.add_column(width=8, justify="right", no_wrap=True)
        if wide:
            table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
            table.add_column(ratio=3, no_wrap=True, overflow="ellipsis")
        for test in running[:room]:
            cells = [
                Text(_end_of(test.test_id, width)),
                Text(test.phase, "cyan"),
                Text(elapsed(now - test.began), "dim"),
            ]
            if wide:
                cells += [Text(",".join(test.nodes), "dim"), Text(test.line, "dim")]
            table.add_row(*map(harmless, cells))
        if len(running) > room:
            table.add_row(Text(f"… and {len(running) - room} more", "dim"))
        return Group(Text("─" * self.console.width, "dim"), table, self._counts_line(now))

    def _counts_line(self, now: float) -> Text:
        done = sum(self._counts.values())
        parts = [f"{done}/{self.total} done"]
        names = {"PASS": "passed", "FAIL": "failed", "FLAKY": "flaky", "IGNORE": "ignored"}
        parts += [f"{self._counts[status]} {name}" for status, name in names.items() if self._counts[status]]
        used = len({name for nodes in self._nodes.values() for name in nodes})
        parts += [f"{len(self._running)} running", f"nodes {used}/{self.num_nodes}", elapsed(now - self._began)]
        if (left := self._seconds_left(now)) is not None:
            parts.append(f"about {elapsed(left)} left")
        failed = self._counts["FAIL"] > 0
        return Text(
            " · ".join(parts), Style(bold=True, color="red" if failed else None), no_wrap=True, overflow="ellipsis"
        )

    def _seconds_left(self, now: float) -> float | None:
        """Estimate the rest of the run from the durations that are known; ``None`` if too few are."""
        missing = self.total - sum(self._counts.values())
        known = {test: seconds for test, seconds in self.durations.items() if test not in self._finished}
        if missing <= 0 or len(known) * 2 < missing:
            return None
        running = {test.test_id: now - test.began for test in self._running.values()}
        left = {test: max(0.0, seconds - running.get(test, 0.0)) for test, seconds in known.items()}
        work = sum(left.values()) * missing / max(1, len(known))
        return max(work / max(1, self.slots), max((left[test] for test in running if test in left), default=0.0))

    # --- the end

    def summarize(self, results: TestResults, kept: Sequence[str] = (), changes: Changes | None = None) -> None:
        """Print the failures with their causes, the counts, what changed since earlier sessions, and where all is.

        Lines about kept nodes come last.
        """
        # Loads much that nobody needs before the end
        from ducktape.tests.reports import rerun
        from ducktape.tests.reports.comparison import beyond_tests, changed_tests, label, news

        self.draw()
        directory = results.session_context.results_dir
        suite, report = os.path.join(directory, "rerun-failed.yml"), os.path.join(directory, "report.html")
        for result in results:
            if result.test_status != FAIL:
                continue
            words = ", ".join(filter(None, [result.reason, label(changes, result.test_id)]))
            title = f"{result.test_id} ({words})" if words else result.test_id
            self.console.rule(harmless(Text(title, "bold red")), style="red", align="left")
            for line in cause_of(str(result.summary or "")):
                self._tell(Text(line))
            if result.relative_results_dir:
                self._tell(Text(f"logs: {os.path.relpath(result.results_dir)}", "dim"))
            # Whole, since half a command is none
            command = Text(f"rerun: {rerun.command(result, self.argv, os.getcwd())}", "dim")
            self.console.print(harmless(command), soft_wrap=True)
        if results.not_run:
            self._tell(Text(f"{len(results.not_run)} tests did not run: {results.not_run[0].why}", "yellow"))
        counts = {
            "passed": results.num_passed,
            "failed": results.num_failed,
            "flaky": results.num_flaky,
            "ignored": results.num_ignored,
        }
        told = ", ".join(f"{number} {name}" for name, number in counts.items() if number) or "no results"
        style = "bold red" if results.num_failed else "bold green"
        self.console.rule(Text(f"{told} in {elapsed(results.run_time_seconds)}", style), style=style, align="left")
        if results.num_failed and (said := news(changes)):
            self._tell(Text(f"Failures: {said}"))
        for name, test_id in changed_tests(changes):
            shown = _end_of(test_id, self.console.width - 15)
            self._tell(Text.assemble((f"{name:>13}  ", _KIND_STYLES.get(name, "")), shown))
        for line in beyond_tests(changes):
            self._tell(Text(line))
        if results.num_failed and os.path.exists(suite):
            self._tell(Text(f"run them again: ducktape {os.path.relpath(suite)}"))
        self._tell(Text(f"report: {os.path.relpath(report)}"))
        for line in kept:
            self._tell(Text(line, "yellow"))

    def _tell(self, line: Text) -> None:
        self.console.print(harmless(line), no_wrap=True, overflow="ellipsis", crop=True)


def harmless(text: Text) -> Text:
    """Replace what would control the terminal, since tests and nodes have written it."""
    text.plain = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text.plain)
    return text


def _end_of(test_id: str, width: int) -> str:
    """Return the end of an id, which says more than its beginning, in so many columns."""
    return test_id if len(test_id) <= width else f"…{test_id[len(test_id) - max(1, width) + 1 :]}"


def cause_of(summary: str) -> list[str]:
    """Return the lines of a summary that say most: the error, the last frames of users, and the phase and machine."""
    lines = summary.rstrip().splitlines()
    own = [number for number, line in enumerate(lines) if is_frame(line) and not is_frame_of_framework(line)]
    found = lines[:1]
    for number in own[-2:]:
        found += [line for line in lines[number : number + 2] if line.strip()]
    found += [line for line in lines if line.startswith(RAISED)][:1]
    if "Values in the assertion:" in lines:
        start = lines.index("Values in the assertion:")
        found += [line for line in lines[start : start + 1 + _LINES_OF_CAUSE] if line.strip()]
    if not own:
        found += lines[1:_LINES_OF_CAUSE]
    return found
