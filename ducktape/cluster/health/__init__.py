# SPDX-License-Identifier: Apache-2.0
"""Whether nodes are fit for tests."""
