# SPDX-License-Identifier: Apache-2.0
"""From symbols to the list of tests."""
