# SPDX-License-Identifier: Apache-2.0
"""The progress of a run on a terminal."""
