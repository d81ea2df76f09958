# SPDX-License-Identifier: Apache-2.0
"""The subcommand ``ducktape release``."""
