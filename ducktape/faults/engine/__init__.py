# SPDX-License-Identifier: Apache-2.0
"""What faults are made of: scripts on machines that undo themselves, rules, limits, and their log."""
