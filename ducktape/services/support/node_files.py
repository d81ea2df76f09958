# SPDX-License-Identifier: Apache-2.0
"""Services with a working directory on each node; users derive from ``ProcessService`` and ``Workload``."""

from __future__ import annotations

import posixpath
import re
import shlex
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ducktape.errors import DucktapeError
from ducktape.services.service import Service
from ducktape.services.support.protocols import Context, accepts_any_override

if TYPE_CHECKING:
    from ducktape.cluster.cluster_node import ClusterNode
    from ducktape.cluster.cluster_spec import ClusterSpec

_FOR_SHELLS = re.compile(r"[\w./~$@%+=:,-]*")


class NodeFiles(Service):
    """A service that writes files into a directory of its own before each start, and removes it afterwards."""

    name: str = ""
    work_root: str = "/tmp"
    templates: Sequence[str] = ()

    def __init__(
        self,
        context: Context,
        num_nodes: int | None = None,
        cluster_spec: ClusterSpec | None = None,
        *args: object,
        **kwargs: object,
    ) -> None:
        # Plain values only, so that another process can clean up after a test that died
        self.instance = uuid.uuid4().hex[:12]
        self.name = self.name or type(self).__name__.lower()
        settings = getattr(context, "globals", None)
        if isinstance(settings, Mapping) and "work_root" in settings:
            self.work_root = str(settings["work_root"])
        for attribute, text in (("name", self.name), ("work_root", self.work_root)):
            # They stand in commands that remove directories: a blank would make two paths of one
            if not _FOR_SHELLS.fullmatch(text):
                raise DucktapeError(
                    f"{type(self).__name__}: {attribute} {text!r} may not have blanks, quotes and the like"
                )
        super().__init__(context, num_nodes, cluster_spec, *args, **kwargs)

    def files(self, node: ClusterNode) -> Mapping[str, str | Path]:
        """Return the files to write before each start, besides ``templates``.

        Args:
            node: one of ``nodes``.

        Returns:
            The path, in the working directory unless absolute, to the content, or to the ``Path`` of a local file or
            directory to copy.
        """
        return {}

    def prepare(self, node: ClusterNode) -> None:
        """Do what a node needs before each start, when its files are written; does nothing unless overridden.

        For instance install packages, or format a data directory.

        Args:
            node: one of ``nodes``.
        """

    def template(self, path: str, node: ClusterNode, **kwargs: object) -> str:
        """Render a template for a node; ``service`` and ``node`` are among its variables.

        Args:
            path: as for :meth:`render`.
            node: one of ``nodes``.
            **kwargs: further variables.
        """
        return self.render(path, service=self, node=node, **kwargs)

    def work_dir(self, node: ClusterNode) -> str:
        """Return the working directory on a node, which no other service shares."""
        return posixpath.join(self.work_root, f"{self.name}-{self.instance}-{node.name}")

    def output_of(self, node: ClusterNode, command: str | Sequence[str], *, allow_fail: bool = False) -> str:
        """Run a command in the working directory to its end and return its standard output.

        Args:
            node: one of ``nodes``.
            command: text for the shell, or the program and its arguments.
            allow_fail: whether the exit status is ignored.

        Raises:
            RemoteCommandError: it failed.
        """
        text = self._in_work_dir(node, command)
        output: bytes = node.account.ssh_output(text, allow_fail=allow_fail, combine_stderr=False)
        return output.decode(errors="replace")

    @accepts_any_override
    def clean_node(self, node: ClusterNode, **kwargs: Any) -> None:
        """Remove the working directory.

        Args:
            node: one of ``nodes``.
            **kwargs: those of :meth:`clean`; ignored.
        """
        node.account.remove(self.work_dir(node), allow_fail=True)

    def _in_work_dir(self, node: ClusterNode, command: str | Sequence[str]) -> str:
        """Return the text for the shell that runs a command in the working directory, if there is one."""
        text = command if isinstance(command, str) else shlex.join(command)
        return f"cd {self.work_dir(node)} 2>/dev/null; {text}"

    def _write_files(self, node: ClusterNode, directory_mode: int = 0o755) -> None:
        """Write the files, and prepare the node."""
        rendered = {path: self.template(path, node) for path in self.templates}
        places = {
            posixpath.join(self.work_dir(node), path): content
            for path, content in {**rendered, **self.files(node)}.items()
        }
        own = self.work_dir(node)
        for directory in dict.fromkeys(map(posixpath.dirname, places)):
            if f"{directory}/".startswith(f"{own}/"):
                node.account.mkdirs(directory, directory_mode)
            else:  # perhaps of the system, and then it keeps its permissions
                node.account.ssh(f"mkdir -p {directory}")
        for place, content in places.items():
            if isinstance(content, str):
                node.account.create_file(place, content)
                continue
            source = content.resolve(strict=True)
            if not source.is_dir():
                node.account.copy_to(str(source), place)
                continue
            # Of a directory that is there already, the copy would be made inside
            node.account.mkdirs(place, directory_mode)
            for entry in sorted(source.iterdir()):
                node.account.copy_to(str(entry), place)
        self.prepare(node)
