# SPDX-License-Identifier: Apache-2.0
assert False, 'asserted at import'
