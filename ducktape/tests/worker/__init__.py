# SPDX-License-Identifier: Apache-2.0
"""What happens in a process that runs or cleans up one test."""
