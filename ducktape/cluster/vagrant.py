# SPDX-License-Identifier: Apache-2.0
"""The machines that Vagrant runs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ducktape.cluster.json import JsonCluster, make_remote_account
from ducktape.cluster.remoteaccount import RemoteAccountSSHConfig
from ducktape.utils.files import write_atomically

_PROBES_AT_ONCE = 16


def split_hosts(ssh_config: str) -> list[str]:
    """The blocks of an OpenSSH client configuration, one per ``Host`` line; what stands before the first is dropped."""
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

    Args:
        *args: ignored.
        make_remote_account_func: creates the account of a machine.
        **kwargs: ``cluster_file``: is read when it exists, else written after Vagrant was asked and each machine for
            its address; ``ssh_exception_checks``: passed to each account.

    Raises:
        RuntimeError: Vagrant is missing or fails.
        ValueError: the file cannot be understood.
    """

    def __init__(
        self, *args: Any, make_remote_account_func: Callable[..., Any] = make_remote_account, **kwargs: Any
    ) -> None:
        self._ssh_exception_checks = kwargs.get("ssh_exception_checks")
        cluster_file = kwargs.get("cluster_file")
        description = None if cluster_file is None else _read_if_there(cluster_file)
        is_new = description is None
        if description is None:
            description = {"nodes": self._get_nodes_from_vagrant(make_remote_account_func)}
        super().__init__(description, *args, make_remote_account_func=make_remote_account_func, **kwargs)
        # An empty answer is no knowledge worth keeping: the machines may just not be up yet.
        if is_new and cluster_file is not None and description["nodes"]:
            write_atomically(cluster_file, json.dumps(description, indent=2, separators=(",", ": "), sort_keys=True))
        # A connected account could not be sent to the process of a test.
        for account in self._available_accounts:
            account.close()

    def _get_nodes_from_vagrant(self, make_remote_account_func: Callable[..., Any]) -> list[dict[str, Any]]:
        """Descriptions of the machines, each asked for its address."""
        text, _ = self._vagrant_ssh_config()
        configs = [RemoteAccountSSHConfig.from_string(block) for block in split_hosts(text)]
        if not configs:
            return []
        with ThreadPoolExecutor(max_workers=min(_PROBES_AT_ONCE, len(configs))) as pool:
            return list(pool.map(lambda config: self._describe(config, make_remote_account_func), configs))

    def _describe(self, config: RemoteAccountSSHConfig, make: Callable[..., Any]) -> dict[str, Any]:
        account = make(config, ssh_exception_checks=self._ssh_exception_checks)
        try:
            address = account.fetch_externally_routable_ip()
        finally:
            account.close()
        description = {"ssh_config": config.to_json(), "externally_routable_ip": address}
        node_type = getattr(account, "node_type", None)
        return description if node_type is None else {**description, "node_type": node_type}

    def _vagrant_ssh_config(self) -> tuple[str, str]:
        """Output and error output of ``vagrant ssh-config``."""
        done = subprocess.run(
            "vagrant ssh-config", shell=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"'vagrant ssh-config' failed with status {done.returncode}: {done.stderr.strip() or 'no message'}"
            )
        return done.stdout, done.stderr


def _read_if_there(path: str) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError:
        return None
