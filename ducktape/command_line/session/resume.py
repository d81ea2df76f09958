# SPDX-License-Identifier: Apache-2.0
"""What a run takes from earlier ones: a session to go on with, and the tests that failed."""

from __future__ import annotations

import dataclasses
import glob
import itertools
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ducktape.command_line.parse_args import create_ducktape_parser
from ducktape.tests.recording import past_sessions as earlier
from ducktape.tests.recording.journal import Journal
from ducktape.tests.recording.not_run import NotRun
from ducktape.tests.recording.state import RecordedSession, RecordError
from ducktape.tests.test_context import TestContext
from ducktape.utils.support.masking import masked

_SHOWN = 3
_NOT_FOUND = "was not found again when the session was resumed"
# They choose among the tests order them. That was done when the session began, and may come out differently now.
_DONE_AT_THE_BEGINNING: dict[str, Any] = {
    "repeat": 1,
    "subsets": 1,
    "subset": 0,
    "sample": None,
    "keyword": None,
    "tags": None,
    "last_failed": False,
    "failed_first": False,
    "shuffle": None,
}


# What they say is known as long as the session is, and may be said again
_CHOOSING_BY_NAME = {"test_path", "exclude", "parameters"}
_CHOOSING = {*_DONE_AT_THE_BEGINNING, *_CHOOSING_BY_NAME}
_NAMES = {"keyword": "-k", "test_path": "the paths of tests"}


class NoEarlierSessionError(RecordError):
    """No session has run yet, so there is nothing to learn from it."""


class OtherTestsError(RecordError):
    """Options would choose other tests than those that the session began with."""


@dataclasses.dataclass(frozen=True)
class Resumed:
    """A session that was taken over.

    Attributes:
        recorded: what it has come to.
        options: with which it goes on, in the form that the parser of the command line gives them.
        journal: nobody else writes it from now on.
    """

    recorded: RecordedSession
    options: dict[str, Any]
    journal: Journal


def resume(args: Mapping[str, Any], present: Mapping[str, Any]) -> Resumed:
    """Take a session over; waits some seconds for a driver that is about to end.

    Args:
        args: the options, ``resume`` among them.
        present: those that stand on the command line.

    Raises:
        RecordError: there is no such session, or an option would choose other tests.
        SessionBusyError: it still runs.
    """
    directory = find_session(args["results_root"], args["resume"])
    recorded = RecordedSession.read(directory)  # what cannot be understood is not written to
    present = _without_same_choice(present, recorded)
    # Read again under the lock: until then another program may have added to it
    journal = Journal(directory, resume=True)
    try:
        recorded = RecordedSession.read(directory)
        _check_secrets(recorded, present)
        options = options_of(recorded, present)
        go_to(recorded)
    except BaseException:
        journal.close()
        raise
    return Resumed(recorded, options, journal)


def _without_same_choice(present: Mapping[str, Any], recorded: RecordedSession) -> Mapping[str, Any]:
    """Leave out options that choose what the session began with anyway; others are refused."""
    known = {name: value for name, value in recorded.configuration.items() if name in _CHOOSING_BY_NAME}
    before, now = _comparable(known, recorded.directory), _comparable(present, os.getcwd())
    others = sorted(name for name in _CHOOSING & set(present) if name not in before or before[name] != now[name])
    if others:
        names = ", ".join(_NAMES.get(name, f"--{name.replace('_', '-')}") for name in others)
        raise OtherTestsError(
            f"--resume goes on with the tests that the session {recorded.session_id} began with: leave out {names}"
        )
    needed = {name for name in recorded.secrets_left_out if name == "parameters"}
    return {name: value for name, value in present.items() if name not in _CHOOSING - needed}


