# SPDX-License-Identifier: Apache-2.0
"""Files and whole trees between the driver and its nodes."""
