# SPDX-License-Identifier: Apache-2.0
"""Machines that are reached over SSH."""
