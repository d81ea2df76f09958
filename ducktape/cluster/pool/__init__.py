# SPDX-License-Identifier: Apache-2.0
"""The nodes of a cluster file: their names, leases on them, and quarantine."""
