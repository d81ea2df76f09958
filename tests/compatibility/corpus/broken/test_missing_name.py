# SPDX-License-Identifier: Apache-2.0
from broken.test_fine import a_name_that_does_not_exist
