# SPDX-License-Identifier: Apache-2.0
"""The import lines of existing suites, as they stand there, each in an interpreter that has imported nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.compatibility.running import CHECKOUT

LINES = [
    "from ducktape.utils.util import wait_until",
    "from ducktape.mark import matrix",
    "from ducktape.mark import parametrize",
    "from ducktape.mark import ignore",
    "from ducktape.mark import env",
    "from ducktape.mark import parametrized",
    "from ducktape.mark import defaults, ignored, is_env",
    "from ducktape.mark import *; matrix, defaults, env, ignore, ignored, is_env, parametrize, parametrized",
    "from ducktape.mark.resource import cluster",
    "from ducktape.mark.resource import ClusterUseMetadata",
    "from ducktape.mark.resource import CLUSTER_SPEC_KEYWORD, CLUSTER_SIZE_KEYWORD",
    "from ducktape.mark.consts import CLUSTER_SPEC_KEYWORD, CLUSTER_SIZE_KEYWORD, CLUSTER_NODE_TYPE_KEYWORD",
    "from ducktape.mark._mark import Ignore, Mark, _inject",
    "from ducktape.mark._mark import Parametrize, Matrix, Defaults, IgnoreAll, Env, cartesian_product_dict",
    "from ducktape.mark._mark import PARAMETRIZED, MATRIX, DEFAULTS, IGNORE, ENV, _is_parametrize_mark",
    "from ducktape.mark.mark_expander import MarkedFunctionExpander",
    "from ducktape.tests.test import Test",
    "from ducktape.tests.test import TestContext",
    "from ducktape.tests.test import TestLoggerMaker",
    "from ducktape.tests.test import test_logger, _escape_pathname, in_dir, in_temp_dir",
    "from ducktape.tests.test_context import TestContext, TestLoggerMaker, test_logger, _escape_pathname",
    "from ducktape.tests import Test, TestContext",
    "from ducktape.tests.session import SessionContext, SessionLoggerMaker",
    "from ducktape.tests.session import generate_session_id, generate_results_dir",
    "from ducktape.tests.loggermaker import LoggerMaker, close_logger",
    "from ducktape.tests.loader import TestLoader, LoaderException, ModuleAndFile",
    "from ducktape.tests.loader import DEFAULT_TEST_FILE_PATTERN, DEFAULT_TEST_FUNCTION_PATTERN",
    "from ducktape.tests.status import TestStatus, PASS, FAIL, FLAKY, IGNORE",
    "from ducktape.tests.result import TestResult, TestResults, PASS, FAIL, FLAKY, IGNORE",
    "from ducktape.tests.reporter import SimpleSummaryReporter, HTMLSummaryReporter, JUnitReporter, JSONReporter",
    "from ducktape.tests.runner import TestRunner",
    "from ducktape.tests.scheduler import TestScheduler",
    "from ducktape.services.service import Service",
    "from ducktape.services.service import ServiceIdFactory, MultiRunServiceIdFactory, service_id_factory",
    "from ducktape.services.service_registry import ServiceRegistry",
    "from ducktape.services.background_thread import BackgroundThreadService",
    "from ducktape.cluster import JsonCluster, LocalhostCluster, VagrantCluster",
    "from ducktape.cluster.cluster import ClusterNode",
    "from ducktape.cluster.cluster import Cluster, ClusterSpec",
    "from ducktape.cluster.cluster_node import ClusterNode",
    "from ducktape.cluster.cluster_spec import ClusterSpec",
    "from ducktape.cluster.cluster_spec import LINUX",
    "from ducktape.cluster.cluster_spec import LINUX, WINDOWS, SUPPORTED_OS_TYPES, NodeSpec, NodeContainer",
    "from ducktape.cluster.consts import LINUX, WINDOWS, SUPPORTED_OS_TYPES",
    "from ducktape.cluster.node_spec import NodeSpec",
    "from ducktape.cluster.node_container import NodeContainer",
    "from ducktape.cluster.node_container import NodeNotPresentError, InsufficientResourcesError",
    "from ducktape.cluster.node_container import InsufficientHealthyNodesError",
    "from ducktape.cluster.finite_subcluster import FiniteSubcluster",
    "from ducktape.cluster.json import JsonCluster, make_remote_account",
    "from ducktape.cluster.localhost import LocalhostCluster",
    "from ducktape.cluster.vagrant import VagrantCluster",
    "from ducktape.cluster.remoteaccount import RemoteCommandError",
    "from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig",
    "from ducktape.cluster.remoteaccount import SSHOutputIter",
    "from ducktape.cluster.remoteaccount import LogMonitor",
    "from ducktape.cluster.remoteaccount import RemoteAccount, RemoteAccountError, check_ssh",
    "from ducktape.cluster.remoteaccount import IgnoreMissingHostKeyPolicy, SSH_KEEPALIVE_INTERVAL_SEC",
    "from ducktape.cluster.linux_remoteaccount import LinuxRemoteAccount",
    "from ducktape.cluster.windows_remoteaccount import WindowsRemoteAccount",
    "from ducktape.errors import TimeoutError",
    "from ducktape.errors import DucktapeError, TimeoutError",
    "from ducktape.utils.util import TimeoutError",
    "from ducktape.utils.util import package_is_installed, ducktape_version, load_function",
    "from ducktape.utils.local_filesystem_utils import mkdir_p",
    "from ducktape.utils.http_utils import HttpMixin",
    "from ducktape.utils.persistence import PDict, make_dict, not_implemented_method",
    "from ducktape.utils.terminal_size import get_terminal_size",
    "from ducktape.utils import util; util.wait_until",
    "from ducktape.template import TemplateRenderer",
    "from ducktape.json_serializable import DucktapeJSONEncoder",
    "from ducktape.jvm_logging import JVMLogger",
    "from ducktape.command_line.main import main, get_user_defined_globals, setup_results_directory",
    "from ducktape.command_line.main import update_latest_symlink",
    "from ducktape.command_line.defaults import ConsoleDefaults",
    "from ducktape.command_line.parse_args import create_ducktape_parser, parse_args, config_file_to_args_list",
    "from ducktape.command_line.parse_args import get_user_config_file, parse_non_default_args",
    "import ducktape.errors; ducktape.errors.TimeoutError",
    "import ducktape; ducktape.__version__",
    "import ducktape.mark; ducktape.mark.matrix",
    "import ducktape.utils.util; ducktape.utils.util.wait_until",
]


@pytest.mark.parametrize("line", LINES)
def test_the_line_works_on_its_own(line: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", line], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ducktape.tests.test.TestContext", "ducktape.tests.test_context.TestContext"),
        ("ducktape.tests.test.TestLoggerMaker", "ducktape.tests.test_context.TestLoggerMaker"),
        ("ducktape.tests.Test", "ducktape.tests.test.Test"),
        ("ducktape.cluster.cluster.ClusterNode", "ducktape.cluster.cluster_node.ClusterNode"),
        ("ducktape.cluster.cluster.ClusterSpec", "ducktape.cluster.cluster_spec.ClusterSpec"),
        ("ducktape.cluster.cluster_spec.NodeContainer", "ducktape.cluster.node_container.NodeContainer"),
        ("ducktape.cluster.cluster_spec.NodeSpec", "ducktape.cluster.node_spec.NodeSpec"),
        ("ducktape.cluster.JsonCluster", "ducktape.cluster.json.JsonCluster"),
        ("ducktape.utils.util.TimeoutError", "ducktape.errors.TimeoutError"),
        ("ducktape.tests.result.PASS", "ducktape.tests.status.PASS"),
        ("ducktape.utils.persistence.make_dict", "ducktape.utils.persistence.PDict"),
    ],
)
def test_two_import_paths_give_one_object(one: str, other: str) -> None:
    from ducktape.utils.util import load_function

    def found(path: str) -> object:
        module, name = path.rsplit(".", 1)
        return getattr(__import__(module, fromlist=[name]), name)

    assert found(one) is found(other)
    assert load_function("ducktape.utils.util.load_function") is load_function


def test_the_errors_that_suites_catch_have_the_bases_that_they_rely_on() -> None:
    import builtins

    from ducktape.cluster.node_container import InsufficientResourcesError
    from ducktape.cluster.remoteaccount import RemoteCommandError
    from ducktape.errors import DucktapeError, TimeoutError

    assert [
        issubclass(TimeoutError, DucktapeError),
        issubclass(TimeoutError, builtins.TimeoutError),
        issubclass(RemoteCommandError, RuntimeError),
        issubclass(InsufficientResourcesError, RuntimeError),
    ] == [True, False, True, False]
