# SPDX-License-Identifier: Apache-2.0
"""Commands and files of this machine."""
