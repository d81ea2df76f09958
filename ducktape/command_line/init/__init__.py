# SPDX-License-Identifier: Apache-2.0
"""``ducktape init``: writes a suite to begin with."""
