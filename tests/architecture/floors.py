# SPDX-License-Identifier: Apache-2.0
"""The floors of the house, lowest first: a module may import from its own floor and from those below it."""

from __future__ import annotations

from fnmatch import fnmatchcase

# Patterns below `ducktape.`; the first one that matches decides, from the top of this table to its end.
FLOORS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (0, ("errors", "json_serializable", "template", "metrics", "utils*", "command_line.defaults")),
    (1, ("cluster.consts", "cluster.node_spec", "cluster.cluster_spec", "cluster.node_container")),
    (3, ("cluster.cluster", "cluster.finite_subcluster", "cluster.localhost", "cluster.json", "cluster.vagrant")),
    (3, ("cluster.elastic", "cluster.pool*", "cluster.health*", "cluster.sandbox.cluster", "cluster.sandbox.config")),
    (3, ("cluster.docker", "cluster.podman", "cluster.container.cluster", "cluster.container.config")),
    # Whatever else is under cluster/ reaches one machine
    (2, ("cluster.*",)),
    (6, ("mark.mark_expander",)),
    (4, ("mark.*", "services.*", "faults.*", "jvm_logging")),
    (4, ("tests.test_context", "tests.session", "tests.loggermaker")),
    (5, ("tests.test", "tests.status", "tests.event")),
    (5, ("tests.result", "tests.recording*", "tests.reports.text", "tests.reports.traceback_view")),
    (7, ("tests.reporter", "tests.reports.*")),
    (6, ("tests.loader", "tests.loading*", "tests.scheduler", "tests.scheduling*")),
    (6, ("tests.runner", "tests.driver*", "tests.runner_client", "tests.worker*", "tests.keeping*")),
    (8, ("command_line.*", "__main__")),
)

# Packages that only re-export: what they import is checked where it is defined, and an import of the package itself
# is an import of whatever it re-exports, so modules of the house import from the defining module instead.
FRONT_DOORS = frozenset(
    {
        "ducktape.cluster",
        "ducktape.cluster.sandbox",
        "ducktape.faults",
        "ducktape.mark",
        "ducktape.services",
        "ducktape.tests",
        "ducktape.tests.reports",
        "ducktape.command_line",
    }
)

# The root holds the version and imports nothing.
ROOT_MODULE = "ducktape"


def floor_of(module: str) -> int | None:
    """Return the floor on which a module lives, ``None`` if the table does not know it.

    Args:
        module: full dotted name, neither the root nor a front door.
    """
    name = module.removeprefix("ducktape.")
    for floor, patterns in FLOORS:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            return floor
    return None
