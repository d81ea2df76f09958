# SPDX-License-Identifier: Apache-2.0
"""Every import that a suite in the wild may contain works."""

from __future__ import annotations

import importlib
import logging
from typing import Any

import pytest

from tests.architecture.public_names import CLASS_NAMES, GONE, MARK_DECORATORS, MODULE_NAMES


def _pairs(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(owner, name) for owner, names in table.items() for name in names]


def _attribute(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("module", sorted(MODULE_NAMES))
def test_every_public_module_can_be_imported(module: str) -> None:
    assert importlib.import_module(module).__name__ == module


@pytest.mark.parametrize(("module", "name"), _pairs(MODULE_NAMES))
def test_every_public_name_can_be_imported_from_its_module(module: str, name: str) -> None:
    exec(f"from {module} import {name}", {})


@pytest.mark.parametrize(("owner", "name"), _pairs(CLASS_NAMES))
def test_every_public_class_has_its_members(owner: str, name: str) -> None:
    module, _, class_name = owner.partition(":")
    assert hasattr(_attribute(module, class_name), name)


@pytest.mark.parametrize(("module", "name"), GONE)
def test_the_old_wire_protocol_is_gone(module: str, name: str) -> None:
    assert not hasattr(importlib.import_module(module), name)


def test_a_star_import_of_the_marks_gives_the_decorators_and_nothing_else() -> None:
    names: dict[str, Any] = {}
    exec("from ducktape.mark import *", names)
    assert sorted(set(names) - {"__builtins__"}) == sorted(MARK_DECORATORS)


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        ("ducktape.cluster.consts", "LINUX", "linux"),
        ("ducktape.cluster.consts", "WINDOWS", "windows"),
        ("ducktape.cluster.consts", "SUPPORTED_OS_TYPES", ["linux", "windows"]),
        ("ducktape.cluster.remoteaccount", "SSH_KEEPALIVE_INTERVAL_SEC", 30),
        ("ducktape.mark.consts", "CLUSTER_SPEC_KEYWORD", "cluster_spec"),
        ("ducktape.mark.consts", "CLUSTER_SIZE_KEYWORD", "num_nodes"),
        ("ducktape.mark.consts", "CLUSTER_NODE_TYPE_KEYWORD", "node_type"),
        ("ducktape.tests.loader", "DEFAULT_TEST_FILE_PATTERN", r"(^test_.*\.py$)|(^.*_test\.py$)"),
        ("ducktape.tests.loader", "DEFAULT_TEST_FUNCTION_PATTERN", "(^test.*)|(.*test$)"),
        ("ducktape.tests.reporter", "DEFAULT_SEPARATOR_WIDTH", 100),
        ("ducktape.tests.runner", "DEFAULT_MP_JOIN_TIMEOUT", 30),
        ("ducktape.tests.runner", "DEFAULT_TIMEOUT_EXCEPTION_JOIN_TIMEOUT", 300),
    ],
)
def test_public_constants_have_their_values(module: str, name: str, value: object) -> None:
    assert _attribute(module, name) == value


@pytest.mark.parametrize(
    ("module", "name", "home"),
    [
        ("ducktape.cluster", "JsonCluster", "ducktape.cluster.json"),
        ("ducktape.cluster", "LocalhostCluster", "ducktape.cluster.localhost"),
        ("ducktape.cluster", "VagrantCluster", "ducktape.cluster.vagrant"),
        ("ducktape.cluster.cluster", "ClusterNode", "ducktape.cluster.cluster_node"),
        ("ducktape.cluster.cluster", "ClusterSpec", "ducktape.cluster.cluster_spec"),
        ("ducktape.cluster.cluster_spec", "NodeContainer", "ducktape.cluster.node_container"),
        ("ducktape.cluster.cluster_spec", "NodeSpec", "ducktape.cluster.node_spec"),
        ("ducktape.tests", "Test", "ducktape.tests.test"),
        ("ducktape.tests", "TestContext", "ducktape.tests.test_context"),
        ("ducktape.tests.test", "TestContext", "ducktape.tests.test_context"),
        ("ducktape.utils.util", "TimeoutError", "ducktape.errors"),
    ],
)
def test_a_name_with_several_paths_is_one_object(module: str, name: str, home: str) -> None:
    assert _attribute(module, name) is _attribute(home, name)


