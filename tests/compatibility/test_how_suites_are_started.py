# SPDX-License-Identifier: Apache-2.0
"""How existing suites, their CI jobs and their people start the program."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from ducktape.cluster.json import JsonCluster
from ducktape.cluster.vagrant import VagrantCluster
from ducktape.tests.loader import TestLoader
from ducktape.tests.session import SessionContext, SessionLoggerMaker
from tests.compatibility.running import CHECKOUT, LOCALHOST, ids, report, run, write

SUITE = """
from ducktape.mark import matrix, parametrize
from ducktape.mark.resource import cluster
from ducktape.services.service import Service
from ducktape.tests.test import Test


class Writer(Service):
    logs = {"out": {"path": "", "collect_default": True}}

    def __init__(self, context, path):
        super().__init__(context, num_nodes=1)
        self.logs = {"out": {"path": path, "collect_default": True}}

    def start_node(self, node):
        node.account.create_file(self.logs["out"]["path"], "written\\n")

    def stop_node(self, node):
        pass

    def clean_node(self, node):
        node.account.remove(self.logs["out"]["path"], allow_fail=True)
        print("CLEANED", flush=True)


class OneTest(Test):
    def setUp(self):
        print("SET UP", flush=True)

    def tearDown(self):
        print("TORN DOWN", flush=True)

    @cluster(num_nodes=1)
    def test_service(self):
        service = Writer(self.test_context, self.test_context.globals["path"])
        service.start()

    @cluster(num_nodes=1)
    def test_plain(self):
        return {"globals": dict(self.test_context.globals)}

    @cluster(num_nodes=1)
    @matrix(size=[1, 2], kind=["a", "b"])
    def test_matrix(self, size, kind):
        return [size, kind]


class FailingTest(Test):
    @cluster(num_nodes=1)
    def test_fails(self):
        raise AssertionError("on purpose")

    @cluster(num_nodes=1)
    def test_passes(self):
        pass
"""
PLAIN = "suite/test_one.py::OneTest.test_plain"
ALL = ["test_fails", "test_passes", *["test_matrix"] * 4, "test_plain", "test_service"]
PLAIN_ID = "suite.test_one.OneTest.test_plain"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with one package of tests."""
    project = tmp_path / "project"
    write(project / "suite" / "__init__.py", "")
    write(project / "suite" / "test_one.py", SUITE)
    return project


def _listed(text: str) -> list[str]:
    return re.findall(r"^    <module=.*function=(\w+)", text, re.MULTILINE)


# starting


