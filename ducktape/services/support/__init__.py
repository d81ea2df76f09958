# SPDX-License-Identifier: Apache-2.0
"""Internals of services: allocation, logs, records and diagnostics."""
