# SPDX-License-Identifier: Apache-2.0
"""Nodes that are containers of an engine which runs commands in them on request."""