def _check_secrets(recorded: RecordedSession, present: Mapping[str, Any]) -> None:
    """Make sure that what the journal does not keep is given again."""
    if not recorded.missing() and not recorded.failed_imports:
        return
    left_out = [name for name in recorded.secrets_left_out if name in ("globals", "parameters") and name not in present]
    if left_out:
        names = " and ".join(f"--{name}" for name in left_out)
        raise RecordError(
            f"Session {recorded.session_id} had secrets in {names}, which its journal does not keep: give {names} again"
        )


def _comparable(options: Mapping[str, Any], directory: str) -> dict[str, Any]:
    """Return the options that choose among the tests, equal for two spellings of the same choice."""
    anchored = _anchored({name: value for name, value in options.items() if name in _CHOOSING_BY_NAME}, directory)
    return {
        name: _plain_json(value)
        if name == "parameters"
        else frozenset(plain for symbol in value or () for plain in _plain_symbols(symbol))
        for name, value in anchored.items()
    }


def _plain_symbols(symbol: str) -> set[tuple[str, str, str]]:
    """Return the files or directories that a symbol names, links and wildcards resolved, each with class and method."""
    path, _, rest = symbol.partition("::")
    method, _, arguments = rest.partition("@")
    paths = [path] if os.path.exists(path) else glob.glob(path) or [path]
    return {(os.path.realpath(each), method, _plain_json(arguments)) for each in paths}


def _plain_json(text: str | None) -> str:
    try:
        return json.dumps(masked(json.loads(text or "null")), sort_keys=True)
    except ValueError:
        return str(text)


def find_session(results_root: str, wanted: str) -> str:
    """Return the directory of a session.

    Args:
        results_root: directory of all sessions.
        wanted: ``latest``, a session id, or the path of its directory.

    Raises:
        RecordError: there is no such session, or it has no journal.
    """
    try:
        return _latest(results_root) if wanted == "latest" else _named(results_root, wanted)
    except OSError as error:
        raise RecordError(f"Cannot read {error.filename}: {error.strerror}") from error


def without_link(path: str) -> str:
    """Return what a link such as ``results/latest`` stands for; other paths stay as they are."""
    path = path.rstrip(os.sep) or path
    return os.path.join(os.path.dirname(path), os.readlink(path)) if os.path.islink(path) else path


def _latest(results_root: str) -> str:
    found = earlier.newest_with_journal(results_root)
    if found is None:
        raise RecordError(f"There is no session with a journal in {results_root}: name the place by --results-root")
    return found


def _named(results_root: str, wanted: str) -> str:
    for directory in map(without_link, (os.path.join(results_root, wanted), wanted)):
        if earlier.has_journal(directory):
            return directory
    if os.path.isdir(wanted) or os.sep in wanted:
        RecordedSession.read(wanted)  # says what is wrong
    if os.path.isdir(os.path.join(results_root, wanted)):
        RecordedSession.read(os.path.join(results_root, wanted))
    known = [os.path.basename(directory) for directory in itertools.islice(earlier.sessions(results_root), _SHOWN)]
    newest = f"the newest there are {', '.join(known)}" if known else "there are no sessions at all"
    raise RecordError(f"There is no session {wanted} in {results_root}: {newest}")


# --- options


