# SPDX-License-Identifier: Apache-2.0
"""Where options come from, and what their values mean."""