def test_as_a_module(folder: Path) -> None:
    done = run(folder, PLAIN, *LOCALHOST)

    assert (done.returncode, ids(report(folder))) == (0, {PLAIN_ID: "PASS"})


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The console script as installers write it, from the entry point that the project declares."""
    declared = re.search(r"\bducktape *= *([\w.]+):(\w+)\b", (CHECKOUT / "setup.py").read_text())
    assert declared is not None, "setup.py declares no console script"
    module, function = declared.groups()
    lines = [f"#!{sys.executable}", "import sys", f"from {module} import {function}", f"sys.exit({function}())"]
    path = write(tmp_path / "bin" / "ducktape", "\n".join(lines) + "\n")
    path.chmod(0o755)
    return path


def test_by_the_console_script(folder: Path, script: Path) -> None:
    done = run(folder, PLAIN, *LOCALHOST, program=(str(script),))

    assert (done.returncode, ids(report(folder))) == (0, {PLAIN_ID: "PASS"})


def test_the_console_script_as_a_file_for_python(folder: Path, script: Path) -> None:
    done = run(folder, PLAIN, *LOCALHOST, program=(sys.executable, str(script)))

    assert (done.returncode, ids(report(folder))) == (0, {PLAIN_ID: "PASS"})


@pytest.mark.skipif(
    sys.version_info[:3] == (3, 13, 0),
    reason="the debugger of Python 3.13.0 takes the options of the script for its own",
)
def test_a_debugger_in_front_of_the_console_script(folder: Path, script: Path) -> None:
    debugger = (sys.executable, "-m", "pdb", "-c", "continue", str(script))

    done = run(folder, PLAIN, "--collect-only", program=debugger, text="q\n")

    assert _listed(done.stdout) == ["test_plain"]


def test_a_checkout_has_a_setup_script() -> None:
    done = run(CHECKOUT, "--version", program=(sys.executable, "./setup.py"))

    import ducktape

    assert (done.returncode, done.stdout.strip().splitlines()[-1:]) == (0, [ducktape.__version__])


# options


def test_the_collect_only_option(folder: Path) -> None:
    done = run(folder, "suite", "--collect-only")

    assert (done.returncode, _listed(done.stdout)) == (0, ALL)


def test_globals_as_json_text(folder: Path) -> None:
    run(folder, PLAIN, *LOCALHOST, "--globals", '{"a": {"b": [1]}}')

    assert report(folder)["results"][0]["data"] == {"globals": {"a": {"b": [1]}}}


def test_globals_as_a_file(folder: Path) -> None:
    write(folder / "globals.json", '{"a": 1}')

    run(folder, PLAIN, *LOCALHOST, "--globals", "globals.json")

    assert report(folder)["results"][0]["data"] == {"globals": {"a": 1}}


def test_parameters(folder: Path) -> None:
    run(folder, "suite/test_one.py::OneTest.test_matrix", *LOCALHOST, "--parameters", '{"size": 7, "kind": "q"}')

    assert {r["test_id"]: r["data"] for r in report(folder)["results"]} == {
        "suite.test_one.OneTest.test_matrix.size=7.kind=q": [7, "q"]
    }


def test_a_debug_run_shows_debug_lines(folder: Path) -> None:
    done = run(folder, PLAIN, *LOCALHOST, "--debug")

    assert (done.returncode, "[DEBUG" in done.stdout) == (0, True)


def test_many_at_a_time(folder: Path) -> None:
    done = run(folder, "suite/test_one.py::OneTest.test_matrix", *LOCALHOST, "--max-parallel", "3")

    assert (done.returncode, report(folder)["num_passed"]) == (0, 4)


def test_a_runner_timeout_in_milliseconds(folder: Path) -> None:
    done = run(folder, PLAIN, *LOCALHOST, "--test-runner-timeout", "600000")

    assert (done.returncode, report(folder)["session_context"]["test_runner_timeout"]) == (0, 600000)


def test_deflaking_runs_a_failing_test_again(folder: Path) -> None:
    done = run(folder, "suite/test_one.py::FailingTest.test_fails", *LOCALHOST, "--deflake", "2")

    assert (done.returncode, report(folder)["results"][0]["summary"].splitlines()[0]) == (1, "runs 1, 2 summary:")


def test_repeating_runs_the_list_again(folder: Path) -> None:
    run(folder, PLAIN, *LOCALHOST, "--repeat", "3")

    assert [result["relative_results_dir"] for result in report(folder)["results"]] == [
        f"OneTest/test_plain/{n}/" for n in (1, 2, 3)
    ]


def test_exit_first_leaves_the_rest_out(folder: Path) -> None:
    done = run(folder, "suite/test_one.py::FailingTest", *LOCALHOST, "--exit-first")

    assert (done.returncode, ids(report(folder))) == (1, {"suite.test_one.FailingTest.test_fails": "FAIL"})


def test_a_results_root_of_ones_own(folder: Path) -> None:
    run(folder, PLAIN, *LOCALHOST, "--results-root", "elsewhere/deep")

    assert ids(report(folder, "elsewhere/deep")) == {PLAIN_ID: "PASS"}


def test_compressed_service_logs(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "written.log"

    done = run(
        folder, "suite/test_one.py::OneTest.test_service", *LOCALHOST, "--compress",
        "--globals", json.dumps({"path": str(path)}),
    )  # fmt: skip

    found = [p.name for p in (folder / "results" / "latest").resolve().glob("OneTest/test_service/1/*/localhost0/*")]
    assert (done.returncode, found) == (0, ["written.log.tgz"])


def test_the_number_of_nodes_that_nobody_looks_at(folder: Path) -> None:
    done = run(folder, PLAIN, *LOCALHOST, "--default-num-nodes", "3")

    assert (done.returncode, report(folder)["session_context"]["default_expected_num_nodes"]) == (0, 3)


def test_without_teardown_nothing_is_torn_down_or_cleaned_at_the_end(folder: Path, tmp_path: Path) -> None:
    arguments = ("suite/test_one.py::OneTest.test_service", *LOCALHOST)
    shared = json.dumps({"path": str(tmp_path / "left.log")})

    with_it = run(folder, *arguments, "--globals", shared).stdout
    without = run(folder, *arguments, "--globals", shared, "--no-teardown").stdout

    # start() itself cleans once
    assert (with_it.count("TORN DOWN"), with_it.count("CLEANED")) == (1, 2)
    assert (without.count("TORN DOWN"), without.count("CLEANED")) == (0, 1)
    assert (tmp_path / "left.log").read_text() == "written\n"


def test_excluding(folder: Path) -> None:
    done = run(folder, "suite", "--collect-only", "--exclude", "suite/test_one.py::FailingTest", PLAIN)

    assert _listed(done.stdout) == [*["test_matrix"] * 4, "test_service"]


def test_subsets(folder: Path) -> None:
    halves = [run(folder, "suite", "--collect-only", "--subsets", "2", "--subset", n).stdout for n in ("0", "1")]

    assert [_listed(half) for half in halves] == [
        ["test_fails", "test_matrix", "test_matrix", "test_plain"],
        ["test_passes", "test_matrix", "test_matrix", "test_service"],
    ]


# what is named on the command line


def test_a_suite_with_included_and_excluded(folder: Path) -> None:
    write(
        folder / "suites" / "nightly.yml",
        """
        nightly:
          included:
            - ../suite/
          excluded:
            - ../suite/test_one.py::FailingTest
            - '../suite/test_one.py::OneTest.test_matrix@{"size": 1, "kind": "a"}'
        """,
    )

    done = run(folder, "suites/nightly.yml", "--collect-only")

    assert _listed(done.stdout) == [*["test_matrix"] * 3, "test_plain", "test_service"]


def test_relative_paths_through_the_parent_directory(folder: Path) -> None:
    (folder / "below").mkdir()

    done = run(folder / "below", f"../{PLAIN}", "--collect-only")

    assert (done.returncode, "module=suite.test_one, cls=OneTest, function=test_plain" in done.stdout) == (0, True)


def test_a_directory(folder: Path) -> None:
    assert _listed(run(folder, "./suite/", "--collect-only").stdout) == ALL


def test_a_glob_that_the_shell_left_alone(folder: Path) -> None:
    assert _listed(run(folder, "suite/test_*.py", "--collect-only").stdout) == ALL


def test_a_method_of_a_file(folder: Path) -> None:
    assert _listed(run(folder, PLAIN, "--collect-only").stdout) == ["test_plain"]


def test_a_method_with_json(folder: Path) -> None:
    done = run(folder, 'suite/test_one.py::OneTest.test_matrix@{"size": 2, "kind": "b"}', "--collect-only")

    assert re.findall(r"injected_args=(.*), file", done.stdout) == ["{'size': 2, 'kind': 'b'}"]


# files


def test_a_project_file_with_one_option_per_line(folder: Path) -> None:
    write(
        folder / ".ducktape" / "config",
        """
        # where we run
        --cluster ducktape.cluster.localhost.LocalhostCluster
        --results-root from_the_project
        --globals {"x":"a"}
        --debug
        """,
    )

    done = run(folder, PLAIN)

    found = report(folder, "from_the_project")
    assert (done.returncode, found["results"][0]["data"], found["session_context"]["debug"]) == (
        0,
        {"globals": {"x": "a"}},
        True,
    )


@pytest.mark.parametrize("password", ["", "UNUSED"])
@pytest.mark.parametrize("kind", [JsonCluster, VagrantCluster])
def test_a_cluster_file_with_a_comment_and_an_unused_password(
    tmp_path: Path, password: str, kind: type[JsonCluster]
) -> None:
    path = write(
        tmp_path / "cluster.json",
        json.dumps(
            {
                "_comment": ["made by", "hand"],
                "nodes": [
                    {
                        "externally_routable_ip": "10.0.0.1",
                        "hostname": "ignored",
                        "ssh_config": {
                            "host": "worker1",
                            "hostname": "127.0.0.1",
                            "identityfile": "/home/u/.ssh/id_rsa",
                            "password": password,
                            "port": 2222,
                            "user": "u",
                        },
                    }
                ],
            }
        ),
    )

    made = kind(cluster_file=str(path))

    (account,) = made._available_accounts
    assert (account.hostname, account.ssh_hostname, account.ssh_config.port, account.ssh_config.password) == (
        "worker1",
        "127.0.0.1",
        2222,
        password,
    )


def test_a_cluster_file_given_with_its_class(folder: Path) -> None:
    write(folder / "cluster.json", '{"_comment": "none", "nodes": []}')
    arguments = ("--cluster", "ducktape.cluster.json.JsonCluster", "--cluster-file", "cluster.json")

    done = run(folder, "suite/test_one.py::OneTest.test_plain", *arguments)

    assert (done.returncode, report(folder)["results"][0]["summary"]) == (
        1,
        f"Test {PLAIN_ID} requires more resources than are available in the whole cluster. "
        "linux nodes requested: 1. linux nodes available: 0. ",
    )


# as a library


def test_as_a_library(folder: Path, tmp_path: Path) -> None:
    ctx = SessionContext(session_id="test_parse", results_dir=str(tmp_path / "library"))
    Path(ctx.results_dir).mkdir()
    loader = TestLoader(session_context=ctx, logger=SessionLoggerMaker(ctx).logger)

    tests = loader.load(symbols=[str(folder / "suite" / "test_one.py") + "::OneTest"])

    assert [(t.file, t.cls.__name__, t.function.__name__, t.injected_args) for t in tests] == [
        (str(folder / "suite" / "test_one.py"), "OneTest", name, arguments)
        for name, arguments in [
            *[("test_matrix", {"size": size, "kind": kind}) for size in (1, 2) for kind in ("a", "b")],
            ("test_plain", None),
            ("test_service", None),
        ]
    ]
