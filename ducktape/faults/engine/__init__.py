# SPDX-License-Identifier: Apache-2.0
"""How faults work: scripts on machines that undo themselves, firewall rules, limits, and the log."""