def options_of(recorded: RecordedSession, present: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with which a session goes on, in the form that the parser of the command line gives them.

    Paths are made absolute, so that they mean the same wherever the program is started. What chose among the tests is
    left out, since the record knows what was chosen.

    Args:
        recorded: the session.
        present: those that stand on the command line of now; they win.
    """
    parser = create_ducktape_parser()
    options = {action.dest: action.default for action in parser._actions if action.dest != "help"}
    known = {name: value for name, value in recorded.configuration.items() if name in options}
    options.update(_anchored({**known, **_DONE_AT_THE_BEGINNING}, recorded.directory))
    options.update(_anchored(present, os.getcwd()))
    # Wherever the results are now, that is where they go on
    options["results_root"] = os.path.dirname(recorded.results_dir)
    return options


def go_to(recorded: RecordedSession) -> None:
    """Go to the directory in which a session was started, for the sake of tests and clusters that count on it.

    Args:
        recorded: the session. If the directory is gone, this process stays where it is.
    """
    if os.path.isdir(recorded.directory):
        os.chdir(recorded.directory)
        sys.path.append(recorded.directory)
    if recorded.first_of_search_path:
        # `python -m` puts the current directory there, and the names of modules begin below it
        sys.path[0] = recorded.first_of_search_path


def _anchored(options: Mapping[str, Any], directory: str) -> dict[str, Any]:
    """Return options whose paths begin in a directory as options whose paths are absolute."""
    return {name: _FORMS[name](value, directory) if name in _FORMS else value for name, value in options.items()}


def _path(value: Any, directory: str) -> Any:
    return value if value is None or "://" in value else os.path.join(directory, value)


def _paths(value: Any, directory: str) -> Any:
    # Symbols begin with a path
    return value if value is None else [os.path.join(directory, each) for each in value]


def _object(value: Any, directory: str) -> Any:
    """Spell an object as it stands on a command line."""
    return json.dumps(value) if isinstance(value, dict) else value


def _object_or_file(value: Any, directory: str) -> Any:
    if isinstance(value, str) and os.path.isfile(path := os.path.join(directory, value)):
        return path
    return _object(value, directory)


_FORMS: dict[str, Callable[[Any, str], Any]] = {
    "test_path": _paths,
    "exclude": _paths,
    "cluster_file": _path,
    "lease": _path,
    "historical_report": _path,
    "globals": _object_or_file,
    "parameters": _object,
}


# --- tests


def tests_to_run(loaded: Collection[TestContext], recorded: RecordedSession) -> tuple[list[TestContext], list[NotRun]]:
    """Return the tests with which a session goes on, in their old order, and those that do not exist any more.

    A test that was to run several times is there as often as results are missing. Tests of files that could not be
    imported then, and can be now, come last: they are the only ones that were not queued.

    Args:
        loaded: the tests that there are now.
        recorded: the session.
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
            lost.append(_lost(test))
            continue
        number = used[test.test_id]
        used[test.test_id] += 1
        chosen.append(candidates[number] if number < len(candidates) else candidates[0].copy())
    return chosen + _visible_now(loaded, recorded), lost


def _lost(test: NotRun) -> NotRun:
    values = {**test.to_json(), "why": _NOT_FOUND}
    return NotRun.from_json(values)


def _visible_now(loaded: Collection[TestContext], recorded: RecordedSession) -> list[TestContext]:
    modules = {result.module_name for result in recorded.failed_imports}
    if not modules:
        return []
    queued = {test.test_id for test in recorded.queued}
    return [test for test in loaded if test.module_name in modules and test.test_id not in queued]


def last_failed(results_root: str) -> tuple[str, frozenset[str]]:
    """Return of the newest session that has results its id, and the ids of the tests that failed.

    Args:
        results_root: directory of all sessions.

    Raises:
        NoEarlierSessionError: there is no such session.
        RecordError: it cannot be read.
    """
    try:
        found = earlier.last_failed(results_root)
    except OSError as error:
        raise RecordError(f"Cannot read {error.filename}: {error.strerror}") from error
    if found is None:
        raise NoEarlierSessionError(f"No earlier session in {results_root} has results: run the tests first")
    return found


def split_by_failure(
    tests: Collection[TestContext], failed_ids: Collection[str]
) -> tuple[list[TestContext], list[TestContext]]:
    """Return the tests that failed, and the others, each in the order in which they came.

    Args:
        tests: what there is.
        failed_ids: as :func:`last_failed` returns them. A file that could not be imported counts for all its tests.
    """
    failed: list[TestContext] = []
    others: list[TestContext] = []
    for test in tests:
        has_failed = test.test_id in failed_ids or f"{test.module_name}.<import>" in failed_ids
        (failed if has_failed else others).append(test)
    return failed, others
