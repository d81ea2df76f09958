# SPDX-License-Identifier: Apache-2.0
"""Measurements of this checkout beside the published release, from outside: each in an environment of its own."""
