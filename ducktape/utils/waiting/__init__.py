# SPDX-License-Identifier: Apache-2.0
"""Internals of ``ducktape.utils.wait``."""
