# SPDX-License-Identifier: Apache-2.0
"""A test file without a test."""
