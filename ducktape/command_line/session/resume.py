# SPDX-License-Identifier: Apache-2.0
"""What a run takes from earlier sessions: one to resume, and the tests that failed."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import itertools
import json
import os
import sys
from collections import defaultdict
from collections.abc import Collection

from ducktape.command_line.options.errors import CommandError, UsageError
from ducktape.command_line.options.options import Given, Options
from ducktape.tests.recording import past_sessions
from ducktape.tests.recording.journal import Journal, SessionBusyError
from ducktape.tests.recording.not_run import NotRun
from ducktape.tests.recording.state import RecordedSession, RecordError
from ducktape.tests.test_context import TestContext
from ducktape.utils.support.masking import masked

_SHOWN = 3
_NOT_FOUND = "was not found again when the session was resumed"
# They selected and ordered the tests when the session began, and may select others now
_SELECTING_ONCE = {"repeat", "subsets", "subset", "sample", "keyword", "tags", "last_failed", "failed_first", "shuffle"}
# The journal knows these, so the same values may be given again
_SELECTING_BY_NAME = {"test_path", "exclude", "parameters"}
_SELECTING = _SELECTING_ONCE | _SELECTING_BY_NAME
_NEEDED = ("globals", "parameters")  # to run tests, with the secrets in them
_NAMES = {"keyword": "-k", "test_path": "the paths of tests"}


class NoEarlierSessionError(RecordError):
    """No earlier session has results."""


class OtherTestsError(UsageError):
    """Options would select other tests than those that the session began with."""


@dataclasses.dataclass(frozen=True)
class Resumed:
    """A session that was taken over, and the options with which it continues."""

    recorded: RecordedSession
    options: Options
    journal: Journal  # written by nobody else from now on


def resume(results_root: str, wanted: str, given: Given) -> Resumed:
    """Take over a session as :func:`find_session` finds it; waits some seconds for a driver that is about to end.

    Raises:
        OtherTestsError: an option on the command line would select other tests.
        CommandError: there is no such session, it is still running, or it needs secrets that were not given.
    """
    try:
        directory = find_session(results_root, wanted)
        recorded = RecordedSession.read(directory)  # a journal that cannot be read is not written to
        given = _without_same_choice(given, recorded)
        # Read again under the lock: until then another program may have added to it
        journal = Journal(directory, resume=True)
        with contextlib.ExitStack() as on_error:
            on_error.callback(journal.close)
            recorded = RecordedSession.read(directory)
            left_out = [f"--{name}" for name in recorded.secrets_left_out if name in _NEEDED and name not in given]
            if left_out and (recorded.missing() or recorded.failed_imports):
                names = " and ".join(left_out)
                raise RecordError(
                    f"Session {recorded.session_id} had secrets in {names}, which its journal does not keep: "
                    f"give {names} again"
                )
            continued = options_of(recorded, given)
            enter_directory(recorded)
            on_error.pop_all()
    except (RecordError, SessionBusyError) as error:
        raise CommandError(str(error)) from error
    if recorded.damaged_lines:
        print(f"Ignored {recorded.damaged_lines} damaged lines of {journal.path}")
    return Resumed(recorded, continued, journal)


def _without_same_choice(given: Given, recorded: RecordedSession) -> Given:
    """Leave out the options that select the tests that the session began with."""
    known = {name: value for name, value in recorded.configuration.items() if name in _SELECTING_BY_NAME}
    before, now = _comparable(known, recorded.directory), _comparable(given, os.getcwd())
    others = sorted(name for name in _SELECTING & set(given) if name not in before or before[name] != now[name])
    if others:
        names = ", ".join(_NAMES.get(name, f"--{name.replace('_', '-')}") for name in others)
        raise OtherTestsError(f"--resume continues with the tests of session {recorded.session_id}: leave out {names}")
    selecting = _SELECTING - {name for name in recorded.secrets_left_out if name == "parameters"}
    return {name: value for name, value in given.items() if name not in selecting}


def _comparable(options: Given, directory: str) -> dict[str, object]:
    """Return the options that name tests, equal for two spellings of the same selection."""
    anchored = _anchored({name: value for name, value in options.items() if name in _SELECTING_BY_NAME}, directory)
    comparable: dict[str, object] = {}
    for name, value in anchored.items():
        if name == "parameters":
            comparable[name] = _plain_json(value)
            continue
        tests: set[tuple[str, str, str]] = set()
        for symbol in value or ():
            path, _, rest = symbol.partition("::")
            method, _, arguments = rest.partition("@")
            paths = [path] if os.path.exists(path) else glob.glob(path) or [path]
            tests |= {(os.path.realpath(each), method, _plain_json(arguments)) for each in paths}
        comparable[name] = tests
    return comparable


def _plain_json(text: str | None) -> str:
    try:
        return json.dumps(masked(json.loads(text or "null")), sort_keys=True)
    except ValueError:
        return str(text)


def find_session(results_root: str, wanted: str) -> str:
    """Return the directory of a session, given ``latest``, a session id, or the path of its directory."""
    try:
        if wanted != "latest":
            return _find_named(results_root, wanted)
        newest = past_sessions.newest_with_journal(results_root)
    except OSError as error:
        raise RecordError(f"Cannot read {error.filename}: {error.strerror}") from error
    if newest is None:
        raise RecordError(
            f"There is no session with a journal in {results_root}: name its directory with --results-root"
        )
    return newest


def without_link(path: str) -> str:
    """Return the target of a link such as ``results/latest``; other paths unchanged."""
    path = path.rstrip(os.sep) or path
    return os.path.join(os.path.dirname(path), os.readlink(path)) if os.path.islink(path) else path


def _find_named(results_root: str, wanted: str) -> str:
    below_root = os.path.join(results_root, wanted)
    for directory in map(without_link, (below_root, wanted)):
        if past_sessions.has_journal(directory):
            return directory
    if os.path.isdir(wanted) or os.sep in wanted:
        RecordedSession.read(wanted)  # raises an error that says why it cannot be resumed
    if os.path.isdir(below_root):
        RecordedSession.read(below_root)
    known = [os.path.basename(each) for each in itertools.islice(past_sessions.sessions(results_root), _SHOWN)]
    newest = f"the newest are {', '.join(known)}" if known else "there are no sessions at all"
    raise RecordError(f"There is no session {wanted} in {results_root}: {newest}")


# --- options


def options_of(recorded: RecordedSession, given: Given) -> Options:
    """Return the options with which a session continues; those on the command line of now win.

    Paths are made absolute, so that they mean the same wherever the program is started. Options that selected among the
    tests are left out, since the record knows the selection.
    """
    kept = {field.name for field in dataclasses.fields(Options)} - _SELECTING_ONCE
    before = {name: value for name, value in recorded.configuration.items() if name in kept}
    # The results may have been moved since
    root = os.path.dirname(recorded.results_dir)
    options = {**_anchored(before, recorded.directory), **_anchored(given, os.getcwd()), "results_root": root}
    return Options(**options)


def enter_directory(recorded: RecordedSession) -> None:
    """Change to the directory in which the session was started, if it exists: tests and clusters may rely on it."""
    if os.path.isdir(recorded.directory):
        os.chdir(recorded.directory)
        sys.path.append(recorded.directory)
    if recorded.first_of_search_path:
        # `python -m` puts the current directory there, and the names of modules begin below it
        sys.path[0] = recorded.first_of_search_path


def _anchored(options: Given, directory: str) -> Given:
    """Return options as on a command line: paths relative to a directory made absolute, objects as JSON text."""
    anchored: Given = dict(options)
    for name, value in options.items():
        if isinstance(value, dict):
            anchored[name] = json.dumps(value)
        elif value is None:
            continue
        elif name in ("test_path", "exclude"):
            anchored[name] = [os.path.join(directory, symbol) for symbol in value]  # symbols begin with a path
        elif name in ("cluster_file", "lease", "historical_report") and "://" not in value:
            anchored[name] = os.path.join(directory, value)
        elif name == "globals" and os.path.isfile(path := os.path.join(directory, value)):
            anchored[name] = path
    return anchored


# --- tests


def tests_to_run(loaded: Collection[TestContext], recorded: RecordedSession) -> tuple[list[TestContext], list[NotRun]]:
    """Return the tests with which a session continues, in their old order, and those that do not exist any more.

    A test that was to run several times is repeated as often as results are missing. Tests of files that could not be
    imported then, and can be now, come last: they are the only ones that were not queued.
    """
    by_id: dict[str, list[TestContext]] = defaultdict(list)
    for context in loaded:
        by_id[context.test_id].append(context)
    chosen: list[TestContext] = []
    lost: list[NotRun] = []
    used: dict[str, int] = defaultdict(int)
    for test in recorded.missing():
        candidates = by_id.get(test.test_id)
        if not candidates:
            lost.append(NotRun.from_json({**test.to_json(), "why": _NOT_FOUND}))
            continue
        number = used[test.test_id]
        used[test.test_id] += 1
        chosen.append(candidates[number] if number < len(candidates) else candidates[0].copy())
    broken = {result.module_name for result in recorded.failed_imports}
    queued = {test.test_id for test in recorded.queued} if broken else set()
    chosen += [test for test in loaded if test.module_name in broken and test.test_id not in queued]
    return chosen, lost


def last_failed(results_root: str) -> tuple[str, frozenset[str]]:
    """Return the id of the newest session that has results, and the ids of its failed tests."""
    try:
        found = past_sessions.last_failed(results_root)
    except OSError as error:
        raise RecordError(f"Cannot read {error.filename}: {error.strerror}") from error
    if found is None:
        raise NoEarlierSessionError(f"No earlier session in {results_root} has results: run the tests first")
    return found


def failed_among(tests: Collection[TestContext], failed_ids: frozenset[str]) -> list[TestContext]:
    """Return the tests that failed, in the given order; a file that could not be imported counts for all its tests."""
    return [test for test in tests if not failed_ids.isdisjoint((test.test_id, f"{test.module_name}.<import>"))]
