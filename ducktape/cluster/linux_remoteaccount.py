# SPDX-License-Identifier: Apache-2.0
"""A Linux machine."""

from __future__ import annotations

import logging
from typing import Any

from ducktape.cluster.consts import LINUX
from ducktape.cluster.remoteaccount import RemoteAccount, RemoteAccountError, check_ssh
from ducktape.cluster.transport import framework_commands


def parse_addresses(listing: str) -> dict[str, str]:
    """Return the first IPv4 address of each device in the output of ``ip -o -4 addr``."""
    addresses: dict[str, str] = {}
    for line in listing.splitlines():
        words = line.split()
        if len(words) >= 4 and words[2] == "inet":
            addresses.setdefault(words[1].partition("@")[0], words[3].partition("/")[0])
    return addresses


class LinuxRemoteAccount(RemoteAccount):
    """A login on a Linux machine; see ``RemoteAccount``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.os = LINUX

    @property
    def local(self) -> bool:
        """Whether this is the driver's own machine without SSH."""
        return self.is_local

    @check_ssh
    def get_network_devices(self) -> list[str]:
        """Return the names of all network devices."""
        return [entry.filename for entry in self.transport.files.listdir_attr("/sys/class/net")]

    def get_external_accessible_network_devices(self) -> list[str]:
        """Return the names of the network devices that other machines can reach."""
        return [device for device in self.get_network_devices() if device.startswith(("en", "eth"))]

    def fetch_externally_routable_ip(self, is_aws: bool | None = None) -> str:
        """Look up the address of the first externally reachable device that has one.

        Args:
            is_aws: deprecated, of no effect.

        Raises:
            RemoteAccountError: there is no such device.
        """
        if is_aws is not None:
            self._log(logging.WARNING, "fetch_externally_routable_ip: the parameter is_aws has no effect")
        devices = self.get_external_accessible_network_devices()
        if not devices:
            raise RemoteAccountError(self, "Couldn't find any network devices")
        with framework_commands():
            addresses = parse_addresses(self._said("PATH=$PATH:/sbin:/usr/sbin ip -o -4 addr"))
            for device in devices:
                address = addresses.get(device) or self._said(
                    f"/sbin/ifconfig {device} | grep 'inet ' | tail -n 1 | grep -E -o '[0-9.]+' | head -n 1"
                )
                if address:
                    return address
        raise RemoteAccountError(self, f"None of the network devices {', '.join(devices)} has an IPv4 address")

    def _said(self, command: str) -> str:
        return self.ssh_output(command, allow_fail=True, combine_stderr=False).decode(errors="replace").strip()
