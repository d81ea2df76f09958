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

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "option_reference"]
exclude_patterns = ["_build", "_ext"]
html_theme = "furo"  # follows the reader's light or dark mode, and has a switch
html_title = f"ducktape {release}"
html_show_sourcelink = False
# A copied block is what is typed: without prompts, and without the output below them
copybutton_prompt_text = "$ "
copybutton_exclude = ".linenos, .gp, .go"

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
