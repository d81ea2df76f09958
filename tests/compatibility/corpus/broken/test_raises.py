# SPDX-License-Identifier: Apache-2.0
raise ValueError('raised at import')
