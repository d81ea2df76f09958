# SPDX-License-Identifier: Apache-2.0
"""The tree of errors: each derives from the root or is listed here, and the docstring of ``errors`` shows them all."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator

import pytest

from ducktape import errors
from ducktape.errors import DucktapeError
from tests.architecture.sources import modules

_NOT_ON_A_NODE = "suites catch RuntimeError for failures on a node only"

# Errors outside of the root, with the reason
OUTSIDE = {
    "ducktape.errors.Skip": "a signal of a test rather than an error",
    "ducktape.errors.CompatibilityWarning": "a warning",
    "ducktape.cluster.node_container.NodeNotPresentError": _NOT_ON_A_NODE,
    "ducktape.cluster.node_container.InsufficientResourcesError": _NOT_ON_A_NODE,
    "ducktape.cluster.sandbox.client.SandboxError": _NOT_ON_A_NODE,
    "ducktape.tests.loading.symbols.LoaderException": _NOT_ON_A_NODE,
    "ducktape.cluster.copy.tar_copy.CannotStream": "chooses another way to copy, and never reaches a test",
    "ducktape.cluster.copy.tar_stream.StreamEnded": "the end of a stream, as EOFError",
    "ducktape.cluster.copy.names.UnsafeNameError": "an error of a file, as OSError",
    "ducktape.cluster.copy.walk.CopyError": "errors of files, as OSError",
    "ducktape.cluster.ssh.agent.AgentError": "caught as an error of the SSH library",
    "ducktape.cluster.ssh.host_keys.HostKeyError": "caught as an error of the SSH library",
    "ducktape.cluster.ssh.authentication.ServerHungUp": "caught as an error of the SSH library",
    "ducktape.tests.loading.expressions.ExpressionError": "a wrong value, as ValueError",
    "ducktape.cluster.pool.node_settings.SettingError": "a wrong value, as ValueError",
    "ducktape.command_line.options.clusters.UnknownClusterError": "a wrong value, as ValueError",
}


def _errors() -> Iterator[type[BaseException]]:
    for module in modules():
        if module != "ducktape.__main__":
            importlib.import_module(module)
    waiting: list[type[BaseException]] = [BaseException]
    seen: set[type[BaseException]] = set()
    while waiting:
        for each in waiting.pop().__subclasses__():
            if each not in seen:
                seen.add(each)
                waiting.append(each)
    yield from (each for each in seen if each.__module__.partition(".")[0] == "ducktape")


def _name(error: type[BaseException]) -> str:
    return f"{error.__module__}.{error.__qualname__}"


@pytest.fixture(scope="module")
def public() -> list[type[BaseException]]:
    return [each for each in _errors() if not each.__name__.startswith("_")]


def test_each_error_derives_from_the_root_or_is_listed_with_its_reason(public: list[type[BaseException]]) -> None:
    outside = [each for each in public if not issubclass(each, DucktapeError)]
    roots = {_name(each) for each in outside if not any(base in outside for base in each.__bases__)}
    assert roots == set(OUTSIDE)


def test_the_docstring_shows_every_error_below_its_parent(public: list[type[BaseException]]) -> None:
    shown: dict[str, str] = {}
    ancestors: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"( {4}[ │├└─]*)(\w+)( +(ducktape[\w.]*)| +\(of the SSH library\)|$)", line)
        if match is None:
            continue
        depth, name = len(match[1]), match[2]
        while ancestors and ancestors[-1][0] >= depth:
            ancestors.pop()
        if match[4]:
            shown[f"{match[4]}.{name}"] = ancestors[-1][1] if ancestors else ""
        ancestors.append((depth, name))
    assert shown == {_name(each): each.__bases__[0].__name__ for each in public}
