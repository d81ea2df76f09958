# SPDX-License-Identifier: Apache-2.0
"""Operations of accounts: files, processes, and the output of commands."""
