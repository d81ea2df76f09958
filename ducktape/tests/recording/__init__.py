# SPDX-License-Identifier: Apache-2.0
"""What is kept of a session, and what can be read from it again."""
