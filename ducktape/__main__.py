# SPDX-License-Identifier: Apache-2.0
"""``python -m ducktape``."""

from __future__ import annotations

from ducktape.command_line.main import main

if __name__ == "__main__":
    main()
