# SPDX-License-Identifier: Apache-2.0
"""The parts that services are made of."""
