# SPDX-License-Identifier: Apache-2.0
"""Test distributed systems on real nodes."""

__version__ = "1.0.0.dev0"
