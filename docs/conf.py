# SPDX-License-Identifier: Apache-2.0
"""How the documentation is built: `make docs`, warnings being errors."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

import ducktape  # noqa: E402 - only found after the line above

project = "ducktape"
author = "the ducktape authors"
copyright = "the ducktape authors, Apache-2.0"
release = version = ducktape.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "option_reference"]
exclude_patterns = ["_build", "_ext"]
html_theme = "alabaster"
html_theme_options = {"description": ducktape.__doc__ or "", "page_width": "1040px", "body_max_width": "none"}
html_show_sourcelink = False

autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "show-inheritance": True,
    # A name with several import paths is described once, where it is defined.
    "ignore-module-all": True,
}
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = False
