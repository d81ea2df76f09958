# SPDX-License-Identifier: Apache-2.0
"""The base class of errors, and the tree of all errors.

Each error is defined where it is raised; this is the whole tree::

    RuntimeError
     └─ DucktapeError                                  ducktape.errors
         ├─ TimeoutError                               ducktape.errors (waiting was in vain)
         │   └─ NotReadyError                          ducktape.utils.waiting.engine
         ├─ InfrastructureError                        ducktape.errors (for users: not the test's fault)
         │   └─ ContainerError                         ducktape.cluster.container.engine (a ConnectionError too)
         ├─ SessionBusyError                           ducktape.tests.recording.journal
         ├─ RecordError                                ducktape.tests.recording.state
         │   └─ NoEarlierSessionError                  ducktape.command_line.session.resume
         ├─ CommandError                               ducktape.command_line.options.errors
         │   ├─ NoSessionError                         ducktape.command_line.compare.command
         │   └─ UsageError                             ducktape.command_line.options.errors
         │       └─ OtherTestsError                    ducktape.command_line.session.resume
         ├─ FaultError                                 ducktape.faults.errors
         ├─ MissingHookError                           ducktape.services.service (a NotImplementedError too)
         ├─ ProcessDiedError                           ducktape.services.process
         ├─ WorkloadEndedError                         ducktape.services.workload
         ├─ MetricError                                ducktape.metrics
         ├─ DebuggerError                              ducktape.tests.worker.debugger
         ├─ HookError                                  ducktape.utils.support.hooks (a hook is async, or contains yield)
         └─ RemoteAccountError                         ducktape.cluster.account.errors
             └─ RemoteCommandError                     ducktape.cluster.account.errors
    Exception
     ├─ Skip                                           ducktape.errors (for users: this test does not apply here)
     │   └─ FaultUnavailable                           ducktape.faults.errors
     ├─ NodeNotPresentError                            ducktape.cluster.node_container
     ├─ InsufficientResourcesError                     ducktape.cluster.node_container
     │   ├─ InsufficientHealthyNodesError              ducktape.cluster.node_container
     │   └─ NodesLeasedElsewhereError                  ducktape.cluster.pool.lease
     ├─ SandboxError                                   ducktape.cluster.sandbox.client
     ├─ CannotStream                                   ducktape.cluster.copy.tar_copy (never reaches a test)
     ├─ LoaderException                                ducktape.tests.loading.symbols
     │   └─ NoTestsError                               ducktape.tests.loading.symbols
     ├─ ValueError
     │   ├─ SettingError                               ducktape.cluster.pool.node_settings
     │   ├─ ExpressionError                            ducktape.tests.loading.expressions
     │   └─ UnknownClusterError                        ducktape.command_line.options.clusters
     ├─ UserWarning
     │   └─ CompatibilityWarning                       ducktape.errors (an error with --strict)
     ├─ EOFError
     │   └─ StreamEnded                                ducktape.cluster.copy.tar_stream (never reaches a test)
     ├─ OSError
     │   ├─ UnsafeNameError                            ducktape.cluster.copy.names
     │   └─ CopyError                                  ducktape.cluster.copy.walk
     └─ SSHException                                   (of the SSH library)
         ├─ AgentError                                 ducktape.cluster.ssh.agent
         ├─ HostKeyError                               ducktape.cluster.ssh.host_keys
         └─ AuthenticationException                    (of the SSH library)
             └─ ServerHungUp                           ducktape.cluster.ssh.authentication

The second group does not derive from ``DucktapeError``: suites catch ``RuntimeError`` for failures on a node, but not
for missing nodes and failed discovery.

``TimeoutError`` is unrelated to the builtin of the same name, which silent connections raise.
"""

from __future__ import annotations


class DucktapeError(RuntimeError):
    """Base class of the framework's errors."""


class TimeoutError(DucktapeError):  # noqa: A001  # the name is public API
    """A condition did not hold in time."""


class InfrastructureError(DucktapeError):
    """A resource that a test needs is unavailable, independently of the system under test.

    Raised by a test or service; the failure is reported as one of the infrastructure, and the test is run again with
    ``--retry-infrastructure``.
    """


class CompatibilityWarning(UserWarning):
    """A probable mistake, tolerated because existing suites rely on it; raised with ``--strict``."""


class Skip(Exception):  # a signal rather than an error
    """Raised by a test that does not apply; it is reported as ignored with the reason.

    Args:
        reason: text for the reports.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = str(reason)
