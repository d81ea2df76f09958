# SPDX-License-Identifier: Apache-2.0
"""Addresses of machines."""

from __future__ import annotations

import socket


def resolved(hostname: str) -> str:
    """Resolve a host name on this machine, or return the name itself."""
    try:
        found = socket.getaddrinfo(hostname, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return hostname
    # IPv4 first, since most systems under test listen there
    addresses = [str(entry[4][0]) for entry in sorted(found, key=lambda entry: entry[0] != socket.AF_INET)]
    return addresses[0] if addresses else hostname


def in_url(address: str) -> str:
    """Return an address for URLs, with IPv6 in brackets."""
    return f"[{address}]" if ":" in address and not address.startswith("[") else address
