# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ducktape.cluster.json import JsonCluster
from ducktape.cluster.localhost import LocalhostCluster
from ducktape.cluster.sandbox import userns
from ducktape.cluster.sandbox.client import SandboxError
from ducktape.cluster.vagrant import VagrantCluster
from ducktape.command_line.options import clusters as cluster_names
from ducktape.command_line.options.clusters import (
    UnknownClusterError,
    advice_without_vagrant,
    cluster_class,
    full_name,
    sandbox_works,
)
from ducktape.command_line.options.errors import CommandError
from ducktape.command_line.options.options import Options
from ducktape.command_line.session.common import prepare_for_sandbox, read_options
from ducktape.errors import DucktapeError
from tests.support.program import write

Distributions = Callable[..., None]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Distributions:
    """Installs distributions that register clusters, all in one module."""
    monkeypatch.syspath_prepend(str(tmp_path))
    write(
        tmp_path / "clouds_of_a_test.py",
        """
        class Tiny:
            pass

        class Kinds:
            class Small:
                pass
        """,
    )

    def install(distribution: str, *lines: str) -> None:
        folder = tmp_path / f"{distribution}-1.0.dist-info"
        write(folder / "METADATA", f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        write(folder / "entry_points.txt", "\n".join(["[ducktape.clusters]", *lines]) + "\n")

    return install


# --- names


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("localhost", LocalhostCluster),
        ("json", JsonCluster),
        ("vagrant", VagrantCluster),
        ("ducktape.cluster.localhost.LocalhostCluster", LocalhostCluster),
        ("ducktape.cluster.JsonCluster", JsonCluster),
    ],
)
def test_a_cluster_has_a_short_name_and_that_of_its_class(name: str, made: object) -> None:
    assert cluster_class(name) is made


def test_a_short_name_stands_for_a_full_one() -> None:
    assert [full_name(name) for name in ("sandbox", "tiny", "my.Own")] == [
        "ducktape.cluster.sandbox.SandboxCluster",
        "tiny",
        "my.Own",
    ]


def test_other_distributions_register_names(installed: Distributions) -> None:
    installed("clouds", "tiny = clouds_of_a_test:Tiny", "small = clouds_of_a_test:Kinds.Small")
    assert [cluster_class(name).__qualname__ for name in ("tiny", "small")] == ["Tiny", "Kinds.Small"]


def test_names_of_this_package_are_not_taken_over(installed: Distributions) -> None:
    installed("clouds", "localhost = clouds_of_a_test:Tiny")
    assert cluster_class("localhost") is LocalhostCluster


def test_a_distribution_that_is_there_twice_is_no_trouble(installed: Distributions) -> None:
    installed("clouds", "tiny = clouds_of_a_test:Tiny")
    installed("more_clouds", "tiny = clouds_of_a_test:Tiny")
    assert cluster_class("tiny").__qualname__ == "Tiny"


def test_a_name_of_two_distributions_is_told(installed: Distributions) -> None:
    installed("clouds", "tiny = clouds_of_a_test:Tiny")
    installed("more_clouds", "tiny = clouds_of_a_test:Kinds.Small")
    with pytest.raises(UnknownClusterError) as caught:
        cluster_class("tiny")
    assert str(caught.value) == (
        "Several distributions have a cluster with the name tiny: name its class instead, "
        "one of clouds_of_a_test.Kinds.Small, clouds_of_a_test.Tiny"
    )


def test_an_unknown_name_is_told_with_all_that_are_known(installed: Distributions) -> None:
    installed("clouds", "tiny = clouds_of_a_test:Tiny")
    with pytest.raises(UnknownClusterError) as caught:
        cluster_class("sanbox")
    assert str(caught.value) == (
        "There is no cluster with the name sanbox (did you mean sandbox?): known are docker, json, localhost, podman, "
        "sandbox, tiny, vagrant; any other is named by its class with its module, as in "
        "ducktape.cluster.json.JsonCluster"
    )


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("", "There is no cluster with the name (nothing): known are "),
        (".Mine", "--cluster .Mine names no class in a module: known are "),
        ("mine.", "--cluster mine. names no class in a module: known are "),
    ],
)
def test_a_name_that_is_none_is_told(name: str, begin: str) -> None:
    with pytest.raises(UnknownClusterError) as caught:
        cluster_class(name)
    assert str(caught.value).startswith(begin)


