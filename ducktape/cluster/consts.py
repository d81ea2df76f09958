# SPDX-License-Identifier: Apache-2.0
"""Names of the operating systems that a node can have."""

from __future__ import annotations

LINUX = "linux"
WINDOWS = "windows"
SUPPORTED_OS_TYPES = [LINUX, WINDOWS]
