# SPDX-License-Identifier: Apache-2.0
"""What an account on a machine does: files, processes, and the output of commands."""