def test_distributions_are_looked_at_only_when_a_name_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked_at() -> None:
        raise AssertionError("looked at")

    monkeypatch.setattr(cluster_names, "_registrations", looked_at)
    assert [cluster_class(name) for name in ("json", "ducktape.cluster.JsonCluster")] == [JsonCluster, JsonCluster]
    with pytest.raises(AssertionError, match="looked at"):
        cluster_class("tiny")


def test_a_registered_module_that_is_broken_is_no_unknown_name(installed: Distributions) -> None:
    installed("clouds", "tiny = clouds_of_nobody:Tiny")
    with pytest.raises(ModuleNotFoundError, match="clouds_of_nobody"):
        cluster_class("tiny")


# --- advice


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Vagrant on which isolated nodes can be made; returns the current folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(cluster_names, "sandbox_works", lambda: True)
    return folder


def advice(cluster: str = "ducktape.cluster.vagrant.VagrantCluster", **more: Any) -> str | None:
    error = more.pop("error", DucktapeError("no Vagrant"))
    return advice_without_vagrant(error, Options(**{"cluster": cluster, "test_path": ["tests/"], **more}))


def test_without_vagrant_the_commands_that_work_are_told(bare: Path) -> None:
    assert advice() == (
        "The cluster ducktape.cluster.vagrant.VagrantCluster, the default, needs Vagrant, and there is no program "
        "vagrant here. What works right now:\n"
        "  ducktape tests/ --cluster sandbox     isolated nodes on this machine, made for each test\n"
        "  ducktape tests/ --cluster localhost   nodes that all are this machine, with nothing between them"
    )
    assert (advice("vagrant") or "").startswith("The cluster vagrant, the default, needs Vagrant")


def test_a_sandbox_that_does_not_work_is_not_advised(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_names, "sandbox_works", lambda: False)
    assert (advice() or "").splitlines()[1:] == [
        "  ducktape tests/ --cluster localhost   nodes that all are this machine, with nothing between them"
    ]


def test_a_cluster_file_that_is_there_is_advised_first(bare: Path) -> None:
    write(bare / ".ducktape" / "cluster.json", "{}")
    told = (advice() or "").splitlines()
    assert told[1] == "  ducktape tests/ --cluster json        the nodes that stand in .ducktape/cluster.json"
    assert [line.split()[3] for line in told[1:]] == ["json", "sandbox", "localhost"]


def test_a_cluster_file_that_is_missing_is_named(bare: Path) -> None:
    told = advice(cluster_file="nodes.json") or ""
    assert "there is neither a program vagrant nor a file nodes.json here. What works right now:" in told


def test_a_cluster_file_that_was_given_is_the_trouble_itself(bare: Path) -> None:
    write(bare / "nodes.json", "{}")
    assert advice(cluster_file="nodes.json") is None


