# SPDX-License-Identifier: Apache-2.0
"""Tests whose nodes stay for people to look inside: the processes that keep them, and the record of them."""
