# SPDX-License-Identifier: Apache-2.0
"""Which test runs next."""