@pytest.mark.parametrize(
    ("error", "bases"),
    [
        ("ducktape.errors:DucktapeError", (RuntimeError,)),
        ("ducktape.errors:TimeoutError", ("ducktape.errors:DucktapeError",)),
        ("ducktape.cluster.remoteaccount:RemoteAccountError", ("ducktape.errors:DucktapeError",)),
        ("ducktape.cluster.remoteaccount:RemoteCommandError", ("ducktape.cluster.remoteaccount:RemoteAccountError",)),
        ("ducktape.cluster.node_container:NodeNotPresentError", (Exception,)),
        ("ducktape.cluster.node_container:InsufficientResourcesError", (Exception,)),
        (
            "ducktape.cluster.node_container:InsufficientHealthyNodesError",
            ("ducktape.cluster.node_container:InsufficientResourcesError",),
        ),
        ("ducktape.tests.loader:LoaderException", (Exception,)),
    ],
)
def test_errors_are_caught_by_the_classes_that_users_name(error: str, bases: tuple[object, ...]) -> None:
    def resolve(name: object) -> Any:
        return _attribute(*name.split(":")) if isinstance(name, str) else name

    assert all(issubclass(resolve(error), resolve(base)) for base in bases)


def test_running_out_of_nodes_is_not_a_runtime_error() -> None:
    error = _attribute("ducktape.cluster.node_container", "InsufficientResourcesError")
    assert not issubclass(error, RuntimeError)


@pytest.mark.parametrize(
    ("module", "class_name", "arguments", "names"),
    [
        ("ducktape.cluster.node_container", "NodeContainer", (), ("node_groups",)),
        (
            "ducktape.cluster.finite_subcluster",
            "FiniteSubcluster",
            ([],),
            ("nodes", "_available_nodes", "_in_use_nodes"),
        ),
        ("ducktape.cluster.localhost", "LocalhostCluster", (), ("max_used_nodes", "_available_nodes", "_in_use_nodes")),
        (
            "ducktape.cluster.json",
            "JsonCluster",
            ({"nodes": []},),
            ("_available_accounts", "_bad_accounts", "_in_use_nodes"),
        ),
    ],
)
def test_instances_have_the_attributes_that_suites_touch(
    module: str, class_name: str, arguments: tuple[object, ...], names: tuple[str, ...]
) -> None:
    instance = _attribute(module, class_name)(*arguments)
    assert [name for name in names if not hasattr(instance, name)] == []


def test_an_account_has_the_attributes_that_suites_touch() -> None:
    config = _attribute("ducktape.cluster.remoteaccount", "RemoteAccountSSHConfig")(host="worker1")
    account = _attribute("ducktape.cluster.linux_remoteaccount", "LinuxRemoteAccount")(config)
    names = (
        "ssh_config",
        "hostname",
        "ssh_hostname",
        "user",
        "externally_routable_ip",
        "node_type",
        "os",
        "_logger",
        "_ssh_client",
        "_sftp_client",
        "_custom_ssh_exception_checks",
    )
    assert [name for name in names if not hasattr(account, name)] == []


def test_a_loader_has_the_patterns_that_suites_replace() -> None:
    session = _attribute("ducktape.tests.session", "SessionContext")(
        session_id="2026-01-01--001", results_dir="results"
    )
    loader = _attribute("ducktape.tests.loader", "TestLoader")(session, logging.getLogger("loader"))
    assert loader.test_file_pattern == r"(^test_.*\.py$)|(^.*_test\.py$)"
    assert loader.test_function_pattern == "(^test.*)|(.*test$)"
