# SPDX-License-Identifier: Apache-2.0
"""The machines that Vagrant runs."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from collections.abc import Callable
from typing import Any

from ducktape.cluster.json import JsonCluster, make_remote_account
from ducktape.cluster.pool.cluster_file import name_nodes, read_cluster_file, refuse
from ducktape.cluster.remoteaccount import RemoteAccountError, RemoteAccountSSHConfig
from ducktape.utils.support.files import write_atomically
from ducktape.utils.support.hooks import answer_of
from ducktape.utils.support.parallel import run_parallel
from ducktape.utils.support.text import class_and_text

_PROBES_AT_ONCE = 16
# What a shell answers when there is no such program
_NO_SUCH_PROGRAM = 127

_logger = logging.getLogger(__name__)


def split_hosts(ssh_config: str) -> list[str]:
    """Return the blocks of an OpenSSH client configuration, one per ``Host`` line; lines before it are dropped."""
    blocks: list[list[str]] = []
    for line in ssh_config.splitlines():
        words = line.replace("=", " ", 1).split(maxsplit=1)
        if words and words[0].lower() == "host":
            blocks.append([])
        if blocks:
            blocks[-1].append(line)
    return ["\n".join(block) for block in blocks]


class VagrantCluster(JsonCluster):
    """Lends out the machines of ``vagrant ssh-config``, or of a file that remembers them.

    Several processes may be given one file: the first asks, the others wait and read what it wrote.

    Args:
        *args: ignored.
        make_remote_account_func: creates the account of a machine.
        **kwargs: ``cluster_file``: is read when it exists, else written after Vagrant was asked and each machine for
            its address; ``ssh_exception_checks``: passed to each account.

    Raises:
        RemoteAccountError: Vagrant is missing or fails, or machines cannot be asked for their addresses.
        ValueError: the file cannot be understood.
    """

    def __init__(
        self, *args: object, make_remote_account_func: Callable[..., Any] = make_remote_account, **kwargs: Any
    ) -> None:
        self._ssh_exception_checks = kwargs.get("ssh_exception_checks")
        cluster_file = kwargs.get("cluster_file")
        description = self._description(cluster_file, make_remote_account_func)
        super().__init__(description, *args, make_remote_account_func=make_remote_account_func, **kwargs)
        # A connected account could not be sent to the process of a test.
        for account in self._available_accounts:
            account.close()

    def _description(self, cluster_file: str | None, make_remote_account_func: Callable[..., Any]) -> Any:
        """Return the description from the file, or else from Vagrant, which is then written to the file."""
        if cluster_file is None:
            return {"nodes": self._get_nodes_from_vagrant(make_remote_account_func)}
        description = _read_if_there(cluster_file)
        if description is not None:
            return description
        import filelock  # only the first run of all needs it

        os.makedirs(os.path.dirname(os.path.abspath(cluster_file)), exist_ok=True)
        lock = filelock.FileLock(f"{cluster_file}.lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            _logger.warning("Another process asks Vagrant for %s; waiting for it", cluster_file)
            lock.acquire()
        try:
            # Another process may have written it while this one waited.
            description = _read_if_there(cluster_file)
            if description is not None:
                return description
            description = {"nodes": self._get_nodes_from_vagrant(make_remote_account_func)}
            # An empty answer is no knowledge worth keeping: the machines may just not be up yet.
            if description["nodes"]:
                text = json.dumps(description, indent=2, separators=(",", ": "), sort_keys=True)
                write_atomically(cluster_file, text)
            return description
        finally:
            lock.release()

    def _get_nodes_from_vagrant(self, make_remote_account_func: Callable[..., Any]) -> list[dict[str, Any]]:
        """Return descriptions of the machines, which are asked for their addresses in parallel."""
        text, _ = self._vagrant_ssh_config()
        configs = [RemoteAccountSSHConfig.from_string(block) for block in split_hosts(text)]
        if not configs:
            return []
        try:
            name_nodes(configs)
        except ValueError as error:
            refuse(f"vagrant ssh-config: {error}", None)
        probes = run_parallel(
            configs, lambda config: self._describe(config, make_remote_account_func), at_once=_PROBES_AT_ONCE
        )
        failures = [(probe.item.host, probe.error) for probe in probes if probe.error is not None]
        if failures:
            reasons = "; ".join(f"{host}: {' '.join(class_and_text(error).split())}" for host, error in failures)
            complaint = f"{len(failures)} of {len(configs)} machines could not be asked for their address: {reasons}"
            raise RemoteAccountError("Vagrant", complaint) from failures[0][1]
        return [probe.result for probe in probes if probe.result is not None]

    def _describe(self, config: RemoteAccountSSHConfig, make: Callable[..., Any]) -> dict[str, Any]:
        account = answer_of(make, config, ssh_exception_checks=self._ssh_exception_checks)
        try:
            address = answer_of(account.fetch_externally_routable_ip)
        finally:
            account.close()
        description = {"ssh_config": config.to_json(), "externally_routable_ip": address}
        node_type = getattr(account, "node_type", None)
        return description if node_type is None else {**description, "node_type": node_type}

    def _vagrant_ssh_config(self) -> tuple[str, str]:
        """Return output and error output of ``vagrant ssh-config``."""
        done = subprocess.run(
            "vagrant ssh-config",
            shell=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            message = " ".join(done.stderr.split()) or "no message on standard error"
            hint = "; --cluster names another cluster class" if done.returncode == _NO_SUCH_PROGRAM else ""
            complaint = f"'vagrant ssh-config' in {os.getcwd()} failed with status {done.returncode}: {message}{hint}"
            raise RemoteAccountError("Vagrant", complaint)
        return done.stdout, done.stderr


def _read_if_there(path: str) -> Any:
    try:
        return read_cluster_file(path)
    except OSError:
        return None