def test_with_vagrant_there_is_no_advice(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = write(bare.parent / "bin" / "vagrant", "#!/bin/sh\n")
    program.chmod(0o755)
    assert advice() is None


@pytest.mark.parametrize("cluster", ["localhost", "json", "my.own.VagrantCluster"])
def test_other_clusters_get_no_advice(bare: Path, cluster: str) -> None:
    assert advice(cluster) is None


def test_other_troubles_are_not_hidden(bare: Path) -> None:
    assert advice(error=ModuleNotFoundError("no checker")) is None


@pytest.mark.parametrize(
    ("paths", "shown"),
    [
        ([], "ducktape . --cluster localhost"),
        (["a b/"], "ducktape 'a b/' --cluster localhost"),
        (["a", "b", "c"], "ducktape a b c --cluster localhost"),
        (["a", "b", "c", "d"], "ducktape ... --cluster localhost"),
    ],
)
def test_the_command_can_be_copied(bare: Path, paths: list[str], shown: str) -> None:
    told = advice(test_path=paths or [os.getcwd()]) or ""
    assert told.splitlines()[-1].strip().startswith(f"{shown}   ")


@pytest.mark.parametrize(("missing", "works"), [(None, True), ("the kernel refuses new namespaces: no", False)])
def test_the_sandbox_is_tried(monkeypatch: pytest.MonkeyPatch, missing: str | None, works: bool) -> None:
    monkeypatch.setattr(userns, "what_is_missing", lambda: missing)
    assert sandbox_works() is works


# --- ordinary users


class UserNamespaces:
    """Stands in for what changes this process for good."""

    def __init__(self) -> None:
        self.entered = 0
        self.trouble = ""

    def enter(self) -> None:
        self.entered += 1
        if self.trouble:
            raise SandboxError(self.trouble)


@pytest.fixture
def namespaces(bare: Path, monkeypatch: pytest.MonkeyPatch) -> UserNamespaces:
    made = UserNamespaces()
    monkeypatch.setattr(userns, "enter_user_namespace", made.enter)
    monkeypatch.setenv("HOME", str(bare))
    return made


def options_from(*arguments: str) -> Options:
    options = read_options(list(arguments))
    assert options is not None
    return options


@pytest.mark.parametrize(
    ("arguments", "times"),
    [
        (["tests", "--cluster", "sandbox"], 1),
        (["tests", "--cluster=ducktape.cluster.sandbox.SandboxCluster"], 1),
        (["tests", "--cluster", "sandbox", "--collect-only"], 0),
        (["tests", "--cluster", "sandbox", "--list-tags"], 0),
        (["tests", "--cluster", "localhost"], 0),
        (["tests"], 0),
    ],
)
def test_an_ordinary_user_gets_a_namespace_for_a_sandbox(
    namespaces: UserNamespaces, arguments: list[str], times: int
) -> None:
    options = options_from(*arguments)
    assert namespaces.entered == 0
    prepare_for_sandbox(options)
    assert namespaces.entered == times


def test_the_cluster_of_a_configuration_file_counts(namespaces: UserNamespaces, bare: Path) -> None:
    write(bare / ".ducktape" / "config", "--cluster sandbox")
    prepare_for_sandbox(options_from("tests"))
    assert namespaces.entered == 1


def test_who_has_the_rights_needs_no_namespace(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(bare))
    monkeypatch.setattr(userns, "has_rights", lambda: True)
    monkeypatch.setattr(userns, "gain_rights", lambda: pytest.fail("entered"))
    for _ in range(2):
        prepare_for_sandbox(options_from("tests", "--cluster", "sandbox"))


def test_a_kernel_that_does_not_allow_it_is_told_in_one_line(
    namespaces: UserNamespaces, capsys: pytest.CaptureFixture[str]
) -> None:
    namespaces.trouble = "no user namespaces"
    with pytest.raises(CommandError) as error:
        prepare_for_sandbox(options_from("tests", "--cluster", "sandbox"))
    error.value.show()
    assert (error.value.exit_code, tuple(capsys.readouterr())) == (1, ("", "no user namespaces\n"))


@pytest.mark.parametrize(
    ("problem", "remedy"),
    [
        ("the sandbox needs Linux", "Use --cluster localhost, or nodes elsewhere."),
        (
            "user namespaces are switched off (user.max_user_namespaces is 0)",
            "Root of this machine allows them: sysctl user.max_user_namespaces=10000. Or run it as root, or use "
            "--cluster localhost.",
        ),
        (
            "the kernel refuses new namespaces: Operation not permitted",
            "Who runs this in a container has to give it that right, as Docker and Podman do with --privileged. Or "
            "run it as root, or use --cluster localhost.",
        ),
    ],
)
def test_what_is_missing_has_a_remedy(problem: str, remedy: str) -> None:
    assert userns.remedy_for(problem) == remedy
