# SPDX-License-Identifier: Apache-2.0
"""The subcommand that shows earlier sessions."""
